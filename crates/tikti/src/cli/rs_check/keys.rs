//! Which keys sign and confuse? Those that are made for one check, and what anybody knows of the issuer's.
//!
//! No key of a deployment is here: a private one is always fresh, and gone with the process.
//!
//! Spec: Attacks, K1.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use tikti_token::{Jwk, Jwks, RsaSize, SigningKey, generate_rsa};

use super::der;
use crate::exit::Failure;

/// A key pair that exists for one check.
pub(super) struct FreshKey {
    pair: KeyPair,
    pub(super) public: PublicForms,
}

/// How the same key signs.
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    Rs256,
    Rs512,
    Ps256,
}

/// A public key in every form in which it lies around.
pub(super) struct PublicForms {
    pub(super) jwk: Jwk,
    pub(super) pem: String,
    pub(super) pkcs1_pem: String,
    pub(super) der: Vec<u8>,
}

impl FreshKey {
    pub(super) fn generate(kid: &str) -> Result<Self, Failure> {
        let broken = |cause: &dyn std::error::Error| {
            Failure::refused(format!("making a key for the check: {cause}"))
        };
        let der = generate_rsa(RsaSize::Bits2048).map_err(|cause| broken(&cause))?;
        let jwk = SigningKey::from_pkcs8(kid, &der).map_err(|cause| broken(&cause))?;
        let jwk = jwk.public_key().to_jwk();
        let pair = KeyPair::from_pkcs8(&der).map_err(|cause| broken(&cause))?;
        Ok(Self { pair, public: PublicForms::of(jwk)? })
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_SHA256,
            Algorithm::Rs512 => &RSA_PKCS1_SHA512,
            Algorithm::Ps256 => &RSA_PSS_SHA256,
        };
        #[expect(clippy::disallowed_methods, reason = "PSS salts; the client has no domain")]
        let random = SystemRandom::new();
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &random, message, &mut signature)
            .map_err(|_| Failure::refused("signing with the key of the check"))?;
        Ok(signature)
    }

    /// A certificate that the key gives itself, as DER.
    pub(super) fn certificate(&self) -> Result<Vec<u8>, Failure> {
        let to_be_signed = der::to_be_signed(&self.public.der);
        let signature = self.sign(Algorithm::Rs256, &to_be_signed)?;
        Ok(der::certificate(&to_be_signed, &signature))
    }

    /// The key set in which it is published.
    pub(super) fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.public.jwk.clone()] }
    }
}

impl PublicForms {
    pub(super) fn of(jwk: Jwk) -> Result<Self, Failure> {
        let decode = |number: &str| {
            BASE64URL_NOPAD
                .decode(number.as_bytes())
                .map_err(|_| Failure::refused("a number of the issuer's key is no base64url"))
        };
        let pkcs1 = der::pkcs1(&decode(&jwk.n)?, &decode(&jwk.e)?);
        let der = der::subject_public_key(&pkcs1);
        Ok(Self {
            pem: der::pem("PUBLIC KEY", &der),
            pkcs1_pem: der::pem("RSA PUBLIC KEY", &pkcs1),
            jwk,
            der,
        })
    }
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "names and secrets of one check; no domain here")]
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| Failure::refused("the system gives no random bytes"))?;
    Ok(bytes)
}

/// A name that nothing else has.
pub(super) fn fresh_name(prefix: &str) -> Result<String, Failure> {
    Ok(format!("{prefix}{}", BASE64URL_NOPAD.encode(&random::<12>()?)))
}

/// A certificate as `x5c` has it.
pub(super) fn x5c(certificate: &[u8]) -> String {
    BASE64.encode(certificate)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;

    #[test]
    fn the_forms_of_a_public_key_are_those_of_the_library() {
        let key = FreshKey::generate("k").unwrap();
        let public = key.pair.public_key();
        let der: PublicKeyX509Der<'_> = public.as_der().unwrap();
        assert_eq!(key.public.der, der.as_ref());
        assert_eq!(key.public.pkcs1_pem, der::pem("RSA PUBLIC KEY", public.as_ref()));
    }
}

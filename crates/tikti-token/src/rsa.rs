//! Which RSA keys sign and verify access and worker tokens, and idTokens where those are RS256?
//!
//! Every key was checked once, when it was made: at least 2048 bits, a public exponent of
//! FIPS 186-5, a key id that fits a header. A private key leaves this module only as the PKCS#8
//! bytes that [`generate_rsa`] returns; no JWK is ever made of it.
//!
//! Spec: Tokens and keys, "Signing keys". RFC 7518 sections 3.3 and 6.3, RFC 8017 section 8.2.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256},
};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::{
    class::AccessTokenType,
    error::{KeyError, SignError, VerifyError},
    jwk::Jwk,
    jws::{Algorithm, EncodedHeader, check_key_id},
};

const MIN_MODULUS_BITS: usize = 2048;
const MAX_MODULUS_BITS: usize = 8192;

/// Names a size of key that this service makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaSize {
    /// 2048 bits, the default.
    #[default]
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// Makes a private key and returns it as PKCS#8 DER, wiped when dropped.
///
/// # Errors
/// [`KeyError::Generation`].
pub fn generate_rsa(size: RsaSize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let size = match size {
        RsaSize::Bits2048 => KeySize::Rsa2048,
        RsaSize::Bits3072 => KeySize::Rsa3072,
        RsaSize::Bits4096 => KeySize::Rsa4096,
    };
    let key_pair = KeyPair::generate(size).map_err(|_| KeyError::Generation)?;
    let der = key_pair.as_der().map_err(|_| KeyError::Generation)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

/// An RSA private key, parsed once. Its `Debug` shows the key id only.
pub struct SigningKey {
    key_pair: KeyPair,
    public_key: PublicKey,
    jwt_header: EncodedHeader,
    at_jwt_header: EncodedHeader,
}

impl SigningKey {
    /// Parses an unencrypted PKCS#8 key.
    ///
    /// # Errors
    /// [`KeyError::KeyId`]; [`KeyError::Malformed`], also under 2048 bits.
    pub fn from_pkcs8(kid: &str, der: &[u8]) -> Result<Self, KeyError> {
        let key_pair = KeyPair::from_pkcs8(der).map_err(|_| KeyError::Malformed)?;
        let public = key_pair.public_key();
        let public_key = PublicKey::new(
            kid,
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        )?;
        Ok(Self {
            public_key,
            jwt_header: EncodedHeader::new(Algorithm::Rs256, "JWT", kid)?,
            at_jwt_header: EncodedHeader::new(Algorithm::Rs256, "at+jwt", kid)?,
            key_pair,
        })
    }

    /// Returns the key id that tokens made with this key name in their header.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public_key.kid()
    }

    /// Returns the public half, which may be published.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public_key.clone()
    }

    /// Signs `message` with RSASSA-PKCS1-v1_5 and SHA-256: RFC 7518 section 3.3 below any token.
    ///
    /// # Errors
    /// [`SignError::Signing`].
    pub fn sign_raw(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the signature needs a value of this type and draws nothing from it; blinding \
                      is inside aws-lc"
        )]
        let random = SystemRandom::new();
        let mut signature = vec![0; self.key_pair.public_modulus_len()];
        self.key_pair
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .map_err(|_| SignError::Signing)?;
        Ok(signature)
    }

    pub(crate) fn header(&self, typ: AccessTokenType) -> &EncodedHeader {
        match typ {
            AccessTokenType::Jwt => &self.jwt_header,
            AccessTokenType::AtJwt => &self.at_jwt_header,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// An RSA public key with its key id, parsed once.
#[derive(Clone)]
pub struct PublicKey {
    jwk: Jwk,
    verifier: ParsedPublicKey,
}

impl PublicKey {
    /// Parses a public key of a JWKS.
    ///
    /// # Errors
    /// [`KeyError::KeyId`], [`KeyError::TooShort`] under 2048 bits, [`KeyError::Malformed`] for
    /// another kind of key or numbers that are not canonical.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        if !jwk.is_rs256() {
            return Err(KeyError::Malformed);
        }
        let decode = |number: &str| {
            BASE64URL_NOPAD.decode(number.as_bytes()).map_err(|_| KeyError::Malformed)
        };
        Self::new(&jwk.kid, &decode(&jwk.n)?, &decode(&jwk.e)?)
    }

    /// Takes both numbers as big-endian bytes without leading zeros (RFC 7518 section 2).
    fn new(kid: &str, modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        check_key_id(kid)?;
        check_modulus(modulus)?;
        check_exponent(exponent)?;
        let verifier = PublicKeyComponents { n: modulus, e: exponent }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyError::Malformed)?;
        let jwk =
            Jwk::rs256(kid, BASE64URL_NOPAD.encode(modulus), BASE64URL_NOPAD.encode(exponent));
        Ok(Self { jwk, verifier })
    }

    /// Returns the key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// Returns the key as it is published.
    #[must_use]
    pub fn to_jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// What checks signatures, alone.
    pub(crate) fn into_verifier(self) -> ParsedPublicKey {
        self.verifier
    }

    /// Checks an RS256 signature of `message`.
    ///
    /// # Errors
    /// [`VerifyError::Signature`].
    pub fn verify_raw(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        self.verifier.verify_sig(message, signature).map_err(|_| VerifyError::Signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PublicKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// The upper bound is that of the library, and keeps one verification under a millisecond.
fn check_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return Err(KeyError::Malformed);
    };
    if *first == 0 || last % 2 == 0 {
        return Err(KeyError::Malformed);
    }
    match modulus.len() * 8 - first.leading_zeros() as usize {
        0..MIN_MODULUS_BITS => Err(KeyError::TooShort),
        MIN_MODULUS_BITS..=MAX_MODULUS_BITS => Ok(()),
        _ => Err(KeyError::Malformed),
    }
}

/// FIPS 186-5, appendix A.1.1: odd and above 2^16. The library takes no more than 33 bits, which
/// also bounds the cost of a verification.
fn check_exponent(exponent: &[u8]) -> Result<(), KeyError> {
    let value = exponent.iter().try_fold(0_u64, |value, byte| {
        value.checked_mul(256).map(|value| value + u64::from(*byte))
    });
    match (exponent.first(), value) {
        (Some(1..), Some(value)) if value % 2 == 1 && (1 << 16..1 << 33).contains(&value) => Ok(()),
        _ => Err(KeyError::Malformed),
    }
}

//! Which public keys of somebody outside are taken, for what he signs himself?
//!
//! A key is RS256 (at least 2048 bits), ES256 or EdDSA (Ed25519), has a `kid`, and is public: one with any
//! private or symmetric member is refused, because a private key that was sent around must not be trusted
//! and someone must notice. What is kept of it is exactly what its algorithm needs; everything else that the
//! document says is dropped.
//!
//! Spec: HTTP API, "Standards beside Tikti's own endpoints" (assertions). RFC 7517 section 4, RFC 7518
//! section 6, RFC 8037 section 2.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{KeyError, VerifyError};
use crate::jwk::Jwk;
use crate::jws::check_key_id;
use crate::rsa::PublicKey;

/// With any of these a key is private (RFC 7518 sections 6.2.2, 6.3.2; RFC 8037 section 2) or symmetric
/// (RFC 7518 section 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Bytes of a coordinate of P-256, and of a public key of Ed25519.
const COORDINATE_BYTES: usize = 32;
/// RFC 7515, appendix A.2.
const DECOY_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
/// RFC 7515, appendix A.3.
const DECOY_EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const DECOY_EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
/// RFC 8037, appendix A.2.
const DECOY_ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// The second coordinates of the points of Ed25519 whose order is 4, 1, 2, 8, 8, and 4 and 1 once more, written
/// with the prime added.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];
/// SEC 1, section 2.3.4: both coordinates follow.
const UNCOMPRESSED: u8 = 4;

/// Says why a key is not taken; no message repeats what the document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionKeyError {
    /// A member of a private or symmetric key is there.
    #[error(
        "has private members: send the public key alone, and make a new one, since this is known now"
    )]
    Private,
    /// `kty`, `crv` and `alg` are not those of RS256, ES256 or EdDSA.
    #[error("must be for RS256, ES256 on P-256 or EdDSA on Ed25519")]
    Algorithm,
    /// `use` or `key_ops` names another use than the verification of signatures.
    #[error("is not for the verification of signatures")]
    Use,
    /// A member is missing, of the wrong type or not canonical, or the numbers are no key.
    #[error("is no public key")]
    Malformed,
    /// `kid` is missing or of the wrong form.
    #[error("must have a kid of 1 to 128 visible ASCII characters")]
    KeyId,
    /// An RSA key under 2048 bits.
    #[error("must have at least 2048 bits")]
    TooShort,
}

/// A public key with which somebody outside signs, as it is kept and shown: it was checked once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionKey {
    /// `RSA`, `EC` or `OKP`.
    pub kty: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// `RS256`, `ES256` or `EdDSA`.
    pub alg: String,
    /// Names the key in the header of what it signs.
    pub kid: String,
    /// `P-256` or `Ed25519`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The modulus of an RSA key: base64url, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The public exponent of an RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The first coordinate, or the Ed25519 key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The second coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl AssertionKey {
    /// Takes a JWK that somebody outside has sent.
    ///
    /// # Errors
    /// [`AssertionKeyError`], the first that applies in the order of its variants.
    pub fn parse(jwk: &Map<String, Value>) -> Result<Self, AssertionKeyError> {
        if PRIVATE.iter().any(|member| jwk.contains_key(*member)) {
            return Err(AssertionKeyError::Private);
        }
        let (kty, alg, crv) = kind(jwk)?;
        check_use(jwk)?;
        let kid = text(jwk, "kid").unwrap_or_default().to_owned();
        let mut key = Self {
            kty: kty.to_owned(),
            key_use: "sig".to_owned(),
            alg: alg.to_owned(),
            kid,
            crv: crv.map(str::to_owned),
            n: None,
            e: None,
            x: None,
            y: None,
        };
        let number = |name| text(jwk, name).map(str::to_owned).ok_or(AssertionKeyError::Malformed);
        match alg {
            "RS256" => (key.n, key.e) = (Some(number("n")?), Some(number("e")?)),
            "ES256" => (key.x, key.y) = (Some(number("x")?), Some(number("y")?)),
            _ => key.x = Some(number("x")?),
        }
        key.check()?;
        Ok(key)
    }

    /// Whether the numbers are a key of the algorithm, and the key id fits.
    fn check(&self) -> Result<(), AssertionKeyError> {
        self.verifier()?;
        check_key_id(&self.kid).map_err(|_| AssertionKeyError::KeyId)
    }

    /// Checks a signature of `message` by the key's algorithm. That of ES256 is the two numbers, 32 bytes
    /// each (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// [`VerifyError::Signature`].
    pub(crate) fn verify_raw(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        // The numbers were checked before they were kept.
        let verifier = self.verifier().map_err(|_| VerifyError::Signature)?;
        verifier.verify_sig(message, signature).map_err(|_| VerifyError::Signature)
    }

    fn verifier(&self) -> Result<ParsedPublicKey, AssertionKeyError> {
        let member = |member: &Option<String>| member.clone().unwrap_or_default();
        let parsed = match self.alg.as_str() {
            "RS256" => {
                let jwk = Jwk::rs256(&self.kid, member(&self.n), member(&self.e));
                let key = PublicKey::from_jwk(&jwk).map_err(|error| match error {
                    KeyError::KeyId => AssertionKeyError::KeyId,
                    KeyError::TooShort => AssertionKeyError::TooShort,
                    _ => AssertionKeyError::Malformed,
                })?;
                return Ok(key.into_verifier());
            }
            "ES256" => {
                let mut point = vec![UNCOMPRESSED];
                point.extend(coordinate(&member(&self.x))?);
                point.extend(coordinate(&member(&self.y))?);
                // The library refuses what is not on the curve.
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
            }
            _ => {
                let point = coordinate(&member(&self.x))?;
                if is_of_small_order(&point) {
                    return Err(AssertionKeyError::Malformed);
                }
                ParsedPublicKey::new(&ED25519, point)
            }
        };
        parsed.map_err(|_| AssertionKeyError::Malformed)
    }
}

/// A key of this algorithm that is nobody's: to check a signature where there is nothing to check it by.
/// Those of the standards' examples.
pub(crate) fn decoy(alg: &str) -> AssertionKey {
    let key = |kty: &str, crv: Option<&str>, members: [Option<&str>; 4]| {
        let [n, e, x, y] = members.map(|member| member.map(str::to_owned));
        AssertionKey {
            kty: kty.to_owned(),
            key_use: "sig".to_owned(),
            alg: alg.to_owned(),
            kid: "decoy".to_owned(),
            crv: crv.map(str::to_owned),
            n,
            e,
            x,
            y,
        }
    };
    match alg {
        "RS256" => key("RSA", None, [Some(DECOY_N), Some("AQAB"), None, None]),
        "ES256" => key("EC", Some("P-256"), [None, None, Some(DECOY_EC_X), Some(DECOY_EC_Y)]),
        _ => key("OKP", Some("Ed25519"), [None, None, Some(DECOY_ED_X), None]),
    }
}

/// Whether a point of Ed25519 has an order of 8 or less: under such a key, signatures hold that nobody made
/// with a private key. Looked at is the second coordinate as it is encoded, also where it is no least residue
/// (RFC 8032, section 5.1.3); the sign of the first makes no difference.
fn is_of_small_order(point: &[u8]) -> bool {
    let mut point = point.to_vec();
    if let Some(last) = point.last_mut() {
        *last &= 0x7f;
    }
    SMALL_ORDER.contains(&HEXLOWER.encode(&point).as_str())
}

/// The key type, algorithm and curve; an algorithm that is not named follows from the other two.
fn kind(
    jwk: &Map<String, Value>,
) -> Result<(&'static str, &'static str, Option<&'static str>), AssertionKeyError> {
    let kind = match (text(jwk, "kty"), text(jwk, "crv")) {
        (Some("RSA"), None) => ("RSA", "RS256", None),
        (Some("EC"), Some("P-256")) => ("EC", "ES256", Some("P-256")),
        (Some("OKP"), Some("Ed25519")) => ("OKP", "EdDSA", Some("Ed25519")),
        _ => return Err(AssertionKeyError::Algorithm),
    };
    match jwk.get("alg") {
        None => Ok(kind),
        Some(alg) if alg == kind.1 => Ok(kind),
        // As a browser's cryptography writes it (RFC 9864).
        Some(alg) if alg == crate::assertion::ED25519 && kind.1 == "EdDSA" => Ok(kind),
        Some(_) => Err(AssertionKeyError::Algorithm),
    }
}

fn check_use(jwk: &Map<String, Value>) -> Result<(), AssertionKeyError> {
    let for_signatures = jwk.get("use").is_none_or(|key_use| key_use == "sig");
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|list| list.iter().any(|one| one == "verify"))
    };
    if for_signatures && jwk.get("key_ops").is_none_or(verifies) {
        return Ok(());
    }
    Err(AssertionKeyError::Use)
}

fn text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member).and_then(Value::as_str)
}

/// RFC 7518 section 6.2.1.2: as many bytes as the curve has, whatever the number.
fn coordinate(text: &str) -> Result<Vec<u8>, AssertionKeyError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
    bytes.ok().filter(|bytes| bytes.len() == COORDINATE_BYTES).ok_or(AssertionKeyError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.2.
    const RSA: &str = r#"{"kty":"RSA","kid":"r","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    /// RFC 7515, appendix A.3.
    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"e","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    /// RFC 8037, appendix A.2.
    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"d","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn map(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    fn with(json: &str, member: &str, value: Value) -> Result<AssertionKey, AssertionKeyError> {
        let mut jwk = map(json);
        jwk.insert(member.to_owned(), value);
        AssertionKey::parse(&jwk)
    }

    #[test]
    fn takes_public_keys_of_the_three_algorithms_and_keeps_what_they_need() {
        for (json, alg) in [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")] {
            let key = with(json, "x5t", "dropped".into()).unwrap();
            let mut expected = map(json);
            expected.insert("use".to_owned(), "sig".into());
            expected.insert("alg".to_owned(), alg.into());
            assert_eq!(serde_json::to_value(&key).unwrap(), Value::Object(expected));
            let stored: AssertionKey =
                serde_json::from_value(serde_json::to_value(&key).unwrap()).unwrap();
            assert_eq!(stored, key);
            for good in
                [("use", "sig".into()), ("alg", alg.into()), ("key_ops", vec!["verify"].into())]
            {
                assert_eq!(with(json, good.0, good.1).unwrap(), key);
            }
        }
    }

    #[test]
    fn the_signatures_of_the_standards_verify_and_no_other_spelling_of_them() {
        let examples = [
            (
                EC,
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                ED,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        for (json, message, signature) in examples {
            let key = AssertionKey::parse(&map(json)).unwrap();
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
            assert_eq!(key.verify_raw(message.as_bytes(), &signature), Ok(()));
            let mut longer = signature.clone();
            longer.push(0);
            for wrong in [&signature[..63], &longer[..], &[0; 64][..], &[]] {
                let refused = key.verify_raw(message.as_bytes(), wrong);
                assert_eq!(refused, Err(VerifyError::Signature));
            }
            // The DER form that other libraries write of an ECDSA signature.
            let (r, s) = signature.split_at(32);
            let der = [&[0x30, 68, 2, 32][..], r, &[2, 32], s].concat();
            assert_eq!(key.verify_raw(message.as_bytes(), &der), Err(VerifyError::Signature));
        }
    }

    #[test]
    fn a_decoy_is_a_key_like_any_other() {
        for alg in ["RS256", "ES256", "EdDSA"] {
            assert_eq!(decoy(alg).check(), Ok(()), "{alg}");
            assert_eq!(decoy(alg).verify_raw(b"a", &[1; 256]), Err(VerifyError::Signature));
        }
    }

    #[test]
    fn k1_a_point_of_small_order_is_no_key() {
        for hex in SMALL_ORDER {
            let mut point = HEXLOWER.decode(hex.as_bytes()).unwrap();
            // Oracle: within a few messages a forgery holds, R the neutral element and S zero.
            let forgery = [&[1][..], &[0; 63]].concat();
            let mut messages = (0..=u8::MAX).map(|byte| [byte]);
            let forged = ParsedPublicKey::new(&ED25519, point.clone()).is_ok_and(|key| {
                messages.any(|message| key.verify_sig(&message, &forgery).is_ok())
            });
            let is_least = !hex.starts_with("ed") && !hex.starts_with("ee");
            assert!(forged || !is_least, "{hex}");
            for sign in [0, 0x80] {
                point[31] = point[31] & 0x7f | sign;
                let refused = with(ED, "x", BASE64URL_NOPAD.encode(&point).into());
                assert_eq!(refused, Err(AssertionKeyError::Malformed), "{point:?}");
            }
        }
    }

    #[test]
    fn the_name_of_the_curve_is_a_name_of_the_algorithm_too() {
        assert_eq!(with(ED, "alg", "Ed25519".into()), with(ED, "alg", "EdDSA".into()));
        for json in [RSA, EC] {
            let refused = with(json, "alg", "Ed25519".into());
            assert_eq!(refused, Err(AssertionKeyError::Algorithm));
        }
    }

    #[test]
    fn k2_refuses_private_and_symmetric_keys_whatever_the_value() {
        for json in [RSA, EC, ED] {
            for member in PRIVATE {
                for value in [Value::Null, "AQ".into(), Value::Array(vec![])] {
                    assert_eq!(with(json, member, value), Err(AssertionKeyError::Private));
                }
            }
        }
        let oct = map(r#"{"kty":"oct","kid":"o"}"#);
        assert_eq!(AssertionKey::parse(&oct), Err(AssertionKeyError::Algorithm));
    }

    #[test]
    fn refuses_other_algorithms_and_uses() {
        for (json, member, value) in [
            (RSA, "alg", "RS512"),
            (RSA, "alg", "PS256"),
            (RSA, "alg", "none"),
            (RSA, "alg", "ES256"),
            (EC, "alg", "RS256"),
            (EC, "crv", "P-384"),
            (EC, "crv", "secp256k1"),
            (ED, "crv", "X25519"),
            (ED, "crv", "Ed448"),
            (ED, "kty", "EC"),
        ] {
            let refused = with(json, member, value.into());
            assert_eq!(refused, Err(AssertionKeyError::Algorithm), "{member} {value}");
        }
        assert_eq!(with(RSA, "alg", Value::Null), Err(AssertionKeyError::Algorithm));
        assert_eq!(with(EC, "use", "enc".into()), Err(AssertionKeyError::Use));
        assert_eq!(with(EC, "key_ops", vec!["sign"].into()), Err(AssertionKeyError::Use));
        assert_eq!(with(EC, "key_ops", "verify".into()), Err(AssertionKeyError::Use));
    }

    #[test]
    fn refuses_what_is_no_key() {
        let short = BASE64URL_NOPAD.encode(&[0xff; 128]);
        assert_eq!(with(RSA, "n", short.into()), Err(AssertionKeyError::TooShort));
        let other = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        for (json, member, value) in [
            (RSA, "e", "Aw"),
            (RSA, "n", ""),
            // Not on the curve.
            (EC, "y", other),
            (EC, "x", "AQ"),
            (EC, "x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="),
            (ED, "x", "AQ"),
        ] {
            let refused = with(json, member, value.into());
            assert_eq!(refused, Err(AssertionKeyError::Malformed), "{member}");
        }
        assert_eq!(with(EC, "y", 1.into()), Err(AssertionKeyError::Malformed));
        for json in [RSA, EC, ED] {
            for kid in [Value::Null, "".into(), 1.into(), "a b".into(), "k".repeat(129).into()] {
                assert_eq!(with(json, "kid", kid), Err(AssertionKeyError::KeyId));
            }
        }
    }
}

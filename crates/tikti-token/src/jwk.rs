//! How is a public key published, and which published keys are taken?
//!
//! A JWK here has exactly `kty use alg kid n e`. There is no field for a private member, so none
//! can be written; a document in which an RSA key has one is refused as a whole, because a private
//! key that was published must not be trusted and someone must notice.
//!
//! Spec: Tokens and keys, "Signing keys". RFC 7517 sections 4 and 5, RFC 7518 section 6.3.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

/// A public RSA signature key as RFC 7517 writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireJwk")]
pub struct Jwk {
    /// `RSA`.
    pub kty: String,
    /// `sig`; read as such where absent.
    #[serde(rename = "use")]
    pub key_use: String,
    /// `RS256`; read as such where absent.
    pub alg: String,
    /// Names the key in the header of a token.
    pub kid: String,
    /// The modulus: base64url without padding of its big-endian bytes.
    pub n: String,
    /// The public exponent, written like `n`.
    pub e: String,
}

/// A set of public keys as `/.well-known/jwks.json` serves it.
///
/// Reading skips the keys of other kinds, uses and algorithms, and those without a `kid`, as RFC
/// 7517 section 5 asks; members that are not known are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireJwks")]
pub struct Jwks {
    /// In the order of the document.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    pub(crate) fn rs256(kid: &str, n: String, e: String) -> Self {
        Self {
            kty: "RSA".to_owned(),
            key_use: "sig".to_owned(),
            alg: "RS256".to_owned(),
            kid: kid.to_owned(),
            n,
            e,
        }
    }

    /// The size of the modulus in bits; 0 where it is no number.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        let bytes = BASE64URL_NOPAD.decode(self.n.as_bytes()).unwrap_or_default();
        let first = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
        (bytes.len() * 8).saturating_sub(first)
    }

    pub(crate) fn is_rs256(&self) -> bool {
        self.kty == "RSA" && self.key_use == "sig" && self.alg == "RS256"
    }
}

/// What a document may say about a key, as far as it matters here.
#[derive(Deserialize)]
struct WireJwk {
    kty: String,
    #[serde(rename = "use")]
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    // RFC 7518 section 6.3.2: with any of these an RSA key is a private one.
    #[serde(default)]
    d: Presence,
    #[serde(default)]
    p: Presence,
    #[serde(default)]
    q: Presence,
    #[serde(default)]
    dp: Presence,
    #[serde(default)]
    dq: Presence,
    #[serde(default)]
    qi: Presence,
    #[serde(default)]
    oth: Presence,
}

/// Whether a member is there at all, `null` included.
#[derive(Default)]
struct Presence(bool);

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl WireJwk {
    fn is_private(&self) -> bool {
        [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth]
            .into_iter()
            .any(|member| member.0)
    }

    fn is_for_rs256_signatures(&self) -> bool {
        self.key_use.as_deref().is_none_or(|key_use| key_use == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|operations| operations.iter().any(|o| o == "verify"))
    }

    /// Returns `None` for a key of another kind, or one that no token can name.
    fn into_jwk(self) -> Result<Option<Jwk>, &'static str> {
        if self.kty != "RSA" {
            return Ok(None);
        }
        if self.is_private() {
            return Err("a published RSA key has private members");
        }
        if !self.is_for_rs256_signatures() {
            return Ok(None);
        }
        match (self.kid, self.n, self.e) {
            (Some(kid), Some(n), Some(e)) => Ok(Some(Jwk::rs256(&kid, n, e))),
            // RFC 7517 section 5: a key without its required members is passed over.
            _ => Ok(None),
        }
    }
}

impl TryFrom<WireJwk> for Jwk {
    type Error = &'static str;

    fn try_from(wire: WireJwk) -> Result<Self, Self::Error> {
        wire.into_jwk()?.ok_or("expected an RSA key for RS256 signatures with a kid")
    }
}

#[derive(Deserialize)]
struct WireJwks {
    keys: Vec<WireJwk>,
}

impl TryFrom<WireJwks> for Jwks {
    type Error = &'static str;

    fn try_from(wire: WireJwks) -> Result<Self, Self::Error> {
        let keys: Result<Vec<Option<Jwk>>, _> =
            wire.keys.into_iter().map(WireJwk::into_jwk).collect();
        Ok(Self { keys: keys?.into_iter().flatten().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &str) -> Result<Vec<String>, String> {
        serde_json::from_str::<Jwks>(&format!("{{\"keys\":[{keys}],\"extra\":1}}"))
            .map(|set| set.keys.into_iter().map(|key| key.kid).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn writes_exactly_six_members_in_order() {
        let jwk = Jwk::rs256("k", "AQ".to_owned(), "AQAB".to_owned());
        assert_eq!(
            serde_json::to_string(&Jwks { keys: vec![jwk] }).unwrap(),
            r#"{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k","n":"AQ","e":"AQAB"}]}"#
        );
    }

    #[test]
    fn skips_keys_of_other_kinds() {
        let keys = [
            r#"{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ","kid":"ec"}"#,
            r#"{"kty":"oct","k":"AQ","kid":"oct"}"#,
            r#"{"kty":"RSA","use":"enc","kid":"enc","n":"AQ","e":"AQAB"}"#,
            r#"{"kty":"RSA","alg":"RS512","kid":"rs512","n":"AQ","e":"AQAB"}"#,
            r#"{"kty":"RSA","key_ops":["encrypt"],"kid":"ops","n":"AQ","e":"AQAB"}"#,
            r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#,
            r#"{"kty":"RSA","kid":"k","e":"AQAB"}"#,
            r#"{"kty":"RSA","key_ops":["verify"],"x5t":"z","kid":"mine","n":"AQ","e":"AQAB"}"#,
        ];
        assert_eq!(read(&keys.join(",")), Ok(vec!["mine".to_owned()]));
    }

    #[test]
    fn k2_refuses_documents_with_private_members() {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
            for value in ["\"AQ\"", "null", "[]"] {
                let key =
                    format!(r#"{{"kty":"RSA","kid":"k","n":"AQ","e":"AQAB","{member}":{value}}}"#);
                assert!(read(&key).unwrap_err().contains("private members"), "{member}");
                assert!(serde_json::from_str::<Jwk>(&key).is_err(), "{member}");
            }
        }
    }

    #[test]
    fn refuses_documents_that_are_no_key_set() {
        assert!(read(r#""key""#).is_err());
        assert!(read(r#"{"kty":"RSA","kid":"k","kid":"l","n":"AQ","e":"AQAB"}"#).is_err());
        for document in ["{}", "[]", "{\"keys\":{}}", "null"] {
            assert!(serde_json::from_str::<Jwks>(document).is_err(), "{document}");
        }
    }
}

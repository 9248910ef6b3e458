//! Which secrets make and verify HS256 idTokens?
//!
//! A secret under 32 bytes never becomes a key (RFC 7518 section 3.2). HS256 is
//! checked with these keys and no others, so that a public key cannot be taken for a secret (RFC 8725
//! section 2.1).
//!
//! Spec: Tokens and keys, "HS256 secrets".

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};

use crate::{
    error::{KeyError, VerifyError},
    jws::{Algorithm, EncodedHeader},
};

/// Shortest secret that HS256 takes, in bytes: the length of its digest.
pub const MIN_HMAC_SECRET_BYTES: usize = 32;

/// One HS256 secret, prepared once. Its `Debug` shows the key id only.
#[derive(Clone)]
pub struct HmacKey {
    kid: String,
    key: hmac::Key,
    pub(crate) header: EncodedHeader,
}

impl HmacKey {
    /// Prepares a secret; the bytes given are not kept, only the two hash states made from them.
    ///
    /// # Errors
    /// [`KeyError::KeyId`], [`KeyError::TooShort`] under [`MIN_HMAC_SECRET_BYTES`].
    pub fn new(kid: &str, secret: &[u8]) -> Result<Self, KeyError> {
        let header = EncodedHeader::new(Algorithm::Hs256, "JWT", kid)?;
        if secret.len() < MIN_HMAC_SECRET_BYTES {
            return Err(KeyError::TooShort);
        }
        Ok(Self { kid: kid.to_owned(), key: hmac::Key::new(HMAC_SHA256, secret), header })
    }

    /// Returns the key id that tokens made with this secret name in their header.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Computes HMAC-SHA256 of `message`, 32 bytes: RFC 7518 section 3.2 below any token.
    #[must_use]
    pub fn sign_raw(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        hmac::sign(&self.key, message)
    }

    /// Checks an HMAC-SHA256 of `message` in constant time.
    ///
    /// # Errors
    /// [`VerifyError::Signature`], also for a tag that was cut short.
    pub fn verify_raw(&self, message: &[u8], tag: &[u8]) -> Result<(), VerifyError> {
        hmac::verify(&self.key, message, tag).map_err(|_| VerifyError::Signature)
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HmacKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The secrets of a deployment: the first signs, all verify, so that one is replaced without
/// signing anyone out.
#[derive(Clone, Debug)]
pub struct HmacKeys {
    first: HmacKey,
    others: Vec<HmacKey>,
}

impl HmacKeys {
    /// Takes the keys in the order of preference.
    ///
    /// # Errors
    /// [`KeyError::Empty`], [`KeyError::DuplicateKeyId`].
    pub fn new(keys: Vec<HmacKey>) -> Result<Self, KeyError> {
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::Empty)?;
        let mut set = Self { first, others: Vec::new() };
        for key in keys {
            if set.find(key.kid()).is_some() {
                return Err(KeyError::DuplicateKeyId);
            }
            set.others.push(key);
        }
        Ok(set)
    }

    /// Returns the key that signs.
    #[must_use]
    pub fn signing_key(&self) -> &HmacKey {
        &self.first
    }

    /// Finds the key that `kid` names.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&HmacKey> {
        self.iter().find(|key| key.kid == kid)
    }

    /// Finds the key whose tokens all begin with this header, in base64url.
    pub(crate) fn find_by_header(&self, header: &str) -> Option<&HmacKey> {
        self.iter().find(|key| key.header.is(header))
    }

    fn iter(&self) -> impl Iterator<Item = &HmacKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: &str) -> HmacKey {
        HmacKey::new(kid, &[7; 32]).unwrap()
    }

    #[test]
    fn refuses_secrets_under_32_bytes() {
        assert_eq!(HmacKey::new("k", &[7; 31]).unwrap_err(), KeyError::TooShort);
        assert_eq!(HmacKey::new("k", b"").unwrap_err(), KeyError::TooShort);
        assert_eq!(HmacKey::new("", &[7; 32]).unwrap_err(), KeyError::KeyId);
    }

    #[test]
    fn a_set_has_a_first_key_and_no_two_of_one_name() {
        assert_eq!(HmacKeys::new(Vec::new()).unwrap_err(), KeyError::Empty);
        assert_eq!(
            HmacKeys::new(vec![key("a"), key("b"), key("a")]).unwrap_err(),
            KeyError::DuplicateKeyId
        );
        let keys = HmacKeys::new(vec![key("a"), key("b")]).unwrap();
        assert_eq!(keys.signing_key().kid(), "a");
        assert!(keys.find("b").is_some() && keys.find("c").is_none());
    }

    #[test]
    fn debug_shows_the_key_id_only() {
        assert_eq!(format!("{:?}", key("k1")), r#"HmacKey { kid: "k1", .. }"#);
    }
}

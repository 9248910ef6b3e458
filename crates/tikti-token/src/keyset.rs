//! Which public key does a `kid` name?
//!
//! A `kid` is compared with the keys in memory and with nothing else: it never becomes a path, a
//! query or a URL. One `kid` names at most one key.
//!
//! Spec: Tokens and keys, "Verification". RFC 7515 section 4.1.4.

use crate::{
    error::KeyError,
    jwk::{Jwk, Jwks},
    rsa::PublicKey,
};

/// Public keys by key id, in the order in which they were given (newest first, where published).
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    // A deployment has two or three keys: a scan beats hashing what a stranger wrote.
    keys: Vec<PublicKey>,
}

impl KeySet {
    /// Collects keys; of two with one key id the first stays.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let mut set = Self::default();
        for key in keys {
            if set.get(key.kid()).is_none() {
                set.keys.push(key);
            }
        }
        set
    }

    /// Parses a published set.
    ///
    /// # Errors
    /// Those of [`PublicKey::from_jwk`]; [`KeyError::DuplicateKeyId`], because someone else's
    /// document does not say which of the two is meant.
    pub fn from_jwks(jwks: &Jwks) -> Result<Self, KeyError> {
        let mut set = Self::default();
        for jwk in &jwks.keys {
            if set.get(&jwk.kid).is_some() {
                return Err(KeyError::DuplicateKeyId);
            }
            set.keys.push(PublicKey::from_jwk(jwk)?);
        }
        Ok(set)
    }

    /// Finds the key that `kid` names.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// Returns the set as it is published, in its order.
    #[must_use]
    pub fn to_jwks(&self) -> Jwks {
        let keys: Vec<Jwk> = self.keys.iter().map(PublicKey::to_jwk).collect();
        Jwks { keys }
    }

    /// Returns how many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Tells whether there is no key, so that nothing verifies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

//! How is a signing key made, and how does its private part come back?
//!
//! Invariant: a private part leaves this file sealed, or as a key that signs and shows nothing else. No two
//! keys of a deployment have one `kid`.
//!
//! Spec: Tokens and keys, "Signing keys"; Domain, rule 6.

use tikti_token::{Jwk, RsaSize, SigningKey};
use zeroize::Zeroizing;

use super::{SigningKeyRecord, SigningKeys, sealing_context, unusable};
use crate::clock::{Timestamp, year_month};
use crate::error::InternalError;
use crate::random::Random;
use crate::secret::{NamedSecret, open, seal};

const SUFFIX_ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Of a million suffixes one is taken already; a record with so many keys would not fit the store.
const MOST_TRIES: usize = 64;

/// A key that has no name yet. Has no `Debug`: it is nothing but a secret.
pub(super) struct NewKey {
    der: Zeroizing<Vec<u8>>,
    /// Whether it was made elsewhere.
    imported: bool,
}

impl NewKey {
    /// Makes one, which takes a processor for some tenths of a second, or seconds.
    pub(super) fn generate(size: RsaSize) -> Result<Self, InternalError> {
        let der = tikti_token::generate_rsa(size);
        let der = der.map_err(|error| unusable("-", error.to_string()))?;
        Ok(Self { der, imported: false })
    }

    /// Takes one that was made elsewhere, as PKCS#8.
    pub(super) fn imported(der: Zeroizing<Vec<u8>>) -> Self {
        Self { der, imported: true }
    }

    /// The record of the key under this name.
    pub(super) fn record(
        &self,
        kid: &str,
        (created_at, activates_at): (Timestamp, Timestamp),
        (master_keys, random): (&[NamedSecret], &Random),
    ) -> Result<SigningKeyRecord, InternalError> {
        Ok(SigningKeyRecord {
            kid: kid.to_owned(),
            created_at,
            activates_at,
            revoked_at: None,
            imported: self.imported,
            public: self.public(kid)?,
            private: Some(seal(master_keys, &sealing_context(kid), &self.der, random)?),
        })
    }

    /// The public part under this name.
    pub(super) fn public(&self, kid: &str) -> Result<Jwk, InternalError> {
        let key = SigningKey::from_pkcs8(kid, &self.der);
        Ok(key.map_err(|error| unusable(kid, error.to_string()))?.public_key().to_jwk())
    }
}

/// A name that no key has yet: with the month, for people, and a suffix by chance.
pub(super) fn new_kid(
    keys: &SigningKeys,
    now: Timestamp,
    random: &Random,
) -> Result<String, InternalError> {
    for _ in 0..MOST_TRIES {
        let kid = format!("tikti-{}-{}", year_month(now), random.text(SUFFIX_ALPHABET, 4)?);
        if keys.find(&kid).is_none() {
            return Ok(kid);
        }
    }
    Err(unusable("-", "no name is left for a new key"))
}

/// Opens and parses a private part.
pub(super) fn unseal(
    record: &SigningKeyRecord,
    master_keys: &[NamedSecret],
) -> Result<SigningKey, InternalError> {
    let sealed = record
        .private
        .as_ref()
        .ok_or_else(|| unusable(&record.kid, "its private part was destroyed"))?;
    let der = open(master_keys, &sealing_context(&record.kid), sealed).ok_or_else(|| {
        let named = &sealed.master_key;
        let reason = if master_keys.iter().any(|key| key.kid == *named) {
            format!("the master key {named} does not open it")
        } else {
            format!("it is sealed under the master key {named}, which is not configured")
        };
        unusable(&record.kid, reason)
    })?;
    SigningKey::from_pkcs8(&record.kid, &der)
        .map_err(|error| unusable(&record.kid, error.to_string()))
}

/// Makes a key beside others of which none may sign: active at once. As the first key of a deployment it is known
/// to whoever verifies, since nobody can have cached a set without it.
pub(super) fn key_of_now(
    keys: &SigningKeys,
    size: RsaSize,
    master_keys: &[NamedSecret],
    (now, random): (Timestamp, &Random),
) -> Result<SigningKeyRecord, InternalError> {
    let kid = new_kid(keys, now, random)?;
    NewKey::generate(size)?.record(&kid, (now, now), (master_keys, random))
}

/// Makes the first key of a deployment.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn first_key(
    size: RsaSize,
    master_keys: &[NamedSecret],
    now: Timestamp,
    random: &Random,
) -> Result<SigningKeyRecord, InternalError> {
    key_of_now(&SigningKeys::default(), size, master_keys, (now, random))
}

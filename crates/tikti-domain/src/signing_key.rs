//! Signing keys: RSA pairs that all replicas share through the store.
//!
//! All keys are one record, so that making one is a single conditional write: of many replicas that
//! start at once on an empty store, one makes the first key and all use it. The private part is
//! sealed under the master key and bound to its `kid`. What a key may do is computed from its times
//! and `now`, never stored.
//!
//! Spec: Tokens and keys, "Signing keys: a pure function of time".

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Expected, Store, StoreError};
use tikti_token::{Jwk, Jwks, KeySet, PublicKey, RsaSize, SigningKey};

use crate::clock::{Timestamp, year_month};
use crate::error::{Error, InternalError};
use crate::keyspace;
use crate::random::Random;
use crate::record::Record;
use crate::secret::{NamedSecret, Sealed, open, seal, sha256_hex};

/// One key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKeyRecord {
    pub(crate) kid: String,
    pub(crate) created_at: Timestamp,
    /// From when on it signs.
    pub(crate) activates_at: Timestamp,
    /// Since when it is revoked.
    #[serde(default)]
    pub(crate) revoked_at: Option<Timestamp>,
    /// The public part.
    pub(crate) public: Jwk,
    /// The private part (PKCS#8), sealed; absent once it was destroyed.
    #[serde(default)]
    pub(crate) private: Option<Sealed>,
}

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKeys {
    pub(crate) keys: Vec<SigningKeyRecord>,
}

impl Record for SigningKeys {}

impl SigningKeys {
    /// The key that signs at `now`: the newest active one that is not revoked.
    ///
    /// Before all of them it is the first: nothing came before it, and another replica's clock may
    /// have been ahead when it was made.
    fn signer(&self, now: Timestamp) -> Option<&SigningKeyRecord> {
        let usable = || self.keys.iter().filter(|key| key.revoked_at.is_none());
        let order = |key: &&SigningKeyRecord| (key.activates_at, key.kid.clone());
        usable()
            .filter(|key| key.activates_at <= now)
            .max_by_key(order)
            .or_else(|| usable().min_by_key(order))
    }

    /// The keys that verifiers of tokens may trust, newest first.
    fn published(&self) -> Vec<&SigningKeyRecord> {
        self.witnesses().into_iter().filter(|key| key.private.is_some()).collect()
    }

    /// The keys that signed heads of the audit may be verified with, newest first: also those that were
    /// removed, whose private parts are destroyed, since a head has no expiry. What a revoked key has signed
    /// may be a thief's.
    fn witnesses(&self) -> Vec<&SigningKeyRecord> {
        let mut keys: Vec<_> = self.keys.iter().filter(|key| key.revoked_at.is_none()).collect();
        keys.sort_by(|a, b| (b.created_at, &b.kid).cmp(&(a.created_at, &a.kid)));
        keys
    }
}

/// The published keys as they are served: from memory, with a strong entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksDocument {
    /// The JSON text (RFC 7517, section 5).
    pub body: String,
    /// The entity tag, quoted.
    pub etag: String,
}

impl JwksDocument {
    fn of(keys: &[&SigningKeyRecord]) -> Result<Arc<Self>, InternalError> {
        let jwks = Jwks { keys: keys.iter().map(|key| key.public.clone()).collect() };
        let body =
            serde_json::to_string(&jwks).map_err(|error| unusable("-", &error.to_string()))?;
        let etag = format!("\"{}\"", sha256_hex(body.as_bytes()));
        Ok(Arc::new(Self { body, etag }))
    }
}

/// The keys of one moment, parsed once.
#[derive(Debug)]
pub(crate) struct KeyRing {
    pub(crate) signer: Arc<SigningKey>,
    pub(crate) verifiers: Arc<KeySet>,
    pub(crate) document: Arc<JwksDocument>,
    /// What heads of the audit are verified with.
    pub(crate) audit_document: Arc<JwksDocument>,
}

impl KeyRing {
    /// Loads the keys; makes the first one where there is none.
    pub(crate) async fn open(
        store: &Store,
        master_keys: &[NamedSecret],
        size: RsaSize,
        now: Timestamp,
        random: &Random,
    ) -> Result<Self, Error> {
        let key = keyspace::signing_keys();
        if let Some(stored) = store.get(&key, now).await? {
            return Ok(Self::from_records(&SigningKeys::decode(&key, &stored)?, master_keys, now)?);
        }
        let first = SigningKeys { keys: vec![first_key(size, master_keys, now, random)?] };
        let entry = first.encode()?;
        match store.put_if(&key, Expected::Absent, Entry::new(&entry), now).await {
            Ok(()) => Ok(Self::from_records(&first, master_keys, now)?),
            // Another replica was quicker: its key is the one.
            Err(StoreError::Conflict { .. }) => {
                let stored = store.get(&key, now).await?;
                let keys = SigningKeys::decode_optional(&key, stored.as_ref())?;
                Ok(Self::from_records(&keys.unwrap_or_default(), master_keys, now)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn from_records(
        keys: &SigningKeys,
        master_keys: &[NamedSecret],
        now: Timestamp,
    ) -> Result<Self, InternalError> {
        let record = keys.signer(now).ok_or_else(|| unusable("-", "no key is active"))?;
        let signer = Arc::new(unseal(record, master_keys)?);
        let published = keys.published();
        let verifiers = published
            .iter()
            .map(|key| PublicKey::from_jwk(&key.public))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable("-", &error.to_string()))?;
        let document = JwksDocument::of(&published)?;
        let audit_document = JwksDocument::of(&keys.witnesses())?;
        Ok(Self { signer, verifiers: Arc::new(KeySet::new(verifiers)), document, audit_document })
    }
}

fn unusable(kid: &str, reason: &str) -> InternalError {
    InternalError::SigningKey { kid: kid.to_owned(), reason: reason.to_owned() }
}

fn sealing_context(kid: &str) -> String {
    format!("tikti signing key {kid}")
}

fn unseal(
    record: &SigningKeyRecord,
    master_keys: &[NamedSecret],
) -> Result<SigningKey, InternalError> {
    let sealed = record
        .private
        .as_ref()
        .ok_or_else(|| unusable(&record.kid, "its private part was destroyed"))?;
    let der = open(master_keys, &sealing_context(&record.kid), sealed)
        .ok_or_else(|| unusable(&record.kid, "no configured master key opens it"))?;
    SigningKey::from_pkcs8(&record.kid, &der)
        .map_err(|error| unusable(&record.kid, &error.to_string()))
}

/// Makes the first key of a deployment: active at once, as no verifier can have cached a set
/// without it.
pub(crate) fn first_key(
    size: RsaSize,
    master_keys: &[NamedSecret],
    now: Timestamp,
    random: &Random,
) -> Result<SigningKeyRecord, InternalError> {
    let suffix = random.text(b"abcdefghijkmnpqrstuvwxyz23456789", 4)?;
    let kid = format!("tikti-{}-{suffix}", year_month(now));
    let broken = |error: tikti_token::KeyError| unusable(&kid, &error.to_string());
    let der = tikti_token::generate_rsa(size).map_err(broken)?;
    let public = SigningKey::from_pkcs8(&kid, &der).map_err(broken)?.public_key().to_jwk();
    let private = Some(seal(master_keys, &sealing_context(&kid), &der, random)?);
    Ok(SigningKeyRecord {
        kid,
        created_at: now,
        activates_at: now,
        revoked_at: None,
        public,
        private,
    })
}

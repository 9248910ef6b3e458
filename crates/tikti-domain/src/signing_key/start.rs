//! Which signing keys does a start find, and which does it make?
//!
//! Into an empty store it puts the first key. After a restore, which ended what was issued before, it revokes the
//! keys of the backup and makes one that signs at once: the backup has the private part of keys that were revoked
//! since and does not know it, and whoever verifies offline knows no `notBefore`. Invariant: once for each restore,
//! in one write, by one of many replicas that start at once; a key that came an hour after the restore stays.
//!
//! Spec: Tokens and keys, "Signing keys"; Operations, "Backup". Why: docs/decisions/0035.

use tikti_store::{Entry, Expected, Store, StoreError, Stored};
use tikti_token::RsaSize;

use super::SigningKeys;
use super::life::{KeyTimes, WRONG_CLOCK_MILLIS};
use super::make::key_of_now;
use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::keyspace;
use crate::random::Random;
use crate::record::Record;
use crate::secret::NamedSecret;

/// Tries against others who start at the same moment.
const MOST_TRIES: usize = 8;

/// What a start goes by.
pub(super) struct Start<'a> {
    /// What was issued before is dead.
    pub(super) not_before: Option<Timestamp>,
    pub(super) master_keys: &'a [NamedSecret],
    pub(super) size: RsaSize,
    pub(super) times: KeyTimes,
}

impl Start<'_> {
    /// Gives the keys as they are stored, after it has made of them what they have to be.
    ///
    /// # Errors
    /// `CONFLICT` where others never cease to change them; the store's.
    pub(super) async fn load_or_make(
        &self,
        store: &Store,
        now: Timestamp,
        random: &Random,
    ) -> Result<Option<Stored>, Error> {
        let key = keyspace::signing_keys();
        for _ in 0..MOST_TRIES {
            let stored = store.get(&key, now).await?;
            let known = SigningKeys::decode_optional(&key, stored.as_ref())?;
            let is_restored = known.as_ref().is_some_and(|keys| keys.not_before < self.not_before);
            if known.is_some() && !is_restored {
                return Ok(stored);
            }
            let mut keys = known.unwrap_or_default();
            let revoked = if is_restored { self.revoke(&mut keys, now) } else { Vec::new() };
            keys.not_before = self.not_before;
            if keys.lives(self.times).signer(now).is_none() {
                let new = key_of_now(&keys, self.size, self.master_keys, (now, random))?;
                keys.keys.push(new);
            }
            let bytes = keys.encode()?;
            let expected = stored.as_ref().map_or(Expected::Absent, Expected::Equals);
            match store.put_if(&key, expected, Entry::new(&bytes), now).await {
                Ok(()) => {
                    for kid in revoked {
                        tracing::info!(target: "tikti::audit", action = "key.revoke", kid, "a signing key from before a restore was revoked");
                    }
                }
                // Another replica may have been quicker: then its key is the one.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Code::Conflict.into())
    }

    /// Revokes the keys from before the restore that somebody may have the private part of; their names. As in an
    /// emergency, one that was destroyed before stays as it is, and heads of the audit by it stay good.
    fn revoke(&self, keys: &mut SigningKeys, now: Timestamp) -> Vec<String> {
        // A key of the backup may have been made by a clock that was ahead.
        let is_before = |created_at: Timestamp| {
            self.not_before
                .is_some_and(|restored| created_at < restored.plus_millis(WRONG_CLOCK_MILLIS))
        };
        let mut revoked = Vec::new();
        for record in &mut keys.keys {
            if is_before(record.created_at) && record.private.take().is_some() {
                record.revoked_at = record.revoked_at.or(Some(now));
                revoked.push(record.kid.clone());
            }
        }
        revoked
    }
}

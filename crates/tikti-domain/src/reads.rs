//! Records that were read together.
//!
//! An operation collects the keys of everything that it must know, reads them in one round trip and
//! then picks out what it needs by key: what is read and what it is read as cannot get out of step.

use tikti_store::{Key, Store, StoreError, Stored};

use crate::clock::Timestamp;
use crate::error::InternalError;
use crate::record::{Lasting, Record};

/// What one or two round trips found.
#[derive(Debug, Default)]
pub(crate) struct Reads(Vec<(Key, Option<Stored>)>);

impl Reads {
    /// Reads the keys; no keys cost no round trip.
    pub(crate) async fn load(
        store: &Store,
        keys: Vec<Key>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut reads = Self::default();
        reads.extend(store, keys, now).await?;
        Ok(reads)
    }

    /// Reads further keys.
    pub(crate) async fn extend(
        &mut self,
        store: &Store,
        wanted: Vec<Key>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut keys: Vec<Key> = Vec::with_capacity(wanted.len());
        for key in wanted {
            if !keys.contains(&key) && self.0.iter().all(|(read, _)| *read != key) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let stored = store.get_many(&keys, now).await?;
        self.0.extend(keys.into_iter().zip(stored));
        Ok(())
    }

    /// The stored bytes at `key`, if it is there. What was not read is not taken for absent.
    pub(crate) fn stored(&self, key: &Key) -> Result<Option<&Stored>, InternalError> {
        // A dozen keys: comparing them beats building a map.
        match self.0.iter().find(|(read, _)| read == key) {
            Some((_, stored)) => Ok(stored.as_ref()),
            None => Err(InternalError::NotRead(String::from_utf8_lossy(key.as_bytes()).into())),
        }
    }

    /// Whether `key` was read.
    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.0.iter().any(|(read, _)| read == key)
    }

    /// The record at `key`.
    pub(crate) fn find<T: Record>(&self, key: &Key) -> Result<Option<T>, InternalError> {
        T::decode_optional(key, self.stored(key)?)
    }

    /// The thing at `key`; a tombstone reads as absent.
    pub(crate) fn find_live<T>(&self, key: &Key) -> Result<Option<T>, InternalError>
    where
        Lasting<T>: Record,
    {
        Ok(self.find::<Lasting<T>>(key)?.and_then(Lasting::live))
    }
}

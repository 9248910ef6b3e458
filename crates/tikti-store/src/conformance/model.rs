//! What should a store have answered? The contract again, on a plain map.
//!
//! Invariant: nothing here knows how an engine works, and every record is kept in clear: a value,
//! its expiry, and the number of the write that made it. It is meant to be obviously right.

use std::collections::BTreeMap;

use crate::{Key, Timestamp};

/// The number of a write: what a write id stands for.
pub(super) type WriteNumber = u64;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) value: Vec<u8>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) write: WriteNumber,
}

#[derive(Clone, Default)]
pub(super) struct Model {
    records: BTreeMap<Key, Record>,
    writes: WriteNumber,
}

impl Model {
    pub(super) fn get(&self, key: &Key, now: Timestamp) -> Option<&Record> {
        let live = |record: &&Record| record.expires_at.is_none_or(|at| at > now);
        self.records.get(key).filter(live)
    }

    pub(super) fn put(&mut self, key: &Key, value: &[u8], expires_at: Option<Timestamp>) {
        self.writes += 1;
        let record = Record { value: value.to_vec(), expires_at, write: self.writes };
        self.records.insert(key.clone(), record);
    }

    pub(super) fn delete(&mut self, key: &Key) {
        self.records.remove(key);
    }

    /// All live records, in the order of their keys.
    pub(super) fn live(&self, now: Timestamp) -> impl Iterator<Item = (&Key, &Record)> {
        self.records.keys().filter_map(move |key| Some((key, self.get(key, now)?)))
    }

    /// All live records with an id of the kind and partition of `like`, behind `after`.
    pub(super) fn list(
        &self,
        like: &Key,
        after: Option<&[u8]>,
        now: Timestamp,
    ) -> Vec<(&[u8], &Record)> {
        self.records
            .keys()
            .filter(|key| (key.partition(), key.kind()) == (like.partition(), like.kind()))
            .filter(|key| !key.id().is_empty())
            .filter(|key| after.is_none_or(|after| key.id() > after))
            .filter_map(|key| Some((key.id(), self.get(key, now)?)))
            .collect()
    }
}

//! How does the contract run on LMDB?
//!
//! Reads take a snapshot, copy what is live and let go, on the calling thread and without an
//! `await`: no snapshot outlives a call, so old pages are always free to be used again. Invariant:
//! everything that leaves the memory map has passed its checksum.
//!
//! Spec: Storage, "Engine A: embedded".

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use heed::{RoTxn, WithoutTls};

use super::committer::Committer;
use super::directory::DirectoryLock;
use super::environment::{Records, read_error};
use super::health::Health;
use crate::batch::{Batch, Change, Expectation};
use crate::envelope::Stored;
use crate::error::{OpenError, StoreError};
use crate::key::{self, Key};
use crate::store::{OpenOptions, Page, Scan, Statistics};
use crate::timestamp::Timestamp;

/// How many expired records one page may step over before it is handed out short.
const MAX_SKIPPED: usize = 1024;

/// A page is handed out short as well once it has read this much, live or expired: a scan runs on
/// a thread of the runtime, and what it copies is held in memory.
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A handle of the embedded engine. The last one dropped ends the committer and closes the files.
#[derive(Clone)]
pub(crate) struct Embedded {
    open: Arc<Open>,
}

/// Dropped in this order: the committer finishes, the files close, the directory is released.
struct Open {
    committer: Committer,
    records: Records,
    health: Health,
    _lock: DirectoryLock,
}

impl Embedded {
    pub(crate) fn open(directory: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        let lock = DirectoryLock::acquire(directory, &options.holder)?;
        let records = Records::open(directory, options.map_size_bytes)?;
        let health = Health::default();
        let committer = Committer::start(records.clone(), health.clone());
        let committer = committer.map_err(|source| OpenError::Io {
            doing: "start the committer thread for",
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self { open: Arc::new(Open { committer, records, health, _lock: lock }) })
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.open.committer.statistics()
    }

    pub(crate) fn get(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        self.read_in(&self.snapshot()?, key, now)
    }

    pub(crate) fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Stored>>, StoreError> {
        let snapshot = self.snapshot()?;
        keys.iter().map(|key| self.read_in(&snapshot, key, now)).collect()
    }

    pub(crate) fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError> {
        let Scan { partition, kind, now, .. } = *scan;
        let prefix = key::prefix(partition, kind);
        let start = [&prefix, scan.after.unwrap_or_default()].concat();
        let lower = match scan.after {
            Some(_) => Bound::Excluded(start.as_slice()),
            None => Bound::Included(start.as_slice()),
        };

        let snapshot = self.snapshot()?;
        let records = self.open.records.database.range(&snapshot, &(lower, Bound::Unbounded));
        let mut last = Key::new(partition, kind, scan.after.unwrap_or_default());
        let mut entries = Vec::new();
        let (mut skipped, mut bytes_read) = (0, 0);
        for record in records.map_err(|error| read_error(&last, error))? {
            let (bytes, raw) = record.map_err(|error| read_error(&last, error))?;
            let Some(id) = bytes.strip_prefix(prefix.as_slice()) else {
                break;
            };
            let is_full = entries.len() == scan.limit;
            if is_full || skipped == MAX_SKIPPED || bytes_read >= PAGE_MAX_BYTES {
                let next = Some(Bytes::copy_from_slice(last.id()));
                return Ok(Page { entries, next });
            }
            last = Key::new(partition, kind, id);
            let opened = Stored::open(&last, raw)?;
            bytes_read += raw.len();
            if opened.is_live(now) {
                entries.push((Bytes::copy_from_slice(id), opened.to_stored()));
            } else {
                skipped += 1;
            }
        }
        Ok(Page { entries, next: None })
    }

    /// Each turn of the loop that is not the last means that someone else's write came between the
    /// read and the delete: some writer always gets on.
    pub(crate) async fn take(
        &self,
        key: &Key,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        loop {
            let Some(found) = self.get(key, now)? else {
                return Ok(None);
            };
            let expected = Some(found.clone());
            let expectation = Expectation { key: key.clone(), expected, now };
            let change = Change::Delete { key: key.clone() };
            match self.commit(Batch::conditional(expectation, change)).await {
                Ok(()) => return Ok(Some(found)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.open.committer.commit(batch).await
    }

    fn snapshot(&self) -> Result<RoTxn<'_, WithoutTls>, StoreError> {
        self.open.health.check()?;
        let begun = self.open.records.env.read_txn();
        begun.map_err(|error| StoreError::unavailable("beginning to read", error))
    }

    fn read_in(
        &self,
        snapshot: &RoTxn<'_, WithoutTls>,
        key: &Key,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let found = self.open.records.database.get(snapshot, key.as_bytes());
        let Some(raw) = found.map_err(|error| read_error(key, error))? else {
            return Ok(None);
        };
        let opened = Stored::open(key, raw)?;
        Ok(opened.is_live(now).then(|| opened.to_stored()))
    }
}

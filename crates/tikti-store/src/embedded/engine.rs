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
use super::directory::{DirectoryLock, must_hold_data};
use super::environment::{ReadGuard, Records, read_error};
use super::file_system::FileSystem;
use super::health::Health;
use super::upkeep::{self, Walk};
use super::windows::Windows;
use crate::batch::{Batch, Change, Expectation};
use crate::envelope::Stored;
use crate::error::{OpenError, StoreError};
use crate::key::{self, Key};
use crate::maintenance::{Reclaimed, Status};
use crate::store::{OpenOptions, Page, Scan, Statistics};
use crate::timestamp::Timestamp;
use crate::window::{Window, WindowCount};

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
    /// `None` for a store that is only read.
    committer: Option<Committer>,
    records: Records,
    health: Health,
    windows: Windows,
    file_system: FileSystem,
    guard: Guard,
}

/// By what right the files are open.
#[expect(dead_code, reason = "held, not looked at: what counts is when they are dropped")]
enum Guard {
    Alone(DirectoryLock),
    Reading(ReadGuard),
}

impl Embedded {
    pub(crate) fn open(directory: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        let lock = DirectoryLock::acquire(directory, &options.holder)?;
        let file_system = FileSystem::of(directory)?;
        let records = Records::open(directory, options.map_size_bytes)?;
        let health = Health::default();
        let committer = Committer::start(records.clone(), health.clone());
        let committer = Some(committer.map_err(|source| OpenError::Io {
            doing: "start the committer thread for",
            path: directory.to_owned(),
            source,
        })?);
        let (windows, guard) = (Windows::default(), Guard::Alone(lock));
        let open = Open { committer, records, health, windows, file_system, guard };
        Ok(Self { open: Arc::new(open) })
    }

    /// For tools: beside a process that writes, or alone. Creates and changes nothing.
    pub(crate) fn open_read_only(
        directory: &Path,
        options: &OpenOptions,
    ) -> Result<Self, OpenError> {
        must_hold_data(directory)?;
        let file_system = FileSystem::of(directory)?;
        file_system.check(directory)?;
        let (records, guard) = Records::open_read_only(directory, options.map_size_bytes)?;
        let (committer, health) = (None, Health::default());
        let (windows, guard) = (Windows::default(), Guard::Reading(guard));
        let open = Open { committer, records, health, windows, file_system, guard };
        Ok(Self { open: Arc::new(open) })
    }

    /// Gives up this handle. The last one waits until all is written and closed.
    pub(crate) async fn close(self) {
        let Some(open) = Arc::into_inner(self.open) else {
            return;
        };
        let Open { committer, records, guard, .. } = open;
        if let Some(committer) = committer {
            committer.finish().await;
        }
        drop(records);
        drop(guard);
    }

    fn committer(&self) -> Result<&Committer, StoreError> {
        self.open.committer.as_ref().ok_or(StoreError::READ_ONLY)
    }

    pub(crate) fn walk(&self, now: Timestamp) -> Result<Walk, StoreError> {
        self.open.health.check()?;
        Walk::begin(self, now)
    }

    pub(crate) async fn reclaim(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Reclaimed, StoreError> {
        let committer = self.committer()?;
        let records = &self.open.records;
        // A tool that was killed while it read keeps pages from being used again until somebody
        // looks. Without success they stay a little longer.
        let _ = records.env.clear_stale_readers();
        let found = upkeep::find_reclaimable(records, &self.snapshot()?, after, limit, now)?;
        let upkeep::Reclaimable { examined, expired, next } = found;
        let reclaimed = expired.len();
        if reclaimed > 0 {
            committer.reclaim(expired).await?;
        }
        Ok(Reclaimed { examined, reclaimed, next })
    }

    pub(crate) async fn load(
        &self,
        records: &[(Key, Stored)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let put = |(key, record): &(Key, Stored)| Change::Put {
            key: key.clone(),
            record: record.clone(),
        };
        let changes = records.iter().map(put).collect();
        self.commit(Batch { now, expectations: Vec::new(), changes }).await
    }

    pub(crate) fn status(&self) -> Result<Status, StoreError> {
        self.open.health.check()?;
        upkeep::status(&self.open.records, self.open.file_system)
    }

    pub(crate) fn count_in_window(&self, window: &Window<'_>) -> WindowCount {
        self.open.windows.count(window)
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.open.committer.as_ref().map(Committer::statistics).unwrap_or_default()
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
        let prefix = key::prefix(partition, kind.as_str());
        // Without `after` it begins behind the record with the empty id, which is in no list.
        let start = [&prefix, scan.after.unwrap_or_default()].concat();
        let lower = Bound::Excluded(start.as_slice());

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
            let expectation = Expectation { key: key.clone(), expected };
            let change = Change::Delete { key: key.clone() };
            match self.commit(Batch::conditional(expectation, change, now)).await {
                Ok(()) => return Ok(Some(found)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.committer()?.commit(batch).await
    }

    pub(super) fn records(&self) -> &Records {
        &self.open.records
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

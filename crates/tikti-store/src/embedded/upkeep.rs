//! How are walks, reclaiming and figures done on LMDB?
//!
//! Invariant: a walk is one snapshot, and does not end well unless it has met as many records, in
//! order, as the header counts: a damaged page that hides some does not pass for their absence.
//! Reclaiming deletes only the very records that were found expired, by the same committer as every
//! other write.
//!
//! Spec: Storage, "Engine A: embedded".

use bytes::Bytes;
use heed::{MdbError, RoTxn, WithoutTls};

use super::engine::Embedded;
use super::environment::{Records, read_error};
use super::file_system::FileSystem;
use super::pages::Check;
use super::soundness::{checked_snapshot, read_failure};
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::maintenance::{RECLAIM_AFTER_MILLIS, Status, WalkPage};
use crate::timestamp::Timestamp;

/// A step of a walk is handed out once it has this many entries, or this many bytes.
const WALK_ENTRIES: usize = 1000;
const WALK_BYTES: usize = 4 * 1024 * 1024;

/// A step of a walk that only checks pages looks at this many of them.
const CHECK_PAGES: usize = 1000;

/// A step of reclaiming looks at no more bytes than this, and holds no more of them in memory.
const RECLAIM_BYTES: usize = 4 * 1024 * 1024;

/// A walk over one snapshot.
pub(crate) struct Walk {
    snapshot: RoTxn<'static, WithoutTls>,
    /// What is done first, so that LMDB meets no page that would lead it astray.
    check: Option<Check>,
    /// Keeps the directory locked.
    engine: Embedded,
    last: Option<Bytes>,
    /// How many entries were met, the marker included.
    met: u64,
    now: Timestamp,
}

impl Walk {
    pub(super) fn begin(engine: &Embedded, now: Timestamp) -> Result<Self, StoreError> {
        let (snapshot, check) = checked_snapshot(&engine.records().env)?;
        let (engine, check) = (engine.clone(), Some(check));
        Ok(Self { snapshot, check, engine, last: None, met: 1, now })
    }

    pub(crate) fn next(&mut self) -> Result<Option<WalkPage>, StoreError> {
        if let Some(check) = &mut self.check {
            if check.step(CHECK_PAGES).map_err(read_failure)? {
                self.check = None;
            }
            return Ok(Some(WalkPage::default()));
        }
        let mut page = WalkPage::default();
        let (mut entries, mut bytes_read) = (0, 0);
        for record in self.engine.records().behind(&self.snapshot, self.last.as_deref())? {
            if entries == WALK_ENTRIES || bytes_read >= WALK_BYTES {
                break;
            }
            let (bytes, raw) = record.map_err(|error| self.damage(error))?;
            if self.last.as_deref().is_some_and(|last| bytes <= last) {
                return Err(self.damage(MdbError::Corrupted.into()));
            }
            entries += 1;
            self.met += 1;
            bytes_read += raw.len();
            self.last = Some(Bytes::copy_from_slice(bytes));
            let Some(key) = Key::parse(bytes) else {
                page.foreign.push(Bytes::copy_from_slice(bytes));
                continue;
            };
            match Stored::open(&key, raw) {
                Ok(opened) if !opened.is_live(self.now) => {}
                opened => page.records.push((key, opened.map(|opened| opened.to_stored()))),
            }
        }
        if entries > 0 {
            return Ok(Some(page));
        }
        let counted = self.engine.records().database.len(&self.snapshot);
        if counted.map_err(|error| self.damage(error))? != self.met {
            return Err(self.damage(MdbError::Corrupted.into()));
        }
        Ok(None)
    }

    /// Names the record behind which the tree is damaged.
    fn damage(&self, error: heed::Error) -> StoreError {
        match self.last.as_deref().and_then(Key::parse) {
            Some(last) => read_error(&last, error),
            None => StoreError::unavailable("reading", error),
        }
    }
}

/// What one step of reclaiming found.
pub(super) struct Reclaimable {
    pub(super) examined: usize,
    pub(super) expired: Vec<(Key, Stored)>,
    pub(super) next: Option<Bytes>,
}

/// Looks at up to `limit` records behind `after`, fewer where they are large.
pub(super) fn find_reclaimable(
    records: &Records,
    snapshot: &RoTxn<'_, WithoutTls>,
    after: Option<&[u8]>,
    limit: usize,
    now: Timestamp,
) -> Result<Reclaimable, StoreError> {
    let mut expired = Vec::new();
    let (mut examined, mut bytes_read, mut last) = (0, 0, None);
    for record in records.behind(snapshot, after)? {
        let (bytes, raw) = record.map_err(|error| StoreError::unavailable("reading", error))?;
        if examined == limit.max(1) || bytes_read >= RECLAIM_BYTES {
            return Ok(Reclaimable { examined, expired, next: last });
        }
        examined += 1;
        bytes_read += raw.len();
        last = Some(Bytes::copy_from_slice(bytes));
        let Some(key) = Key::parse(bytes) else {
            continue;
        };
        // A damaged record is for a person to look at, not for a sweep to remove.
        let Ok(opened) = Stored::open(&key, raw) else {
            continue;
        };
        let reclaimable = |at: Timestamp| at.plus_millis(RECLAIM_AFTER_MILLIS) <= now;
        if opened.expires_at().is_some_and(reclaimable) {
            expired.push((key, opened.to_stored()));
        }
    }
    Ok(Reclaimable { examined, expired, next: None })
}

/// Reads what the header and the table of readers say: no scan, whatever the size.
pub(super) fn status(records: &Records, file_system: FileSystem) -> Result<Status, StoreError> {
    let failed = |error| StoreError::unavailable("reading its figures", error);
    let txn = records.env.read_txn().map_err(failed)?;
    let info = records.env.info();
    let size_bytes = records.env.real_disk_size().map_err(failed)?;
    let stat = records.database.stat(&txn).map_err(failed)?;
    let used_bytes = u64::try_from(stat.non_free_page_size()).unwrap_or(u64::MAX);
    // The marker is an entry, and not a record.
    let entries = u64::try_from(stat.entries).unwrap_or(u64::MAX).saturating_sub(1);
    let version = heed::lmdb_version();
    let mut remarks = vec!["every write is on the disk before it is answered".to_owned()];
    if file_system == FileSystem::Fuse {
        remarks.push(
            "the directory is served by a program (FUSE): if that keeps it on another machine, \
             records can be lost or damaged"
                .to_owned(),
        );
    }
    Ok(Status {
        engine: format!("embedded (LMDB {}.{}.{})", version.major, version.minor, version.patch),
        size_bytes: Some(size_bytes),
        used_bytes: Some(used_bytes),
        free_bytes: Some(size_bytes.saturating_sub(used_bytes)),
        limit_bytes: u64::try_from(info.map_size).ok(),
        entries: Some(entries),
        readers: Some(info.number_of_readers.into()),
        remarks,
    })
}

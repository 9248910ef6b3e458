//! What does keeping a store need, beyond reading and writing it? Walking all of it, filling an
//! empty one, giving back the space of what is expired, and saying how it is.
//!
//! Invariant: none of these is on the way of a request. Each call does a bounded piece of work, so
//! whoever drives it decides the pace.
//!
//! Spec: Storage; Operations, "Backup".

use bytes::Bytes;

use crate::embedded;
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::redis;
use crate::store::{Engine, Store};
use crate::timestamp::Timestamp;

/// How long an expired record is kept, in milliseconds: one hour, so that a clock that ran ahead for
/// a while takes nothing away.
pub const RECLAIM_AFTER_MILLIS: u64 = 3_600_000;

/// A step of a walk over all records. Where a step was spent on something else, it is empty.
#[derive(Debug, Default)]
pub struct WalkPage {
    /// Every live record of the step, or what is wrong with it. In no order that means anything.
    pub records: Vec<(Key, Result<Stored, StoreError>)>,
    /// Keys that no program of this contract has written.
    pub foreign: Vec<Bytes>,
}

/// A walk over everything that is stored: see [`Store::walk`].
pub struct Walk(Walker);

enum Walker {
    Embedded(Box<embedded::Walk>),
    Redis(Box<redis::Walk>),
}

impl Walk {
    /// Gives the next step, `None` at the end.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next(&mut self) -> Result<Option<WalkPage>, StoreError> {
        match &mut self.0 {
            Walker::Embedded(walk) => walk.next(),
            Walker::Redis(walk) => walk.next().await,
        }
    }
}

/// What a step of [`Store::reclaim`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaimed {
    /// How many entries were looked at.
    pub examined: usize,
    /// How many of them were removed.
    pub reclaimed: usize,
    /// What to pass as `after` for the next step; `None` when everything has been looked at.
    pub next: Option<Bytes>,
}

/// What [`Store::compact`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The size of the data file before, in bytes.
    pub before_bytes: u64,
    /// Its size now, in bytes.
    pub after_bytes: u64,
}

/// How a store is, for `store status`, logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The engine or server, with its version, such as `embedded (LMDB 0.9.70)`.
    pub engine: String,
    /// What it occupies on the disk, or in memory where that is where it lives, in bytes.
    pub size_bytes: Option<u64>,
    /// How much of that holds records and not free space, in bytes.
    pub used_bytes: Option<u64>,
    /// How much of it is used again before it grows, in bytes; compacting gives that back.
    pub free_bytes: Option<u64>,
    /// The most that it can grow to, in bytes.
    pub limit_bytes: Option<u64>,
    /// How many entries it has, indexes and expired records included. A `KVRocks` does not know.
    pub entries: Option<u64>,
    /// The most readers that there were at once, in all processes, since none had it open.
    pub readers: Option<u64>,
    /// What a crash could lose, and other things that an operator should know, a sentence each.
    pub remarks: Vec<String>,
}

impl Store {
    /// Begins a walk over all records that are live at `now`, of every partition.
    ///
    /// On the embedded engine it is one snapshot from the first step to the last, which keeps old
    /// pages from being used again while it lasts, and the pages are checked before they are walked. On the others a record that stays is given once,
    /// as it was at some moment of the walk, and one that comes or goes may or may not be.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn walk(&self, now: Timestamp) -> Result<Walk, StoreError> {
        self.step().await?;
        match self.engine() {
            Engine::Embedded(engine) => Ok(Walk(Walker::Embedded(Box::new(engine.walk(now)?)))),
            Engine::Redis(engine) => Ok(Walk(Walker::Redis(Box::new(engine.walk(now).await?)))),
        }
    }

    /// Writes records as they were read elsewhere, write ids and expiries included. For filling a
    /// store that nobody uses yet: nothing is compared. Durable on return; each partition's records
    /// of one call are there together or not at all.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`: some of them may be there.
    pub async fn load(&self, records: &[(Key, Stored)], now: Timestamp) -> Result<(), StoreError> {
        records.iter().try_for_each(|(key, _)| key.check_size())?;
        self.check_writable()?;
        self.step().await?;
        match self.engine() {
            Engine::Embedded(engine) => engine.load(records, now).await,
            Engine::Redis(engine) => engine.load(records, now).await,
        }
    }

    /// Looks at up to `limit` entries behind `after`, fewer where they are large, and gives back the
    /// space of those that have been expired for an hour at `now`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reclaim(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Reclaimed, StoreError> {
        self.check_writable()?;
        self.step().await?;
        match self.engine() {
            Engine::Embedded(engine) => engine.reclaim(after, limit, now).await,
            Engine::Redis(engine) => engine.reclaim(after, limit).await,
        }
    }

    /// Says how the store is.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn status(&self) -> Result<Status, StoreError> {
        self.step().await?;
        match self.engine() {
            Engine::Embedded(engine) => engine.status(),
            Engine::Redis(engine) => engine.status().await,
        }
    }
}

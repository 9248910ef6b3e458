//! The contract: what can be asked of a store, whatever engine is below.
//!
//! Invariant: everything that is the same for all engines (sizes, envelopes, write ids, the shape
//! of a write) is settled here, so an engine only reads, scans and commits batches. Each call
//! matches on the engine once.
//!
//! Spec: Storage, "One small contract, two engines".

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Batch, Change, Expectation};
use crate::embedded::Embedded;
use crate::envelope::{Entry, Stored, WriteIds};
use crate::error::{OpenError, StoreError};
use crate::key::{Key, Kind, Partition};
use crate::timestamp::Timestamp;
use crate::turns::Turns;

/// What the caller gives to open a store, beside its URL.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Sixteen random bytes, fresh for every open: write ids count from here.
    pub write_id_seed: [u8; 16],
    /// Who opens it, such as `tikti dev`: shown, with the process id, to whoever finds it locked.
    pub holder: String,
    /// The most that the embedded store may grow to. It reserves addresses, neither memory nor
    /// disk; an existing larger store keeps its size.
    pub map_size_bytes: u64,
}

impl OpenOptions {
    /// Takes what has no default. The size is 1 TiB, or 1 GiB where addresses have 32 bits.
    #[must_use]
    pub fn new(write_id_seed: [u8; 16], holder: impl Into<String>) -> Self {
        let map_size_bytes = if cfg!(target_pointer_width = "64") { 1 << 40 } else { 1 << 30 };
        Self { write_id_seed, holder: holder.into(), map_size_bytes }
    }
}

/// How a key has to be for a conditional write to happen.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// No record, or one that is expired.
    Absent,
    /// The very write that was read, not expired since.
    Equals(&'a Stored),
}

/// A part of a listing, in the order of the ids.
#[derive(Clone, Debug)]
pub struct Page {
    /// Ids and records. May be fewer than asked for, even none, although more follow.
    pub entries: Vec<(Bytes, Stored)>,
    /// What to pass as `after` for the next part; `None` at the end of the listing.
    pub next: Option<Bytes>,
}

/// What an engine has done since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Writes that were made durable.
    pub writes: u64,
    /// Commits, each one a wait for the disk, that it took.
    pub commits: u64,
}

/// An open store. A clone is another handle of the same; the last one dropped closes it.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
    ids: Arc<WriteIds>,
    turns: Arc<Turns>,
}

#[derive(Clone)]
enum Engine {
    Embedded(Embedded),
}

/// The part of a listing that is asked of an engine.
pub(crate) struct Scan<'a> {
    pub(crate) partition: &'a Partition,
    pub(crate) kind: Kind,
    pub(crate) after: Option<&'a [u8]>,
    pub(crate) limit: usize,
    pub(crate) now: Timestamp,
}

impl Store {
    /// Opens the store at `url`, `embedded:<directory>`, and creates it where there is none.
    ///
    /// Opening an embedded store blocks the calling thread for some milliseconds. Dropping its last
    /// handle waits for the commit that is under way, if any, and releases the directory.
    ///
    /// # Errors
    /// See [`OpenError`]. The directory is left as it was, but for being created and locked.
    ///
    /// Spec: Storage, "Engine A: embedded".
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let engine = match scheme {
            "embedded" if !rest.is_empty() => {
                Engine::Embedded(Embedded::open(rest.as_ref(), &options)?)
            }
            _ => {
                let scheme = scheme.to_owned();
                return Err(OpenError::UnknownUrl { scheme });
            }
        };
        let ids = Arc::new(WriteIds::new(options.write_id_seed));
        let turns = Arc::new(Turns::new());
        Ok(Self { engine, ids, turns })
    }

    /// Names the engine, for logs and `store status`.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        match &self.engine {
            Engine::Embedded(_) => "embedded",
        }
    }

    /// Says how much was written since the store was opened.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        match &self.engine {
            Engine::Embedded(engine) => engine.statistics(),
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// `Corrupt`, `TooLarge`, `Unavailable`.
    pub async fn get(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        key.check_size()?;
        match &self.engine {
            Engine::Embedded(engine) => engine.get(key, now),
        }
    }

    /// Reads several records, of any partitions; in the order asked. Those of one partition are as
    /// they were at one moment. Partitions may be read at different moments, all of them during
    /// the call.
    ///
    /// # Errors
    /// `Corrupt`, `TooLarge`, `Unavailable`; then nothing is returned.
    pub async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Stored>>, StoreError> {
        keys.iter().try_for_each(Key::check_size)?;
        match &self.engine {
            Engine::Embedded(engine) => engine.get_many(keys, now),
        }
    }

    /// Writes one record, whatever was there. Durable on return.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`.
    pub async fn put(&self, key: &Key, entry: Entry<'_>) -> Result<(), StoreError> {
        let record = self.seal(key, entry)?;
        self.commit(Batch::unconditional(Change::Put { key: key.clone(), record })).await
    }

    /// Removes one record, if there is one. Durable on return.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        key.check_size()?;
        self.commit(Batch::unconditional(Change::Delete { key: key.clone() })).await
    }

    /// Writes one record if the key is as expected at `now`, in one step. Durable on return.
    ///
    /// # Errors
    /// `Conflict` if it is not; `Corrupt`, `TooLarge`, `Unavailable`.
    pub async fn put_if(
        &self,
        key: &Key,
        expected: Expected<'_>,
        entry: Entry<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = self.seal(key, entry)?;
        let expected = match expected {
            Expected::Absent => None,
            Expected::Equals(read) => Some(read.clone()),
        };
        let expectation = Expectation { key: key.clone(), expected, now };
        let change = Change::Put { key: key.clone(), record };
        self.commit(Batch::conditional(expectation, change)).await
    }

    /// Reads and removes one record in one step: of many callers, one gets it. For codes that may
    /// be used once. The removal is durable on return.
    ///
    /// # Errors
    /// `Corrupt`, `TooLarge`, `Unavailable`.
    pub async fn take(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        key.check_size()?;
        match &self.engine {
            Engine::Embedded(engine) => engine.take(key, now).await,
        }
    }

    /// Lists up to `limit` records of one kind in one partition, in the order of their ids.
    ///
    /// `after` is an id (it need not exist): the listing goes on behind it. A record that is there
    /// from the first page to the last is listed once, as it was at some moment of the listing;
    /// one that comes, goes or changes in between may or may not be in it. The cost is that of the
    /// page, not of what was skipped: where many records are expired or large, a page is cut short
    /// and `next` says where to go on.
    ///
    /// # Errors
    /// `Misuse` for a limit of 0; `Corrupt` names the first damaged record of the page;
    /// `TooLarge`, `Unavailable`.
    #[expect(
        clippy::too_many_arguments,
        reason = "five things say what is listed, each of its own type; a struct would name them twice"
    )]
    pub async fn scan(
        &self,
        partition: &Partition,
        kind: Kind,
        after: Option<&[u8]>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        if limit == 0 {
            return Err(StoreError::Misuse { reason: "a page has at least one entry" });
        }
        Key::new(partition, kind, after.unwrap_or_default()).check_size()?;
        let scan = Scan { partition, kind, after, limit, now };
        match &self.engine {
            Engine::Embedded(engine) => engine.scan(&scan),
        }
    }

    /// Hands a write to the engine. Durable on return.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Embedded(engine) => engine.commit(batch).await,
        }
    }

    pub(crate) fn write_ids(&self) -> &Arc<WriteIds> {
        &self.ids
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    fn seal(&self, key: &Key, entry: Entry<'_>) -> Result<Stored, StoreError> {
        Stored::seal(key, entry, &self.ids)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine_name()).finish_non_exhaustive()
    }
}

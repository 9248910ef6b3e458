//! The contract: what can be asked of a store, whatever engine is below.
//!
//! Invariant: everything that is the same for all engines (sizes, envelopes, write ids, the shape
//! of a write) is settled here, so an engine only reads, scans and commits batches. Each call
//! matches on the engine once.
//!
//! Spec: Storage, "One small contract, two engines".

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Batch, Change, Expectation};
use crate::embedded::Embedded;
use crate::envelope::{Entry, Stored, WriteIds};
use crate::error::{OpenError, StoreError};
use crate::key::{Key, Kind, Partition};
use crate::redis::{self, Redis};
use crate::timestamp::Timestamp;
use crate::turns::Turns;
use crate::window::{Window, WindowCount};

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
    /// What only the Redis engine asks for.
    pub redis: RedisOptions,
}

/// How to talk to a Redis, Valkey or KVRocks, beside its URL.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// How many replicas have to have a write before it is answered (`WAIT`); 0 does not wait, and
    /// then a master that dies takes along what had not reached its replicas.
    pub wait_replicas: u32,
    /// Accept a server that keeps nothing over a restart.
    pub allow_volatile: bool,
    /// Refuse a KVRocks that does not sync its log before it answers.
    pub require_sync: bool,
    /// Files for `rediss://`; the system's authorities and no client certificate where absent.
    pub tls: TlsFiles,
}

/// PEM files for TLS to a server.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Certificate and private key to show.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl OpenOptions {
    /// Takes what has no default. The size is 1 TiB, or 1 GiB where addresses have 32 bits.
    #[must_use]
    pub fn new(write_id_seed: [u8; 16], holder: impl Into<String>) -> Self {
        let map_size_bytes = if cfg!(target_pointer_width = "64") { 1 << 40 } else { 1 << 30 };
        let redis = RedisOptions::default();
        Self { write_id_seed, holder: holder.into(), map_size_bytes, redis }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Writes that were made durable.
    pub writes: u64,
    /// Commits, each one a wait for the disk, that it took.
    pub commits: u64,
}

/// An open store. A clone is another handle of the same; the last one dropped closes it.
#[derive(Clone)]
pub struct Store {
    pub(crate) engine: Engine,
    pub(crate) access: Access,
    ids: Arc<WriteIds>,
    turns: Arc<Turns>,
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<Arc<crate::testing::FaultPlan>>,
}

/// What may be done with a handle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadAndWrite,
}

#[derive(Clone)]
pub(crate) enum Engine {
    Embedded(Embedded),
    Redis(Redis),
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
    /// Opens the store at `url`, and creates it where there is none: `embedded:<directory>`, or a
    /// server of the Redis protocol: `redis://`, `redis+cluster://`, `redis+sentinel://`, and each
    /// with TLS as `rediss`.
    ///
    /// Opening an embedded store blocks the calling thread for some milliseconds. Its end is
    /// [`Store::close`]; dropping the last handle instead keeps the thread waiting for the commit that
    /// is under way, if any. Both release the directory.
    ///
    /// # Errors
    /// See [`OpenError`]. The directory is left as it was, but for being created and locked.
    ///
    /// Spec: Storage, "Engine A: embedded" and "Engine B: Redis protocol".
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, OpenError> {
        Self::open_for(url, &options, Access::ReadAndWrite).await
    }

    /// Opens for what `access` says; an embedded store always for writing.
    pub(crate) async fn open_for(
        url: &str,
        options: &OpenOptions,
        access: Access,
    ) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let engine = match scheme {
            "embedded" if !rest.is_empty() => {
                Engine::Embedded(Embedded::open(rest.as_ref(), options)?)
            }
            scheme if redis::serves(scheme) => {
                Engine::Redis(Redis::connect(url, options, access).await?)
            }
            _ => return Err(OpenError::unknown_url(url)),
        };
        Ok(Self::new(engine, access, options.write_id_seed))
    }

    pub(crate) fn new(engine: Engine, access: Access, write_id_seed: [u8; 16]) -> Self {
        let ids = Arc::new(WriteIds::new(write_id_seed));
        let turns = Arc::new(Turns::new());
        Self {
            engine,
            access,
            ids,
            turns,
            #[cfg(feature = "testing")]
            faults: None,
        }
    }

    /// Names the engine, for logs and `store status`.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        match &self.engine {
            Engine::Embedded(_) => "embedded",
            Engine::Redis(_) => "redis",
        }
    }

    /// Says how much was written since the store was opened.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        match &self.engine {
            Engine::Embedded(engine) => engine.statistics(),
            Engine::Redis(engine) => engine.statistics(),
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// `Corrupt`, `TooLarge`, `Unavailable`.
    pub async fn get(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        key.check_size()?;
        self.step().await?;
        match &self.engine {
            Engine::Embedded(engine) => engine.get(key, now),
            Engine::Redis(engine) => engine.get(key, now).await,
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
        self.step().await?;
        match &self.engine {
            Engine::Embedded(engine) => engine.get_many(keys, now),
            Engine::Redis(engine) => engine.get_many(keys, now).await,
        }
    }

    /// Writes one record, whatever was there. Durable on return.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`.
    pub async fn put(&self, key: &Key, entry: Entry<'_>, now: Timestamp) -> Result<(), StoreError> {
        let record = self.seal(key, entry)?;
        let change = Change::Put { key: key.clone(), record };
        self.commit(Batch::unconditional(change, now)).await
    }

    /// Removes one record, if there is one. Durable on return.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        key.check_size()?;
        // A deletion has no expiry to judge; the epoch is as good a time as any.
        let change = Change::Delete { key: key.clone() };
        self.commit(Batch::unconditional(change, Timestamp::from_millis(0))).await
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
        let expectation = Expectation { key: key.clone(), expected };
        let change = Change::Put { key: key.clone(), record };
        self.commit(Batch::conditional(expectation, change, now)).await
    }

    /// Reads and removes one record in one step: of many callers, one gets it. For codes that may
    /// be used once. The removal is durable on return.
    ///
    /// # Errors
    /// `Corrupt`, `TooLarge`, `Unavailable`.
    pub async fn take(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        key.check_size()?;
        self.check_writable()?;
        self.step_of_write().await?;
        match &self.engine {
            Engine::Embedded(engine) => engine.take(key, now).await,
            Engine::Redis(engine) => engine.take(key, now).await,
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
        self.step().await?;
        let scan = Scan { partition, kind, after, limit, now };
        match &self.engine {
            Engine::Embedded(engine) => engine.scan(&scan),
            Engine::Redis(engine) => engine.scan(&scan).await,
        }
    }

    /// Counts one more call of `key` in the window of `length_millis` milliseconds that `now` is in,
    /// and says how many there were in it and in the one before. Not durable: a crash may forget.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`; then the call may have been counted.
    ///
    /// Spec: Operations, "Rate limits".
    pub async fn count_in_window(
        &self,
        key: &Key,
        length_millis: u64,
        now: Timestamp,
    ) -> Result<WindowCount, StoreError> {
        key.check_size()?;
        self.check_writable()?;
        self.step().await?;
        let window = Window::at(key, length_millis, now);
        match &self.engine {
            Engine::Embedded(engine) => Ok(engine.count_in_window(&window)),
            Engine::Redis(engine) => engine.count_in_window(&window).await,
        }
    }

    /// Hands a write to the engine. Durable on return.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.check_writable()?;
        self.step_of_write().await?;
        match &self.engine {
            Engine::Embedded(engine) => engine.commit(batch).await,
            Engine::Redis(engine) => engine.commit(&batch).await,
        }
    }

    /// Refuses to write what was opened for reading.
    pub(crate) fn check_writable(&self) -> Result<(), StoreError> {
        match self.access {
            Access::Read => Err(StoreError::READ_ONLY),
            Access::ReadAndWrite => Ok(()),
        }
    }

    /// Where a test makes the call fail or wait; see `testing::faults`.
    #[cfg(feature = "testing")]
    pub(crate) fn step(&self) -> crate::testing::Step {
        self.faults.as_ref().map(|plan| plan.step(crate::testing::Call::Read)).unwrap_or_default()
    }

    /// As [`Store::step`], before a change of records.
    #[cfg(feature = "testing")]
    fn step_of_write(&self) -> crate::testing::Step {
        self.faults.as_ref().map(|plan| plan.step(crate::testing::Call::Write)).unwrap_or_default()
    }

    #[cfg(not(feature = "testing"))]
    #[expect(clippy::unused_self, reason = "does something in tests")]
    fn step_of_write(&self) -> std::future::Ready<Result<(), StoreError>> {
        std::future::ready(Ok(()))
    }

    #[cfg(not(feature = "testing"))]
    #[expect(clippy::unused_self, reason = "does something in tests")]
    pub(crate) fn step(&self) -> std::future::Ready<Result<(), StoreError>> {
        std::future::ready(Ok(()))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn write_ids(&self) -> &Arc<WriteIds> {
        &self.ids
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(crate) fn seal(&self, key: &Key, entry: Entry<'_>) -> Result<Stored, StoreError> {
        Stored::seal(key, entry, &self.ids)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine_name()).finish_non_exhaustive()
    }
}

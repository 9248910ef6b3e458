//! How does everything in one store get into another, whatever the engines?
//!
//! The target is empty or holds an unfinished copy. A mark stands in it from the first record to the
//! end of the verification: while it does, the store must not be served, since half a copy looks like
//! a store from which records were deleted. Running the copy again goes on where it ended: what is
//! there with the same bytes is not written again, and what the source does not have any more is
//! removed.
//!
//! Invariant: the mark goes only when both stores were walked and hold the same records, by number and
//! by checksum. The source is only read.
//!
//! Spec: Operations, "Backup" (`store copy`).

use std::fmt;

use crate::batch::{Batch, Change, Expectation};
use crate::envelope::{Entry, Stored};
use crate::error::StoreError;
use crate::key::{Key, Kind, Partition};
use crate::maintenance::WalkPage;
use crate::store::Store;
use crate::timestamp::Timestamp;

/// What is written at a time: this many records, or this many bytes.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How many keys of records that differ are named.
const MOST_NAMED: usize = 10;
/// A walk at this time gives what has expired, too.
const BEFORE_ALL_EXPIRY: Timestamp = Timestamp::from_millis(0);

pub use tally::Tally;

mod tally;

const COPYING: Kind = Kind::new("copying");

/// What a copy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPhase {
    /// Writing records into the target.
    Copying,
    /// Reading both stores again.
    Verifying,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// What it is doing.
    pub phase: CopyPhase,
    /// Records of this phase that were dealt with.
    pub done: u64,
    /// About how many there are, where the source's engine knows.
    pub total: Option<u64>,
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// How many records both stores hold.
    pub records: u64,
    /// How many records of the source had expired and were left out.
    pub expired: u64,
    /// Their checksum: see [`Tally`].
    pub checksum: u64,
    /// Whether the target held an unfinished copy before.
    pub resumed: bool,
}

/// Why a copy did not come to its end. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A store did not do what it was asked. What was copied stays.
    #[error(
        "a store did not do what it was asked: run the same copy again when it does, it goes on where \
         it stopped"
    )]
    Store(#[source] StoreError),
    /// The target holds records that no unfinished copy has put there.
    #[error("the target is not empty, it holds {key}: name an empty store")]
    NotEmpty {
        /// A key that was found, printable.
        key: String,
    },
    /// The target is being filled by something else.
    #[error(
        "the target holds {found} that was not finished, not {wanted}: finish that, or name an empty \
         store"
    )]
    OtherCopy {
        /// What is under way there.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The source holds no record that is live.
    #[error(
        "the source holds nothing ({expired} expired records apart): is it the right store, and is the \
         clock of this machine right?"
    )]
    EmptySource {
        /// How many records have expired.
        expired: u64,
    },
    /// The source itself is half a copy.
    #[error("the source holds {found} that was not finished: finish it first")]
    UnfinishedSource {
        /// What is under way there.
        found: String,
    },
    /// A later run of the same has taken the target over.
    #[error("another run has taken the target over: let it end, or run this again when it has")]
    TakenOver,
    /// A record of the source is damaged.
    #[error(
        "the record {key} of the source is damaged ({what}): nothing was left out in silence; restore \
         it, or delete it, and run the copy again"
    )]
    Damaged {
        /// The record.
        key: Key,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The source holds a key of another program.
    #[error(
        "the source holds {key}, which another program wrote: remove it and run the copy again"
    )]
    Foreign {
        /// The key, printable.
        key: String,
    },
    /// The stores differ after everything was copied.
    #[error(
        "the copy differs from its source ({source_records} and {target_records} records; {}): stop \
         whatever uses either store and run the copy again",
        named(.keys)
    )]
    Mismatch {
        /// How many records the source has.
        source_records: u64,
        /// How many records the target has.
        target_records: u64,
        /// Up to ten records that differ.
        keys: Vec<Key>,
    },
}

/// Only the source's records are read one by one or by their keys, so what is damaged is there.
impl From<StoreError> for CopyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { key, what } => Self::Damaged { key, what },
            other => Self::Store(other),
        }
    }
}

fn named(keys: &[Key]) -> String {
    let names: Vec<String> = keys.iter().map(Key::to_string).collect();
    if names.is_empty() { "one of them changed meanwhile".to_owned() } else { names.join(", ") }
}

/// Names the record that stands in a store while it is being filled. It belongs to no copy.
#[must_use]
pub fn mark() -> Key {
    Key::new(&Partition::global(), COPYING, "")
}

/// Says what is filling the store and was not finished, such as `a copy of a store
/// (embedded)`. Such a store must not be served.
///
/// # Errors
/// `Corrupt`, `Unavailable`.
pub async fn unfinished(store: &Store, now: Timestamp) -> Result<Option<String>, StoreError> {
    let stored = store.get(&mark(), now).await?;
    Ok(stored.map(|stored| stored.value().escape_ascii().to_string()))
}

/// One run's right to fill a store. Whoever begins later takes it over.
#[derive(Debug)]
pub struct Mark {
    /// The mark as this run wrote it: nobody else's has its write id.
    written: Stored,
    resumed: bool,
    now: Timestamp,
}

impl Mark {
    /// Says whether the store held an unfinished filling of the same kind before.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Refuses to go on where a later run has taken the store over, or finished it. To be asked before
    /// every write.
    ///
    /// # Errors
    /// [`CopyError::TakenOver`], [`CopyError::Store`].
    pub async fn check(&self, store: &Store) -> Result<(), CopyError> {
        match store.get(&mark(), self.now).await? {
            Some(found) if found == self.written => Ok(()),
            _ => Err(CopyError::TakenOver),
        }
    }
}

/// Marks an empty store as being filled by `what`, or takes over what an earlier run by the same has
/// begun.
///
/// # Errors
/// [`CopyError::NotEmpty`], [`CopyError::OtherCopy`], [`CopyError::TakenOver`] where another run
/// begins at the same moment, [`CopyError::Store`].
pub async fn begin(store: &Store, what: &str, now: Timestamp) -> Result<Mark, CopyError> {
    let found = store.get(&mark(), now).await?;
    if let Some(found) = &found
        && found.value() != what.as_bytes()
    {
        let found = found.value().escape_ascii().to_string();
        return Err(CopyError::OtherCopy { found, wanted: what.to_owned() });
    }
    if found.is_none() {
        refuse_records(store, now).await?;
    }
    // Sealed here: of two runs that begin at once, each has a write id of its own, and the one whose
    // write came last holds the store.
    let written = store.seal(&mark(), Entry::new(what.as_bytes()))?;
    let expectation = Expectation { key: mark(), expected: found.clone() };
    let change = Change::Put { key: mark(), record: written.clone() };
    match store.commit(Batch::conditional(expectation, change, now)).await {
        Ok(()) => Ok(Mark { written, resumed: found.is_some(), now }),
        Err(StoreError::Conflict { .. }) => Err(CopyError::TakenOver),
        Err(error) => Err(error.into()),
    }
}

async fn refuse_records(store: &Store, now: Timestamp) -> Result<(), CopyError> {
    let mut walk = store.walk(now).await?;
    while let Some(page) = walk.next().await? {
        let records = page.records.iter().map(|(key, _)| key.to_string());
        let foreign = page.foreign.iter().map(|key| key.escape_ascii().to_string());
        if let Some(key) = records.chain(foreign).next() {
            return Err(CopyError::NotEmpty { key });
        }
    }
    Ok(())
}

/// Takes the mark of this run away: the store is whole and may be served.
///
/// # Errors
/// [`CopyError::TakenOver`] where it is not this run's any more, [`CopyError::Store`].
pub async fn finish(store: &Store, mine: &Mark) -> Result<(), CopyError> {
    let key = mark();
    let reads = [key.clone()];
    store
        .transact(key.partition(), &reads, mine.now, |txn| {
            if txn.get(&key)? != Some(&mine.written) {
                return Err(CopyError::TakenOver);
            }
            Ok(txn.delete(&key)?)
        })
        .await
}

/// Copies every record that is live at `now`, write ids and expiries included, and verifies the copy.
///
/// Neither store may be written to meanwhile. After an error the target keeps what was copied, and the
/// mark: the same copy can be run again.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy(
    from: &Store,
    to: &Store,
    now: Timestamp,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<CopyReport, CopyError> {
    if let Some(found) = unfinished(from, now).await? {
        return Err(CopyError::UnfinishedSource { found });
    }
    let what = format!("a copy of a store ({})", from.engine_name());
    let total = from.status().await?.entries;
    refuse_nothing(from, now).await?;
    let mark = begin(to, &what, now).await?;
    let resumed = mark.resumed();
    let mut run = Run { from, to, mark: &mark, now, total, expired: 0, progress };
    run.write(resumed).await?;
    if resumed {
        run.remove_what_is_gone().await?;
    }
    let Tally { records, checksum } = run.verify().await?;
    let expired = run.expired;
    finish(to, &mark).await?;
    Ok(CopyReport { records, expired, checksum, resumed })
}

/// A mistyped address, or a server that lost everything, looks like a store without records.
async fn refuse_nothing(from: &Store, now: Timestamp) -> Result<(), CopyError> {
    let mut expired = 0;
    let mut walk = from.walk(BEFORE_ALL_EXPIRY).await?;
    while let Some(page) = walk.next().await? {
        for (_, record) in page.records {
            match record {
                Ok(record) if is_over(&record, now) => expired += 1,
                _ => return Ok(()),
            }
        }
        if !page.foreign.is_empty() {
            return Ok(());
        }
    }
    Err(CopyError::EmptySource { expired })
}

/// Whether a record has expired, for a walk that gives all of them.
fn is_over(record: &Stored, now: Timestamp) -> bool {
    record.expires_at().is_some_and(|at| at <= now)
}

/// One run of a copy.
struct Run<'a> {
    from: &'a Store,
    to: &'a Store,
    mark: &'a Mark,
    now: Timestamp,
    total: Option<u64>,
    /// Records of the source that were left out.
    expired: u64,
    progress: &'a mut (dyn FnMut(CopyProgress) + Send),
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("from", self.from).field("to", self.to).finish_non_exhaustive()
    }
}

impl Run<'_> {
    fn tell(&mut self, phase: CopyPhase, done: u64, total: Option<u64>) {
        (self.progress)(CopyProgress { phase, done, total });
    }

    /// Writes what the target does not have with the same bytes.
    async fn write(&mut self, resumed: bool) -> Result<(), CopyError> {
        let mut walk = self.from.walk(BEFORE_ALL_EXPIRY).await?;
        let mut done = 0;
        while let Some(page) = walk.next().await? {
            let mut live = whole(page)?;
            let read = live.len();
            live.retain(|(_, record)| !is_over(record, self.now));
            self.expired += u64::try_from(read - live.len()).unwrap_or(u64::MAX);
            for batch in batches(&live) {
                done += u64::try_from(batch.len()).unwrap_or(u64::MAX);
                let missing = if resumed { self.missing(batch).await? } else { batch.to_vec() };
                if !missing.is_empty() {
                    self.mark.check(self.to).await?;
                    self.to.load(&missing, self.now).await?;
                }
            }
            self.tell(CopyPhase::Copying, done, self.total);
        }
        Ok(())
    }

    /// The records of a batch that the target does not have with the same bytes. One that is damaged
    /// there is written again.
    async fn missing(&mut self, batch: &[(Key, Stored)]) -> Result<Vec<(Key, Stored)>, CopyError> {
        let keys: Vec<Key> = batch.iter().map(|(key, _)| key.clone()).collect();
        let found = match self.to.get_many(&keys, self.now).await {
            Ok(found) => found,
            Err(StoreError::Corrupt { .. }) => return Ok(batch.to_vec()),
            Err(error) => return Err(error.into()),
        };
        let differs = |(record, found): (&(Key, Stored), Option<Stored>)| {
            (found.as_ref() != Some(&record.1)).then(|| record.clone())
        };
        Ok(batch.iter().zip(found).filter_map(differs).collect())
    }

    /// Removes what an earlier run copied and the source does not have any more.
    async fn remove_what_is_gone(&mut self) -> Result<(), CopyError> {
        let mut walk = self.to.walk(self.now).await?;
        while let Some(page) = walk.next().await? {
            let keys: Vec<Key> =
                page.records.into_iter().map(|(key, _)| key).filter(|key| *key != mark()).collect();
            let found = self.from.get_many(&keys, self.now).await?;
            for (key, found) in keys.iter().zip(found) {
                if found.is_none() {
                    self.mark.check(self.to).await?;
                    self.to.delete(key).await?;
                }
            }
        }
        Ok(())
    }

    /// Walks both stores and compares what they hold: the source last, so that a change of it is seen
    /// for as long as anything can see it.
    async fn verify(&mut self) -> Result<Tally, CopyError> {
        let target = self.tally(self.to, 0).await?;
        let source = self.tally(self.from, target.records).await?;
        if source == target {
            return Ok(source);
        }
        let mut keys = differing(self.from, self.to, self.now).await?;
        let there: Vec<Key> = differing(self.to, self.from, self.now).await?;
        keys.extend(there);
        keys.sort();
        keys.dedup();
        keys.truncate(MOST_NAMED);
        let (source_records, target_records) = (source.records, target.records);
        Err(CopyError::Mismatch { source_records, target_records, keys })
    }

    async fn tally(&mut self, store: &Store, before: u64) -> Result<Tally, CopyError> {
        let total = self.total.map(|total| total.saturating_mul(2));
        let mut tally = Tally::default();
        let mut walk = store.walk(self.now).await?;
        while let Some(page) = walk.next().await? {
            // A record that is damaged or foreign in the target makes a difference by its absence.
            for (key, record) in page.records {
                if let Ok(record) = record
                    && key != mark()
                {
                    tally.add(&key, &record);
                }
            }
            self.tell(CopyPhase::Verifying, before + tally.records, total);
        }
        Ok(tally)
    }
}

/// The records of a page, if all of them can be copied.
fn whole(page: WalkPage) -> Result<Vec<(Key, Stored)>, CopyError> {
    if let Some(key) = page.foreign.first() {
        return Err(CopyError::Foreign { key: key.escape_ascii().to_string() });
    }
    let mut records = Vec::with_capacity(page.records.len());
    for (key, record) in page.records {
        records.push((key, record?));
    }
    Ok(records)
}

/// Cuts records into parts of a bounded number and size.
fn batches(records: &[(Key, Stored)]) -> Vec<&[(Key, Stored)]> {
    let mut parts = Vec::new();
    let mut rest = records;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(BATCH_RECORDS).take_while(|(key, record)| {
            let before = bytes;
            bytes += key.as_bytes().len() + record.as_bytes().len();
            before == 0 || bytes <= BATCH_BYTES
        });
        let (part, more) = rest.split_at_checked(fits.count()).unwrap_or((rest, &[]));
        parts.push(part);
        rest = more;
    }
    parts
}

/// The first records of `one` that `other` does not hold with the same bytes.
async fn differing(one: &Store, other: &Store, now: Timestamp) -> Result<Vec<Key>, CopyError> {
    let mut keys = Vec::new();
    let mut walk = one.walk(now).await?;
    while let Some(page) = walk.next().await? {
        for (key, record) in page.records {
            // What is damaged on either side differs.
            let same = match (record, other.get(&key, now).await) {
                (Ok(record), Ok(found)) => found == Some(record),
                (Err(_), _) | (_, Err(StoreError::Corrupt { .. })) => false,
                (_, Err(error)) => return Err(error.into()),
            };
            if !same && key != mark() {
                keys.push(key);
            }
            if keys.len() == MOST_NAMED {
                return Ok(keys);
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
#[path = "copy/tests.rs"]
mod tests;

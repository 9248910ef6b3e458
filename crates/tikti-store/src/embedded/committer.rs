//! How do many writers share one wait for the disk?
//!
//! One thread takes every write that is waiting, applies each of them to one LMDB transaction,
//! commits, and answers all. While the disk works, the next group gathers. Invariants: no answer
//! leaves before the commit has returned, a conflict included, since what it was judged against
//! might not have been committed; and a write whose expectations fail leaves no trace, because all
//! of them are judged before its first change. A commit that fails on its way to the disk has an
//! outcome that is known only after a restart, and nothing is answered from then on: `health`.
//!
//! Spec: Storage, "Group commit"; docs/decisions/0001.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use heed::{MdbError, RwTxn};
use tokio::sync::{mpsc, oneshot};

use super::environment::{Records, read_error};
use super::health::Health;
use crate::batch::{Batch, Change, Expectation};
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::store::Statistics;

/// Writers beyond this wait for room, which is how a slow disk slows them down.
const QUEUE_CAPACITY: usize = 256;

/// A group ends here, so that a commit of large values does not keep small ones waiting.
const GROUP_MAX_WRITES: usize = 256;
const GROUP_MAX_BYTES: usize = 8 * 1024 * 1024;

type Verdict = Result<(), StoreError>;

/// Why a group was not committed.
enum Failure {
    /// Nothing of it is there, nor will be.
    WithoutTrace(StoreError),
    /// It may be there after a restart.
    Unknown(StoreError),
}

/// Whatever goes wrong before the commit ends with the LMDB transaction.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::WithoutTrace(error)
    }
}

struct Request {
    batch: Batch,
    /// Nobody may be listening any more: the write happens all the same.
    reply: oneshot::Sender<Verdict>,
}

#[derive(Default)]
struct Counters {
    writes: AtomicU64,
    commits: AtomicU64,
}

/// The way to the committer thread. Dropping it lets the thread finish what is queued, and waits.
pub(super) struct Committer {
    /// `None` only while being dropped: the closed queue is what ends the thread.
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    health: Health,
}

impl Committer {
    pub(super) fn start(records: Records, health: Health) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_CAPACITY);
        let counters = Arc::new(Counters::default());
        let worker =
            Worker { records, requests, counters: Arc::clone(&counters), health: health.clone() };
        let thread = std::thread::Builder::new()
            .name("tikti-store".to_owned())
            .spawn(move || worker.run())?;
        Ok(Self { queue: Some(queue), thread: Some(thread), counters, health })
    }

    /// Returns when the write is durable, or was refused.
    pub(super) async fn commit(&self, batch: Batch) -> Verdict {
        self.health.check()?;
        let (reply, verdict) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // A queue that is closed drops the request, and with it the other end of `verdict`.
            let _ = queue.send(Request { batch, reply }).await;
        }
        verdict.await.unwrap_or_else(|stopped| {
            self.health.lose();
            Err(StoreError::unavailable("waiting for the committer thread, which ended", stopped))
        })
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            writes: self.counters.writes.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was printed when it happened, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// What runs on the thread.
struct Worker {
    records: Records,
    requests: mpsc::Receiver<Request>,
    counters: Arc<Counters>,
    health: Health,
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let group = self.gather(first);
            self.answer(group);
        }
    }

    /// Whatever waits already, without waiting for more.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let mut bytes = first.batch.size_bytes();
        let mut group = vec![first];
        while group.len() < GROUP_MAX_WRITES && bytes < GROUP_MAX_BYTES {
            let Ok(request) = self.requests.try_recv() else {
                break;
            };
            bytes += request.batch.size_bytes();
            group.push(request);
        }
        group
    }

    /// Commits a group and answers it. What fails in company, and has left no trace, is tried again
    /// alone: a write that does not fit, or meets a damaged page, is not the fault of the others.
    fn answer(&self, group: Vec<Request>) {
        // Before `group` in the order of drops: whoever learns of a panic finds it remembered.
        let _watch = self.health.watch();
        match self.commit(&group) {
            Ok(verdicts) => {
                for (request, verdict) in group.into_iter().zip(verdicts) {
                    let _ = request.reply.send(verdict);
                }
            }
            Err(Failure::WithoutTrace(_)) if group.len() > 1 => {
                for request in group {
                    self.answer(vec![request]);
                }
            }
            Err(Failure::WithoutTrace(error) | Failure::Unknown(error)) => {
                for request in group {
                    let _ = request.reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// One LMDB transaction for the whole group.
    fn commit(&self, group: &[Request]) -> Result<Vec<Verdict>, Failure> {
        self.health.check()?;
        let begun = self.records.env.write_txn();
        let mut txn =
            begun.map_err(|error| StoreError::unavailable("beginning to write", error))?;
        let verdicts = group
            .iter()
            .map(|request| self.apply(&mut txn, &request.batch))
            .collect::<Result<Vec<_>, _>>()?;
        let writes = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        if writes == 0 {
            txn.abort();
            return Ok(verdicts);
        }
        txn.commit().map_err(|error| self.commit_failure(error))?;
        self.counters.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(verdicts)
    }

    /// LMDB notices before it writes that there is no room. Anything else can have happened after
    /// the pages or even the root went to the disk.
    fn commit_failure(&self, error: heed::Error) -> Failure {
        let no_room = matches!(error, heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull));
        let error = StoreError::unavailable("committing", error);
        if no_room {
            return Failure::WithoutTrace(error);
        }
        self.health.lose();
        Failure::Unknown(error)
    }

    /// The outer error is that of the engine, and leaves the LMDB transaction unusable; the inner
    /// one is the answer to this write alone.
    fn apply(&self, txn: &mut RwTxn<'_>, batch: &Batch) -> Result<Verdict, StoreError> {
        for expectation in &batch.expectations {
            let verdict = self.judge(txn, expectation)?;
            if verdict.is_err() {
                return Ok(verdict);
            }
        }
        for change in &batch.changes {
            let changed = match change {
                Change::Put { key, record } => {
                    self.records.database.put(txn, key.as_bytes(), record.raw())
                }
                Change::Delete { key } => {
                    self.records.database.delete(txn, key.as_bytes()).map(|_existed| ())
                }
            };
            changed.map_err(|error| StoreError::unavailable("writing", error))?;
        }
        Ok(Ok(()))
    }

    fn judge(&self, txn: &RwTxn<'_>, expectation: &Expectation) -> Result<Verdict, StoreError> {
        let Expectation { key, expected, now } = expectation;
        let found = self.records.database.get(txn, key.as_bytes());
        let found = found.map_err(|error| read_error(key, error))?;
        let opened = match found.map(|raw| Stored::open(key, raw)).transpose() {
            Ok(opened) => opened.filter(|opened| opened.is_live(*now)),
            Err(damage) => return Ok(Err(damage)),
        };
        if opened.map(|opened| opened.raw()) == expected.as_ref().map(Stored::raw) {
            Ok(Ok(()))
        } else {
            Ok(Err(StoreError::Conflict { key: key.clone() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Entry, WriteIds};
    use crate::key::{Key, Kind, Partition};

    /// More than the map of these tests holds.
    const OVERSIZED: usize = 1 << 20;

    fn worker(records: Records) -> Worker {
        let (_, requests) = mpsc::channel(1);
        Worker { records, requests, counters: Arc::default(), health: Health::default() }
    }

    fn key(id: &str) -> Key {
        Key::new(&Partition::global(), Kind::new("record"), id)
    }

    fn request(id: &str, value: &[u8]) -> (Request, oneshot::Receiver<Verdict>) {
        let record = Stored::seal(&key(id), Entry::new(value), &WriteIds::new([1; 16])).unwrap();
        let batch = Batch::unconditional(Change::Put { key: key(id), record });
        let (reply, verdict) = oneshot::channel();
        (Request { batch, reply }, verdict)
    }

    #[test]
    fn a_write_that_does_not_fit_fails_alone() {
        let directory = tempfile::tempdir().unwrap();
        let worker = worker(Records::open(directory.path(), 1 << 20).unwrap());
        let (mut group, mut verdicts) = (Vec::new(), Vec::new());
        for (id, size) in [("a", 1), ("b", 1), ("oversized", OVERSIZED), ("c", 1)] {
            let (request, verdict) = request(id, &vec![0; size]);
            group.push(request);
            verdicts.push(verdict);
        }
        worker.answer(group);
        let succeeded: Vec<_> =
            verdicts.iter_mut().map(|verdict| verdict.try_recv().unwrap().is_ok()).collect();
        assert_eq!(succeeded, [true, true, false, true]);
        assert_eq!(worker.counters.writes.load(Ordering::Relaxed), 3);
        worker.health.check().unwrap();
        let txn = worker.records.env.read_txn().unwrap();
        let there = |id| worker.records.database.get(&txn, key(id).as_bytes()).unwrap().is_some();
        assert_eq!(["a", "b", "oversized", "c"].map(there), [true, true, false, true]);
    }

    #[test]
    fn only_a_lack_of_room_is_known_to_leave_no_trace() {
        let directory = tempfile::tempdir().unwrap();
        let worker = worker(Records::open(directory.path(), 1 << 20).unwrap());
        for room in [MdbError::MapFull, MdbError::TxnFull] {
            let failure = worker.commit_failure(heed::Error::Mdb(room));
            assert!(matches!(failure, Failure::WithoutTrace(_)));
        }
        worker.health.check().unwrap();
        let failure = worker.commit_failure(heed::Error::Io(io::ErrorKind::Other.into()));
        assert!(matches!(failure, Failure::Unknown(_)));
        let (request, mut verdict) = request("a", b"x");
        worker.answer(vec![request]);
        let refused = verdict.try_recv().unwrap().unwrap_err().to_string();
        assert_eq!(refused, "the store is unavailable while waiting for a restart");
    }
}

//! How do many writers share one wait for the disk?
//!
//! One thread takes every write that is waiting, applies each of them to one LMDB transaction,
//! commits, and answers all. While the disk works, the next group gathers. Invariants: no answer
//! leaves before the commit has returned, a conflict included, since what it was judged against
//! might not have been committed; and a write whose expectations fail leaves no trace, because all
//! of them are judged before its first change.
//!
//! A commit that fails while LMDB writes or syncs its pages leaves no trace either, and is answered
//! as such: what is on the disk is known, reads go on, and so do writes as soon as they succeed. The
//! pages went to places that no earlier commit uses, and the header page that would make them count
//! comes last (`mdb_txn_commit`: `mdb_page_flush`, `mdb_env_sync0`, `mdb_env_write_meta`). Only where
//! writing the header fails is the outcome known after a restart alone. LMDB then marks the
//! environment as broken and begins no transaction any more, which is how the two are told apart;
//! nothing is answered from then on: `health`.
//!
//! Spec: Storage, "Group commit"; docs/decisions/0001.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use heed::RwTxn;
use tokio::sync::{mpsc, oneshot};

use super::environment::{Records, read_error, write_error};
use super::health::Health;
use crate::batch::{Batch, Change, Expectation};
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::Statistics;
use crate::timestamp::Timestamp;

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

enum Work {
    /// Changes that happen together.
    Batch(Batch),
    /// Records to remove where they are still the very same, expired as they are.
    Reclaim(Vec<(Key, Stored)>),
}

impl Work {
    fn size_bytes(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.size_bytes(),
            Self::Reclaim(expired) => expired.iter().map(|(key, _)| key.as_bytes().len()).sum(),
        }
    }
}

struct Request {
    work: Work,
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
    /// Ends with the thread.
    ended: oneshot::Receiver<()>,
    counters: Arc<Counters>,
    health: Health,
}

impl Committer {
    pub(super) fn start(records: Records, health: Health) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_CAPACITY);
        let counters = Arc::new(Counters::default());
        let worker =
            Worker { records, requests, counters: Arc::clone(&counters), health: health.clone() };
        let (end, ended) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name("tikti-store".to_owned()).spawn(move || {
                // Dropped last, also when the work ends in a panic.
                let _end: oneshot::Sender<()> = end;
                worker.run();
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), ended, counters, health })
    }

    /// Lets the thread finish what is queued and waits for its end, without keeping a thread of the
    /// runtime from other work.
    pub(super) async fn finish(mut self) {
        self.queue = None;
        // Nothing is ever sent: the error is that the other end is gone.
        let _ = (&mut self.ended).await;
    }

    /// Returns when the write is durable, or was refused.
    pub(super) async fn commit(&self, batch: Batch) -> Verdict {
        self.queue(Work::Batch(batch)).await
    }

    /// Returns when those of the records that are still the very same are gone.
    pub(super) async fn reclaim(&self, expired: Vec<(Key, Stored)>) -> Verdict {
        self.queue(Work::Reclaim(expired)).await
    }

    async fn queue(&self, work: Work) -> Verdict {
        self.health.check()?;
        let (reply, verdict) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // A queue that is closed drops the request, and with it the other end of `verdict`.
            let _ = queue.send(Request { work, reply }).await;
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
        let mut bytes = first.work.size_bytes();
        let mut group = vec![first];
        while group.len() < GROUP_MAX_WRITES && bytes < GROUP_MAX_BYTES {
            let Ok(request) = self.requests.try_recv() else {
                break;
            };
            bytes += request.work.size_bytes();
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
        let before = self.records.env.info().last_txn_id;
        let verdicts = group
            .iter()
            .map(|request| self.apply(&mut txn, &request.work))
            .collect::<Result<Vec<_>, _>>()?;
        let writes = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        if writes == 0 {
            txn.abort();
            return Ok(verdicts);
        }
        txn.commit().map_err(|error| self.commit_failure(before, error))?;
        self.counters.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(verdicts)
    }

    /// `before` is the last commit that the header knew when this one began.
    fn commit_failure(&self, before: usize, error: heed::Error) -> Failure {
        let error = write_error(error);
        // `mdb_env_write_meta` sets `MDB_FATAL_ERROR` where it fails, and `mdb_txn_renew0` refuses
        // every transaction from then on. Nothing else that can fail comes after the pages.
        let begins = self.records.env.write_txn().map(RwTxn::abort).is_ok();
        if begins && self.records.env.info().last_txn_id == before {
            return Failure::WithoutTrace(error);
        }
        self.health.lose();
        Failure::Unknown(error)
    }

    /// The outer error is that of the engine, and leaves the LMDB transaction unusable; the inner
    /// one is the answer to this write alone.
    fn apply(&self, txn: &mut RwTxn<'_>, work: &Work) -> Result<Verdict, StoreError> {
        match work {
            Work::Batch(batch) => self.apply_batch(txn, batch),
            Work::Reclaim(expired) => self.apply_reclaim(txn, expired),
        }
    }

    fn apply_reclaim(
        &self,
        txn: &mut RwTxn<'_>,
        expired: &[(Key, Stored)],
    ) -> Result<Verdict, StoreError> {
        for (key, record) in expired {
            let found = self.records.database.get(txn, key.as_bytes());
            if found.map_err(|error| read_error(key, error))? == Some(record.raw()) {
                let deleted = self.records.database.delete(txn, key.as_bytes());
                deleted.map_err(write_error)?;
            }
        }
        Ok(Ok(()))
    }

    fn apply_batch(&self, txn: &mut RwTxn<'_>, batch: &Batch) -> Result<Verdict, StoreError> {
        for expectation in &batch.expectations {
            let verdict = self.judge(txn, expectation, batch.now)?;
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
            changed.map_err(write_error)?;
        }
        Ok(Ok(()))
    }

    fn judge(
        &self,
        txn: &RwTxn<'_>,
        expectation: &Expectation,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
        let Expectation { key, expected } = expectation;
        let found = self.records.database.get(txn, key.as_bytes());
        let found = found.map_err(|error| read_error(key, error))?;
        let opened = match found.map(|raw| Stored::open(key, raw)).transpose() {
            Ok(opened) => opened.filter(|opened| opened.is_live(now)),
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
    use crate::key::{Kind, Partition};

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
        let batch =
            Batch::unconditional(Change::Put { key: key(id), record }, Timestamp::from_millis(0));
        let (reply, verdict) = oneshot::channel();
        (Request { work: Work::Batch(batch), reply }, verdict)
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

    /// It was found expired, and rewritten before its turn came.
    #[test]
    fn reclaiming_leaves_a_record_that_was_rewritten_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let worker = worker(Records::open(directory.path(), 1 << 20).unwrap());
        let mut found = Vec::new();
        for id in ["same", "rewritten"] {
            let (request, _verdict) = request(id, b"expired");
            if let Work::Batch(Batch { changes, .. }) = &request.work
                && let [Change::Put { key, record }] = changes.as_slice()
            {
                found.push((key.clone(), record.clone()));
            }
            worker.answer(vec![request]);
        }
        let ids = WriteIds::new([2; 16]);
        let record = Stored::seal(&key("rewritten"), Entry::new(b"expired"), &ids).unwrap();
        let change = Change::Put { key: key("rewritten"), record };
        let rewrite = Batch::unconditional(change, Timestamp::from_millis(0));
        for work in [Work::Batch(rewrite), Work::Reclaim(found)] {
            let (reply, mut verdict) = oneshot::channel();
            worker.answer(vec![Request { work, reply }]);
            verdict.try_recv().unwrap().unwrap();
        }
        let txn = worker.records.env.read_txn().unwrap();
        let there = |id| worker.records.database.get(&txn, key(id).as_bytes()).unwrap().is_some();
        assert_eq!(["same", "rewritten"].map(there), [false, true]);
    }

    #[test]
    fn a_failed_commit_leaves_no_trace_unless_the_header_moved() {
        let directory = tempfile::tempdir().unwrap();
        let worker = worker(Records::open(directory.path(), 1 << 20).unwrap());
        let last = worker.records.env.info().last_txn_id;
        let error = || heed::Error::Io(io::ErrorKind::StorageFull.into());
        assert!(matches!(worker.commit_failure(last, error()), Failure::WithoutTrace(_)));
        worker.health.check().unwrap();
        assert!(matches!(worker.commit_failure(last - 1, error()), Failure::Unknown(_)));
        let (request, mut verdict) = request("a", b"x");
        worker.answer(vec![request]);
        let refused = verdict.try_recv().unwrap().unwrap_err().to_string();
        assert_eq!(refused, "the store is unavailable while waiting for a restart");
    }
}

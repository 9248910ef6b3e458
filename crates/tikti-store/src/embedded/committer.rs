//! How do many writers share one wait for the disk?
//!
//! One thread takes every write that is waiting, applies each of them to one LMDB transaction,
//! commits, and answers all. While the disk works, the next group gathers. Invariants: no answer
//! leaves before the commit has returned, a conflict included, since what it was judged against
//! might not have been committed; and a write whose expectations fail leaves no trace, because all
//! of them are judged before its first change.
//!
//! Spec: Storage, "Group commit"; docs/decisions/0001.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use heed::RwTxn;
use tokio::sync::{mpsc, oneshot};

use super::environment::Records;
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
}

impl Committer {
    pub(super) fn start(records: Records) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_CAPACITY);
        let counters = Arc::new(Counters::default());
        let worker = Worker { records, requests, counters: Arc::clone(&counters) };
        let thread = std::thread::Builder::new()
            .name("tikti-store".to_owned())
            .spawn(move || worker.run())?;
        Ok(Self { queue: Some(queue), thread: Some(thread), counters })
    }

    /// Returns when the write is durable, or was refused.
    pub(super) async fn commit(&self, batch: Batch) -> Verdict {
        let (reply, verdict) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // A queue that is closed drops the request, and with it the other end of `verdict`.
            let _ = queue.send(Request { batch, reply }).await;
        }
        verdict.await.unwrap_or_else(|stopped| {
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
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let group = self.gather(first);
            match self.commit(&group) {
                Ok(verdicts) => {
                    for (request, verdict) in group.into_iter().zip(verdicts) {
                        let _ = request.reply.send(verdict);
                    }
                }
                Err(error) => {
                    let error = StoreError::unavailable("committing", error);
                    for request in group {
                        let _ = request.reply.send(Err(error.clone()));
                    }
                }
            }
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

    /// One LMDB transaction for the whole group. An error is that of the engine, and then nothing
    /// of the group is visible: LMDB writes its root last, so an unfinished commit is not there.
    fn commit(&self, group: &[Request]) -> heed::Result<Vec<Verdict>> {
        let mut txn = self.records.env.write_txn()?;
        let verdicts = group
            .iter()
            .map(|request| self.apply(&mut txn, &request.batch))
            .collect::<heed::Result<Vec<_>>>()?;
        let writes = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        if writes == 0 {
            txn.abort();
            return Ok(verdicts);
        }
        txn.commit()?;
        self.counters.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(verdicts)
    }

    /// The outer error ends the group, the inner one is the answer to this write alone.
    fn apply(&self, txn: &mut RwTxn<'_>, batch: &Batch) -> heed::Result<Verdict> {
        for expectation in &batch.expectations {
            let verdict = self.judge(txn, expectation)?;
            if verdict.is_err() {
                return Ok(verdict);
            }
        }
        for change in &batch.changes {
            match change {
                Change::Put { key, record } => {
                    self.records.database.put(txn, key.as_bytes(), record.raw())?;
                }
                Change::Delete { key } => {
                    self.records.database.delete(txn, key.as_bytes())?;
                }
            }
        }
        Ok(Ok(()))
    }

    fn judge(&self, txn: &RwTxn<'_>, expectation: &Expectation) -> heed::Result<Verdict> {
        let Expectation { key, expected, now } = expectation;
        let found = self.records.database.get(txn, key.as_bytes())?;
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

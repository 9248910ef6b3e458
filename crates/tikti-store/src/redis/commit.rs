//! How is a batch written, by the cheapest command that keeps its promise?
//!
//! One change of one record is one command, which takes the lock of its key only: `SET`, `DEL`,
//! `SET NX`, compare-and-set. What concerns an index as well, or several records, is the script.
//! Invariant: a conflict is answered only when a server said so to a request that was sent once. After
//! a lost reply what is stored decides, and where that is no proof, the outcome is unknown.
//!
//! Spec: Storage, "`put_if` and `take` are single commands" and "retries only of what is idempotent".

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use super::engine::Redis;
use super::recover::{self, Outcome};
use super::servers::{Failure, Reply, Request};
use super::{commands, keys, replies};
use crate::batch::{Batch, Change, Expectation};
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::timestamp::Timestamp;

const DOING: &str = "writing";

/// How often a write is sent, and for how long it is worth it, when replies get lost.
pub(super) const MAX_SENDS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(5);

/// How often an expired record that stands in the way may change before its place counts as taken.
const MAX_TURNS: u32 = 16;

/// What a server said.
enum Answer {
    Done,
    /// This expectation does not hold; nothing was written.
    Differs(usize),
    /// It cannot be done, whoever asks.
    Refused(StoreError),
}

/// One record to be replaced where it is still `old`.
struct Replacement<'a> {
    key: &'a Key,
    old: &'a [u8],
    record: &'a Stored,
    now: Timestamp,
}

impl Redis {
    pub(crate) async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let is_over = |expectation: &&Expectation| {
            expectation.expected.as_ref().is_some_and(|record| !record.is_live(batch.now))
        };
        if let Some(expectation) = batch.expectations.iter().find(is_over) {
            return Err(StoreError::Conflict { key: expectation.key.clone() });
        }
        let until = Instant::now() + PATIENCE;
        let mut lost = None;
        for sends in 1..=MAX_SENDS {
            let error = match (self.send(batch).await, lost.take()) {
                (Ok(Answer::Done), _) => {
                    self.count_write();
                    return Ok(());
                }
                (Ok(Answer::Refused(error)) | Err(Failure::NotExecuted(error)), _) => {
                    return Err(error);
                }
                (Ok(Answer::Differs(number)), None) => {
                    return Err(self.conflict(batch, number).await);
                }
                // What differs may be what our own earlier request has written.
                (Ok(Answer::Differs(_)), Some(error)) | (Err(Failure::Lost(error)), _) => error,
            };
            match self.outcome(batch, until).await {
                Outcome::Happened => {
                    self.count_write();
                    return Ok(());
                }
                Outcome::MayBeSentAgain if sends < MAX_SENDS && Instant::now() < until => {
                    lost = Some(error);
                }
                Outcome::MayBeSentAgain | Outcome::Unknown => return Err(error),
            }
        }
        Err(lost.unwrap_or_else(|| replies::unknown_shape(DOING)))
    }

    async fn send(&self, batch: &Batch) -> Result<Answer, Failure> {
        let now = batch.now;
        match (batch.expectations.as_slice(), batch.changes.as_slice()) {
            ([], [Change::Put { key, record }]) if !key.is_listed() => {
                self.set(commands::set(key, record, now), key).await
            }
            ([], [Change::Delete { key }]) if !key.is_listed() => {
                self.set(commands::delete(key), key).await
            }
            ([Expectation { key: guard, expected }], [Change::Put { key, record }])
                if guard == key =>
            {
                match expected {
                    // A record that is there stands in its index already.
                    Some(old) => {
                        let old = old.raw();
                        self.replace(Replacement { key, old, record, now }).await
                    }
                    None if key.is_listed() => self.transact(batch).await,
                    None => self.set_if_absent(key, record, now).await,
                }
            }
            _ => self.transact(batch).await,
        }
    }

    /// A command that is done when it is answered.
    async fn set(&self, command: Cmd, key: &Key) -> Result<Answer, Failure> {
        Ok(match self.write(command, key).await? {
            Value::ServerError(error) => Answer::Refused(replies::refused(DOING, &error)),
            _ => Answer::Done,
        })
    }

    /// An expired record is in the way until the server reclaims it, so it is replaced.
    async fn set_if_absent(
        &self,
        key: &Key,
        record: &Stored,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        for _ in 0..MAX_TURNS {
            match self.write(commands::set_if_absent(key, record, now), key).await? {
                Value::ServerError(error) => {
                    return Ok(Answer::Refused(replies::refused(DOING, &error)));
                }
                Value::Nil => {}
                _ => return Ok(Answer::Done),
            }
            let Some(old) = self.read_one(key).await.map_err(Failure::NotExecuted)? else {
                continue;
            };
            match Stored::open(key, &old) {
                Err(damage) => return Ok(Answer::Refused(damage)),
                Ok(opened) if opened.is_live(now) => return Ok(Answer::Differs(0)),
                Ok(_) => {}
            }
            let old = old.as_slice();
            let answer = self.replace(Replacement { key, old, record, now }).await?;
            if !matches!(answer, Answer::Differs(_)) {
                return Ok(answer);
            }
        }
        Ok(Answer::Differs(0))
    }

    async fn replace(&self, replacement: Replacement<'_>) -> Result<Answer, Failure> {
        let Replacement { key, old, record, now } = replacement;
        if self.servers().features().compare_and_set {
            let reply = self.write(commands::compare_and_set(key, old, record, now), key).await?;
            return Ok(answer_of(Ok(reply), |number| (number != 1).then_some(0)));
        }
        let slot = keys::slot(key.partition());
        let script = &self.scripts().replace;
        let ran = script.run(self.servers(), slot, |call| {
            call.arg(1).arg(keys::record(key)).arg(old).arg(record.raw());
            call.arg(ttl_argument(record, now));
        });
        Ok(answer_of(ran.await?, |number| (number != 1).then_some(0)))
    }

    async fn transact(&self, batch: &Batch) -> Result<Answer, Failure> {
        let Some(first) = batch.changes.first() else {
            return Ok(Answer::Done);
        };
        let slot = keys::slot(first.key().partition());
        let removes = |change: &Change| matches!(change, Change::Delete { .. });
        let script = if batch.changes.iter().all(removes) {
            &self.scripts().remove
        } else {
            &self.scripts().transact
        };
        let ran = script.run(self.servers(), slot, |call| push_batch(call, batch));
        Ok(answer_of(ran.await?, |number| usize::try_from(number).ok()?.checked_sub(1)))
    }

    async fn write(&self, command: Cmd, key: &Key) -> Result<Value, Failure> {
        let slot = keys::slot(key.partition());
        let request = Request { commands: vec![command], is_write: true };
        match self.servers().write(slot, &request).await?.into_iter().next() {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Ok(Value::ServerError(error)),
            None => Err(Failure::Lost(replies::unknown_shape(DOING))),
        }
    }

    /// Reads what is there now, and judges. What cannot be read is tried again until then: whoever took
    /// away the reply may be away for a moment longer.
    async fn outcome(&self, batch: &Batch, until: Instant) -> Outcome {
        let keys = recover::keys(batch);
        let mut failures = 0;
        let found = loop {
            if let Ok(found) = self.read_raw(&keys).await {
                break found;
            }
            failures += 1;
            let pause = self.servers().pause_after(failures);
            if Instant::now() + pause > until {
                return Outcome::Unknown;
            }
            sleep(pause).await;
        };
        let found: BTreeMap<_, _> = keys.iter().zip(&found).collect();
        let outcome = recover::outcome(batch, |key| found.get(key)?.as_deref());
        // That the master has it does not say that the replicas do, which is what was promised.
        match outcome {
            Outcome::Happened if self.waits_for_replicas() => Outcome::Unknown,
            outcome => outcome,
        }
    }

    /// Whether it is damage that differs: a transaction reads all its records again and finds that out,
    /// a single write looks here, unless it has looked already.
    async fn conflict(&self, batch: &Batch, number: usize) -> StoreError {
        let Some(Expectation { key, expected }) = batch.expectations.get(number) else {
            return replies::unknown_shape(DOING);
        };
        let was_read = expected.is_none() && !key.is_listed();
        if batch.expectations.len() == 1
            && !was_read
            && let Ok(Some(raw)) = self.read_one(key).await
            && let Err(damage) = Stored::open(key, &raw)
        {
            return damage;
        }
        StoreError::Conflict { key: key.clone() }
    }
}

/// Reads the number that a script or `CAS` gives. `failed` says which expectation it means.
fn answer_of(reply: Reply, failed: impl Fn(i64) -> Option<usize>) -> Answer {
    let number = replies::value(DOING, reply);
    match number.and_then(|number| replies::integer(DOING, &number)) {
        Ok(number) => failed(number).map_or(Answer::Done, Answer::Differs),
        Err(error) => Answer::Refused(error),
    }
}

fn ttl_argument(record: &Stored, now: Timestamp) -> String {
    commands::ttl_millis(record, now).map_or_else(String::new, |millis| millis.to_string())
}

/// One record of a batch, as the script sees it.
struct Row<'a> {
    key: &'a Key,
    expectation: Option<&'a Expectation>,
    change: Option<&'a Change>,
}

/// The expectations in their order, and then what is changed without one.
fn rows(batch: &Batch) -> Vec<Row<'_>> {
    let mut changes: BTreeMap<_, _> =
        batch.changes.iter().map(|change| (change.key(), change)).collect();
    let expected = batch.expectations.iter().map(|expectation| {
        let key = &expectation.key;
        (key, Some(expectation))
    });
    let mut rows: Vec<_> = expected
        .map(|(key, expectation)| Row { key, expectation, change: changes.remove(key) })
        .collect();
    let others = changes.into_iter();
    rows.extend(others.map(|(key, change)| Row { key, expectation: None, change: Some(change) }));
    rows
}

/// Adds the keys and arguments that the script `transact` documents.
fn push_batch(call: &mut Cmd, batch: &Batch) {
    let rows = rows(batch);
    let mut indexes = Vec::new();
    let mut numbers = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.change.is_none() || !row.key.is_listed() {
            numbers.push(None);
            continue;
        }
        let index = keys::index(row.key);
        let place = indexes.iter().position(|known| *known == index).unwrap_or_else(|| {
            indexes.push(index);
            indexes.len() - 1
        });
        numbers.push(Some(rows.len() + place + 1));
    }
    call.arg(rows.len() + indexes.len());
    rows.iter().for_each(|row| {
        call.arg(keys::record(row.key));
    });
    indexes.iter().for_each(|index| {
        call.arg(index);
    });
    let now = batch.now.as_millis();
    call.arg(rows.len()).arg(now >> 32).arg(now & u64::from(u32::MAX));
    for (row, number) in rows.iter().zip(numbers) {
        match row.expectation.map(|expectation| &expectation.expected) {
            None => call.arg("?"),
            Some(None) => call.arg(""),
            Some(Some(record)) => call.arg(record.raw()),
        };
        match row.change {
            None => call.arg("?").arg(""),
            Some(Change::Delete { .. }) => call.arg("").arg(""),
            Some(Change::Put { record, .. }) => {
                call.arg(record.raw()).arg(ttl_argument(record, batch.now))
            }
        };
        call.arg(number.map_or_else(String::new, |number| number.to_string()));
    }
}

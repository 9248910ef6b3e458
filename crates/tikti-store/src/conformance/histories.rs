//! Does any sequence of calls get the answers that a plain map would give?
//!
//! Histories are random and shrink to the shortest one that still fails. Keys are few and times
//! close together, so that calls meet: overwritten, expired, deleted, stale and taken records all
//! come up. Every answer is compared, and at the end everything that is stored.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::model::{Model, Record, WriteNumber};
use super::support::NOW;
use crate::{Entry, Expected, Key, Kind, Partition, Store, StoreError, Stored, Timestamp};

const CASES: u32 = 48;
const MAX_CALLS: usize = 40;

/// Keys by number. The first half is one partition; kinds and ids are mixed in both.
const KEYS: usize = 12;

#[derive(Clone, Debug)]
enum Call {
    Get(usize),
    GetMany(Vec<usize>),
    Put(usize, NewValue),
    Delete(usize),
    PutIfAbsent(usize, NewValue),
    /// Expects what this key was when it was last read, which may be long ago.
    PutIfEquals(usize, NewValue),
    Take(usize),
    Scan {
        like: usize,
        after: Option<usize>,
        limit: usize,
    },
    Transact {
        reads: Vec<usize>,
        changes: Vec<(usize, Option<NewValue>)>,
        end: End,
    },
    Wait {
        millis: u64,
    },
}

#[derive(Clone, Debug)]
struct NewValue {
    bytes: Vec<u8>,
    ttl_millis: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    RollBack,
}

/// Runs this topic.
///
/// # Panics
/// With the shortest history that an engine and a plain map answer differently.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let histories = prop::collection::vec(call(), 1..MAX_CALLS);
    let checked = TestRunner::new(config).run(&histories, |calls| {
        block_in_place(|| Handle::current().block_on(check(fresh().into_future(), calls)))
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Fail(reason, calls)) => panic!("{reason}\nin the history {calls:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn call() -> impl Strategy<Value = Call> {
    let key = || 0..KEYS;
    let keys = || prop::collection::vec(0..KEYS / 2, 0..4);
    let changes = prop::collection::vec((0..KEYS / 2, prop::option::of(new_value())), 0..4);
    let end = prop_oneof![3 => Just(End::Commit), 1 => Just(End::RollBack)];
    prop_oneof![
        3 => key().prop_map(Call::Get),
        1 => prop::collection::vec(key(), 0..5).prop_map(Call::GetMany),
        4 => (key(), new_value()).prop_map(|(key, value)| Call::Put(key, value)),
        1 => key().prop_map(Call::Delete),
        2 => (key(), new_value()).prop_map(|(key, value)| Call::PutIfAbsent(key, value)),
        3 => (key(), new_value()).prop_map(|(key, value)| Call::PutIfEquals(key, value)),
        1 => key().prop_map(Call::Take),
        2 => (key(), prop::option::of(key()), 1..5_usize)
            .prop_map(|(like, after, limit)| Call::Scan { like, after, limit }),
        3 => (keys(), changes, end)
            .prop_map(|(reads, changes, end)| Call::Transact { reads, changes, end }),
        2 => (0..30_u64).prop_map(|millis| Call::Wait { millis }),
    ]
}

fn new_value() -> impl Strategy<Value = NewValue> {
    (prop::collection::vec(any::<u8>(), 0..6), prop::option::weighted(0.4, 0..40_u64))
        .prop_map(|(bytes, ttl_millis)| NewValue { bytes, ttl_millis })
}

fn key(number: usize) -> Key {
    const KINDS: [Kind; 2] = [Kind::new("one"), Kind::new("two")];
    const IDS: [&[u8]; 3] = [b"", b"a", b"a/\xff"];
    let partitions = [Partition::new("p", "x"), Partition::global()];
    Key::new(&partitions[number / 6], KINDS[number % 2], IDS[number % 3])
}

async fn check(fresh: impl Future<Output = Store>, calls: Vec<Call>) -> Result<(), TestCaseError> {
    let store = fresh.await;
    let mut history = History { store, model: Model::default(), read: HashMap::new(), now: NOW };
    for call in &calls {
        history.run(call).await?;
    }
    for number in 0..KEYS {
        history.get(&[number]).await?;
        history.scan(number, None, KEYS).await?;
    }
    Ok(())
}

/// A store and the map that it is compared with, at one moment of a history.
struct History {
    store: Store,
    model: Model,
    /// What each key was when it was last read.
    read: HashMap<Key, (Stored, WriteNumber)>,
    now: Timestamp,
}

impl History {
    async fn run(&mut self, call: &Call) -> Result<(), TestCaseError> {
        match call {
            Call::Get(number) => self.get(&[*number]).await,
            Call::GetMany(numbers) => self.get(numbers).await,
            Call::Put(number, value) => self.put(&key(*number), value).await,
            Call::Delete(number) => self.delete(&key(*number)).await,
            Call::PutIfAbsent(number, value) => self.put_if_absent(&key(*number), value).await,
            Call::PutIfEquals(number, value) => self.put_if_equals(&key(*number), value).await,
            Call::Take(number) => self.take(&key(*number)).await,
            Call::Scan { like, after, limit } => self.scan(*like, *after, *limit).await,
            Call::Transact { reads, changes, end } => self.transact(reads, changes, *end).await,
            Call::Wait { millis } => {
                self.now = self.now.plus_millis(*millis);
                Ok(())
            }
        }
    }

    async fn get(&mut self, numbers: &[usize]) -> Result<(), TestCaseError> {
        let keys: Vec<_> = numbers.iter().copied().map(key).collect();
        let answers = self.store.get_many(&keys, self.now).await?;
        for (key, answer) in keys.into_iter().zip(answers) {
            let alone = self.store.get(&key, self.now).await?;
            prop_assert_eq!(&alone, &answer);
            let record = self.model.get(&key, self.now);
            same(answer.as_ref(), record)?;
            if let (Some(stored), Some(record)) = (answer, record) {
                self.read.insert(key, (stored, record.write));
            }
        }
        Ok(())
    }

    async fn put(&mut self, key: &Key, value: &NewValue) -> Result<(), TestCaseError> {
        self.store.put(key, self.entry(value)).await?;
        self.model.put(key, &value.bytes, self.expires_at(value));
        Ok(())
    }

    async fn delete(&mut self, key: &Key) -> Result<(), TestCaseError> {
        self.store.delete(key).await?;
        self.model.delete(key);
        Ok(())
    }

    async fn put_if_absent(&mut self, key: &Key, value: &NewValue) -> Result<(), TestCaseError> {
        let entry = self.entry(value);
        let answer = self.store.put_if(key, Expected::Absent, entry, self.now).await;
        let allowed = self.model.get(key, self.now).is_none();
        self.conditional(key, value, allowed, answer)
    }

    async fn put_if_equals(&mut self, key: &Key, value: &NewValue) -> Result<(), TestCaseError> {
        let Some((read, write)) = self.read.get(key) else {
            return Ok(());
        };
        let (expected, entry) = (Expected::Equals(read), self.entry(value));
        let answer = self.store.put_if(key, expected, entry, self.now).await;
        let found = self.model.get(key, self.now);
        let allowed = found.is_some_and(|record| record.write == *write);
        self.conditional(key, value, allowed, answer)
    }

    fn conditional(
        &mut self,
        key: &Key,
        value: &NewValue,
        allowed: bool,
        answer: Result<(), StoreError>,
    ) -> Result<(), TestCaseError> {
        if allowed {
            answer?;
            self.model.put(key, &value.bytes, self.expires_at(value));
            return Ok(());
        }
        match answer {
            Err(StoreError::Conflict { key: named }) if named == *key => Ok(()),
            other => Err(TestCaseError::fail(format!("a conflict on {key} was {other:?}"))),
        }
    }

    async fn take(&mut self, key: &Key) -> Result<(), TestCaseError> {
        let answer = self.store.take(key, self.now).await?;
        same(answer.as_ref(), self.model.get(key, self.now))?;
        if answer.is_some() {
            self.model.delete(key);
        }
        Ok(())
    }

    async fn scan(
        &self,
        like: usize,
        after: Option<usize>,
        limit: usize,
    ) -> Result<(), TestCaseError> {
        let (like, after) = (key(like), after.map(key));
        let after = after.as_ref().map(Key::id);
        let expected = self.model.list(&like, after, self.now);
        let scanned = self.store.scan(like.partition(), like.kind(), after, limit, self.now);
        let page = scanned.await?;
        prop_assert_eq!(page.entries.len(), expected.len().min(limit));
        for ((id, stored), (expected_id, record)) in page.entries.iter().zip(&expected) {
            prop_assert_eq!(id.as_ref(), *expected_id);
            same(Some(stored), Some(record))?;
        }
        prop_assert!(page.next.is_some() || expected.len() <= limit);
        Ok(())
    }

    async fn transact(
        &mut self,
        reads: &[usize],
        changes: &[(usize, Option<NewValue>)],
        end: End,
    ) -> Result<(), TestCaseError> {
        let keys: Vec<_> = reads.iter().copied().map(key).collect();
        let (partition, this) = (key(0).partition().clone(), &*self);
        let decided = this.store.transact(&partition, &keys, this.now, |txn| {
            for key in &keys {
                same(txn.get(key)?, this.model.get(key, this.now))?;
            }
            for (number, value) in changes {
                match value {
                    Some(value) => txn.put(&key(*number), this.entry(value))?,
                    None => txn.delete(&key(*number))?,
                }
            }
            match end {
                End::Commit => Ok(()),
                End::RollBack => Err(Abandoned::OnPurpose),
            }
        });
        match (decided.await, end) {
            (Err(Abandoned::OnPurpose), End::RollBack) => return Ok(()),
            (Err(Abandoned::Failed(failure)), _) => return Err(failure),
            (decided, _) => prop_assert!(decided.is_ok()),
        }
        for (number, value) in changes {
            match value {
                Some(value) => {
                    self.model.put(&key(*number), &value.bytes, self.expires_at(value));
                }
                None => self.model.delete(&key(*number)),
            }
        }
        Ok(())
    }

    fn entry<'a>(&self, value: &'a NewValue) -> Entry<'a> {
        let entry = Entry::new(&value.bytes);
        self.expires_at(value).map_or(entry, |at| entry.expires_at(at))
    }

    fn expires_at(&self, value: &NewValue) -> Option<Timestamp> {
        value.ttl_millis.map(|millis| self.now.plus_millis(millis))
    }
}

/// Why a transaction of a history ended without a commit.
enum Abandoned {
    OnPurpose,
    Failed(TestCaseError),
}

impl From<StoreError> for Abandoned {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TestCaseError> for Abandoned {
    fn from(failure: TestCaseError) -> Self {
        Self::Failed(failure)
    }
}

fn same(answer: Option<&Stored>, record: Option<&Record>) -> Result<(), TestCaseError> {
    let answer = answer.map(|stored| (stored.value(), stored.expires_at()));
    let record = record.map(|record| (record.value.as_slice(), record.expires_at));
    prop_assert_eq!(answer, record);
    Ok(())
}

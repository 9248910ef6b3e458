//! Does any sequence of calls get the answers that a plain map would give?
//!
//! Histories are random and shrink to the shortest one that still fails. Every answer is compared,
//! and at the end everything that is stored, in listings and in a walk.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::calls::{Call, End, KEYS, NewValue, call, key, kind};
use super::model::{Model, Record, WriteNumber};
use super::support::NOW;
use super::walks::walk_all;
use crate::{Entry, Expected, Key, Store, StoreError, Stored, Timestamp, Txn};

const CASES: u32 = 48;
const MAX_CALLS: usize = 40;

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
    history.walk().await
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
            Call::Contend { reads, theirs, changes } => self.contend(reads, theirs, changes).await,
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
        self.store.put(key, self.entry(value), self.now).await?;
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
        let (kind, like, after) = (kind(like), key(like), after.map(key));
        let expected = self.model.list(&like, after.as_ref().map(Key::id), self.now);
        let mut expected = expected.iter();
        let mut after = after.map(|key| key.id().to_vec());
        loop {
            let scanned =
                self.store.scan(like.partition(), kind, after.as_deref(), limit, self.now);
            let page = scanned.await?;
            // So few records fill every page but the last.
            prop_assert_eq!(page.entries.len(), expected.len().min(limit));
            for ((id, stored), (expected_id, record)) in page.entries.iter().zip(&mut expected) {
                prop_assert_eq!(id.as_ref(), *expected_id);
                same(Some(stored), Some(record))?;
            }
            let Some(next) = page.next else {
                prop_assert_eq!(expected.len(), 0);
                return Ok(());
            };
            prop_assert!(after.is_none_or(|after| after < next), "a listing moves forward");
            after = Some(next.to_vec());
        }
    }

    async fn walk(&self) -> Result<(), TestCaseError> {
        let walked = walk_all(&self.store, self.now).await;
        let expected: Vec<_> = self.model.live(self.now).collect();
        prop_assert_eq!(walked.len(), expected.len());
        for ((key, stored), (expected_key, record)) in walked.iter().zip(expected) {
            prop_assert_eq!(key, expected_key);
            same(Some(stored), Some(record))?;
        }
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
            this.decide(txn, &keys, &this.model, changes)?;
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
        changes.iter().for_each(|change| self.apply(change));
        Ok(())
    }

    /// Compares what a transaction reads with what it should, and makes its changes.
    fn decide(
        &self,
        txn: &mut Txn,
        reads: &[Key],
        facts: &Model,
        changes: &[(usize, Option<NewValue>)],
    ) -> Result<(), Abandoned> {
        for key in reads {
            same(txn.get(key)?, facts.get(key, self.now))?;
        }
        for (number, value) in changes {
            match value {
                Some(value) => txn.put(&key(*number), self.entry(value))?,
                None => txn.delete(&key(*number))?,
            }
        }
        Ok(())
    }

    async fn contend(
        &mut self,
        reads: &[usize],
        theirs: &(usize, Option<NewValue>),
        changes: &[(usize, Option<NewValue>)],
    ) -> Result<(), TestCaseError> {
        let keys: Vec<_> = reads.iter().copied().map(key).collect();
        let before = self.model.clone();
        self.apply(theirs);
        let theirs_key = key(theirs.0);
        let is_conflict = keys.contains(&theirs_key)
            && before.get(&theirs_key, self.now) != self.model.get(&theirs_key, self.now);

        let mut runs = 0;
        let (partition, this) = (key(0).partition().clone(), &*self);
        let decided = this.store.transact(&partition, &keys, this.now, |txn| {
            runs += 1;
            let facts = if runs == 1 { &before } else { &this.model };
            this.decide(txn, &keys, facts, changes)?;
            if runs == 1 {
                block_in_place(|| Handle::current().block_on(this.interfere(theirs)))?;
            }
            Ok(())
        });
        match decided.await {
            Ok(()) => {}
            Err(Abandoned::Failed(failure)) => return Err(failure),
            Err(Abandoned::OnPurpose) => unreachable!("nothing here gives up"),
        }
        let commits = !changes.is_empty();
        prop_assert_eq!(runs, if is_conflict && commits { 2 } else { 1 });
        changes.iter().for_each(|change| self.apply(change));
        Ok(())
    }

    async fn interfere(
        &self,
        (number, value): &(usize, Option<NewValue>),
    ) -> Result<(), StoreError> {
        let other_handle = self.store.clone();
        match value {
            Some(value) => other_handle.put(&key(*number), self.entry(value), self.now).await,
            None => other_handle.delete(&key(*number)).await,
        }
    }

    fn apply(&mut self, (number, value): &(usize, Option<NewValue>)) {
        match value {
            Some(value) => self.model.put(&key(*number), &value.bytes, self.expires_at(value)),
            None => self.model.delete(&key(*number)),
        }
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

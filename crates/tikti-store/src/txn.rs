//! How do several keys of one partition change together?
//!
//! Optimistically: read the declared keys from one snapshot, decide, commit on the condition that
//! every declared key is still as it was read, and start over if one is not. Invariant: what is
//! committed was decided on facts that were all true at the moment of the commit, those that were
//! only read included.
//!
//! Spec: Storage, `transact`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::{Batch, Change, Expectation};
use crate::envelope::{Entry, Stored, WriteIds};
use crate::error::StoreError;
use crate::key::{Key, Partition};
use crate::store::Store;
use crate::timestamp::Timestamp;

/// How often a transaction is tried. From the second time on no transaction that begins later is in
/// the way (see `turns`): only those under way, single-key writes and other processes are.
const MAX_ATTEMPTS: u32 = 16;

/// A transaction being decided: the declared records as they were read, and the changes so far.
pub struct Txn {
    partition: Partition,
    now: Timestamp,
    reads: BTreeMap<Key, Option<Stored>>,
    /// `None` is a delete. The last change of a key counts.
    staged: BTreeMap<Key, Option<Stored>>,
    ids: Arc<WriteIds>,
}

impl Txn {
    /// Gives a declared record, with the changes that this transaction has made to it so far.
    ///
    /// # Errors
    /// `Misuse` for a key that was neither declared nor changed: a decision on it could be wrong by
    /// the time of the commit.
    pub fn get(&self, key: &Key) -> Result<Option<&Stored>, StoreError> {
        let found = self.staged.get(key).or_else(|| self.reads.get(key));
        let Some(record) = found else {
            return Err(StoreError::Misuse { reason: "a transaction read an undeclared key" });
        };
        Ok(record.as_ref().filter(|record| record.is_live(self.now)))
    }

    /// Writes a record with the commit. Its key need not be declared; then it is unconditional.
    ///
    /// # Errors
    /// `Misuse` for a key of another partition, `TooLarge`.
    pub fn put(&mut self, key: &Key, entry: Entry<'_>) -> Result<(), StoreError> {
        check_partition(&self.partition, key)?;
        let record = Stored::seal(key, entry, &self.ids)?;
        self.staged.insert(key.clone(), Some(record));
        Ok(())
    }

    /// Removes a record with the commit, if there is one.
    ///
    /// # Errors
    /// `Misuse` for a key of another partition, `TooLarge`.
    pub fn delete(&mut self, key: &Key) -> Result<(), StoreError> {
        check_partition(&self.partition, key)?;
        key.check_size()?;
        self.staged.insert(key.clone(), None);
        Ok(())
    }

    /// What to write, or `None` if nothing was changed: then the snapshot alone is consistent.
    fn into_batch(self) -> Option<Batch> {
        if self.staged.is_empty() {
            return None;
        }
        let now = self.now;
        let expect = |(key, expected)| Expectation { key, expected };
        let change = |(key, record)| match record {
            Some(record) => Change::Put { key, record },
            None => Change::Delete { key },
        };
        Some(Batch {
            now,
            expectations: self.reads.into_iter().map(expect).collect(),
            changes: self.staged.into_iter().map(change).collect(),
        })
    }
}

impl Store {
    /// Reads `reads` at one moment, lets `decide` choose the changes, and commits them together if
    /// nothing of `reads` has changed since; otherwise reads and decides again. Durable on return.
    ///
    /// `Ok` of `decide` commits (nothing is written when nothing was changed), `Err` writes nothing
    /// and is returned as it is. `decide` may run several times and must have no effect but its
    /// [`Txn`].
    ///
    /// # Errors
    /// `Misuse` for a key of another partition, `Conflict` naming a contended key after 16
    /// attempts, `TooLarge` for more than [`MAX_TRANSACTION_CHANGES`](crate::MAX_TRANSACTION_CHANGES)
    /// changes or [`MAX_TRANSACTION_BYTES`](crate::MAX_TRANSACTION_BYTES); `Corrupt`, `Unavailable`.
    pub async fn transact<T, E>(
        &self,
        partition: &Partition,
        reads: &[Key],
        now: Timestamp,
        mut decide: impl FnMut(&mut Txn) -> Result<T, E> + Send,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        reads.iter().try_for_each(|key| check_partition(partition, key))?;
        self.turns().let_pass(partition).await;
        let mut turn = None;
        let mut attempts = 1;
        loop {
            let mut txn = self.begin(partition, reads, now).await?;
            let answer = decide(&mut txn)?;
            let Some(batch) = txn.into_batch() else {
                return Ok(answer);
            };
            batch.check_size()?;
            match self.commit(batch).await {
                Ok(()) => return Ok(answer),
                Err(StoreError::Conflict { .. }) if attempts < MAX_ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
            if turn.is_none() {
                turn = Some(self.turns().take(partition).await);
            }
        }
    }

    async fn begin(
        &self,
        partition: &Partition,
        reads: &[Key],
        now: Timestamp,
    ) -> Result<Txn, StoreError> {
        let found = self.get_many(reads, now).await?;
        Ok(Txn {
            partition: partition.clone(),
            now,
            reads: reads.iter().cloned().zip(found).collect(),
            staged: BTreeMap::new(),
            ids: Arc::clone(self.write_ids()),
        })
    }
}

fn check_partition(partition: &Partition, key: &Key) -> Result<(), StoreError> {
    if key.partition() != partition {
        return Err(StoreError::Misuse { reason: "a transaction left its partition" });
    }
    Ok(())
}

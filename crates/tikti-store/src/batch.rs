//! What is written, and under which conditions? The one shape in which an engine gets a write.
//!
//! Invariant: a batch touches one partition, and is applied as a whole or not at all. All its
//! expectations are judged before its first change is made. A call with one key is a batch of one
//! change; an engine that has a cheaper command for that recognises it by its length.
//!
//! Spec: Storage, "all or nothing, also at a crash".

use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::timestamp::Timestamp;

/// The most keys that one transaction changes.
pub const MAX_TRANSACTION_CHANGES: usize = 4096;

/// The most that one transaction writes, in bytes: keys, values and what is stored around them. A
/// change counts as 2 KiB at least, which is what makes [`MAX_TRANSACTION_CHANGES`] the most.
pub const MAX_TRANSACTION_BYTES: usize = 8 * 1024 * 1024;

const CHANGE_MIN_BYTES: usize = MAX_TRANSACTION_BYTES / MAX_TRANSACTION_CHANGES;

/// Changes that happen together, if every expectation holds.
pub(crate) struct Batch {
    /// When it is: what is expired, and how long what is written has to live.
    pub(crate) now: Timestamp,
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) changes: Vec<Change>,
}

impl Batch {
    /// One change, whatever is there.
    pub(crate) fn unconditional(change: Change, now: Timestamp) -> Self {
        Self { now, expectations: Vec::new(), changes: vec![change] }
    }

    /// One change, if one expectation holds.
    pub(crate) fn conditional(expectation: Expectation, change: Change, now: Timestamp) -> Self {
        Self { now, expectations: vec![expectation], changes: vec![change] }
    }

    /// How much there is to be written, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.changes.iter().map(Change::size_bytes).sum()
    }

    /// Refuses what would keep the engine, and every other writer, busy for too long.
    pub(crate) fn check_size(&self) -> Result<(), StoreError> {
        let charge = |change: &Change| change.size_bytes().max(CHANGE_MIN_BYTES);
        let size_bytes = self.changes.iter().map(charge).sum();
        if size_bytes > MAX_TRANSACTION_BYTES {
            return Err(StoreError::too_large("transaction", size_bytes, MAX_TRANSACTION_BYTES));
        }
        Ok(())
    }
}

/// That a key holds exactly this write at this moment, or nothing.
pub(crate) struct Expectation {
    pub(crate) key: Key,
    /// `None`: absent, or expired at the time of the batch.
    pub(crate) expected: Option<Stored>,
}

/// What becomes of one key.
pub(crate) enum Change {
    Put { key: Key, record: Stored },
    Delete { key: Key },
}

impl Change {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Put { key, record } => key.as_bytes().len() + record.raw().len(),
            Self::Delete { key } => key.as_bytes().len(),
        }
    }
}

//! What is written, and under which conditions? The one shape in which an engine gets a write.
//!
//! Invariant: a batch touches one partition, and is applied as a whole or not at all. All its
//! expectations are judged before its first change is made. A call with one key is a batch of one
//! change; an engine that has a cheaper command for that recognises it by its length.
//!
//! Spec: Storage, "all or nothing, also at a crash".

use crate::envelope::Stored;
use crate::key::Key;
use crate::timestamp::Timestamp;

/// Changes that happen together, if every expectation holds.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) changes: Vec<Change>,
}

impl Batch {
    /// One change, whatever is there.
    pub(crate) fn unconditional(change: Change) -> Self {
        Self { expectations: Vec::new(), changes: vec![change] }
    }

    /// One change, if one expectation holds.
    pub(crate) fn conditional(expectation: Expectation, change: Change) -> Self {
        Self { expectations: vec![expectation], changes: vec![change] }
    }

    /// How much there is to be written, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let size = |change: &Change| match change {
            Change::Put { key, record } => key.as_bytes().len() + record.raw().len(),
            Change::Delete { key } => key.as_bytes().len(),
        };
        self.changes.iter().map(size).sum()
    }
}

/// That a key holds exactly this write at this moment, or nothing.
pub(crate) struct Expectation {
    pub(crate) key: Key,
    /// `None`: absent, or expired at `now`.
    pub(crate) expected: Option<Stored>,
    pub(crate) now: Timestamp,
}

/// What becomes of one key.
pub(crate) enum Change {
    Put { key: Key, record: Stored },
    Delete { key: Key },
}

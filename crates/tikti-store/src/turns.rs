//! Who goes first when transactions keep getting in each other's way?
//!
//! Optimistic transactions on one hot key starve: whoever has just won is the first to try again.
//! So all of them try side by side once, and one that lost tries again alone: it waits for its turn
//! in the order of arrival, and while it has it no other transaction of its partition runs in this
//! process. Invariant: this is about progress only. What is right is decided by the expectations of
//! a write, which hold against other processes too; without this module nothing would be wrong.
//!
//! Spec: Storage, `transact`.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::key::Partition;

/// Partitions share turns by their checksum. More only means that strangers wait less often.
const TURNS: usize = 64;

/// The turns of a store. Fair: tokio's lock serves its waiters in the order of their arrival.
pub(crate) struct Turns {
    turns: [RwLock<()>; TURNS],
}

/// The right to try, until dropped.
#[expect(dead_code, reason = "held for its drop")]
pub(crate) enum Turn<'a> {
    SideBySide(RwLockReadGuard<'a, ()>),
    Alone(RwLockWriteGuard<'a, ()>),
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { turns: std::array::from_fn(|_| RwLock::new(())) }
    }

    /// For a first attempt.
    pub(crate) async fn side_by_side(&self, partition: &Partition) -> Turn<'_> {
        Turn::SideBySide(self.of(partition).read().await)
    }

    /// For an attempt after one that failed, whose turn has been given back.
    pub(crate) async fn alone(&self, partition: &Partition) -> Turn<'_> {
        Turn::Alone(self.of(partition).write().await)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is smaller than its divisor")]
    fn of(&self, partition: &Partition) -> &RwLock<()> {
        let checksum = crc32c::crc32c(partition.as_str().as_bytes());
        &self.turns[checksum as usize % TURNS]
    }
}

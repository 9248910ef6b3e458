//! Who goes first when transactions keep getting in each other's way?
//!
//! Optimistic transactions on one hot key starve: whoever has just won is the first to begin again.
//! So one that lost queues for its turn, in the order of arrival, and has it until it ends. A first
//! attempt takes no turn; it only lets the one that is under way end before it begins, so each of
//! them gets in the way of a turn once at most. Invariant: this is about progress only. What is
//! right is decided by the expectations of a write, which hold against other processes too; without
//! this module nothing would be wrong.
//!
//! Spec: Storage, `transact`.

use tokio::sync::{Mutex, MutexGuard};

use crate::key::Partition;

/// Partitions share turns by their checksum. More only means that strangers wait less often.
const TURNS: usize = 64;

/// The turns of a store. Fair: tokio's lock serves its waiters in the order of their arrival.
pub(crate) struct Turns {
    turns: [Mutex<()>; TURNS],
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { turns: std::array::from_fn(|_| Mutex::new(())) }
    }

    /// For a first attempt: waits behind those who wait already, and takes nothing. Does not wait
    /// where nobody has lost.
    pub(crate) async fn let_pass(&self, partition: &Partition) {
        let turns = self.of(partition);
        if turns.try_lock().is_err() {
            drop(turns.lock().await);
        }
    }

    /// For a transaction that has lost; held until it ends.
    pub(crate) async fn take(&self, partition: &Partition) -> MutexGuard<'_, ()> {
        self.of(partition).lock().await
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is smaller than its divisor")]
    fn of(&self, partition: &Partition) -> &Mutex<()> {
        let checksum = crc32c::crc32c(partition.as_str().as_bytes());
        &self.turns[checksum as usize % TURNS]
    }
}

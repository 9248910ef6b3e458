//! The names that all topics share.
//!
//! Invariant: the suite reads no clock. Its time is [`NOW`], and moves only where a test says so.

use crate::{Key, Kind, Partition, Store, Timestamp};

/// An arbitrary moment in 2023.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(super) const RECORD: Kind = Kind::new("record");

pub(super) fn partition() -> Partition {
    Partition::new("p", "one")
}

pub(super) fn key(id: impl AsRef<[u8]>) -> Key {
    Key::new(&partition(), RECORD, id)
}

/// What is stored under `key` at [`NOW`].
pub(super) async fn value(store: &Store, key: &Key) -> Option<Vec<u8>> {
    store.get(key, NOW).await.unwrap().map(|record| record.value().to_vec())
}

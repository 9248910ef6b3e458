//! What all tests of the embedded engine need.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tikti_store::{Key, Kind, OpenError, OpenOptions, Partition, Store, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(crate) const RECORD: Kind = Kind::new("record");

pub(crate) fn key(id: impl AsRef<[u8]>) -> Key {
    Key::new(&Partition::global(), RECORD, id)
}

pub(crate) fn options(holder: &str) -> OpenOptions {
    // Not random, but different for every store that a test process opens.
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let opened = u128::from(OPENED.fetch_add(1, Ordering::Relaxed));
    let seed = u128::from(std::process::id()) << 96 | opened << 64;
    OpenOptions::new(seed.to_le_bytes(), holder)
}

pub(crate) async fn try_open(directory: &Path, holder: &str) -> Result<Store, OpenError> {
    Store::open(&format!("embedded:{}", directory.display()), options(holder)).await
}

pub(crate) async fn open(directory: &Path) -> Store {
    try_open(directory, "test").await.unwrap()
}

pub(crate) async fn value(store: &Store, key: &Key) -> Option<Vec<u8>> {
    store.get(key, NOW).await.unwrap().map(|record| record.value().to_vec())
}

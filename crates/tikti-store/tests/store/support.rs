//! What all tests need.

use std::io::Write;
use std::path::Path;
use std::process::Command;
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

pub(crate) fn url(directory: &Path) -> String {
    format!("embedded:{}", directory.display())
}

/// What the process that [`child`] starts was told. `None` when the tests run.
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::args()
        .find_map(|argument| argument.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

/// This test binary again, to run one test and tell it `name`. `limits` is what a shell does before.
pub(crate) fn child(test: &str, name: &str, value: &str, limits: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limits}\nexec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .arg(format!("{name}={value}"));
    command
}

pub(crate) async fn try_open(directory: &Path, holder: &str) -> Result<Store, OpenError> {
    Store::open(&url(directory), options(holder)).await
}

pub(crate) async fn open(directory: &Path) -> Store {
    try_open(directory, "test").await.unwrap()
}

pub(crate) async fn open_url(url: &str) -> Store {
    Store::open(url, options("test")).await.unwrap()
}

pub(crate) async fn value(store: &Store, key: &Key) -> Option<Vec<u8>> {
    store.get(key, NOW).await.unwrap().map(|record| record.value().to_vec())
}

/// Prints a line, also of a test that passes, which `println!` does not.
pub(crate) fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

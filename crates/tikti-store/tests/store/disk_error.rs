//! What happens when there is no room for a write?
//!
//! The child is this test binary, told by an argument to run [`child`] on a directory, under a
//! limit on the size of files: at some point the system refuses to write. Reads go on, nothing of
//! what was refused is there, and with room there are writes again. Whoever opens the store later
//! finds all that was acknowledged.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tikti_store::{Entry, Store, StoreError};
use tokio::task::JoinSet;

use crate::support::{self, NOW, key, open, value};

const DIRECTORY: &str = "disk-error-directory";
const REPORT: &str = "acknowledged: ";
static RECORD: [u8; 100_000] = [7; 100_000];

async fn put(store: &Store, id: usize) -> Result<(), StoreError> {
    store.put(&key(id.to_string()), Entry::new(&RECORD), NOW).await
}

/// Does nothing when the tests run.
#[tokio::test]
async fn child() {
    let Some(directory) = support::told(DIRECTORY) else {
        return;
    };
    let store = open(Path::new(&directory)).await;
    let mut acknowledged = 0;
    let refused = loop {
        match put(&store, acknowledged).await {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    names_the_disk(&refused);
    // Together they share a commit, which fails, and each is then tried alone.
    let mut writers = JoinSet::new();
    for id in acknowledged..acknowledged + 4 {
        let store = store.clone();
        writers.spawn(async move { put(&store, id).await });
    }
    for refused in writers.join_all().await {
        names_the_disk(&refused.unwrap_err());
    }
    for id in 0..acknowledged + 4 {
        let expected = (id < acknowledged).then(|| RECORD.to_vec());
        assert_eq!(value(&store, &key(id.to_string())).await, expected, "{id}");
    }

    let unlimited = Rlimit { current: getrlimit(Resource::Fsize).maximum, maximum: None };
    setrlimit(Resource::Fsize, unlimited).unwrap();
    for _ in 0..4 {
        put(&store, acknowledged).await.unwrap();
        acknowledged += 1;
    }
    println!("{REPORT}{acknowledged}.");
}

fn names_the_disk(error: &StoreError) {
    let text = error.to_string();
    assert!(text.starts_with("the store is unavailable while writing to a"), "{text}");
    assert!(text.contains("full"), "{text}");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room_and_loses_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap();
    // An ignored signal stays ignored across exec, so the write fails instead of the process.
    let output =
        support::child("disk_error::child", DIRECTORY, path, "trap '' XFSZ; ulimit -S -f 4096")
            .output()
            .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let (_, report) = text.split_once(REPORT).unwrap();
    let acknowledged: usize = report.split_once('.').unwrap().0.parse().unwrap();
    assert!(acknowledged > 4);

    let store = open(directory.path()).await;
    for number in 0..acknowledged {
        assert_eq!(value(&store, &key(number.to_string())).await, Some(RECORD.to_vec()));
    }
    assert_eq!(value(&store, &key(acknowledged.to_string())).await, None);
    store.put(&key("small"), Entry::new(b"x"), NOW).await.unwrap();
}

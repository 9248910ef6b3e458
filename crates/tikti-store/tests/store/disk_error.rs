//! What happens after a commit that the disk refused?
//!
//! The child is this test binary, told by an argument to run [`child`] on a directory, under a
//! limit on the size of files: at some point the system refuses to write. Nothing may be answered
//! from then on, and whoever opens the store without the limit finds all that was acknowledged.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tikti_store::{Entry, StoreError};

use crate::support::{NOW, key, open, value};

const DIRECTORY_ARGUMENT: &str = "disk-error-directory=";
const REPORT: &str = "acknowledged before the error: ";
static RECORD: [u8; 100_000] = [7; 100_000];

/// Does nothing when the tests run.
#[tokio::test]
async fn child() {
    let argument = std::env::args()
        .find_map(|argument| argument.strip_prefix(DIRECTORY_ARGUMENT).map(str::to_owned));
    let Some(directory) = argument else {
        return;
    };
    let store = open(Path::new(&directory)).await;
    let mut acknowledged = 0;
    let first = loop {
        match store.put(&key(acknowledged.to_string()), Entry::new(&RECORD)).await {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(first.to_string(), "the store is unavailable while committing");
    let refuses = |error: StoreError| {
        assert_eq!(error.to_string(), "the store is unavailable while waiting for a restart");
    };
    refuses(store.get(&key("0"), NOW).await.unwrap_err());
    refuses(store.get_many(&[key("0")], NOW).await.unwrap_err());
    refuses(store.put(&key("small"), Entry::new(b"x")).await.unwrap_err());
    refuses(store.take(&key("0"), NOW).await.unwrap_err());
    println!("{REPORT}{acknowledged}.");
}

#[tokio::test]
async fn nothing_is_answered_between_a_failed_commit_and_a_restart() {
    let directory = TempDir::new().unwrap();
    // An ignored signal stays ignored across exec, so the write fails instead of the process.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk_error::child", "--nocapture"])
        .arg(format!("{DIRECTORY_ARGUMENT}{}", directory.path().display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let (_, report) = text.split_once(REPORT).unwrap();
    let acknowledged: u32 = report.split_once('.').unwrap().0.parse().unwrap();
    assert!(acknowledged > 0);

    let store = open(directory.path()).await;
    for number in 0..acknowledged {
        assert_eq!(value(&store, &key(number.to_string())).await, Some(RECORD.to_vec()));
    }
    store.put(&key("small"), Entry::new(b"x")).await.unwrap();
}

//! Does compacting give space back, and lose nothing, whatever happens to it?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use tikti_store::{Compacted, Entry, OpenError, Store};

use crate::support::{self, NOW, key, open, options, try_open, url, value};

const DIRECTORY: &str = "compact-directory";
const RESULT: &str = "compacted: ";

/// Does nothing when the tests run. Compacts once or, where told so, without end.
#[tokio::test]
async fn child() {
    let Some(told) = support::told(DIRECTORY) else {
        return;
    };
    let (how, directory) = told.split_once(':').unwrap();
    loop {
        let result = Store::compact(&url(Path::new(directory)), &options("child"));
        println!("{RESULT}{}", result.map_or_else(|error| error.to_string(), |_| "yes".to_owned()));
        if how == "once" {
            return;
        }
    }
}

fn content(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(5000)
}

/// Leaves every tenth of 100 records of 20 kB.
async fn fill(directory: &Path) {
    let store = open(directory).await;
    for number in 0..100 {
        store.put(&key(number.to_string()), Entry::new(&content(number)), NOW).await.unwrap();
    }
    for number in (0..100).filter(|number| number % 10 != 0) {
        store.delete(&key(number.to_string())).await.unwrap();
    }
    store.close().await;
}

async fn check(directory: &Path) {
    let store = open(directory).await;
    for number in 0..100 {
        let expected = (number % 10 == 0).then(|| content(number));
        assert_eq!(value(&store, &key(number.to_string())).await, expected, "{number}");
    }
    assert_eq!(store.status().await.unwrap().entries, Some(10));
    assert!(!directory.join("data.mdb.compact").exists());
    store.close().await;
}

#[tokio::test]
async fn gives_back_what_is_free_and_keeps_what_is_not() {
    let directory = TempDir::new().unwrap();
    fill(directory.path()).await;
    let data_file = directory.path().join("data.mdb");
    let size = data_file.metadata().unwrap().len();
    let Compacted { before_bytes, after_bytes } =
        Store::compact(&url(directory.path()), &options("test")).unwrap();
    let metadata = data_file.metadata().unwrap();
    assert_eq!((before_bytes, after_bytes), (size, metadata.len()));
    assert!(before_bytes > 2_000_000 && after_bytes < 300_000, "{before_bytes} {after_bytes}");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    check(directory.path()).await;
    let store = open(directory.path()).await;
    store.put(&key("new"), Entry::new(b"1"), NOW).await.unwrap();
    assert_eq!(value(&store, &key("new")).await, Some(b"1".to_vec()));
}

#[tokio::test]
async fn refuses_what_is_open_absent_or_of_another_engine() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("store");
    let compact = |url: &str| Store::compact(url, &options("test")).unwrap_err();
    assert!(matches!(compact(&url(&directory)), OpenError::Missing { .. }));
    assert!(!directory.exists());
    let _store = open(&directory).await;
    assert!(matches!(compact(&url(&directory)), OpenError::Locked { .. }));
    assert_eq!(
        compact("redis://:secret@host").to_string(),
        "only an embedded store is compacted: a server behind \"redis:\" does it by itself"
    );
}

#[tokio::test]
async fn the_next_opening_removes_what_a_crash_left() {
    let directory = TempDir::new().unwrap();
    fill(directory.path()).await;
    fs::write(directory.path().join("data.mdb.compact"), "half").unwrap();
    check(directory.path()).await;
}

#[tokio::test]
async fn a_full_disk_leaves_the_store_as_it_was() {
    let directory = TempDir::new().unwrap();
    fill(directory.path()).await;
    let before = fs::read(directory.path().join("data.mdb")).unwrap();
    let told = format!("once:{}", directory.path().display());
    let output = support::child("compact::child", DIRECTORY, &told, "trap '' XFSZ; ulimit -f 100")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let new_file = directory.path().join("data.mdb.compact");
    let expected = format!("{RESULT}there is no room on the disk of {}", new_file.display());
    assert!(text.contains(&expected), "{text}");
    assert_eq!(fs::read(directory.path().join("data.mdb")).unwrap(), before);
    check(directory.path()).await;
}

#[tokio::test]
async fn loses_nothing_when_it_is_killed() {
    let directory = TempDir::new().unwrap();
    fill(directory.path()).await;
    let told = format!("forever:{}", directory.path().display());
    for round in 0..20 {
        let mut child = support::child("compact::child", DIRECTORY, &told, "")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Waits, for nobody sends anything: each round dies a little later than the one before.
        let (_nobody, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_millis(10 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        check(directory.path()).await;
    }
    assert!(try_open(directory.path(), "test").await.is_ok());
}

//! What only the embedded engine promises: its directory, its commits, its checksums.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use tempfile::TempDir;
use tikti_store::{
    Entry, Expected, MAX_VALUE_BYTES, OpenError, OpenOptions, Partition, Statistics, Store,
    StoreError,
};
use tokio::task::JoinSet;

use crate::support::{NOW, RECORD, key, open, options, try_open, value};

#[tokio::test]
async fn a_reopened_store_has_everything() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    store.put(&key("kept"), Entry::new(b"1"), NOW).await.unwrap();
    store.put(&key("deleted"), Entry::new(b"1"), NOW).await.unwrap();
    store.delete(&key("deleted")).await.unwrap();
    let before = store.get(&key("kept"), NOW).await.unwrap();
    drop(store);
    let store = open(directory.path()).await;
    assert_eq!(store.engine_name(), "embedded");
    assert_eq!(store.get(&key("kept"), NOW).await.unwrap(), before);
    assert_eq!(value(&store, &key("deleted")).await, None);
}

#[tokio::test]
async fn a_second_open_names_the_holder() {
    let directory = TempDir::new().unwrap();
    let store = try_open(directory.path(), "tikti dev").await.unwrap();
    let refused = try_open(directory.path(), "tikti serve").await.unwrap_err();
    let expected = format!(
        "{} is in use by pid {} (tikti dev): stop it, or use another directory",
        directory.path().display(),
        std::process::id()
    );
    assert_eq!(refused.to_string(), expected);
    let handle = store.clone();
    drop(store);
    assert!(matches!(try_open(directory.path(), "x").await, Err(OpenError::Locked { .. })));
    drop(handle);
    open(directory.path()).await;
}

#[tokio::test]
async fn everything_it_creates_is_private() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data");
    let _store = open(&directory).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[tokio::test]
async fn a_foreign_directory_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let foreign = vec![b'x'; 64 * 1024];
    fs::write(directory.path().join("data.mdb"), &foreign).unwrap();
    let refused = try_open(directory.path(), "test").await.unwrap_err();
    assert!(matches!(refused, OpenError::OtherProgram { .. }), "{refused}");
    assert_eq!(fs::read(directory.path().join("data.mdb")).unwrap(), foreign);
}

#[tokio::test]
async fn an_unknown_url_is_refused_without_showing_its_password() {
    for (url, shown) in [
        ("mysql://:secret@host", "\"mysql:\" URLs"),
        ("embedded:", "\"embedded:\" URLs"),
        ("/secret", "this URL"),
    ] {
        let refused = Store::open(url, options("test")).await.unwrap_err().to_string();
        let expected =
            format!("no storage engine for {shown}: use embedded:<directory>, redis://<host>, ");
        assert!(refused.starts_with(&expected) && !refused.contains("secret"), "{refused}");
    }
}

/// On one thread all writers are queued before the first answer can be read.
#[tokio::test]
async fn concurrent_writers_share_commits() {
    const WRITERS: u64 = 100;
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            store.put(&key(writer.to_string()), Entry::new(b"x"), NOW).await.unwrap();
        });
    }
    writers.join_all().await;
    let Statistics { writes, commits } = store.statistics();
    assert_eq!(writes, WRITERS);
    assert!(commits < WRITERS / 2, "{commits} commits");
}

#[tokio::test]
async fn a_refused_write_leaves_its_group_alone() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    store.put(&key("taken"), Entry::new(b"first"), NOW).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..20 {
        let store = store.clone();
        writers.spawn(async move {
            let id = if writer % 2 == 0 { "taken".to_owned() } else { writer.to_string() };
            let expected = Expected::Absent;
            store.put_if(&key(id), expected, Entry::new(b"second"), NOW).await.is_ok()
        });
    }
    let succeeded = writers.join_all().await.into_iter().filter(|succeeded| *succeeded).count();
    assert_eq!(succeeded, 10);
    assert_eq!(value(&store, &key("taken")).await, Some(b"first".to_vec()));
    assert_eq!(value(&store, &key("19")).await, Some(b"second".to_vec()));

    let before = store.statistics();
    assert_eq!(before.writes, 11);
    let refused = store.put_if(&key("taken"), Expected::Absent, Entry::new(b"x"), NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.statistics(), before);
}

/// What is expired is still in the way, and one call does not step over any number of it.
#[tokio::test]
async fn a_page_of_expired_records_ends_early() {
    const EXPIRED: u16 = 3000;
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let written: Result<(), StoreError> = store
        .transact(&Partition::global(), &[], NOW, |txn| {
            let entry = Entry::new(b"x").expires_at(NOW);
            (0..EXPIRED).try_for_each(|number| txn.put(&key(number.to_be_bytes()), entry))
        })
        .await;
    written.unwrap();
    let page = store.scan(&Partition::global(), RECORD, None, 10, NOW).await.unwrap();
    assert!(page.entries.is_empty());
    let next = u16::from_be_bytes(page.next.unwrap().as_ref().try_into().unwrap());
    assert!(next < EXPIRED / 2, "{next}");
}

/// A page is handed out short as well when the records are large, and never empty for that.
#[tokio::test]
async fn a_page_of_large_records_ends_early() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    for (ids, expires_at) in [(0..10_u8, None), (10..20, Some(NOW))] {
        for id in ids {
            let entry = Entry::new(&[0; MAX_VALUE_BYTES]);
            let entry = expires_at.map_or(entry, |at| entry.expires_at(at));
            store.put(&key([id]), entry, NOW).await.unwrap();
        }
    }
    let (mut after, mut listed, mut pages) = (None, 0, 0);
    loop {
        let page =
            store.scan(&Partition::global(), RECORD, after.as_deref(), 100, NOW).await.unwrap();
        assert!(page.entries.len() <= 4);
        listed += page.entries.len();
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((listed, pages), (10, 5));
}

/// Whoever wrote what did not fit is told, and nothing of it is there.
#[tokio::test]
async fn a_full_store_refuses_and_keeps_what_it_acknowledged() {
    let directory = TempDir::new().unwrap();
    let small = OpenOptions { map_size_bytes: 1 << 20, ..options("test") };
    let url = format!("embedded:{}", directory.path().display());
    let store = Store::open(&url, small).await.unwrap();
    let mut acknowledged = Vec::new();
    let mut refused = Vec::new();
    while refused.is_empty() {
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let (store, id) = (store.clone(), (acknowledged.len() + writers.len()).to_string());
            writers.spawn(async move {
                let written = store.put(&key(&id), Entry::new(&[7; 50_000]), NOW).await;
                (id, written)
            });
        }
        for (id, written) in writers.join_all().await {
            match written {
                Ok(()) => acknowledged.push(id),
                Err(StoreError::Unavailable { .. }) => refused.push(id),
                Err(error) => panic!("{error}"),
            }
        }
    }
    drop(store);
    let store = open(directory.path()).await;
    for (ids, there) in [(&acknowledged, true), (&refused, false)] {
        for id in ids {
            assert_eq!(value(&store, &key(id)).await.is_some(), there, "{id}");
        }
    }
    store.put(&key("more"), Entry::new(b"room"), NOW).await.unwrap();
}

/// Flips a bit in every copy of `pattern` in the data file; LMDB may have left old ones.
fn damage(directory: &Path, pattern: &[u8]) {
    let path = directory.join("data.mdb");
    let mut bytes = fs::read(&path).unwrap();
    let found: Vec<_> = bytes
        .windows(pattern.len())
        .enumerate()
        .filter(|(_, window)| *window == pattern)
        .map(|(at, _)| at)
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at] ^= 1;
    }
    fs::write(&path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_record_is_named_and_never_returned() {
    const SECRET: &[u8] = b"a value that stands nowhere else";
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let [before, damaged, behind] = ["a", "b", "c"].map(key);
    for (key, value) in [(&before, &b"1"[..]), (&damaged, SECRET), (&behind, b"3")] {
        store.put(key, Entry::new(value), NOW).await.unwrap();
    }
    drop(store);
    damage(directory.path(), SECRET);

    let store = open(directory.path()).await;
    let named = |error: StoreError| {
        assert_eq!(
            error.to_string(),
            "the record g/record/b is damaged: its checksum does not match"
        );
    };
    named(store.get(&damaged, NOW).await.unwrap_err());
    named(store.get_many(&[before.clone(), damaged.clone()], NOW).await.unwrap_err());
    named(store.take(&damaged, NOW).await.unwrap_err());
    named(store.scan(&Partition::global(), RECORD, None, 3, NOW).await.unwrap_err());
    named(store.put_if(&damaged, Expected::Absent, Entry::new(b"x"), NOW).await.unwrap_err());
    assert_eq!(value(&store, &before).await, Some(b"1".to_vec()));
    assert_eq!(value(&store, &behind).await, Some(b"3".to_vec()));

    store.put(&damaged, Entry::new(b"restored"), NOW).await.unwrap();
    assert_eq!(value(&store, &damaged).await, Some(b"restored".to_vec()));
}

/// Damages the type of every page that holds `pattern`, in a file that stays mapped. LMDB begins a
/// page with its number (8 bytes), 2 bytes of padding and its flags (2 bytes); the size of all pages
/// stands in the first, 40 bytes from its beginning: `MDB_page` and `MDB_meta` in mdb.c.
fn damage_pages(directory: &Path, pattern: &[u8]) {
    let path = directory.join("data.mdb");
    let bytes = fs::read(&path).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let page_size = u32::from_ne_bytes(bytes[40..44].try_into().unwrap());
    let pages = bytes.chunks(page_size as usize).enumerate();
    let damaged = pages
        .filter(|(_, page)| page.windows(pattern.len()).any(|window| window == pattern))
        .map(|(number, _)| file.write_all_at(&[0; 2], number as u64 * u64::from(page_size) + 10));
    assert!(damaged.map(Result::unwrap).count() > 0);
}

/// For a condition as for a read, and whoever shares the commit is not affected. Where it is noticed
/// at the next opening, that is refused.
#[tokio::test]
async fn a_damaged_page_is_named_to_those_who_need_it() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    for number in b'a'..=b'z' {
        store.put(&key([number]), Entry::new(&[number; 1500]), NOW).await.unwrap();
    }
    damage_pages(directory.path(), &[b'x'; 1500]);

    let expected = "the record g/record/x is damaged: \
                    a page of the data file on the way to it is damaged";
    assert_eq!(store.get(&key("x"), NOW).await.unwrap_err().to_string(), expected);
    let [intact, damaged] = ["a", "x"].map(key);
    let conditional = store.put_if(&damaged, Expected::Absent, Entry::new(b"new"), NOW);
    let neighbour = store.put(&intact, Entry::new(b"new"), NOW);
    let (refused, written) = tokio::join!(conditional, neighbour);
    assert_eq!(refused.unwrap_err().to_string(), expected);
    written.unwrap();
    assert_eq!(value(&store, &intact).await, Some(b"new".to_vec()));
    drop(store);
    let refused = try_open(directory.path(), "test").await.unwrap_err();
    let expected = format!(
        "data.mdb in {} is damaged (a page of a tree is not one): restore a backup",
        directory.path().display()
    );
    assert_eq!(refused.to_string(), expected);
}

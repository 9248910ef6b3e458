//! What keeping an embedded store needs: sweeping, figures, closing, and scarce addresses.

use std::path::Path;

use tempfile::TempDir;
use tikti_store::{
    Entry, MAX_VALUE_BYTES, OpenOptions, RECLAIM_AFTER_MILLIS, Reclaimed, Status, Store, Timestamp,
};

use crate::support::{self, NOW, key, open, options, try_open, url, value};

const DIRECTORY: &str = "addresses-directory";

async fn put_expiring(store: &Store, id: &str, at: Timestamp) {
    store.put(&key(id), Entry::new(b"x").expires_at(at), NOW).await.unwrap();
}

/// Sweeps everything in steps of `limit`, and says how many were looked at and how many went.
async fn sweep(store: &Store, limit: usize, now: Timestamp) -> (usize, usize, usize) {
    let (mut after, mut steps, mut total) = (None, 0, (0, 0));
    loop {
        let step = store.reclaim(after.as_deref(), limit, now).await.unwrap();
        let Reclaimed { examined, reclaimed, next } = step;
        total = (total.0 + examined, total.1 + reclaimed);
        steps += 1;
        after = next;
        if after.is_none() {
            return (steps, total.0, total.1);
        }
    }
}

async fn entries(store: &Store) -> u64 {
    store.status().await.unwrap().entries.unwrap()
}

#[tokio::test]
async fn a_sweep_takes_exactly_what_has_been_expired_for_an_hour() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let later = NOW.plus_millis(RECLAIM_AFTER_MILLIS);
    put_expiring(&store, "an hour", NOW).await;
    put_expiring(&store, "a millisecond less", NOW.plus_millis(1)).await;
    put_expiring(&store, "live", later.plus_millis(1)).await;
    put_expiring(&store, "rewritten", NOW).await;
    store.put(&key("rewritten"), Entry::new(b"new"), NOW).await.unwrap();
    store.put(&key("eternal"), Entry::new(b"x"), NOW).await.unwrap();
    assert_eq!(sweep(&store, 2, later).await, (3, 5, 1));
    assert_eq!(entries(&store).await, 4);
    assert_eq!(value(&store, &key("rewritten")).await, Some(b"new".to_vec()));
    assert_eq!(sweep(&store, 100, later).await, (1, 4, 0));
}

/// Whoever asks by a clock that is an hour ahead is wrong about what is expired, and takes nothing
/// that others still see.
#[tokio::test]
async fn a_clock_that_runs_ahead_takes_nothing_that_is_live() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_expiring(&store, "live", NOW.plus_millis(1)).await;
    let ahead = NOW.plus_millis(RECLAIM_AFTER_MILLIS);
    assert_eq!(sweep(&store, 10, ahead).await, (1, 1, 0));
    assert_eq!(value(&store, &key("live")).await, Some(b"x".to_vec()));
}

#[tokio::test]
async fn a_step_of_large_records_ends_early_and_their_space_is_used_again() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let fill = async || {
        for id in 0..10_u8 {
            let entry = Entry::new(&[7; MAX_VALUE_BYTES]).expires_at(NOW);
            store.put(&key([id]), entry, NOW).await.unwrap();
        }
        store.status().await.unwrap()
    };
    let full = fill().await;
    let later = NOW.plus_millis(RECLAIM_AFTER_MILLIS);
    assert_eq!(sweep(&store, 100, later).await, (3, 10, 10));
    let swept = store.status().await.unwrap();
    assert!(swept.free_bytes > Some(10_000_000) && full.free_bytes < Some(2_000_000));
    let again = fill().await;
    assert!(again.size_bytes.unwrap() < full.size_bytes.unwrap() + 2_000_000, "{again:?}");
}

#[tokio::test]
async fn figures_add_up() {
    let directory = TempDir::new().unwrap();
    let small = OpenOptions { map_size_bytes: 1 << 30, ..options("test") };
    let store = Store::open(&url(directory.path()), small).await.unwrap();
    for id in ["a", "b", "c"] {
        store.put(&key(id), Entry::new(&[1; 10_000]), NOW).await.unwrap();
    }
    let walks = [store.walk(NOW).await.unwrap(), store.walk(NOW).await.unwrap()];
    let status = store.status().await.unwrap();
    drop(walks);
    let Status { size_bytes, used_bytes, free_bytes, limit_bytes, entries, readers, .. } = status;
    let size = directory.path().join("data.mdb").metadata().unwrap().len();
    assert_eq!((size_bytes, limit_bytes, entries), (Some(size), Some(1 << 30), Some(3)));
    assert_eq!(used_bytes.unwrap() + free_bytes.unwrap(), size);
    assert!(used_bytes.unwrap() > 30_000, "{used_bytes:?}");
    // The two walks, and the call itself.
    assert_eq!(readers, Some(3));
    assert!(status.engine.starts_with("embedded (LMDB 0.9."), "{}", status.engine);
}

#[tokio::test]
async fn the_last_handle_to_be_closed_closes_the_store() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let other = store.clone();
    let writes = (0..50).map(|number: u32| {
        let store = store.clone();
        async move { store.put(&key(number.to_string()), Entry::new(b"x"), NOW).await }
    });
    let mut writers = tokio::task::JoinSet::new();
    writes.for_each(|write| drop(writers.spawn(write)));
    assert!(writers.join_all().await.into_iter().all(|written| written.is_ok()));
    store.close().await;
    assert!(try_open(directory.path(), "test").await.is_err());
    other.put(&key("last"), Entry::new(b"x"), NOW).await.unwrap();
    other.close().await;
    let store = open(directory.path()).await;
    assert_eq!(entries(&store).await, 51);
}

/// A walk that is under way keeps the directory.
#[tokio::test]
async fn a_walk_outlives_the_handle_that_began_it() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    store.put(&key("a"), Entry::new(b"x"), NOW).await.unwrap();
    let mut walk = store.walk(NOW).await.unwrap();
    store.close().await;
    assert!(try_open(directory.path(), "test").await.is_err());
    let mut records = 0;
    while let Some(page) = walk.next().await.unwrap() {
        records += page.records.len();
    }
    assert_eq!(records, 1);
    drop(walk);
    open(directory.path()).await;
}

/// Does nothing when the tests run.
#[tokio::test]
async fn child() {
    let Some(directory) = support::told(DIRECTORY) else {
        return;
    };
    match try_open(Path::new(&directory), "child").await {
        Ok(store) => {
            store.put(&key("a"), Entry::new(b"x"), NOW).await.unwrap();
            println!("limit: {}.", store.status().await.unwrap().limit_bytes.unwrap());
        }
        Err(error) => println!("refused: {error}."),
    }
}

#[tokio::test]
async fn scarce_addresses_make_the_map_smaller_down_to_a_gibibyte() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap();
    let gibibytes = |count: u64| (count * 1024 * 1024).to_string();
    let report = |limit: &str| {
        let limit = format!("ulimit -v {limit}");
        let output = support::child("upkeep::child", DIRECTORY, path, &limit).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(report("unlimited").contains(&format!("limit: {}.", 1_u64 << 40)));
    // The test itself needs some; half of the limit is the largest power of two that fits.
    assert!(report(&gibibytes(8)).contains(&format!("limit: {}.", 4_u64 << 30)));
    assert!(report(&gibibytes(1)).contains("refused: could not open the store in"));
}

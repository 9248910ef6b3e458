//! Does a walk give every live record, and does a load give it back as the same write?

use tokio::task::JoinSet;

use super::support::{NOW, RECORD, key, partition, value};
use crate::{Entry, Expected, Key, Kind, Partition, Store, StoreError, Stored, Timestamp};

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    an_empty_store_is_walked_to_its_end(fresh().await).await;
    every_live_record_is_given_once(fresh().await).await;
    a_walk_during_writes_misses_nothing_that_stays(fresh().await).await;
    loaded_records_are_the_same_writes(fresh).await;
    a_load_replaces_what_is_there(fresh().await).await;
    a_large_load_arrives_as_a_whole(fresh).await;
    loading_nothing_does_nothing(fresh().await).await;
}

/// All live records, in the order of their keys; none of them twice.
pub(super) async fn walk_all(store: &Store, now: Timestamp) -> Vec<(Key, Stored)> {
    let mut walk = store.walk(now).await.unwrap();
    let mut records = Vec::new();
    while let Some(page) = walk.next().await.unwrap() {
        assert_eq!(page.foreign, Vec::<bytes::Bytes>::new());
        records.extend(page.records.into_iter().map(|(key, record)| (key, record.unwrap())));
    }
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(records.is_sorted_by(|(a, _), (b, _)| a < b), "a record was given twice");
    records
}

/// Records of several partitions and kinds, with and without an id or an expiry, and what does not
/// count: expired, deleted, and counters.
async fn fill(store: &Store) -> Vec<Key> {
    let partitions = [partition(), Partition::global(), Partition::new("u", "{}/*\r\n")];
    let mut keys = Vec::new();
    for partition in &partitions {
        for kind in [RECORD, Kind::new("other")] {
            keys.extend(["", "a", "b/{c}", "\0"].map(|id| Key::new(partition, kind, id)));
        }
    }
    for (number, key) in keys.iter().enumerate() {
        let entry = Entry::new(key.as_bytes());
        let entry = if number % 2 == 0 { entry } else { entry.expires_at(NOW.plus_millis(1)) };
        store.put(key, entry, NOW).await.unwrap();
    }
    store.put(&key("expired"), Entry::new(b"x").expires_at(NOW), NOW).await.unwrap();
    store.put(&key("deleted"), Entry::new(b"x"), NOW).await.unwrap();
    store.delete(&key("deleted")).await.unwrap();
    store.count_in_window(&key("counter"), 60_000, NOW).await.unwrap();
    keys.sort();
    keys
}

async fn an_empty_store_is_walked_to_its_end(store: Store) {
    assert_eq!(walk_all(&store, NOW).await, []);
}

async fn every_live_record_is_given_once(store: Store) {
    let keys = fill(&store).await;
    let read = store.get_many(&keys, NOW).await.unwrap();
    let expected: Vec<_> = keys.iter().cloned().zip(read.into_iter().flatten()).collect();
    assert_eq!(walk_all(&store, NOW).await, expected);
    let lasting: Vec<_> =
        expected.into_iter().filter(|(_, stored)| stored.expires_at().is_none()).collect();
    assert_eq!(walk_all(&store, NOW.plus_millis(1)).await, lasting);
}

/// Enough to need several steps on every engine.
async fn a_walk_during_writes_misses_nothing_that_stays(store: Store) {
    let stays: Vec<_> = (0..1500_u16).map(|number| key(number.to_be_bytes())).collect();
    put_all(&store, &stays).await;
    let mut writers = JoinSet::new();
    for writer in 0..3_u8 {
        let store = store.clone();
        writers.spawn(async move {
            for number in 0..100_u16 {
                let comes_and_goes = key([number.to_be_bytes(), [writer, b'!']].concat());
                store.put(&comes_and_goes, Entry::new(b"x"), NOW).await.unwrap();
                store.delete(&comes_and_goes).await.unwrap();
            }
        });
    }
    while !writers.is_empty() {
        let walked = walk_all(&store, NOW).await.into_iter().map(|(key, _)| key);
        let walked: Vec<_> = walked.filter(|key| key.id().len() == 2).collect();
        assert_eq!(walked, stays);
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
    }
}

async fn put_all(store: &Store, keys: &[Key]) {
    let done: Result<(), StoreError> = store
        .transact(&partition(), &[], NOW, |txn| {
            keys.iter().try_for_each(|key| txn.put(key, Entry::new(key.id())))
        })
        .await;
    done.unwrap();
}

async fn loaded_records_are_the_same_writes(fresh: &impl AsyncFn() -> Store) {
    let first = fresh().await;
    let keys = fill(&first).await;
    let records = walk_all(&first, NOW).await;
    drop(first);

    let second = fresh().await;
    second.load(&records, NOW).await.unwrap();
    assert_eq!(walk_all(&second, NOW).await, records);
    let page = second.scan(&partition(), RECORD, None, 10, NOW).await.unwrap();
    let ids: Vec<_> = page.entries.iter().map(|(id, _)| id.as_ref()).collect();
    assert_eq!((ids, page.next), (vec![&b"\0"[..], b"a", b"b/{c}"], None));
    let late = second.get_many(&keys, NOW.plus_millis(1)).await.unwrap();
    assert_eq!(late.iter().flatten().count(), keys.len() / 2);
    for (key, read_elsewhere) in &records {
        let expected = Expected::Equals(read_elsewhere);
        second.put_if(key, expected, Entry::new(b"new"), NOW).await.unwrap();
        assert_eq!(value(&second, key).await, Some(b"new".to_vec()));
    }
}

async fn a_load_replaces_what_is_there(store: Store) {
    store.put(&key("a"), Entry::new(b"before"), NOW).await.unwrap();
    let records = walk_all(&store, NOW).await;
    store.put(&key("a"), Entry::new(b"after"), NOW).await.unwrap();
    store.load(&records, NOW).await.unwrap();
    assert_eq!(walk_all(&store, NOW).await, records);
}

async fn a_large_load_arrives_as_a_whole(fresh: &impl AsyncFn() -> Store) {
    let first = fresh().await;
    let large = vec![7; 500_000];
    for number in 0..8_u8 {
        let partition = Partition::new("large", &number.to_string());
        let key = Key::new(&partition, RECORD, [number]);
        first.put(&key, Entry::new(&large), NOW).await.unwrap();
    }
    let keys: Vec<_> = (0..2000_u16).map(|number| key(number.to_be_bytes())).collect();
    put_all(&first, &keys).await;
    let records = walk_all(&first, NOW).await;
    assert_eq!(records.len(), 2008);
    drop(first);
    let second = fresh().await;
    second.load(&records, NOW).await.unwrap();
    assert!(walk_all(&second, NOW).await == records);
}

async fn loading_nothing_does_nothing(store: Store) {
    store.load(&[], NOW).await.unwrap();
    assert_eq!(walk_all(&store, NOW).await, []);
}

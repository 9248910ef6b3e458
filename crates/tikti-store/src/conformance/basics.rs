//! Does a plain write come back, for every key and every byte, and nothing else?

use super::support::{NOW, RECORD, key, partition, value};
use crate::{Entry, Key, Kind, Partition, Store};

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    absent_keys_read_as_none(fresh().await).await;
    the_last_put_is_read(fresh().await).await;
    a_deleted_record_is_gone(fresh().await).await;
    every_byte_survives(fresh().await).await;
    get_many_answers_in_the_order_asked(fresh().await).await;
    partitions_and_kinds_are_apart(fresh().await).await;
    handles_share_one_store(fresh().await).await;
}

async fn absent_keys_read_as_none(store: Store) {
    assert_eq!(value(&store, &key("a")).await, None);
    assert_eq!(store.get_many(&[key("a"), key("b")], NOW).await.unwrap(), [None, None]);
    assert_eq!(store.get_many(&[], NOW).await.unwrap(), []);
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), None);
}

async fn the_last_put_is_read(store: Store) {
    store.put(&key("a"), Entry::new(b"first, and longer")).await.unwrap();
    store.put(&key("a"), Entry::new(b"second")).await.unwrap();
    let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
    assert_eq!((read.value(), read.expires_at()), (&b"second"[..], None));
}

async fn a_deleted_record_is_gone(store: Store) {
    store.put(&key("a"), Entry::new(b"x")).await.unwrap();
    store.delete(&key("a")).await.unwrap();
    assert_eq!(value(&store, &key("a")).await, None);
    store.delete(&key("a")).await.unwrap();
}

async fn every_byte_survives(store: Store) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    for (id, bytes) in [(all_bytes.as_slice(), &b""[..]), (b"", all_bytes.as_slice())] {
        store.put(&key(id), Entry::new(bytes)).await.unwrap();
    }
    assert_eq!(value(&store, &key(&all_bytes)).await.as_deref(), Some(&b""[..]));
    assert_eq!(value(&store, &key("")).await, Some(all_bytes));
}

async fn get_many_answers_in_the_order_asked(store: Store) {
    let elsewhere = Key::new(&Partition::global(), RECORD, "a");
    store.put(&key("a"), Entry::new(b"1")).await.unwrap();
    store.put(&elsewhere, Entry::new(b"2")).await.unwrap();
    let asked = [elsewhere, key("absent"), key("a"), key("a")];
    let read = store.get_many(&asked, NOW).await.unwrap();
    let values: Vec<_> = read.iter().map(|read| read.as_ref().map(|read| read.value())).collect();
    assert_eq!(values, [Some(&b"2"[..]), None, Some(b"1"), Some(b"1")]);
}

async fn partitions_and_kinds_are_apart(store: Store) {
    const OTHER: Kind = Kind::new("other");
    let keys = [
        Key::new(&Partition::new("p", "a"), RECORD, "x"),
        Key::new(&Partition::new("p", "a/record"), RECORD, "x"),
        Key::new(&Partition::new("p", "A"), RECORD, "x"),
        Key::new(&Partition::new("q", "a"), RECORD, "x"),
        Key::new(&Partition::new("p", "a"), OTHER, "x"),
        Key::new(&Partition::new("p", "a"), RECORD, "record/x"),
    ];
    for (index, key) in (0_u8..).zip(&keys) {
        store.put(key, Entry::new(&[index])).await.unwrap();
    }
    for (index, key) in (0_u8..).zip(&keys) {
        assert_eq!(value(&store, key).await, Some(vec![index]), "{key}");
    }
}

async fn handles_share_one_store(store: Store) {
    let other = store.clone();
    store.put(&Key::new(&partition(), RECORD, "a"), Entry::new(b"x")).await.unwrap();
    drop(store);
    assert_eq!(value(&other, &key("a")).await, Some(b"x".to_vec()));
}

//! Does a plain write come back, for every key and every byte, and nothing else?

use super::support::{NOW, RECORD, key, partition, value};
use crate::{Entry, Expected, Key, Kind, Partition, Store};

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
    every_single_byte_is_an_id_of_its_own(fresh().await).await;
    odd_names_are_names_like_any_other(fresh().await).await;
    handles_share_one_store(fresh().await).await;
}

async fn absent_keys_read_as_none(store: Store) {
    assert_eq!(value(&store, &key("a")).await, None);
    assert_eq!(store.get_many(&[key("a"), key("b")], NOW).await.unwrap(), [None, None]);
    assert_eq!(store.get_many(&[], NOW).await.unwrap(), []);
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), None);
}

async fn the_last_put_is_read(store: Store) {
    store.put(&key("a"), Entry::new(b"first, and longer"), NOW).await.unwrap();
    store.put(&key("a"), Entry::new(b"second"), NOW).await.unwrap();
    let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
    assert_eq!((read.value(), read.expires_at()), (&b"second"[..], None));
}

async fn a_deleted_record_is_gone(store: Store) {
    store.put(&key("a"), Entry::new(b"x"), NOW).await.unwrap();
    store.delete(&key("a")).await.unwrap();
    assert_eq!(value(&store, &key("a")).await, None);
    store.delete(&key("a")).await.unwrap();
}

async fn every_byte_survives(store: Store) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    for (id, bytes) in [(all_bytes.as_slice(), &b""[..]), (b"", all_bytes.as_slice())] {
        store.put(&key(id), Entry::new(bytes), NOW).await.unwrap();
    }
    assert_eq!(value(&store, &key(&all_bytes)).await.as_deref(), Some(&b""[..]));
    assert_eq!(value(&store, &key("")).await, Some(all_bytes));
}

async fn get_many_answers_in_the_order_asked(store: Store) {
    let elsewhere = Key::new(&Partition::global(), RECORD, "a");
    store.put(&key("a"), Entry::new(b"1"), NOW).await.unwrap();
    store.put(&elsewhere, Entry::new(b"2"), NOW).await.unwrap();
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
        store.put(key, Entry::new(&[index]), NOW).await.unwrap();
    }
    for (index, key) in (0_u8..).zip(&keys) {
        assert_eq!(value(&store, key).await, Some(vec![index]), "{key}");
    }
}

async fn every_single_byte_is_an_id_of_its_own(store: Store) {
    for byte in 0..=255 {
        store.put(&key([byte]), Entry::new(&[byte]), NOW).await.unwrap();
    }
    let keys: Vec<_> = (0..=255_u8).map(|byte| key([byte])).collect();
    let read = store.get_many(&keys, NOW).await.unwrap();
    let values: Vec<_> = read.iter().flatten().map(|read| read.value()).collect();
    assert_eq!(values, (0..=255).map(|byte| vec![byte]).collect::<Vec<_>>());
}

async fn odd_names_are_names_like_any_other(store: Store) {
    let long = "n".repeat(300);
    let names = ["", "{", "}", "{}", "a}{b", "/", "a/b", "%", "%7B", " ", "\r\n", "*", "é", &long];
    let keys: Vec<_> = names
        .iter()
        .flat_map(|name| {
            ["", "{x}/", "*\r\n"].map(|id| Key::new(&Partition::new("p", name), RECORD, id))
        })
        .collect();
    for key in &keys {
        store.put_if(key, Expected::Absent, Entry::new(key.as_bytes()), NOW).await.unwrap();
    }
    let read = store.get_many(&keys, NOW).await.unwrap();
    assert!(
        read.iter().zip(&keys).all(|(read, key)| read.as_ref().unwrap().value() == key.as_bytes())
    );
    for name in names {
        let page = store.scan(&Partition::new("p", name), RECORD, None, 10, NOW).await.unwrap();
        let ids: Vec<_> = page.entries.iter().map(|(id, _)| id.as_ref()).collect();
        assert_eq!((ids, page.next), (vec![&b"*\r\n"[..], b"{x}/"], None), "{name}");
    }
    for key in &keys {
        assert_eq!(store.take(key, NOW).await.unwrap().unwrap().value(), key.as_bytes());
    }
}

async fn handles_share_one_store(store: Store) {
    let other = store.clone();
    store.put(&Key::new(&partition(), RECORD, "a"), Entry::new(b"x"), NOW).await.unwrap();
    drop(store);
    assert_eq!(value(&other, &key("a")).await, Some(b"x".to_vec()));
}

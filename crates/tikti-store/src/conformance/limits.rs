//! Is what is too large refused clearly, everywhere, and without a trace?

use super::support::{NOW, RECORD, key, partition, value};
use crate::{
    Entry, Expected, Key, MAX_KEY_BYTES, MAX_TRANSACTION_BYTES, MAX_TRANSACTION_CHANGES,
    MAX_VALUE_BYTES, Store, StoreError,
};

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    a_value_of_one_mebibyte_is_kept(fresh().await).await;
    a_larger_value_is_refused(fresh().await).await;
    a_refused_value_leaves_the_one_before(fresh().await).await;
    many_large_values_are_read_at_once(fresh().await).await;
    the_longest_key_works_everywhere(fresh().await).await;
    a_longer_key_is_refused(fresh().await).await;
    a_transaction_changes_so_many_keys(fresh().await).await;
    a_transaction_writes_so_many_bytes(fresh().await).await;
}

fn id_for_key_of(length: usize) -> Vec<u8> {
    vec![b'k'; length - key("").as_bytes().len()]
}

fn assert_too_large<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: &str) {
    let error = result.unwrap_err();
    assert!(matches!(&error, StoreError::TooLarge { what, .. } if *what == expected), "{error}");
}

async fn a_value_of_one_mebibyte_is_kept(store: Store) {
    let largest = vec![0xa5; MAX_VALUE_BYTES];
    for key in [key("a"), key("")] {
        store.put(&key, Entry::new(&largest), NOW).await.unwrap();
        let read = store.get(&key, NOW).await.unwrap().unwrap();
        assert_eq!(read.value(), largest);
        let other = vec![0x5a; MAX_VALUE_BYTES];
        store.put_if(&key, Expected::Equals(&read), Entry::new(&other), NOW).await.unwrap();
        assert_eq!(store.take(&key, NOW).await.unwrap().unwrap().value(), other);
    }
}

async fn a_refused_value_leaves_the_one_before(store: Store) {
    let larger = vec![0; MAX_VALUE_BYTES + 1];
    for key in [key("a"), key("")] {
        store.put(&key, Entry::new(b"before"), NOW).await.unwrap();
        let read = store.get(&key, NOW).await.unwrap().unwrap();
        let refused = store.put_if(&key, Expected::Equals(&read), Entry::new(&larger), NOW).await;
        assert_too_large(refused, "value");
        assert_too_large(store.put(&key, Entry::new(&larger), NOW).await, "value");
        let still = Expected::Equals(&read);
        store.put_if(&key, still, Entry::new(b"after"), NOW).await.unwrap();
        assert_eq!(value(&store, &key).await, Some(b"after".to_vec()));
    }
}

async fn many_large_values_are_read_at_once(store: Store) {
    let keys: Vec<_> = (0..12_u8).map(|number| key([number])).collect();
    let large = |key: &Key| vec![key.id()[0]; MAX_VALUE_BYTES];
    for key in &keys {
        store.put(key, Entry::new(&large(key)), NOW).await.unwrap();
    }
    let read = store.get_many(&keys, NOW).await.unwrap();
    assert!(read.iter().zip(&keys).all(|(read, key)| read.as_ref().unwrap().value() == large(key)));
    let (mut after, mut listed) = (None, 0);
    loop {
        let page = store.scan(&partition(), RECORD, after.as_deref(), 100, NOW).await.unwrap();
        assert!(!page.entries.is_empty() || page.next.is_none());
        listed += page.entries.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, keys.len());
}

async fn a_larger_value_is_refused(store: Store) {
    let larger = vec![0; MAX_VALUE_BYTES + 1];
    let (a, entry) = (key("a"), Entry::new(&larger));
    let error = store.put(&a, entry, NOW).await.unwrap_err();
    let message = "the value has 1048577 bytes, more than the 1048576 that can be stored";
    assert_eq!(error.to_string(), message);
    assert_too_large(store.put_if(&a, Expected::Absent, entry, NOW).await, "value");
    assert_too_large(
        store.transact(&partition(), &[], NOW, |txn| txn.put(&a, entry)).await,
        "value",
    );
    assert_eq!(value(&store, &a).await, None);
}

async fn the_longest_key_works_everywhere(store: Store) {
    let id = id_for_key_of(MAX_KEY_BYTES);
    let longest = key(&id);
    store.put_if(&longest, Expected::Absent, Entry::new(b"x"), NOW).await.unwrap();
    let page = store.scan(&partition(), RECORD, None, 1, NOW).await.unwrap();
    assert_eq!(page.entries[0].0, id);
    let after = store.scan(&partition(), RECORD, Some(&id), 1, NOW).await.unwrap();
    assert!(after.entries.is_empty());
    assert!(store.take(&longest, NOW).await.unwrap().is_some());
}

async fn a_longer_key_is_refused(store: Store) {
    let id = id_for_key_of(MAX_KEY_BYTES + 1);
    let (longer, entry) = (Key::new(&partition(), RECORD, &id), Entry::new(b"x"));
    let alone = std::slice::from_ref(&longer);
    assert_too_large(store.get(&longer, NOW).await, "key");
    assert_too_large(store.get_many(&[key("a"), longer.clone()], NOW).await, "key");
    assert_too_large(store.put(&longer, entry, NOW).await, "key");
    assert_too_large(store.delete(&longer).await, "key");
    assert_too_large(store.put_if(&longer, Expected::Absent, entry, NOW).await, "key");
    assert_too_large(store.take(&longer, NOW).await, "key");
    assert_too_large(store.scan(&partition(), RECORD, Some(&id), 1, NOW).await, "key");
    assert_too_large(store.transact(&partition(), alone, NOW, |_| Ok(())).await, "key");
    let put = store.transact(&partition(), &[], NOW, |txn| txn.put(&longer, entry)).await;
    assert_too_large(put, "key");
    let delete = store.transact(&partition(), &[], NOW, |txn| txn.delete(&longer)).await;
    assert_too_large(delete, "key");
}

async fn put_in_one_transaction(
    store: &Store,
    count: usize,
    value: &[u8],
) -> Result<(), StoreError> {
    store
        .transact(&partition(), &[], NOW, |txn| {
            (0..count).try_for_each(|number| txn.put(&key(number.to_string()), Entry::new(value)))
        })
        .await
}

async fn a_transaction_changes_so_many_keys(store: Store) {
    let refused = put_in_one_transaction(&store, MAX_TRANSACTION_CHANGES + 1, b"x").await;
    assert_too_large(refused, "transaction");
    assert_eq!(value(&store, &key("0")).await, None);
    put_in_one_transaction(&store, MAX_TRANSACTION_CHANGES, b"x").await.unwrap();
    assert_eq!(value(&store, &key("4095")).await, Some(b"x".to_vec()));
}

async fn a_transaction_writes_so_many_bytes(store: Store) {
    let largest = vec![0; MAX_VALUE_BYTES];
    let too_many = MAX_TRANSACTION_BYTES / MAX_VALUE_BYTES;
    assert_too_large(put_in_one_transaction(&store, too_many, &largest).await, "transaction");
    assert_eq!(value(&store, &key("0")).await, None);
    put_in_one_transaction(&store, too_many - 1, &largest).await.unwrap();
}

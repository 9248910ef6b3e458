//! Does a conditional write happen exactly when the key is as expected?

use super::support::{NOW, key, value};
use crate::{Entry, Expected, Store, StoreError};

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    absent_admits_the_first_only(fresh().await).await;
    equals_admits_the_write_that_was_read(fresh().await).await;
    equals_refuses_a_stale_read(fresh().await).await;
    equals_refuses_the_same_bytes_written_again(fresh().await).await;
    equals_refuses_a_deleted_record(fresh().await).await;
    take_gives_a_record_once(fresh().await).await;
}

fn assert_conflict(result: Result<(), StoreError>) {
    let error = result.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { key: named } if *named == key("a")), "{error}");
}

async fn absent_admits_the_first_only(store: Store) {
    let a = key("a");
    store.put_if(&a, Expected::Absent, Entry::new(b"first"), NOW).await.unwrap();
    assert_conflict(store.put_if(&a, Expected::Absent, Entry::new(b"second"), NOW).await);
    assert_eq!(value(&store, &a).await, Some(b"first".to_vec()));
    store.delete(&a).await.unwrap();
    store.put_if(&a, Expected::Absent, Entry::new(b"third"), NOW).await.unwrap();
}

async fn equals_admits_the_write_that_was_read(store: Store) {
    store.put(&key("a"), Entry::new(b"1"), NOW).await.unwrap();
    for next in [b"2", b"3"] {
        let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
        let expected = Expected::Equals(&read);
        store.put_if(&key("a"), expected, Entry::new(next), NOW).await.unwrap();
    }
    assert_eq!(value(&store, &key("a")).await, Some(b"3".to_vec()));
}

async fn equals_refuses_a_stale_read(store: Store) {
    store.put(&key("a"), Entry::new(b"1"), NOW).await.unwrap();
    let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
    store.put(&key("a"), Entry::new(b"2"), NOW).await.unwrap();
    let expected = Expected::Equals(&read);
    assert_conflict(store.put_if(&key("a"), expected, Entry::new(b"3"), NOW).await);
    assert_eq!(value(&store, &key("a")).await, Some(b"2".to_vec()));
}

async fn equals_refuses_the_same_bytes_written_again(store: Store) {
    store.put(&key("a"), Entry::new(b"A"), NOW).await.unwrap();
    let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
    store.put(&key("a"), Entry::new(b"B"), NOW).await.unwrap();
    store.put(&key("a"), Entry::new(b"A"), NOW).await.unwrap();
    let expected = Expected::Equals(&read);
    assert_conflict(store.put_if(&key("a"), expected, Entry::new(b"C"), NOW).await);
}

async fn equals_refuses_a_deleted_record(store: Store) {
    store.put(&key("a"), Entry::new(b"1"), NOW).await.unwrap();
    let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
    store.delete(&key("a")).await.unwrap();
    let expected = Expected::Equals(&read);
    assert_conflict(store.put_if(&key("a"), expected, Entry::new(b"2"), NOW).await);
    assert_eq!(value(&store, &key("a")).await, None);
}

async fn take_gives_a_record_once(store: Store) {
    store.put(&key("a"), Entry::new(b"code"), NOW).await.unwrap();
    let taken = store.take(&key("a"), NOW).await.unwrap().unwrap();
    assert_eq!(taken.value(), b"code");
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), None);
    assert_eq!(value(&store, &key("a")).await, None);
}

//! Is a record absent from the millisecond of its expiry on, for every call?

use super::support::{NOW, RECORD, key, partition, value};
use crate::{Entry, Expected, Store, StoreError, Timestamp};

/// The first millisecond at which [`put_a`] is absent, and the last at which it is not.
const END: Timestamp = NOW.plus_millis(1000);
const JUST_BEFORE: Timestamp = NOW.plus_millis(999);

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    reads_end_to_the_millisecond(fresh().await).await;
    scans_end_to_the_millisecond(fresh().await).await;
    transactions_end_to_the_millisecond(fresh().await).await;
    take_ends_to_the_millisecond(fresh().await).await;
    absent_is_true_of_the_expired(fresh().await).await;
    equals_is_false_of_the_expired(fresh().await).await;
    a_later_put_decides_alone(fresh().await).await;
    the_ends_of_time_are_exact(fresh().await).await;
}

async fn put_a(store: &Store) {
    store.put(&key("a"), Entry::new(b"x").expires_at(END), NOW).await.unwrap();
}

async fn reads_end_to_the_millisecond(store: Store) {
    put_a(&store).await;
    let read = store.get(&key("a"), JUST_BEFORE).await.unwrap().unwrap();
    assert_eq!(read.expires_at(), Some(END));
    assert_eq!(store.get(&key("a"), END).await.unwrap(), None);
    assert_eq!(store.get_many(&[key("a")], JUST_BEFORE).await.unwrap(), [Some(read)]);
    assert_eq!(store.get_many(&[key("a")], END).await.unwrap(), [None]);
}

async fn scans_end_to_the_millisecond(store: Store) {
    put_a(&store).await;
    store.put(&key("b"), Entry::new(b"y"), NOW).await.unwrap();
    for (now, expected) in [(JUST_BEFORE, &["a", "b"][..]), (END, &["b"])] {
        let page = store.scan(&partition(), RECORD, None, 10, now).await.unwrap();
        let ids: Vec<_> = page.entries.iter().map(|(id, _)| id.as_ref()).collect();
        assert_eq!(ids, expected.iter().map(|id| id.as_bytes()).collect::<Vec<_>>());
    }
}

async fn transactions_end_to_the_millisecond(store: Store) {
    put_a(&store).await;
    for (now, expected) in [(JUST_BEFORE, true), (END, false)] {
        let found: Result<bool, StoreError> = store
            .transact(&partition(), &[key("a")], now, |txn| Ok(txn.get(&key("a"))?.is_some()))
            .await;
        assert_eq!(found.unwrap(), expected);
    }
    let replaced: Result<(), StoreError> = store
        .transact(&partition(), &[key("a")], END, |txn| txn.put(&key("a"), Entry::new(b"new")))
        .await;
    replaced.unwrap();
    assert_eq!(value(&store, &key("a")).await, Some(b"new".to_vec()));
}

async fn take_ends_to_the_millisecond(store: Store) {
    put_a(&store).await;
    assert_eq!(store.take(&key("a"), END).await.unwrap(), None);
    put_a(&store).await;
    assert!(store.take(&key("a"), JUST_BEFORE).await.unwrap().is_some());
}

async fn absent_is_true_of_the_expired(store: Store) {
    put_a(&store).await;
    let entry = Entry::new(b"new");
    let early = store.put_if(&key("a"), Expected::Absent, entry, JUST_BEFORE).await;
    assert!(matches!(early, Err(StoreError::Conflict { .. })), "{early:?}");
    store.put_if(&key("a"), Expected::Absent, entry, END).await.unwrap();
    assert_eq!(value(&store, &key("a")).await, Some(b"new".to_vec()));
}

async fn equals_is_false_of_the_expired(store: Store) {
    put_a(&store).await;
    let read = store.get(&key("a"), NOW).await.unwrap().unwrap();
    let expected = Expected::Equals(&read);
    let late = store.put_if(&key("a"), expected, Entry::new(b"late"), END).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    store.put_if(&key("a"), expected, Entry::new(b"in time"), JUST_BEFORE).await.unwrap();
}

async fn a_later_put_decides_alone(store: Store) {
    put_a(&store).await;
    store.put(&key("a"), Entry::new(b"for ever"), NOW).await.unwrap();
    assert!(store.get(&key("a"), END).await.unwrap().is_some());
    store.put(&key("a"), Entry::new(b"gone").expires_at(NOW), NOW).await.unwrap();
    assert_eq!(store.get(&key("a"), NOW).await.unwrap(), None);
}

async fn the_ends_of_time_are_exact(store: Store) {
    let last = Timestamp::from_millis(u64::MAX);
    store.put(&key("never"), Entry::new(b"x"), NOW).await.unwrap();
    store.put(&key("last"), Entry::new(b"x").expires_at(last), NOW).await.unwrap();
    store
        .put(&key("epoch"), Entry::new(b"x").expires_at(Timestamp::from_millis(0)), NOW)
        .await
        .unwrap();
    let keys = ["never", "last", "epoch"].map(key);
    let live = |read: Vec<Option<_>>| read.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(live(store.get_many(&keys, NOW).await.unwrap()), [true, true, false]);
    assert_eq!(live(store.get_many(&keys, last).await.unwrap()), [true, true, false]);
    let epoch = Timestamp::from_millis(0);
    assert_eq!(live(store.get_many(&keys, epoch).await.unwrap()), [true, true, false]);
}

//! What if a caller drops a call before its end?
//!
//! Each call is polled a number of times and dropped: at its beginning, on its way to the disk or
//! the server, or just before its answer. The write may then happen, now or a moment later, or not;
//! never in half, and never in the way of the calls that follow.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::task::JoinSet;

use super::support::{NOW, key, partition, value};
use crate::{Entry, Expected, Key, Store, StoreError};

/// More than any call needs, so that the last ones of a round come to their end.
const MAX_POLLS: u32 = 12;
const ROUNDS: u32 = 4;

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    a_dropped_put_if_happened_or_did_not(fresh().await).await;
    a_dropped_transaction_happened_as_a_whole_or_not(fresh().await).await;
    a_dropped_take_gives_the_record_to_nobody_else_twice(fresh().await).await;
    calls_after_a_dropped_one_get_their_own_answers(fresh().await).await;
}

/// Polls `call` up to `polls` times, whenever it can go on, and drops it.
async fn poll_and_drop<T>(call: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

async fn a_dropped_put_if_happened_or_did_not(store: Store) {
    for id in ["", "a"] {
        let key = key(id);
        store.put(&key, Entry::new(b"start"), NOW).await.unwrap();
        // Writes whose answer nobody waited for: each may still come.
        let mut dropped = Vec::new();
        for number in 0..MAX_POLLS * ROUNDS {
            let text = number.to_string();
            let before = store.get(&key, NOW).await.unwrap().unwrap();
            let expected = Expected::Equals(&before);
            let write = store.put_if(&key, expected, Entry::new(text.as_bytes()), NOW);
            let answer = poll_and_drop(write, number % MAX_POLLS + 1).await;
            let after = value(&store, &key).await.unwrap();
            let is_written = after == text.as_bytes();
            let is_known = is_written || after == before.value() || dropped.contains(&after);
            assert!(is_known, "{}", after.escape_ascii());
            match answer {
                Some(Ok(())) => assert!(is_written),
                // An earlier dropped write came in between the read and this one.
                Some(Err(StoreError::Conflict { .. })) => assert!(!is_written),
                Some(Err(error)) => panic!("{error}"),
                None => dropped.push(text.into_bytes()),
            }
        }
    }
}

async fn a_dropped_transaction_happened_as_a_whole_or_not(store: Store) {
    let (partition, pair) = (partition(), [key("left"), key("right")]);
    let mut acknowledged = 0;
    for number in 0..MAX_POLLS * ROUNDS {
        let write = store.transact(&partition, &pair, NOW, |txn| {
            let text =
                format!("{number} {}", txn.get(&pair[0])?.map_or(0, |left| left.value().len()));
            pair.iter().try_for_each(|key| txn.put(key, Entry::new(text.as_bytes())))
        });
        let answer: Option<Result<(), StoreError>> =
            poll_and_drop(write, number % MAX_POLLS + 1).await;
        acknowledged += u32::from(answer.transpose().unwrap().is_some());
        for _ in 0..3 {
            assert_same(&store, &pair).await;
        }
    }
    assert!(acknowledged > 0);
    let last: Result<(), StoreError> = store
        .transact(&partition, &pair, NOW, |txn| {
            pair.iter().try_for_each(|key| txn.put(key, Entry::new(b"last")))
        })
        .await;
    last.unwrap();
    assert_same(&store, &pair).await;
}

async fn assert_same(store: &Store, pair: &[Key; 2]) {
    let read = store.get_many(pair, NOW).await.unwrap();
    let [left, right] = [&read[0], &read[1]].map(|read| read.as_ref().map(|read| read.value()));
    assert_eq!(left, right, "half of a transaction");
}

async fn a_dropped_take_gives_the_record_to_nobody_else_twice(store: Store) {
    for number in 0..MAX_POLLS * ROUNDS {
        let key = key(number.to_string());
        store.put(&key, Entry::new(b"code"), NOW).await.unwrap();
        let first = poll_and_drop(store.take(&key, NOW), number % MAX_POLLS + 1).await;
        let first = first.transpose().unwrap().flatten();
        let second = store.take(&key, NOW).await.unwrap();
        assert!(first.is_none() || second.is_none(), "a code was given twice");
        assert_eq!(value(&store, &key).await, None);
    }
}

/// An answer that belongs to a dropped call must not be given to the next one.
async fn calls_after_a_dropped_one_get_their_own_answers(store: Store) {
    let keys: Vec<_> = (0..8_u8).map(|number| key([number])).collect();
    for key in &keys {
        store.put(key, Entry::new(key.id()), NOW).await.unwrap();
    }
    let mut callers = JoinSet::new();
    for caller in 0..4_u32 {
        let (store, keys) = (store.clone(), keys.clone());
        callers.spawn(async move {
            for number in caller..MAX_POLLS * ROUNDS + caller {
                let key = &keys[number as usize % keys.len()];
                let other = &keys[(number as usize + 1) % keys.len()];
                poll_and_drop(store.get(other, NOW), number % 3 + 1).await;
                poll_and_drop(store.put(other, Entry::new(other.id()), NOW), number % 5 + 1).await;
                assert_eq!(value(&store, key).await.as_deref(), Some(key.id()));
            }
        });
    }
    callers.join_all().await;
}

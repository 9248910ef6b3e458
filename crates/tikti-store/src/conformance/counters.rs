//! Is every call counted once, in its own window?

use tokio::task::JoinSet;

use super::support::{NOW, RECORD, key, partition, value};
use super::walks::walk_all;
use crate::{Key, Partition, Store, Timestamp, WindowCount};

/// Long enough that no server forgets a counter while the test runs.
const LENGTH_MILLIS: u64 = 60_000;
/// The first moment of a window.
const START: Timestamp =
    Timestamp::from_millis(NOW.as_millis() / LENGTH_MILLIS * LENGTH_MILLIS + LENGTH_MILLIS);

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    windows_begin_and_end_to_the_millisecond(fresh().await).await;
    many_callers_are_counted_once_each(fresh().await).await;
    keys_are_counted_apart(fresh().await).await;
    a_counter_is_not_a_record(fresh().await).await;
}

async fn count(store: &Store, key: &Key, after_millis: u64) -> (u64, u64) {
    let now = START.plus_millis(after_millis);
    let counted = store.count_in_window(key, LENGTH_MILLIS, now).await.unwrap();
    let WindowCount { current, previous, elapsed_millis } = counted;
    assert_eq!(elapsed_millis, after_millis % LENGTH_MILLIS);
    (current, previous)
}

async fn windows_begin_and_end_to_the_millisecond(store: Store) {
    for (after_millis, expected) in [
        (0, (1, 0)),
        (LENGTH_MILLIS - 1, (2, 0)),
        (LENGTH_MILLIS, (1, 2)),
        (LENGTH_MILLIS + 1, (2, 2)),
        (2 * LENGTH_MILLIS, (1, 2)),
        // Nobody called in the window between.
        (4 * LENGTH_MILLIS, (1, 0)),
    ] {
        assert_eq!(count(&store, &key("a"), after_millis).await, expected, "{after_millis}");
    }
}

async fn many_callers_are_counted_once_each(store: Store) {
    const CALLERS: u64 = 16;
    const CALLS_EACH: u64 = 8;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            let mut counts = Vec::new();
            // Half of the calls on each side of a boundary.
            for call in 0..CALLS_EACH {
                let window = if call < CALLS_EACH / 2 { 0 } else { 1 };
                let after_millis = window * LENGTH_MILLIS + caller;
                counts.push((window, count(&store, &key("a"), after_millis).await.0));
            }
            counts
        });
    }
    let mut counts = callers.join_all().await.concat();
    counts.sort_unstable();
    let each = CALLERS * CALLS_EACH / 2;
    let expected: Vec<_> =
        (0..2).flat_map(|window| (1..=each).map(move |count| (window, count))).collect();
    assert_eq!(counts, expected);
    assert_eq!(count(&store, &key("a"), 2 * LENGTH_MILLIS).await, (1, each));
}

async fn keys_are_counted_apart(store: Store) {
    let other = Key::new(&Partition::global(), RECORD, "a");
    for key in [&key("a"), &key("b"), &key(""), &other] {
        assert_eq!(count(&store, key, 0).await, (1, 0), "{key}");
    }
    assert_eq!(count(&store, &key("a"), 0).await, (2, 0));
}

async fn a_counter_is_not_a_record(store: Store) {
    count(&store, &key("a"), 0).await;
    assert_eq!(value(&store, &key("a")).await, None);
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), None);
    let page = store.scan(&partition(), RECORD, None, 10, NOW).await.unwrap();
    assert_eq!((page.entries, page.next), (Vec::new(), None));
    assert_eq!(walk_all(&store, NOW).await, []);
    store.delete(&key("a")).await.unwrap();
    assert_eq!(count(&store, &key("a"), 0).await, (2, 0));
}

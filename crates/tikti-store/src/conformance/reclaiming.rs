//! Does giving back space take away nothing but what has been expired for an hour?

use tokio::task::JoinSet;

use super::support::{NOW, RECORD, key, partition, value};
use super::walks::walk_all;
use crate::{Entry, RECLAIM_AFTER_MILLIS, Store, Timestamp};

/// The first millisecond at which the records of these tests are absent.
const END: Timestamp = NOW.plus_millis(1000);
const JUST_BEFORE: Timestamp = NOW.plus_millis(999);

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    an_empty_store_has_nothing_to_reclaim(fresh().await).await;
    what_is_expired_for_less_than_an_hour_stays(fresh().await).await;
    what_is_live_stays_in_reads_and_listings(fresh().await).await;
    a_record_that_was_written_again_stays(fresh().await).await;
    reclaiming_during_writes_leaves_every_record_listed(fresh().await).await;
}

/// Looks at everything, in steps of `limit` entries.
async fn reclaim_all(store: &Store, limit: usize, now: Timestamp) {
    const MAX_STEPS: usize = 10_000;
    let mut after = None;
    for _ in 0..MAX_STEPS {
        let step = store.reclaim(after.as_deref(), limit, now).await.unwrap();
        assert!(step.reclaimed <= step.examined);
        after = step.next;
        if after.is_none() {
            return;
        }
    }
    panic!("no end after {MAX_STEPS} steps");
}

async fn ids(store: &Store, now: Timestamp) -> Vec<Vec<u8>> {
    let page = store.scan(&partition(), RECORD, None, 1000, now).await.unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|(id, _)| id.to_vec()).collect()
}

async fn an_empty_store_has_nothing_to_reclaim(store: Store) {
    reclaim_all(&store, 1, END).await;
    assert_eq!(walk_all(&store, NOW).await, []);
}

async fn what_is_expired_for_less_than_an_hour_stays(store: Store) {
    for id in ["", "a", "b"] {
        store.put(&key(id), Entry::new(b"x").expires_at(END), NOW).await.unwrap();
    }
    reclaim_all(&store, 2, END.plus_millis(RECLAIM_AFTER_MILLIS - 1)).await;
    // Read by a clock that is behind, it is all there.
    assert_eq!(ids(&store, JUST_BEFORE).await, [b"a", b"b"]);
    assert_eq!(value(&store, &key("")).await, Some(b"x".to_vec()));
    assert_eq!(ids(&store, END).await, Vec::<Vec<u8>>::new());
}

async fn what_is_live_stays_in_reads_and_listings(store: Store) {
    let much_later = END.plus_millis(2 * RECLAIM_AFTER_MILLIS);
    for number in 0..40_u8 {
        let entry = Entry::new(b"x");
        let entry = if number % 2 == 0 { entry.expires_at(END) } else { entry };
        store.put(&key([number]), entry, NOW).await.unwrap();
    }
    store.put(&key(""), Entry::new(b"x"), NOW).await.unwrap();
    let before = walk_all(&store, END).await;
    reclaim_all(&store, 7, much_later).await;
    assert_eq!(walk_all(&store, END).await, before);
    let odd: Vec<_> = (0..20_u8).map(|number| vec![2 * number + 1]).collect();
    assert_eq!(ids(&store, END).await, odd);
    assert_eq!(ids(&store, much_later).await, odd);
}

async fn a_record_that_was_written_again_stays(store: Store) {
    for _ in 0..2 {
        store.put(&key("a"), Entry::new(b"old").expires_at(END), NOW).await.unwrap();
        store.put(&key("a"), Entry::new(b"new"), END).await.unwrap();
        reclaim_all(&store, 1, END.plus_millis(2 * RECLAIM_AFTER_MILLIS)).await;
        assert_eq!(ids(&store, END).await, [b"a"]);
        assert_eq!(value(&store, &key("a")).await, Some(b"new".to_vec()));
        store.delete(&key("a")).await.unwrap();
        reclaim_all(&store, 1, END).await;
        assert_eq!(ids(&store, END).await, Vec::<Vec<u8>>::new());
    }
}

/// Records go and come back while they are looked at; who is there in the end is listed.
async fn reclaiming_during_writes_leaves_every_record_listed(store: Store) {
    const ROUNDS: u32 = 30;
    let mut writers = JoinSet::new();
    for writer in 0..4_u8 {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..ROUNDS {
                let expired = Entry::new(b"x").expires_at(NOW);
                store.put(&key([writer]), expired, NOW).await.unwrap();
                store.delete(&key([writer])).await.unwrap();
                store.put(&key([writer]), Entry::new(b"x"), END).await.unwrap();
            }
        });
    }
    while !writers.is_empty() {
        reclaim_all(&store, 2, END.plus_millis(2 * RECLAIM_AFTER_MILLIS)).await;
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(ids(&store, END).await, [[0], [1], [2], [3]]);
    assert_eq!(walk_all(&store, END).await.len(), 4);
}

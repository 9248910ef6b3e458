//! Does a listing give each record of its kind once, in order, page by page?

use tokio::task::JoinSet;

use super::support::{NOW, RECORD, key, partition};
use crate::{Entry, Key, Kind, Partition, Store, StoreError};

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    an_empty_range_is_one_empty_page(fresh().await).await;
    ids_come_in_the_order_of_their_bytes(fresh().await).await;
    pages_of_every_size_join_without_gap_or_repeat(fresh().await).await;
    after_need_not_exist(fresh().await).await;
    a_record_without_an_id_stands_in_no_list(fresh().await).await;
    neighbours_stay_out(fresh().await).await;
    many_expired_records_do_not_stop_a_listing(fresh().await).await;
    a_page_has_at_least_one_entry(fresh().await).await;
    a_listing_during_writes_misses_nothing_that_stays(fresh().await).await;
}

async fn put_all<I: AsRef<[u8]>>(store: &Store, ids: impl IntoIterator<Item = I> + Send) {
    let ids: Vec<_> = ids.into_iter().map(key).collect();
    let done: Result<(), StoreError> = store
        .transact(&partition(), &[], NOW, |txn| {
            ids.iter().try_for_each(|key| txn.put(key, Entry::new(key.id())))
        })
        .await;
    done.unwrap();
}

/// The ids of a whole listing, in pages of `limit`.
async fn list(store: &Store, limit: usize) -> Vec<Vec<u8>> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = store.scan(&partition(), RECORD, after.as_deref(), limit, NOW).await.unwrap();
        assert!(page.entries.len() <= limit);
        for (id, record) in page.entries {
            assert_eq!(record.value(), id.as_ref());
            ids.push(id.to_vec());
        }
        let Some(next) = page.next else {
            return ids;
        };
        assert!(after.is_none_or(|after| after < next), "a listing moves forward");
        after = Some(next);
    }
}

async fn an_empty_range_is_one_empty_page(store: Store) {
    let page = store.scan(&partition(), RECORD, None, 1, NOW).await.unwrap();
    assert_eq!((page.entries, page.next), (Vec::new(), None));
}

async fn ids_come_in_the_order_of_their_bytes(store: Store) {
    let mut ids: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    ids.extend([b"a/b".to_vec(), b"a/".to_vec(), vec![0, 0], vec![255, 255, 0]]);
    put_all(&store, ids.iter().rev()).await;
    ids.sort();
    assert_eq!(list(&store, 1000).await, ids);
}

async fn pages_of_every_size_join_without_gap_or_repeat(store: Store) {
    let ids: Vec<Vec<u8>> = (0..20_u8).map(|byte| vec![byte * 13]).collect();
    put_all(&store, &ids).await;
    for limit in 1..=21 {
        assert_eq!(list(&store, limit).await, ids, "pages of {limit}");
    }
    let exact = store.scan(&partition(), RECORD, None, 20, NOW).await.unwrap();
    assert_eq!((exact.entries.len(), exact.next), (20, None));
}

async fn after_need_not_exist(store: Store) {
    put_all(&store, ["b", "d"]).await;
    for (after, expected) in
        [("", &["b", "d"][..]), ("a", &["b", "d"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])]
    {
        let after = Some(after.as_bytes());
        let page = store.scan(&partition(), RECORD, after, 10, NOW).await.unwrap();
        let ids: Vec<_> = page.entries.iter().map(|(id, _)| id.as_ref()).collect();
        assert_eq!(ids, expected.iter().map(|id| id.as_bytes()).collect::<Vec<_>>());
    }
}

async fn a_record_without_an_id_stands_in_no_list(store: Store) {
    put_all(&store, ["", "a"]).await;
    assert_eq!(list(&store, 1).await, [b"a"]);
    assert!(store.get(&key(""), NOW).await.unwrap().is_some());
}

async fn neighbours_stay_out(store: Store) {
    put_all(&store, ["mine"]).await;
    for (partition, kind) in [
        (Partition::new("p", "one"), Kind::new("recor")),
        (Partition::new("p", "one"), Kind::new("records")),
        (Partition::new("p", "on"), RECORD),
        (Partition::new("p", "one1"), RECORD),
        (Partition::new("p", "one/record"), RECORD),
        (Partition::global(), RECORD),
    ] {
        store.put(&Key::new(&partition, kind, "theirs"), Entry::new(b"x"), NOW).await.unwrap();
    }
    assert_eq!(list(&store, 1).await, [b"mine"]);
}

async fn many_expired_records_do_not_stop_a_listing(store: Store) {
    let done: Result<(), StoreError> = store
        .transact(&partition(), &[], NOW, |txn| {
            (0..3000_u16).try_for_each(|number| {
                let entry = Entry::new(b"x").expires_at(NOW);
                txn.put(&key(number.to_be_bytes()), entry)
            })
        })
        .await;
    done.unwrap();
    put_all(&store, [[0, 5, 0], [0xff, 0xff, 0xff]]).await;
    assert_eq!(list(&store, 10).await, [[0, 5, 0], [0xff, 0xff, 0xff]]);
}

async fn a_page_has_at_least_one_entry(store: Store) {
    let refused = store.scan(&partition(), RECORD, None, 0, NOW).await;
    assert!(matches!(refused, Err(StoreError::Misuse { .. })), "{refused:?}");
}

/// Records come and go between the pages; the ones that stay are listed once each.
async fn a_listing_during_writes_misses_nothing_that_stays(store: Store) {
    let stays: Vec<Vec<u8>> = (0..60_u8).map(|number| vec![b's', number * 4]).collect();
    put_all(&store, &stays).await;
    let mut writers = JoinSet::new();
    for writer in 1..4_u8 {
        let store = store.clone();
        writers.spawn(async move {
            for number in 0..60_u8 {
                let id = [b's', number * 4 + writer];
                store.put(&key(id), Entry::new(&id), NOW).await.unwrap();
                if number % 2 == 0 {
                    store.delete(&key(id)).await.unwrap();
                }
            }
        });
    }
    while !writers.is_empty() {
        let listed = list(&store, 7).await;
        assert!(listed.is_sorted_by(|a, b| a < b));
        let found: Vec<_> = listed.into_iter().filter(|id| id[1] % 4 == 0).collect();
        assert_eq!(found, stays);
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
    }
}

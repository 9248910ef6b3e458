//! Do the changes of a transaction happen together, on facts that still hold, or not at all?

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::support::{NOW, RECORD, key, partition, value};
use crate::{Entry, Key, Partition, Store, StoreError, Txn};

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    ok_commits_every_change(fresh().await).await;
    err_writes_nothing(fresh().await).await;
    no_change_is_no_write(fresh().await).await;
    a_transaction_sees_its_own_changes(fresh().await).await;
    a_changed_read_runs_the_decision_again(fresh().await).await;
    a_contended_key_is_named_in_the_end(fresh().await).await;
    what_was_only_read_is_guarded_as_well(fresh().await).await;
    undeclared_reads_are_refused(fresh().await).await;
    other_partitions_are_refused(fresh().await).await;
}

/// Has someone else write to `key` while a decision is being made.
fn interfere(store: &Store, key: &Key) {
    let write = async { store.put(key, Entry::new(b"theirs"), NOW).await.unwrap() };
    block_in_place(|| Handle::current().block_on(write));
}

async fn ok_commits_every_change(store: Store) {
    let [a, b, c] = ["a", "b", "c"].map(key);
    store.put(&a, Entry::new(b"1"), NOW).await.unwrap();
    store.put(&b, Entry::new(b"1"), NOW).await.unwrap();
    let answer: Result<_, StoreError> = store
        .transact(&partition(), &[a.clone(), c.clone()], NOW, |txn| {
            assert_eq!(txn.get(&c)?, None);
            let seen = txn.get(&a)?.unwrap().value().to_vec();
            txn.put(&a, Entry::new(b"2"))?;
            txn.delete(&b)?;
            txn.put(&c, Entry::new(b"2"))?;
            Ok(seen)
        })
        .await;
    assert_eq!(answer.unwrap(), b"1");
    let values = [value(&store, &a).await, value(&store, &b).await, value(&store, &c).await];
    assert_eq!(values, [Some(b"2".to_vec()), None, Some(b"2".to_vec())]);
}

#[derive(Debug)]
enum Refusal {
    No,
    Store(#[expect(dead_code, reason = "shown when the test fails")] StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn err_writes_nothing(store: Store) {
    let answer: Result<(), Refusal> = store
        .transact(&partition(), &[], NOW, |txn| {
            txn.put(&key("a"), Entry::new(b"x"))?;
            Err(Refusal::No)
        })
        .await;
    assert!(matches!(answer, Err(Refusal::No)), "{answer:?}");
    assert_eq!(value(&store, &key("a")).await, None);
}

async fn no_change_is_no_write(store: Store) {
    store.put(&key("a"), Entry::new(b"x"), NOW).await.unwrap();
    let before = store.statistics();
    let answer: Result<bool, StoreError> = store
        .transact(&partition(), &[key("a")], NOW, |txn| Ok(txn.get(&key("a"))?.is_some()))
        .await;
    assert!(answer.unwrap());
    assert_eq!(store.statistics(), before);
}

async fn a_transaction_sees_its_own_changes(store: Store) {
    let seen = |txn: &Txn, id: &str| {
        txn.get(&key(id)).map(|record| record.map(|record| record.value().to_vec()))
    };
    let answer: Result<(), StoreError> = store
        .transact(&partition(), &[key("a")], NOW, |txn| {
            txn.put(&key("a"), Entry::new(b"1"))?;
            assert_eq!(seen(txn, "a")?, Some(b"1".to_vec()));
            txn.delete(&key("a"))?;
            assert_eq!(seen(txn, "a")?, None);
            txn.put(&key("a"), Entry::new(b"expired").expires_at(NOW))?;
            assert_eq!(seen(txn, "a")?, None);
            txn.put(&key("a"), Entry::new(b"2"))?;
            txn.put(&key("undeclared"), Entry::new(b"3"))?;
            assert_eq!(seen(txn, "undeclared")?, Some(b"3".to_vec()));
            Ok(())
        })
        .await;
    answer.unwrap();
    assert_eq!(value(&store, &key("a")).await, Some(b"2".to_vec()));
}

async fn a_changed_read_runs_the_decision_again(store: Store) {
    let mut seen = Vec::new();
    let answer: Result<(), StoreError> = store
        .transact(&partition(), &[key("a")], NOW, |txn| {
            seen.push(txn.get(&key("a"))?.map(|record| record.value().to_vec()));
            if seen.len() == 1 {
                interfere(&store, &key("a"));
            }
            txn.put(&key("a"), Entry::new(b"ours"))
        })
        .await;
    answer.unwrap();
    assert_eq!(seen, [None, Some(b"theirs".to_vec())]);
    assert_eq!(value(&store, &key("a")).await, Some(b"ours".to_vec()));
}

async fn a_contended_key_is_named_in_the_end(store: Store) {
    let mut runs = 0;
    let answer: Result<(), StoreError> = store
        .transact(&partition(), &[key("a"), key("b")], NOW, |txn| {
            runs += 1;
            interfere(&store, &key("b"));
            txn.put(&key("a"), Entry::new(b"ours"))
        })
        .await;
    let error = answer.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { key: named } if *named == key("b")), "{error}");
    assert!(runs > 1);
    assert_eq!(value(&store, &key("a")).await, None);
}

/// Write skew: two transactions that each read what the other writes.
async fn what_was_only_read_is_guarded_as_well(store: Store) {
    store.put(&key("limit"), Entry::new(b"open"), NOW).await.unwrap();
    let mut runs = 0;
    let answer: Result<(), StoreError> = store
        .transact(&partition(), &[key("limit")], NOW, |txn| {
            runs += 1;
            if txn.get(&key("limit"))?.unwrap().value() == b"open" {
                interfere(&store, &key("limit"));
                txn.put(&key("member"), Entry::new(b"in"))?;
            }
            Ok(())
        })
        .await;
    answer.unwrap();
    assert_eq!(runs, 2);
    assert_eq!(value(&store, &key("member")).await, None);
}

async fn undeclared_reads_are_refused(store: Store) {
    let answer: Result<(), StoreError> =
        store.transact(&partition(), &[key("a")], NOW, |txn| txn.get(&key("b")).map(|_| ())).await;
    assert!(matches!(answer, Err(StoreError::Misuse { .. })), "{answer:?}");
}

async fn other_partitions_are_refused(store: Store) {
    let foreign = Key::new(&Partition::global(), RECORD, "a");
    let reads = std::slice::from_ref(&foreign);
    let read: Result<(), StoreError> = store.transact(&partition(), reads, NOW, |_| Ok(())).await;
    assert!(matches!(read, Err(StoreError::Misuse { .. })), "{read:?}");
    let put: Result<(), StoreError> =
        store.transact(&partition(), &[], NOW, |txn| txn.put(&foreign, Entry::new(b"x"))).await;
    assert!(matches!(put, Err(StoreError::Misuse { .. })), "{put:?}");
    let delete: Result<(), StoreError> =
        store.transact(&partition(), &[], NOW, |txn| txn.delete(&foreign)).await;
    assert!(matches!(delete, Err(StoreError::Misuse { .. })), "{delete:?}");
    assert_eq!(value(&store, &foreign).await, None);
}

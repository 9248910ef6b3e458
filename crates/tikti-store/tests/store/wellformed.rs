//! Is a store that is sound always found to be so?
//!
//! The check of the pages refuses whole stores, so it must not be stricter than LMDB. A random
//! history makes trees of several levels, values on pages of their own, long lists of free pages
//! and walks that hold old ones; in between everything is checked, by a walk and by reopening.

use std::collections::BTreeMap;

use tempfile::TempDir;
use tikti_store::{Entry, Partition, Store, StoreError};

use crate::support::{NOW, key, open};

const ROUNDS: u64 = 20;
const CHANGES: u64 = 100;
const IDS: u64 = 3000;

/// Numbers that have no order, and are the same every time: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Mostly small, some on pages of their own, few large; `None` is a deletion.
fn size(number: u64) -> Option<usize> {
    match number % 100 {
        0..35 => None,
        35..80 => Some(number as usize % 700),
        80..98 => Some(number as usize % 20_000),
        _ => Some(number as usize % 300_000),
    }
}

async fn change(store: &Store, numbers: &mut Numbers, model: &mut BTreeMap<Vec<u8>, usize>) {
    let mut changes = BTreeMap::new();
    for _ in 0..1 + numbers.next() % 8 {
        // Some ids are long: fewer of them fit into a page.
        let id = numbers.next() % IDS;
        let id = format!("{id:0width$}", width = if id.is_multiple_of(7) { 400 } else { 12 })
            .into_bytes();
        changes.insert(id, size(numbers.next()));
    }
    let written: Result<(), StoreError> = store
        .transact(&Partition::global(), &[], NOW, |txn| {
            changes.iter().try_for_each(|(id, size)| match size {
                Some(size) => txn.put(&key(id), Entry::new(&vec![7; *size])),
                None => txn.delete(&key(id)),
            })
        })
        .await;
    written.unwrap();
    for (id, size) in changes {
        match size {
            Some(size) => model.insert(id, size),
            None => model.remove(&id),
        };
    }
}

async fn walk(store: &Store) -> BTreeMap<Vec<u8>, usize> {
    let mut walk = store.walk(NOW).await.unwrap();
    let mut found = BTreeMap::new();
    while let Some(page) = walk.next().await.unwrap() {
        for (key, record) in page.records {
            found.insert(key.id().to_vec(), record.unwrap().value().len());
        }
    }
    found
}

#[tokio::test]
async fn a_random_history_never_looks_damaged() {
    let directory = TempDir::new().unwrap();
    let (mut numbers, mut model) = (Numbers(1), BTreeMap::new());
    let mut store = open(directory.path()).await;
    for round in 0..ROUNDS {
        // Keeps the pages of its moment, so that the list of free ones grows.
        let held = store.walk(NOW).await.unwrap();
        for _ in 0..CHANGES {
            change(&store, &mut numbers, &mut model).await;
        }
        assert_eq!(walk(&store).await, model, "{round}");
        drop(held);
        if round % 4 == 3 {
            store.close().await;
            store = open(directory.path()).await;
        }
    }
    let emptied = std::mem::take(&mut model);
    for part in emptied.keys().collect::<Vec<_>>().chunks(500) {
        let deleted: Result<(), StoreError> = store
            .transact(&Partition::global(), &[], NOW, |txn| {
                part.iter().try_for_each(|id| txn.delete(&key(id)))
            })
            .await;
        deleted.unwrap();
    }
    assert_eq!(walk(&store).await, model);
    store.close().await;
    open(directory.path()).await;
}

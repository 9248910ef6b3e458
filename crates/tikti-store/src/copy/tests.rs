//! A copy holds what its source holds, whatever happens on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::{FaultPlan, OpenOptions};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const EARLIER: Timestamp = Timestamp::from_millis(1_600_000_000_000);
const RECORD: Kind = Kind::new("record");

struct Stores {
    _directory: tempfile::TempDir,
    from: Store,
    to: Store,
}

impl Stores {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let from = open(&directory.path().join("from"), 1).await;
        let to = open(&directory.path().join("to"), 2).await;
        Self { _directory: directory, from, to }
    }

    /// A source with `count` records in some partitions, of which some are expired at [`NOW`] and some
    /// will be.
    async fn with(count: u32) -> Self {
        let stores = Self::new().await;
        let ids = crate::envelope::WriteIds::new([9; 16]);
        let records: Vec<_> = (0..count)
            .map(|number| {
                let key = key(number);
                let value = number.to_le_bytes().repeat(1 + usize::try_from(number % 40).unwrap());
                let entry = match number % 5 {
                    0 => Entry::new(&value).expires_at(NOW),
                    1 => Entry::new(&value).expires_at(NOW.plus_millis(1)),
                    _ => Entry::new(&value),
                };
                let record = Stored::seal(&key, entry, &ids).unwrap();
                (key, record)
            })
            .collect();
        for batch in records.chunks(1000) {
            stores.from.load(batch, NOW).await.unwrap();
        }
        stores
    }

    async fn copy(&self) -> Result<CopyReport, CopyError> {
        copy(&self.from, &self.to, NOW, &mut |_| ()).await
    }
}

async fn open(directory: &Path, seed: u8) -> Store {
    let url = format!("embedded:{}", directory.display());
    Store::open(&url, OpenOptions::new([seed; 16], "test")).await.unwrap()
}

/// Every byte stands in some id, at its beginning and at its end.
fn key(number: u32) -> Key {
    let partition = Partition::new("p", &(number % 7).to_string());
    let byte = u8::try_from(number % 256).unwrap();
    let id = [&[byte][..], &number.to_be_bytes(), &[byte]].concat();
    Key::new(&partition, RECORD, id)
}

async fn contents(store: &Store) -> BTreeMap<Key, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut walk = store.walk(NOW).await.unwrap();
    while let Some(page) = walk.next().await.unwrap() {
        for (key, record) in page.records {
            found.insert(key, record.unwrap().as_bytes().to_vec());
        }
    }
    found
}

/// Runs a future while another one is being polled: a progress callback is no place to wait.
fn aside(future: impl Future<Output = ()> + Send) {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| runtime().block_on(future)).join().unwrap();
    });
}

#[tokio::test]
async fn holds_every_live_record_of_its_source_byte_for_byte() {
    let stores = Stores::with(20_000).await;
    let mut told: Vec<CopyProgress> = Vec::new();
    let report = copy(&stores.from, &stores.to, NOW, &mut |progress| told.push(progress)).await;
    let report = report.unwrap();
    let source = contents(&stores.from).await;
    assert_eq!(source.len(), 16_000);
    assert_eq!(contents(&stores.to).await, source);
    assert_eq!((report.records, report.resumed), (16_000, false));
    assert_eq!(unfinished(&stores.to, NOW).await.unwrap(), None);
    let last = |phase| told.iter().rev().find(|told| told.phase == phase).unwrap();
    assert_eq!(last(CopyPhase::Copying).done, 16_000);
    assert!(last(CopyPhase::Copying).total.unwrap() >= 20_000);
    assert_eq!(last(CopyPhase::Verifying).done, 32_000);
    let ids: BTreeSet<u8> = source.keys().filter_map(|key| key.id().last().copied()).collect();
    assert_eq!(ids.len(), 256);
}

#[tokio::test]
async fn is_finished_by_a_second_run_wherever_the_first_one_died() {
    let stores = Stores::with(3_000).await;
    let source = contents(&stores.from).await;
    let mut calls = 0;
    loop {
        // A target of its own for every place to die at.
        let target = Stores::new().await;
        let faulty = target.to.with_faults(FaultPlan::crash_after(calls));
        let first = copy(&stores.from, &faulty, NOW, &mut |_| ()).await;
        if let Ok(report) = first {
            assert!(!report.resumed);
            break;
        }
        assert!(matches!(first, Err(CopyError::Store(_))));
        let begun = unfinished(&target.to, NOW).await.unwrap();
        let writes = target.to.statistics().writes;
        let loaded = contents(&target.to).await.len();
        let report = copy(&stores.from, &target.to, NOW, &mut |_| ()).await.unwrap();
        assert_eq!((report.resumed, report.records), (begun.is_some(), 2_400), "{calls}");
        assert_eq!(report.expired, 600);
        assert_eq!(contents(&target.to).await, source);
        assert_eq!(unfinished(&target.to, NOW).await.unwrap(), None);
        if loaded > 2_400 {
            // All was there, and the mark: only that was taken over and removed.
            assert_eq!(target.to.statistics().writes, writes + 2);
        }
        calls += 1;
    }
    assert!(calls > 6, "{calls}");
}

#[tokio::test]
async fn a_second_run_takes_over_what_the_source_changed_since_the_first() {
    let stores = Stores::with(10).await;
    // It dies at the first call after everything was written.
    for calls in 0.. {
        let faulty = stores.to.with_faults(FaultPlan::crash_after(calls));
        copy(&stores.from, &faulty, NOW, &mut |_| ()).await.unwrap_err();
        if contents(&stores.to).await.len() == 9 {
            break;
        }
    }
    stores.from.delete(&key(2)).await.unwrap();
    stores.from.put(&key(3), Entry::new(b"new"), NOW).await.unwrap();
    stores.from.put(&key(50), Entry::new(b"newer"), NOW).await.unwrap();
    assert!(stores.copy().await.unwrap().resumed);
    assert_eq!(contents(&stores.to).await, contents(&stores.from).await);
}

/// The target is changed when all is written, the source even while the target is read again.
#[tokio::test]
async fn a_record_that_changed_behind_its_back_is_named_and_the_mark_stays() {
    let changes = [("changed", 24), ("removed", 23), ("added", 25)];
    let target = changes.map(|(change, count)| (change, CopyPhase::Copying, (24, count)));
    let source = changes.map(|(change, count)| (change, CopyPhase::Verifying, (count, 24)));
    for (change, during, counts) in target.into_iter().chain(source) {
        let stores = Stores::with(30).await;
        let tampered = key(7);
        let changed = if during == CopyPhase::Copying { &stores.to } else { &stores.from };
        let mut done = false;
        let tamper = &mut |progress: CopyProgress| {
            if progress.phase == during && progress.done == 24 && !done {
                done = true;
                aside(async {
                    match change {
                        "changed" => changed.put(&tampered, Entry::new(b"x"), NOW).await.unwrap(),
                        "removed" => changed.delete(&tampered).await.unwrap(),
                        _ => changed.put(&key(99), Entry::new(b"x"), NOW).await.unwrap(),
                    }
                });
            }
        };
        let refused = copy(&stores.from, &stores.to, NOW, tamper).await.unwrap_err();
        let named = if change == "added" { key(99) } else { key(7) };
        match refused {
            CopyError::Mismatch { source_records, target_records, keys } => {
                assert_eq!((source_records, target_records), counts);
                assert_eq!(keys, [named]);
            }
            other => panic!("{change}: {other}"),
        }
        assert!(unfinished(&stores.to, NOW).await.unwrap().is_some());
        assert!(stores.copy().await.unwrap().resumed);
        assert_eq!(contents(&stores.to).await, contents(&stores.from).await);
    }
}

#[tokio::test]
async fn a_target_that_holds_anything_is_refused_and_left_as_it_is() {
    let stores = Stores::with(10).await;
    stores.to.put(&key(77), Entry::new(b"mine"), NOW).await.unwrap();
    let before = contents(&stores.to).await;
    let refused = stores.copy().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("the target is not empty, it holds {}: name an empty store", key(77))
    );
    assert_eq!(contents(&stores.to).await, before);
}

#[tokio::test]
async fn a_target_whose_records_are_all_expired_is_empty() {
    let stores = Stores::with(10).await;
    stores.to.put(&key(77), Entry::new(b"x").expires_at(NOW), NOW).await.unwrap();
    assert_eq!(stores.copy().await.unwrap().records, 8);
}

#[tokio::test]
async fn a_source_without_a_live_record_is_refused_and_its_target_stays_unmarked() {
    let stores = Stores::new().await;
    let refused = stores.copy().await.unwrap_err();
    assert!(matches!(refused, CopyError::EmptySource { expired: 0 }), "{refused}");
    stores.from.put(&key(1), Entry::new(b"x").expires_at(NOW), EARLIER).await.unwrap();
    let refused = stores.copy().await.unwrap_err();
    assert!(matches!(refused, CopyError::EmptySource { expired: 1 }), "{refused}");
    assert_eq!(unfinished(&stores.to, NOW).await.unwrap(), None);
    stores.from.put(&key(2), Entry::new(b"x"), NOW).await.unwrap();
    let report = stores.copy().await.unwrap();
    assert_eq!((report.records, report.expired), (1, 1));
}

/// Each begins after the other has looked, and before it writes.
#[tokio::test]
async fn of_two_copies_that_begin_at_once_one_goes_on() {
    for resumed in [false, true] {
        let stores = Stores::with(10).await;
        if resumed {
            begin(&stores.to, "a copy", NOW).await.unwrap();
        }
        let begun = tokio::join!(
            begin(&stores.to, "a copy", NOW),
            begin(&stores.to, "a copy", NOW),
            begin(&stores.to, "a copy", NOW)
        );
        let marks: Vec<Mark> = [begun.0, begun.1, begun.2].into_iter().flatten().collect();
        let mut owners = 0;
        for mark in &marks {
            owners += usize::from(mark.check(&stores.to).await.is_ok());
        }
        assert_eq!(owners, 1, "{marks:?}");
        for mark in &marks {
            let was_owner = mark.check(&stores.to).await.is_ok();
            assert_eq!(finish(&stores.to, mark).await.is_ok(), was_owner);
        }
        assert_eq!(unfinished(&stores.to, NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn half_a_copy_is_neither_a_source_nor_the_target_of_something_else() {
    let stores = Stores::with(10).await;
    begin(&stores.to, "a restore", NOW).await.unwrap();
    let refused = stores.copy().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the target holds a restore that was not finished, not a copy of a store (embedded): finish \
         that, or name an empty store"
    );
    let refused = copy(&stores.to, &stores.from, NOW, &mut |_| ()).await.unwrap_err();
    assert!(matches!(refused, CopyError::UnfinishedSource { found } if found == "a restore"));
}

#[tokio::test]
async fn a_damaged_record_of_the_source_stops_it_and_is_named() {
    let stores = Stores::with(10).await;
    let other = stores.from.get(&key(2), NOW).await.unwrap().unwrap();
    stores.from.load(&[(key(3), other)], NOW).await.unwrap();
    match stores.copy().await.unwrap_err() {
        CopyError::Damaged { key: named, .. } => assert_eq!(named, key(3)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_damaged_record_of_the_target_is_written_again() {
    let stores = Stores::with(10).await;
    begin(&stores.to, "a copy of a store (embedded)", NOW).await.unwrap();
    let other = stores.from.get(&key(2), NOW).await.unwrap().unwrap();
    stores.to.load(&[(key(3), other)], NOW).await.unwrap();
    assert!(stores.copy().await.unwrap().resumed);
    assert_eq!(contents(&stores.to).await, contents(&stores.from).await);
}

#[test]
fn batches_are_bounded_and_lose_nothing() {
    let ids = crate::envelope::WriteIds::new([9; 16]);
    let large = vec![0; 1024 * 1024];
    let records: Vec<_> = (0..2_500)
        .map(|number| {
            let value = if number < 10 { large.as_slice() } else { b"small" };
            let record = Stored::seal(&key(number), Entry::new(value), &ids).unwrap();
            (key(number), record)
        })
        .collect();
    let parts = batches(&records);
    assert_eq!(parts.concat(), records);
    for part in parts {
        let bytes: usize =
            part.iter().map(|(key, record)| key.as_bytes().len() + record.as_bytes().len()).sum();
        assert!(part.len() <= BATCH_RECORDS && bytes <= BATCH_BYTES, "{} {bytes}", part.len());
    }
}

#[test]
fn the_checksum_sees_a_swap_and_no_order() {
    let ids = crate::envelope::WriteIds::new([9; 16]);
    let sealed = |number| Stored::seal(&key(number), Entry::new(b"v"), &ids).unwrap();
    let (one, two) = (sealed(1), sealed(2));
    let tally = |records: [(u32, &Stored); 2]| {
        let mut tally = Tally::default();
        records.iter().for_each(|(number, record)| tally.add(&key(*number), record));
        tally
    };
    assert_eq!(tally([(1, &one), (2, &two)]), tally([(2, &two), (1, &one)]));
    assert_ne!(tally([(1, &one), (2, &two)]), tally([(1, &two), (2, &one)]));
    assert_ne!(tally([(1, &one), (2, &two)]).checksum, tally([(1, &one), (2, &one)]).checksum);
}

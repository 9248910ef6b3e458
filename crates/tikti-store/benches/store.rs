//! What do the calls of the hot path cost on the embedded engine, and how much of it is LMDB?
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use tikti_store::{
    Entry, Key, Kind, MAX_TRANSACTION_CHANGES, OpenOptions, Partition, Store, StoreError, Timestamp,
};
use tokio::runtime::Runtime;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const RECORD: Kind = Kind::new("record");
const RECORDS: u32 = 10_000;
const VALUE: [u8; 320] = [7; 320];

fn key(number: u32) -> Key {
    Key::new(&Partition::global(), RECORD, format!("{number:016x}"))
}

/// A walk over all numbers that does not follow the order of the keys.
fn numbers() -> impl Iterator<Item = u32> {
    (0..).map(|step: u32| step.wrapping_mul(2_654_435_761) % RECORDS)
}

fn filled_store(runtime: &Runtime, directory: &Path) -> Store {
    runtime.block_on(async {
        let url = format!("embedded:{}", directory.display());
        let store = Store::open(&url, OpenOptions::new([1; 16], "bench")).await.unwrap();
        let numbers: Vec<u32> = (0..RECORDS).collect();
        for part in numbers.chunks(MAX_TRANSACTION_CHANGES) {
            let filled: Result<(), StoreError> = store
                .transact(&Partition::global(), &[], NOW, |txn| {
                    part.iter().try_for_each(|number| txn.put(&key(*number), Entry::new(&VALUE)))
                })
                .await;
            filled.unwrap();
        }
        store
    })
}

/// Reads of the embedded engine never wait: one poll answers, and no runtime is measured.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a read of the embedded engine waited"),
    }
}

fn through_the_store(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = filled_store(&runtime, directory.path());

    let mut keys = numbers().map(key);
    criterion.bench_function("get", |bencher| {
        bencher.iter_batched(
            || keys.next().unwrap(),
            |key| black_box(ready(store.get(&key, NOW)).unwrap().unwrap()),
            criterion::BatchSize::SmallInput,
        );
    });
    criterion.bench_function("get_many of 4", |bencher| {
        bencher.iter_batched(
            || keys.by_ref().take(4).collect::<Vec<_>>(),
            |keys| black_box(ready(store.get_many(&keys, NOW)).unwrap()),
            criterion::BatchSize::SmallInput,
        );
    });
    criterion.bench_function("durable put", |bencher| {
        bencher.iter(|| {
            let key = keys.next().unwrap();
            runtime.block_on(store.put(&key, Entry::new(&VALUE))).unwrap();
        });
    });
}

#[expect(unsafe_code, reason = "the baseline opens LMDB itself")]
fn open_raw(directory: &Path) -> Env<WithoutTls> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(1 << 30);
    // SAFETY: a flag for paging only, and a fresh directory that nobody else knows of.
    unsafe { options.flags(EnvFlags::NO_READ_AHEAD).open(directory).unwrap() }
}

fn raw(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let env = open_raw(directory.path());
    let txn = env.write_txn().unwrap();
    let database: Database<'static, Bytes, Bytes> = env
        .create_databases_and_commit(txn, |opener, txn| {
            opener.create_database(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        })
        .unwrap()
        .unwrap_commit();
    let mut txn = env.write_txn().unwrap();
    for number in 0..RECORDS {
        database.put(&mut txn, key(number).as_bytes(), &VALUE).unwrap();
    }
    txn.commit().unwrap();

    let mut keys = numbers().map(key);
    criterion.bench_function("raw heed get", |bencher| {
        bencher.iter_batched(
            || keys.next().unwrap(),
            |key| {
                let txn = env.read_txn().unwrap();
                black_box(database.get(&txn, key.as_bytes()).unwrap().unwrap().to_vec())
            },
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, raw, through_the_store);
criterion_main!(benches);

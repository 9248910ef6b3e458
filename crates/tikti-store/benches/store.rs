//! What do the calls of the contract cost on each engine, and how much of the embedded one is LMDB?
//!
//! The embedded engine, LMDB alone, and the Redis engine: on the Redis, Valkey or KVRocks that
//! `TIKTI_BENCH_REDIS` names by its URL, where the records stay, and else on a Redis of its own that
//! syncs its log before it answers, where there is a `redis-server`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use tikti_store::testing::RedisServer;
use tikti_store::{
    Entry, Expected, Key, Kind, MAX_TRANSACTION_CHANGES, OpenOptions, Partition, Store, StoreError,
    Timestamp,
};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const RECORD: Kind = Kind::new("record");
const RECORDS: u32 = 10_000;
const VALUE: [u8; 320] = [7; 320];
const WRITERS: [u32; 2] = [1, 64];

fn key(number: u32) -> Key {
    Key::new(&Partition::global(), RECORD, format!("{number:016x}"))
}

/// The keys of all records, not in their order.
fn keys() -> Vec<Key> {
    (0..RECORDS).map(|step| key(step.wrapping_mul(2_654_435_761) % RECORDS)).collect()
}

async fn fill(store: &Store) {
    let numbers: Vec<u32> = (0..RECORDS).collect();
    for part in numbers.chunks(MAX_TRANSACTION_CHANGES) {
        let filled: Result<(), StoreError> = store
            .transact(&Partition::global(), &[], NOW, |txn| {
                part.iter().try_for_each(|number| txn.put(&key(*number), Entry::new(&VALUE)))
            })
            .await;
        filled.unwrap();
    }
}

/// Reads of the embedded engine never wait: one poll answers, and no runtime is measured.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a read of the embedded engine waited"),
    }
}

/// An engine and what it runs on.
struct Subject<'a> {
    store: Store,
    is_embedded: bool,
    runtime: &'a Runtime,
}

impl Subject<'_> {
    fn read<T>(&self, future: impl Future<Output = T>) -> T {
        if self.is_embedded { ready(future) } else { self.runtime.block_on(future) }
    }

    fn bench(&self, criterion: &mut Criterion) {
        let store = &self.store;
        self.runtime.block_on(fill(store));
        let mut group = criterion.benchmark_group(store.engine_name());
        let keys = keys();
        let mut next = keys.iter().cycle();
        group.bench_function("get", |bencher| {
            bencher.iter(|| self.read(store.get(next.next().unwrap(), NOW)).unwrap().unwrap());
        });
        let mut threes = keys.chunks_exact(3).cycle();
        group.bench_function("get_many of 3", |bencher| {
            bencher.iter(|| self.read(store.get_many(threes.next().unwrap(), NOW)).unwrap());
        });
        for writers in WRITERS {
            group.throughput(Throughput::Elements(writers.into()));
            group.bench_function(BenchmarkId::new("put_if", writers), |bencher| {
                bencher.iter(|| self.together(writers, replace));
            });
            group.bench_function(BenchmarkId::new("transact", writers), |bencher| {
                bencher.iter(|| self.together(writers, count_up));
            });
        }
        group.finish();
    }

    /// Lets each writer write once, all at the same time, and waits for all.
    fn together<F>(&self, writers: u32, write: impl Fn(Store, u32) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for writer in 0..writers {
                tasks.spawn(write(self.store.clone(), writer));
            }
            tasks.join_all().await;
        });
    }
}

/// Reads a record and replaces it on the condition that nobody else has.
async fn replace(store: Store, writer: u32) {
    let key = key(writer);
    let read = store.get(&key, NOW).await.unwrap().unwrap();
    store.put_if(&key, Expected::Equals(&read), Entry::new(&VALUE), NOW).await.unwrap();
}

/// Reads one record and writes two, in a partition of its own.
async fn count_up(store: Store, writer: u32) {
    let partition = Partition::new("w", &writer.to_string());
    let keys = ["a", "b"].map(|id| Key::new(&partition, RECORD, id));
    let written: Result<(), StoreError> = store
        .transact(&partition, &keys[..1], NOW, |txn| {
            black_box(txn.get(&keys[0])?);
            keys.iter().try_for_each(|key| txn.put(key, Entry::new(&VALUE)))
        })
        .await;
    written.unwrap();
}

#[expect(clippy::print_stdout, reason = "criterion prints there as well")]
fn skip(what: &str, why: &str) {
    println!("skipped: {what}: {why}");
}

/// A Redis that answers when the disk has it; none where this machine has no program for that.
fn own_redis() -> Option<RedisServer> {
    if Command::new("redis-server").arg("--version").output().is_err() {
        skip("the Redis engine", "TIKTI_BENCH_REDIS names none, and redis-server is missing");
        return None;
    }
    Some(RedisServer::start_with(&["--appendfsync", "always"]))
}

fn engines(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let mut urls = vec![format!("embedded:{}", directory.path().display())];
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration")]
    let named = std::env::var("TIKTI_BENCH_REDIS").ok();
    let own = if named.is_none() { own_redis() } else { None };
    urls.extend(named.or(own.as_ref().map(RedisServer::url)));
    for url in urls {
        let opened = runtime.block_on(Store::open(&url, OpenOptions::new([1; 16], "bench")));
        let store = opened.unwrap();
        let is_embedded = store.engine_name() == "embedded";
        Subject { store, is_embedded, runtime: &runtime }.bench(criterion);
    }
}

#[expect(unsafe_code, reason = "the baseline opens LMDB itself")]
fn open_raw(directory: &Path) -> Env<WithoutTls> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(1 << 30);
    // SAFETY: a flag for paging only, and a fresh directory that nobody else knows of.
    unsafe { options.flags(EnvFlags::NO_READ_AHEAD).open(directory).unwrap() }
}

fn lmdb_alone(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let env = open_raw(directory.path());
    let txn = env.write_txn().unwrap();
    let database: Database<'static, Bytes, Bytes> = env
        .create_databases_and_commit(txn, |opener, txn| {
            opener.create_database(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        })
        .unwrap()
        .unwrap_commit();
    let put = |numbers: &mut dyn Iterator<Item = u32>| {
        let mut txn = env.write_txn().unwrap();
        for number in numbers {
            database.put(&mut txn, key(number).as_bytes(), &VALUE).unwrap();
        }
        txn.commit().unwrap();
    };
    put(&mut (0..RECORDS));

    let mut group = criterion.benchmark_group("lmdb");
    let keys = keys();
    let mut next = keys.iter().cycle();
    group.bench_function("get", |bencher| {
        bencher.iter(|| {
            let txn = env.read_txn().unwrap();
            database.get(&txn, next.next().unwrap().as_bytes()).unwrap().unwrap().to_vec()
        });
    });
    for records in WRITERS {
        group.throughput(Throughput::Elements(records.into()));
        group.bench_function(BenchmarkId::new("commit", records), |bencher| {
            bencher.iter(|| put(&mut (0..records)));
        });
    }
    group.finish();
}

criterion_group!(benches, lmdb_alone, engines);
criterion_main!(benches);

//! A walk gives every record once, although servers restart and slots move meanwhile.

use std::collections::BTreeSet;

use crate::envelope::{Entry, Stored, WriteIds};
use crate::key::{Key, Kind, Partition};
use crate::redis::servers::Slot;
use crate::redis::{Redis, Walk};
use crate::store::{Access, OpenOptions, Scan};
use crate::testing::{RedisCluster, RedisServer};
use crate::{StoreError, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PARTITIONS: u32 = 60;

async fn open(url: &str, wait_replicas: u32) -> Redis {
    let mut options: OpenOptions = super::support::options();
    options.redis.wait_replicas = wait_replicas;
    Redis::connect(url, &options, Access::ReadAndWrite).await.unwrap()
}

fn partition(number: u32) -> Partition {
    Partition::new("u", &number.to_string())
}

fn slot(key: &Key) -> Slot {
    crate::redis::keys::slot(key.partition())
}

/// Stores so many records, spread over the partitions.
async fn fill(engine: &Redis, count: u32) -> BTreeSet<Key> {
    let ids = WriteIds::new([9; 16]);
    let record = |number: u32| {
        let key = Key::new(&partition(number % PARTITIONS), Kind::new("k"), number.to_be_bytes());
        let sealed = Stored::seal(&key, Entry::new(b"value"), &ids).unwrap();
        (key, sealed)
    };
    let records: Vec<_> = (0..count).map(record).collect();
    engine.load(&records, NOW).await.unwrap();
    records.into_iter().map(|(key, _)| key).collect()
}

/// A walk under way, and what it has given.
struct Walking {
    walk: Walk,
    given: BTreeSet<Key>,
}

impl Walking {
    async fn begin(engine: &Redis) -> Self {
        Self { walk: engine.walk(NOW).await.unwrap(), given: BTreeSet::new() }
    }

    /// Goes on until it has given so many, or all; false at the end.
    async fn until(&mut self, count: usize) -> Result<bool, StoreError> {
        while self.given.len() < count {
            let Some(page) = self.walk.next().await? else { return Ok(false) };
            for (key, record) in page.records {
                record.unwrap();
                assert!(self.given.insert(key.clone()), "{key} was given twice");
            }
        }
        Ok(true)
    }

    /// To the end, where all of `keys` have been given.
    async fn finish(mut self, keys: &BTreeSet<Key>) {
        self.until(usize::MAX).await.unwrap();
        let missing = keys.difference(&self.given).count();
        assert_eq!((missing, self.given.len()), (0, keys.len()));
    }
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_walk_hides_no_record() {
    let mut server = RedisServer::start();
    let engine = open(&server.url(), 0).await;
    let keys = fill(&engine, 6000).await;
    let mut walking = Walking::begin(&engine).await;
    for given in [1000, 3500] {
        assert!(walking.until(given).await.unwrap());
        server.kill();
        server.restart();
    }
    walking.finish(&keys).await;
}

/// Of each node, how many of `keys` it has.
fn spread(cluster: &RedisCluster, keys: &BTreeSet<Key>) -> Vec<usize> {
    let home = |key: &Key| usize::from(slot(key).number()) * 3 / 16_384;
    let mut counts = vec![0; cluster.ports().len()];
    keys.iter().for_each(|key| counts[home(key)] += 1);
    counts
}

/// The masters in the order in which they are walked, by their addresses.
fn in_order(cluster: &RedisCluster) -> [usize; 3] {
    let ports = cluster.ports();
    let mut order = [0, 1, 2];
    order.sort_by_key(|node| format!("{:05}", ports[*node]));
    order
}

#[tokio::test]
async fn a_slot_that_moves_to_a_master_that_was_walked_hides_no_record() {
    let cluster = RedisCluster::start(3, 0).await;
    let engine = open(&cluster.url(), 0).await;
    let keys = fill(&engine, 1200).await;
    let [first, _, last] = in_order(&cluster);
    let mut walking = Walking::begin(&engine).await;
    assert!(walking.until(spread(&cluster, &keys)[first]).await.unwrap());
    let moving: BTreeSet<_> = keys
        .iter()
        .map(slot)
        .filter(|slot| usize::from(slot.number()) * 3 / 16_384 == last)
        .collect();
    let moving = moving.first().unwrap().number();
    cluster.move_slot(moving, last, first);
    walking.finish(&keys).await;
}

/// Its keys are at both nodes for as long as it is open.
#[tokio::test]
async fn a_slot_that_is_still_moving_at_the_end_hides_no_record() {
    let cluster = RedisCluster::start(3, 0).await;
    let engine = open(&cluster.url(), 0).await;
    let keys = fill(&engine, 1200).await;
    let [first, _, last] = in_order(&cluster);
    let mut walking = Walking::begin(&engine).await;
    assert!(walking.until(spread(&cluster, &keys)[first]).await.unwrap());
    let moving: BTreeSet<_> = keys
        .iter()
        .map(slot)
        .filter(|slot| usize::from(slot.number()) * 3 / 16_384 == last)
        .collect();
    cluster.move_keys(moving.first().unwrap().number(), last, first);
    walking.finish(&keys).await;
}

#[tokio::test]
async fn a_master_that_is_replaced_in_the_middle_hides_no_record() {
    let mut cluster = RedisCluster::start(3, 1).await;
    let engine = open(&cluster.url(), 1).await;
    let keys = fill(&engine, 1200).await;
    let [first, second, last] = in_order(&cluster);
    let mut walking = Walking::begin(&engine).await;
    let counts = spread(&cluster, &keys);
    assert!(walking.until(counts[first] / 2).await.unwrap());
    cluster.kill_node(second);
    cluster.wait_for_master(3 + second).await;
    assert!(walking.until(counts[first] + 1).await.unwrap());
    cluster.failover(3 + last).await;
    walking.finish(&keys).await;
}

#[tokio::test]
async fn a_listing_of_large_records_goes_on_with_fewer_at_once() {
    let server = RedisServer::start();
    let engine = open(&server.url(), 0).await;
    let ids = WriteIds::new([9; 16]);
    let value = vec![7; 256 * 1024];
    for number in 0..104_u8 {
        let key = Key::new(&partition(0), Kind::new("k"), [number]);
        let sealed = Stored::seal(&key, Entry::new(&value), &ids).unwrap();
        engine.load(&[(key, sealed)], NOW).await.unwrap();
    }
    let (mut sizes, mut after) = (Vec::new(), None);
    loop {
        let (partition, kind) = (&partition(0), Kind::new("k"));
        let scan = Scan { partition, kind, after: after.as_deref(), limit: 100, now: NOW };
        let page = engine.scan(&scan).await.unwrap();
        sizes.push(page.entries.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // Fifteen are a little less than the 4 MiB that end a page, so that it has two chunks.
    assert_eq!(sizes, [64, 30, 10]);
}

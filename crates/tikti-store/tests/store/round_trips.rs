//! What does a call cost? Round trips and commands, counted between the engine and its servers.

use tikti_store::testing::{KvrocksStub, Proxy, RedisCluster, RedisServer, ask};
use tikti_store::{Entry, Expected, Key, Partition, Store};

use crate::support::{NOW, RECORD, open_url};

fn alone(partition: &str) -> Key {
    Key::new(&Partition::new("p", partition), RECORD, "")
}

/// Three records, each in a partition of its own.
fn three() -> [Key; 3] {
    ["a", "b", "c"].map(alone)
}

async fn write(store: &Store, keys: &[Key]) {
    for key in keys {
        store.put(key, Entry::new(b"x"), NOW).await.unwrap();
    }
}

/// Reads all of `keys`, which are there.
async fn read(store: &Store, keys: &[Key]) {
    let found = store.get_many(keys, NOW).await.unwrap();
    assert_eq!(found.iter().flatten().count(), keys.len());
}

/// Reads often enough that every connection for reading has been made.
async fn warm_up(store: &Store, keys: &[Key]) {
    for _ in 0..8 {
        read(store, keys).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_records_are_one_round_trip_on_a_single_server() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let store = open_url(&proxy.url()).await;
    write(&store, &three()).await;
    warm_up(&store, &three()).await;
    let _ = proxy.take_round_trips();
    for _ in 0..3 {
        read(&store, &three()).await;
        assert_eq!(proxy.take_round_trips(), 1);
    }
}

/// Of each node, the name of a partition that it serves.
fn one_partition_each(cluster: &RedisCluster) -> [Key; 3] {
    const SLOTS: usize = 16_384;
    let port = cluster.ports()[0];
    [0, 1, 2].map(|node| {
        let mut names = (0..1000).map(|number| alone(&number.to_string()));
        let is_there = |key: &Key| {
            let slot = ask(port, &["CLUSTER", "KEYSLOT", key.partition().as_str()]).text();
            slot.parse::<usize>().unwrap() * 3 / SLOTS == node
        };
        names.find(is_there).unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_on_three_nodes_are_one_round_trip_each() {
    let cluster = RedisCluster::start(3, 0).await;
    let proxies = Proxy::start_for_cluster(&cluster.ports());
    let hosts: Vec<_> = proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port())).collect();
    let store = open_url(&format!("redis+cluster://{}", hosts.join(","))).await;
    let keys = one_partition_each(&cluster);
    write(&store, &keys).await;
    warm_up(&store, &keys).await;
    let round_trips = || proxies.iter().map(Proxy::take_round_trips).collect::<Vec<_>>();
    round_trips();
    for _ in 0..3 {
        read(&store, &keys).await;
        assert_eq!(round_trips(), [1, 1, 1]);
    }
    read(&store, &keys[..1]).await;
    assert_eq!(round_trips(), [1, 0, 0]);
}

/// The hot path holds no lock of a KVRocks but that of its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_alone_takes_single_commands_on_kvrocks() {
    let stub = KvrocksStub::start();
    let store = open_url(&stub.url()).await;
    let key = alone("a");
    let took = |commands: &[&str]| assert_eq!(stub.proxy().take_commands(), commands);
    write(&store, std::slice::from_ref(&key)).await;
    warm_up(&store, std::slice::from_ref(&key)).await;
    let _ = stub.proxy().take_commands();
    write(&store, std::slice::from_ref(&key)).await;
    took(&["SET"]);
    let read = store.get(&key, NOW).await.unwrap().unwrap();
    took(&["GET"]);
    store.put_if(&key, Expected::Equals(&read), Entry::new(b"y"), NOW).await.unwrap();
    took(&["CAS"]);
    store.take(&key, NOW).await.unwrap().unwrap();
    took(&["GETDEL"]);
    store.put_if(&key, Expected::Absent, Entry::new(b"z"), NOW).await.unwrap();
    took(&["SET"]);
    store.delete(&key).await.unwrap();
    took(&["DEL"]);
}

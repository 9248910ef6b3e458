//! What becomes of a call of the Redis engine while its servers are away, full, or on the move?

use std::time::{Duration, Instant};

use tikti_store::testing::{Direction, Frame, Proxy, RedisCluster, RedisServer, ask};
use tikti_store::{Entry, Expected, Key, Store};

use crate::support::{NOW, key, open_url, value};

/// Waits until the server has `name`, whose reply is still on its way.
async fn wait_until_there(server: &RedisServer, name: &str) {
    let begin = Instant::now();
    while server.call(&["EXISTS", name]) == Frame::Integer(0) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{name} is not written");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Long enough to break what is under way meanwhile, and short enough to connect.
const REPLY_DELAY: Duration = Duration::from_millis(300);

async fn put_two(store: &Store, keys: &[Key; 2]) -> Result<(), tikti_store::StoreError> {
    store
        .transact(keys[0].partition(), keys, NOW, |txn| {
            keys.iter().try_for_each(|key| txn.put(key, Entry::new(b"x")))
        })
        .await
}

/// The reply is lost, and then the server is away for a moment: its word is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_recognised_after_a_short_outage() {
    let mut server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let store = open_url(&proxy.url()).await;
    let (alone, two) = (key(""), [key("a"), key("b")]);
    put_two(&store, &[key("first"), key("second")]).await.unwrap();
    for name in ["{g}/record/", "{g}/record/a"] {
        proxy.delay(Direction::Reply, REPLY_DELAY);
        let write = async {
            if name.ends_with('/') {
                store.put_if(&alone, Expected::Absent, Entry::new(b"x"), NOW).await
            } else {
                put_two(&store, &two).await
            }
        };
        let outage = async {
            wait_until_there(&server, name).await;
            server.kill();
            proxy.delay(Direction::Reply, Duration::ZERO);
            proxy.cut();
            server.restart();
        };
        let (written, ()) = tokio::join!(write, outage);
        written.unwrap();
    }
    assert_eq!(value(&store, &alone).await, Some(b"x".to_vec()));
    assert_eq!(value(&store, &two[1]).await, Some(b"x".to_vec()));
}

/// While a slot is moved, its new node serves what has arrived, and has never heard of the scripts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_runs_at_a_node_that_does_not_know_it_while_a_slot_is_moved() {
    let cluster = RedisCluster::start(3, 0).await;
    let store = open_url(&cluster.url()).await;
    let two = [key("a"), key("b")];
    put_two(&store, &two).await.unwrap();
    let slot: u16 = ask(cluster.ports()[0], &["CLUSTER", "KEYSLOT", "g"]).text().parse().unwrap();
    let from = usize::from(slot) * 3 / 16_384;
    let to = (from + 1) % 3;
    cluster.move_keys(slot, from, to);
    let forget = || assert_eq!(ask(cluster.ports()[to], &["SCRIPT", "FLUSH"]).text(), "OK");
    forget();
    put_two(&store, &two).await.unwrap();
    forget();
    let old = store.get(&two[0], NOW).await.unwrap().unwrap();
    store.put_if(&two[0], Expected::Equals(&old), Entry::new(b"y"), NOW).await.unwrap();
    assert_eq!(value(&store, &two[0]).await, Some(b"y".to_vec()));
    assert_eq!(value(&store, &two[1]).await, Some(b"x".to_vec()));
}

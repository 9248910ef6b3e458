//! One server: what goes in comes out, and it is found again after every kind of end.

use redis::Value;

use super::support::{bulk, connect, get, recovers, refusal, set, transact, words, write};
use crate::redis::info::Product;
use crate::redis::servers::{Failure, Request, Slot};
use crate::testing::{Direction, KvrocksSettings, KvrocksStub, Proxy, RedisServer};

#[tokio::test]
async fn answers_in_the_order_asked() {
    let server = RedisServer::start();
    let servers = connect(&server.url()).await;
    set(&servers, "{a}/k/1", "one").await.unwrap();
    set(&servers, "{b}/k/1", "two").await.unwrap();
    let questions = ["{b}/k/1", "{none}/k/1", "{a}/k/1"]
        .map(|key| (super::support::slot(key), words(&["GET", key])));
    let replies = servers.read(questions.to_vec()).await.unwrap();
    assert_eq!(replies, [Ok(bulk("two")), Ok(Value::Nil), Ok(bulk("one"))]);
    transact(&servers, "a", "three").await.unwrap();
    assert_eq!(get(&servers, "{a}/k/two").await, bulk("three"));
    let masters = servers.masters().await.unwrap();
    let sizes = servers.ask(&masters[0], vec![words(&["DBSIZE"])]).await.unwrap();
    assert_eq!(sizes, [Ok(Value::Int(5))]);
}

#[tokio::test]
async fn leaves_an_error_of_a_command_in_its_place() {
    let server = RedisServer::start();
    let servers = connect(&server.url()).await;
    set(&servers, "{a}/k/1", "text").await.unwrap();
    let commands = vec![words(&["INCR", "{a}/k/1"]), words(&["GET", "{a}/k/1"])];
    let request = Request { commands, is_write: true };
    let replies = servers.write(Slot::of(b"a"), &request).await.unwrap();
    assert_eq!(replies[0].as_ref().unwrap_err().code(), "ERR");
    assert_eq!(replies[1], Ok(bulk("text")));
}

#[tokio::test]
async fn tells_what_it_is_connected_to() {
    let server = RedisServer::start_with(&["--appendfsync", "always"]);
    let servers = connect(&server.url()).await;
    let features = servers.features();
    assert!(matches!(&features.product, Product::Redis(version) if version.starts_with("7.")));
    assert!(!features.compare_and_set && !features.is_cluster);
    assert_eq!(features.remarks, Vec::<String>::new());

    let settings = KvrocksSettings { sync: "no", use_rsid_psync: "no" };
    let stub = KvrocksStub::start_with(settings);
    let servers = connect(&stub.url()).await;
    let features = servers.features();
    assert_eq!(features.product.to_string(), "KVRocks 2.10.1");
    assert!(features.compare_and_set);
    assert_eq!(features.remarks.len(), 2, "{:?}", features.remarks);
}

#[tokio::test]
async fn a_stopped_server_executes_nothing_and_a_started_one_is_found_again() {
    let mut server = RedisServer::start();
    let servers = connect(&server.url()).await;
    set(&servers, "{a}/k/1", "before").await.unwrap();
    server.kill();
    // What was on the connection when it broke may have been executed; nothing after that.
    let first = set(&servers, "{a}/k/1", "lost").await;
    assert!(matches!(first, Err(Failure::Lost(_) | Failure::NotExecuted(_))), "{first:?}");
    for _ in 0..20 {
        let refused = set(&servers, "{a}/k/1", "never").await;
        assert!(matches!(refused, Err(Failure::NotExecuted(_))), "{refused:?}");
    }
    server.restart();
    recovers(|| async { servers.read(vec![(Slot::of(b"a"), words(&["PING"]))]).await }).await;
    recovers(|| set(&servers, "{a}/k/2", "after")).await;
    assert_eq!(get(&servers, "{a}/k/1").await, bulk("before"));
}

#[tokio::test]
async fn connections_that_were_closed_meanwhile_cost_no_write() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let servers = connect(&proxy.url()).await;
    // Several connections, all of which go back to rest.
    let writes = (0..8).map(|number| {
        let (servers, key) = (servers.clone(), format!("{{p{number}}}/k/1"));
        async move { set(&servers, &key, "x").await }
    });
    let written = crate::redis::all::all(writes).await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    proxy.cut();
    let mut lost = 0;
    for _ in 0..8 {
        lost += usize::from(set(&servers, "{a}/k/1", "y").await.is_err());
    }
    // The first may meet a connection that was fresh a moment ago; the others are asked first.
    assert!(lost <= 1, "{lost} writes were lost");
    assert_eq!(get(&servers, "{a}/k/1").await, bulk("y"));
}

#[tokio::test]
async fn a_reply_that_is_cut_off_is_lost_and_not_sent_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let servers = connect(&proxy.url()).await;
    write(&servers, &["INCR", "{a}/k/1"]).await.unwrap();
    proxy.half_send(Direction::Reply, 1);
    let lost = write(&servers, &["INCR", "{a}/k/1"]).await;
    assert!(matches!(lost, Err(Failure::Lost(_))), "{lost:?}");
    assert_eq!(get(&servers, "{a}/k/1").await, bulk("2"));
}

#[tokio::test]
async fn a_server_that_is_silent_is_lost_and_a_read_finds_it_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let servers = connect(&proxy.url()).await;
    set(&servers, "{a}/k/1", "x").await.unwrap();
    proxy.hold();
    let lost = set(&servers, "{a}/k/1", "y").await;
    assert!(matches!(lost, Err(Failure::Lost(_) | Failure::NotExecuted(_))), "{lost:?}");
    proxy.release();
    recovers(|| async { servers.read(vec![(Slot::of(b"a"), words(&["PING"]))]).await }).await;
    recovers(|| set(&servers, "{a}/k/1", "z")).await;
    assert_eq!(get(&servers, "{a}/k/1").await, bulk("z"));
}

#[tokio::test]
async fn a_master_that_became_a_replica_executes_nothing_and_says_so() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let servers = connect(&server.url()).await;
    server.call(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    let refused = transact(&servers, "a", "x").await.unwrap_err();
    let Failure::NotExecuted(crate::StoreError::Unavailable { source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(source.to_string().contains("it has become a replica"), "{source}");
}

#[tokio::test]
async fn a_full_memory_executes_nothing() {
    let server = RedisServer::start();
    let servers = connect(&server.url()).await;
    server.call(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = set(&servers, "{a}/k/1", "x").await;
    assert!(matches!(refused, Err(Failure::NotExecuted(_))), "{refused:?}");
    let refused = transact(&servers, "a", "x").await;
    assert!(matches!(refused, Err(Failure::NotExecuted(_))), "{refused:?}");
}

#[tokio::test]
async fn a_write_that_too_few_replicas_have_is_lost() {
    let server = RedisServer::start();
    let mut options = super::support::options();
    options.redis.wait_replicas = 1;
    let servers = super::support::try_connect(&server.url(), &options).await;
    // The marker itself is such a write.
    assert!(servers.is_err());
    let port = server.port().to_string();
    let _replica = RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]);
    let connected = || async { super::support::try_connect(&server.url(), &options).await };
    let servers = recovers_slowly(connected).await;
    // Connecting writes nothing any more, and the replica may not have its copy yet.
    recovers_slowly(|| set(&servers, "{a}/k/1", "x")).await;
    transact(&servers, "a", "y").await.unwrap();
}

async fn recovers_slowly<T, E: std::fmt::Debug>(mut call: impl AsyncFnMut() -> Result<T, E>) -> T {
    for _ in 0..100 {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => println!("{error:?}"),
        }
    }
    panic!("it never worked");
}

#[tokio::test]
async fn many_writers_share_the_connections() {
    let server = RedisServer::start();
    let servers = connect(&server.url()).await;
    let writes = (0..200).map(|_| write(&servers, &["INCR", "{a}/k/1"]));
    let written = crate::redis::all::all(writes).await;
    assert!(written.iter().all(Result::is_ok));
    assert_eq!(get(&servers, "{a}/k/1").await, bulk("200"));
    let clients = server.call(&["CLIENT", "LIST"]).text();
    // 16 for writes, 2 for reads, and the one that asks.
    assert!(clients.lines().count() <= 19, "{clients}");
}

#[tokio::test]
async fn refuses_to_connect_to_nobody() {
    let said = refusal("redis://127.0.0.1:1", &super::support::options()).await;
    assert!(said.starts_with("cannot connect to 127.0.0.1:1: "), "{said}");
    assert!(said.contains("refused"), "{said}");
}

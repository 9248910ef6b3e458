//! A cluster: slots that move, masters that change, nodes that die.

use redis::Value;
use tokio::time::{Duration, Instant};

use super::support::{bulk, connect, get, recovers, set, slot, transact, words, write};
use crate::redis::servers::{Failure, Request, Slot};
use crate::testing::RedisCluster;

/// Which of three masters serves a slot.
fn home(slot: Slot) -> usize {
    (0..3).rfind(|number| usize::from(slot.number()) >= number * 16_384 / 3).unwrap()
}

#[tokio::test]
async fn spreads_over_all_masters_and_reads_in_the_order_asked() {
    let cluster = RedisCluster::start(3, 0).await;
    let servers = connect(&cluster.url()).await;
    assert!(servers.features().is_cluster);
    assert_eq!(servers.masters().await.unwrap().len(), 3);
    let keys: Vec<_> = (0..60).map(|number| format!("{{u:{number}}}/k/1")).collect();
    let mut homes = [0; 3];
    for key in &keys {
        set(&servers, key, key).await.unwrap();
        homes[home(slot(key))] += 1;
    }
    assert!(homes.iter().all(|count| *count > 0), "{homes:?}");
    let questions = keys.iter().map(|key| (slot(key), words(&["GET", key]))).collect();
    let replies = servers.read(questions).await.unwrap();
    assert_eq!(replies, keys.iter().map(|key| Ok(bulk(key))).collect::<Vec<_>>());
    let mut sizes = Vec::new();
    for master in servers.masters().await.unwrap() {
        let replies = servers.ask(&master, vec![words(&["DBSIZE"])]).await.unwrap();
        let Ok(Value::Int(size)) = replies[0] else { panic!("{replies:?}") };
        sizes.push(size);
    }
    assert_eq!(sizes.iter().sum::<i64>(), 61, "the marker as well");
}

#[tokio::test]
async fn learns_the_whole_cluster_from_one_node() {
    let cluster = RedisCluster::start(3, 0).await;
    let servers = connect(&format!("redis+cluster://127.0.0.1:{}", cluster.ports()[1])).await;
    assert_eq!(servers.masters().await.unwrap().len(), 3);
}

#[tokio::test]
async fn follows_a_slot_that_moves_and_applies_each_write_once() {
    let cluster = RedisCluster::start(3, 0).await;
    let servers = connect(&cluster.url()).await;
    let moving = Slot::of(b"a");
    let from = home(moving);
    let (mut written, to) = (0, (from + 1) % 3);
    for (from, to) in [(from, to), (to, from)] {
        let mover = async { cluster.move_slot(moving.number(), from, to) };
        let writer = async {
            let mut count = 0;
            for _ in 0..200 {
                write(&servers, &["INCR", "{a}/k/1"]).await.unwrap();
                transact(&servers, "a", "x").await.unwrap();
                count += 1;
            }
            count
        };
        let (count, ()) = tokio::join!(writer, mover);
        written += count;
    }
    assert_eq!(get(&servers, "{a}/k/1").await, bulk(&written.to_string()));
}

#[tokio::test]
async fn asks_the_other_node_while_a_slot_is_between_two() {
    let cluster = RedisCluster::start(3, 0).await;
    let servers = connect(&cluster.url()).await;
    set(&servers, "{a}/k/old", "old").await.unwrap();
    let (text, from) = (Slot::of(b"a").number().to_string(), home(Slot::of(b"a")));
    let ids: Vec<_> = cluster
        .ports()
        .iter()
        .map(|port| crate::testing::ask(*port, &["CLUSTER", "MYID"]).text())
        .collect();
    let to = (from + 1) % 3;
    let call = |node: usize, words: &[&str]| crate::testing::ask(cluster.ports()[node], words);
    call(to, &["CLUSTER", "SETSLOT", &text, "IMPORTING", &ids[from]]);
    call(from, &["CLUSTER", "SETSLOT", &text, "MIGRATING", &ids[to]]);
    // What is not there any more, or not yet, is at the other node; ASKING opens it.
    set(&servers, "{a}/k/new", "new").await.unwrap();
    // Of a transaction, the whole of it. (Several keys that are new have to wait: TRYAGAIN.)
    let commands = ["MULTI", "SET {a}/k/two both", "GET {a}/k/two", "EXEC"]
        .map(|line| words(&line.split(' ').collect::<Vec<_>>()));
    let request = Request { commands: commands.to_vec(), is_write: true };
    let replies = servers.write(Slot::of(b"a"), &request).await.unwrap();
    assert_eq!(replies.len(), 4);
    assert_eq!(replies[3], Ok(Value::Array(vec![Value::Okay, bulk("both")])));
    assert_eq!(get(&servers, "{a}/k/old").await, bulk("old"));
    assert_eq!(get(&servers, "{a}/k/new").await, bulk("new"));
    assert_eq!(get(&servers, "{a}/k/two").await, bulk("both"));
    let there = call(to, &["CLUSTER", "COUNTKEYSINSLOT", &text]);
    assert!(matches!(there, crate::testing::Frame::Integer(2)), "{there:?}");
}

#[tokio::test]
async fn a_coordinated_failover_loses_nothing() {
    let cluster = RedisCluster::start(3, 1).await;
    let servers = connect(&cluster.url()).await;
    let master = home(Slot::of(b"a"));
    let failover = cluster.failover(3 + master);
    let writer = async {
        for _ in 0..300 {
            write(&servers, &["INCR", "{a}/k/1"]).await.unwrap();
        }
    };
    tokio::join!(writer, failover);
    assert_eq!(get(&servers, "{a}/k/1").await, bulk("300"));
}

#[tokio::test]
async fn a_master_that_dies_is_replaced_and_the_others_go_on() {
    let mut cluster = RedisCluster::start(3, 1).await;
    let servers = connect(&cluster.url()).await;
    let master = home(Slot::of(b"a"));
    set(&servers, "{a}/k/1", "x").await.unwrap();
    let other = (0..).map(|number| format!("{{o{number}}}/k/1"));
    let other = other.into_iter().find(|key| home(slot(key)) != master).unwrap();
    cluster.kill_node(master);
    for _ in 0..50 {
        set(&servers, &other, "y").await.unwrap();
    }
    let refused = recovers(|| async {
        match set(&servers, "{a}/k/1", "z").await {
            Err(Failure::NotExecuted(_)) => Ok(()),
            other => Err(other),
        }
    });
    refused.await;
    cluster.wait_for_master(3 + master).await;
    recovers(|| set(&servers, "{a}/k/1", "z")).await;
    // The old one comes back, with its old ideas.
    cluster.restart_node(master);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(300) {
        assert_eq!(get(&servers, "{a}/k/1").await, bulk("z"));
    }
}

/// What was known has a newer epoch, and nobody holds it any more.
#[tokio::test]
async fn a_cluster_that_was_made_anew_is_found_without_a_restart() {
    let cluster = RedisCluster::start(3, 0).await;
    let moving = Slot::of(b"a");
    let from = home(moving);
    cluster.move_slot(moving.number(), from, (from + 1) % 3);
    let servers = connect(&cluster.url()).await;
    set(&servers, "{a}/k/1", "x").await.unwrap();
    cluster.make_anew(2).await;
    // Of every master that was known, one.
    for tag in ["a", "b", "c", "d", "e", "f", "g"] {
        let key = format!("{{{tag}}}/k/1");
        recovers(|| set(&servers, &key, "y")).await;
    }
    assert_eq!(servers.masters().await.unwrap().len(), 2);
}

//! One Redis: a network that fails, a server that is killed, and what a call costs.

use std::time::Duration;

use tikti_store::testing::{Direction, KvrocksStub, Proxy, RedisServer};
use tokio::time::sleep;

use super::{Scenario, random_below};

/// How long a fault lasts that lasts.
const A_WHILE: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_requests_and_replies_lose_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let mut scenario = Scenario::start("delays", &proxy.url(), 0).await;
    for direction in [Direction::Request, Direction::Reply] {
        for millis in [1, 20, 100] {
            scenario.let_write().await;
            proxy.delay(direction, Duration::from_millis(millis));
            scenario.let_write().await;
        }
        proxy.delay(direction, Duration::ZERO);
        scenario.recover().await;
    }
    scenario.end_without_loss(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let mut scenario = Scenario::start("cuts", &proxy.url(), 0).await;
    for _ in 0..30 {
        scenario.let_write().await;
        proxy.cut();
        scenario.recover().await;
    }
    scenario.end_without_loss(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_request_or_a_reply_loses_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let mut scenario = Scenario::start("half-sent", &proxy.url(), 0).await;
    for round in 0..60 {
        scenario.let_write().await;
        let direction = if round % 2 == 0 { Direction::Request } else { Direction::Reply };
        // A tenth is cut before the first byte, and some only after the last one.
        let bytes = random_below(10) * random_below(60);
        proxy.half_send(direction, bytes as usize);
        scenario.recover().await;
    }
    scenario.end_without_loss(&server.url()).await;
}

/// The same with `CAS` and without scripts of one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_network_in_front_of_kvrocks_loses_nothing() {
    let stub = KvrocksStub::start();
    let mut scenario = Scenario::start("cuts and half-sent, KVRocks stub", &stub.url(), 0).await;
    for round in 0..40 {
        scenario.let_write().await;
        match round % 4 {
            0 => stub.proxy().half_send(Direction::Request, random_below(300) as usize),
            1 | 2 => stub.proxy().half_send(Direction::Reply, random_below(10) as usize),
            _ => stub.proxy().cut(),
        }
        scenario.recover().await;
    }
    scenario.end_without_loss(&stub.url()).await;
}

/// What was sent arrives after its caller was told that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_comes_back_loses_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let mut scenario = Scenario::start("black hole", &proxy.url(), 0).await;
    for length in [A_WHILE, A_WHILE * 2, A_WHILE * 20] {
        scenario.let_write().await;
        proxy.hold();
        sleep(length).await;
        proxy.release();
        scenario.recover().await;
    }
    scenario.end_without_loss(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_restarted_loses_nothing() {
    let mut server = RedisServer::start_with(&["--appendfsync", "always"]);
    let url = server.url();
    let mut scenario = Scenario::start("kill -9 and restart", &url, 0).await;
    for _ in 0..5 {
        scenario.let_write().await;
        server.kill();
        sleep(A_WHILE).await;
        server.restart();
        scenario.recover().await;
    }
    scenario.end_without_loss(&url).await;
}

//! Connections that several requests share: what is sent over which, and what ends with one.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::support::{bulk, connect, words};
use crate::redis::all::all;
use crate::redis::connection::Dialer;
use crate::redis::jitter::Jitter;
use crate::redis::node::{Common, Company, Lease, Node};
use crate::redis::servers::Slot;
use crate::redis::tls::Security;
use crate::redis::trouble::Trouble;
use crate::redis::url::{Address, Credentials};
use crate::testing::{Proxy, RedisServer};

const LIMIT: Duration = Duration::from_secs(5);
/// The most connections of each kind.
const MOST: usize = 16;

fn node(port: u16) -> Node {
    let credentials = Credentials::default();
    let dialer = Dialer { security: Security::Plain, credentials, are_optional: false };
    let address = Address { host: "127.0.0.1".to_owned(), port };
    Node::new(address, Arc::new(Common { dialer, jitter: Jitter::new([1; 16]) }))
}

async fn lease(node: &Node, company: Company) -> Lease<'_> {
    node.lease(company, Instant::now() + LIMIT).await.unwrap()
}

/// So many at once; those that are [`MOST`] apart share a connection.
async fn leases(node: &Node, count: usize) -> Vec<Lease<'_>> {
    let mut leases = Vec::new();
    for _ in 0..count {
        leases.push(lease(node, Company::Shared).await);
    }
    leases
}

/// Without the one that asks.
fn connections(server: &RedisServer) -> usize {
    server.call(&["CLIENT", "LIST"]).text().lines().count() - 1
}

#[tokio::test]
async fn many_writes_at_once_share_a_few_connections_and_each_gets_its_own_reply() {
    let server = RedisServer::start();
    let node = node(server.port());
    let leases = leases(&node, 4 * MOST).await;
    assert_eq!(connections(&server), MOST);
    let counted = all(leases.iter().map(|lease| async {
        let replies = lease.send(&[words(&["INCR", "a"])], LIMIT).await.unwrap();
        let Ok(Value::Int(count)) = replies[0] else { panic!("{replies:?}") };
        count
    }));
    let mut counted = counted.await;
    counted.sort_unstable();
    assert_eq!(counted, (1..=64).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_writer_after_another_needs_one_connection() {
    let server = RedisServer::start();
    let node = node(server.port());
    for _ in 0..5 {
        let lease = lease(&node, Company::Shared).await;
        lease.send(&[words(&["INCR", "a"])], LIMIT).await.unwrap();
        lease.give_back();
    }
    assert_eq!(connections(&server), 1);
}

#[tokio::test]
async fn whoever_wants_to_be_alone_waits_while_all_are_in_use() {
    let server = RedisServer::start();
    let node = node(server.port());
    let _shared = leases(&node, MOST).await;
    let mut alone = Vec::new();
    for _ in 0..MOST {
        alone.push(lease(&node, Company::Alone).await);
    }
    assert_eq!(connections(&server), 2 * MOST);
    let late = node.lease(Company::Alone, Instant::now()).await;
    assert!(matches!(late.err(), Some(Trouble::Busy { .. })));
}

#[tokio::test]
async fn there_is_an_end_to_how_many_may_share() {
    let server = RedisServer::start();
    let node = node(server.port());
    let _shared = leases(&node, MOST * 32).await;
    let late = node.lease(Company::Shared, Instant::now()).await;
    assert!(matches!(late.err(), Some(Trouble::Busy { .. })));
}

/// The reply that comes late is nobody's, and the one behind it has its own.
#[tokio::test]
async fn a_late_reply_meets_no_other_request() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let node = node(proxy.port());
    let leases = leases(&node, MOST + 1).await;
    let (first, second) = (&leases[0], &leases[MOST]);
    proxy.hold();
    let late = first.send(&[words(&["ECHO", "late"])], Duration::from_millis(1)).await;
    assert!(matches!(late, Err(Trouble::TimedOut { .. })), "{late:?}");
    assert!(node.is_doubtful());
    proxy.release();
    let replies = second.send(&[words(&["ECHO", "mine"])], LIMIT).await.unwrap();
    assert_eq!(replies, [Ok(bulk("mine"))]);
    // Nobody else is given the connection, although it has answered since.
    let before = connections(&server);
    let third = lease(&node, Company::Shared).await;
    drop(leases);
    let fresh = lease(&node, Company::Shared).await;
    let replies = fresh.send(&[words(&["ECHO", "new"])], LIMIT).await.unwrap();
    assert_eq!(replies, [Ok(bulk("new"))]);
    // The one that has ended leaves the server's list in its own time.
    let begin = Instant::now();
    while (before, connections(&server)) != (MOST, MOST) {
        assert!(begin.elapsed() < Duration::from_secs(10), "{before} {}", connections(&server));
        tokio::task::yield_now().await;
    }
    drop(third);
}

#[tokio::test]
async fn a_connection_that_ends_under_many_writes_is_one_failure() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let node = node(proxy.port());
    let leases = leases(&node, 8 * MOST).await;
    proxy.hold();
    let command = [words(&["INCR", "a"])];
    let writes = all(leases.iter().step_by(MOST).map(|lease| lease.send(&command, LIMIT)));
    let (written, ()) = tokio::join!(writes, async { proxy.cut() });
    assert_eq!(written.len(), 8);
    assert!(written.iter().all(|sent| matches!(sent, Err(Trouble::Broke { .. }))), "{written:?}");
    assert!(node.is_doubtful() && !node.is_resting());
    proxy.release();
    drop(leases);
    // All the other connections are broken as well, and no write is trusted to them.
    for _ in 0..MOST {
        let lease = lease(&node, Company::Shared).await;
        lease.send(&command, LIMIT).await.unwrap();
    }
}

#[tokio::test]
async fn reads_on_a_connection_that_ends_find_the_next_one() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let servers = connect(&proxy.url()).await;
    let slot = Slot::of(b"a");
    let read = || servers.read(vec![(slot, words(&["GET", "{a}/k/1"]))]);
    // Both connections: one that could not be made is a failure of another kind.
    all((0..2).map(|_| read())).await.into_iter().for_each(|answer| assert!(answer.is_ok()));
    proxy.hold();
    let (answers, ()) = tokio::join!(all((0..40).map(|_| read())), async {
        proxy.cut();
        proxy.release();
    });
    for answer in answers {
        assert_eq!(answer.unwrap(), [Ok(Value::Nil)]);
    }
}

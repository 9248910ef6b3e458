//! Do the servers that the tests start behave as the tests believe?

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tikti_store::testing::{
    Direction, Frame, KvrocksStub, Proxy, RedisCluster, RedisServer, SentinelGroup,
};

#[test]
fn a_killed_server_comes_back_with_what_it_acknowledged() {
    let mut server = RedisServer::start();
    server.call(&["SET", "kept", "1"]);
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.restart();
    assert_eq!(server.call(&["GET", "kept"]), Frame::bulk("1"));
    server.flush_all();
    assert_eq!(server.call(&["GET", "kept"]), Frame::Bulk(None));
}

/// Slot 12182 is that of `foo`, as the documentation of Redis says.
#[tokio::test]
async fn a_cluster_moves_a_slot_and_promotes_a_replica() {
    let cluster = RedisCluster::start(2, 1).await;
    let ports = cluster.ports();
    let proxies = Proxy::start_for_cluster(&ports);
    let ask = |node: usize, words: &[&str]| ask_through(&proxies[node], words);
    let moved =
        |node: usize| Frame::Error(format!("MOVED 12182 127.0.0.1:{}", proxies[node].port()));

    assert_eq!(ask(0, &["SET", "foo", "1"]), moved(1));
    assert_eq!(ask(1, &["SET", "foo", "1"]), Frame::Simple("OK".to_owned()));
    cluster.move_slot(12182, 1, 0);
    assert_eq!(ask(1, &["GET", "foo"]), moved(0));
    assert_eq!(ask(0, &["GET", "foo"]), Frame::bulk("1"));

    assert!(cluster.is_master(0) && !cluster.is_master(2));
    cluster.failover(2).await;
    cluster.wait_until_settled().await;
    assert!(!cluster.is_master(0));
    assert_eq!(ask(2, &["GET", "foo"]), Frame::bulk("1"));
    let slots = ask(1, &["CLUSTER", "SLOTS"]);
    let masters = slots.items().iter().map(|range| range.items()[2].items()[1].clone());
    let of = |node: usize| Frame::Integer(i64::from(proxies[node].port()));
    assert!(masters.clone().all(|port| port == of(1) || port == of(2)));
    assert_eq!(masters.filter(|port| *port == of(1)).count(), 2, "around the slot that left");
    cluster.flush_all();
    assert_eq!(ask(2, &["GET", "foo"]), Frame::Bulk(None));
}

#[tokio::test]
async fn sentinels_replace_a_master_that_is_gone() {
    let mut group = SentinelGroup::start(1, 3).await;
    group.kill_first_master();
    group.wait_for_other_master().await;
    group.restart_first_master();
    assert!(group.url().starts_with("redis+sentinel://127.0.0.1:"));
}

#[test]
fn the_stub_answers_as_kvrocks_would() {
    let stub = KvrocksStub::start();
    let call = |line: &str| stub.call(&line.split(' ').collect::<Vec<_>>());
    let is_error = |reply: Frame| matches!(reply, Frame::Error(_));
    let info = call("INFO").text();
    assert!(
        info.contains("kvrocks_version:2.10.1\r\n") && info.contains("redis_version:4.0.0\r\n")
    );
    assert_eq!(call("COMMAND INFO CAS").items()[0].items()[0], Frame::bulk("cas"));
    let sync = ["rocksdb.write_options.sync", "yes"].map(Frame::bulk);
    assert_eq!(call("CONFIG GET rocksdb.write_options.sync").items(), sync);
    assert_eq!(call("CONFIG GET appendonly").items(), []);

    assert_eq!(call("CAS a old new"), Frame::Integer(-1));
    call("SET a old EX 100");
    assert_eq!(call("CAS a other new"), Frame::Integer(0));
    assert_eq!(call("TTL a"), Frame::Integer(100));
    assert_eq!(call("CAS a old new"), Frame::Integer(1));
    assert_eq!((call("GET a"), call("TTL a")), (Frame::bulk("new"), Frame::Integer(-1)));
    assert_eq!(call("CAS a new newer PX 100000"), Frame::Integer(1));
    assert_eq!(call("TTL a"), Frame::Integer(100));
    assert_eq!(call("CAD a new"), Frame::Integer(0));
    assert_eq!((call("CAD a newer"), call("CAD a newer")), (Frame::Integer(1), Frame::Integer(-1)));

    assert_eq!(call("SELECT 99"), Frame::Simple("OK".to_owned()));
    for refused in
        ["WAIT 0 0", "CLIENT SETINFO a b", "ACL LIST", "AUTH user x", "SCAN 0 MATCH *a", "CAS a b"]
    {
        assert!(is_error(call(refused)), "{refused}");
    }
    assert!(!is_error(call("SCAN 0 MATCH a* COUNT 10")));
    call("ZADD z 0 a");
    let wrong = "ERR Invalid argument: WRONGTYPE \
                 Operation against a key holding the wrong kind of value";
    assert_eq!(call("GET z"), Frame::Error(wrong.to_owned()));
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// What is left until the other end closes.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(bytes).unwrap()
}

fn ask_through(proxy: &Proxy, words: &[&str]) -> Frame {
    tikti_store::testing::ask(proxy.port(), words)
}

#[test]
fn a_proxy_breaks_what_it_is_told_to_and_counts_the_rest() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    assert_eq!(ask_through(&proxy, &["SET", "a", "1"]), Frame::Simple("OK".to_owned()));
    assert_eq!(proxy.take_round_trips(), 1);
    assert_eq!((proxy.take_commands(), proxy.take_round_trips()), (vec!["SET".to_owned()], 0));

    let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    let incr = b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
    let mut stream = connect(&proxy);
    stream.write_all(&[&get[..], get].concat()).unwrap();
    let mut reply = [0; 14];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"$1\r\n1\r\n$1\r\n1\r\n");
    assert_eq!((proxy.take_round_trips(), proxy.take_commands().len()), (1, 2));

    proxy.half_send(Direction::Request, incr.len() - 1);
    stream.write_all(incr).unwrap();
    assert_eq!(rest(stream), "");
    assert_eq!(server.call(&["GET", "a"]), Frame::bulk("1"));

    proxy.half_send(Direction::Reply, 2);
    let mut stream = connect(&proxy);
    stream.write_all(incr).unwrap();
    assert_eq!(rest(stream), ":2");

    let mut stream = connect(&proxy);
    stream.write_all(get).unwrap();
    stream.read_exact(&mut [0; 7]).unwrap();
    proxy.cut();
    assert_eq!(rest(stream), "");

    proxy.hold();
    let mut stream = connect(&proxy);
    stream.write_all(incr).unwrap();
    assert_eq!(server.call(&["GET", "a"]), Frame::bulk("2"));
    proxy.delay(Direction::Request, Duration::from_millis(5));
    proxy.release();
    let mut reply = [0; 4];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b":3\r\n");
    drop(server);
    assert_eq!(rest(stream), "");
}

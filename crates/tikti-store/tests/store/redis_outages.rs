//! What becomes of a call of the Redis engine while its servers are away, full, or on the move?

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tikti_store::testing::{Direction, Frame, Proxy, RedisCluster, RedisServer, ask};
use tikti_store::{Entry, Expected, Key, Partition, Store, StoreError};

use crate::support::{NOW, RECORD, key, open_url, value};

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

async fn put_two(store: &Store, keys: &[Key; 2]) -> Result<(), StoreError> {
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

/// The sentence behind what makes a store unavailable.
fn reason(refused: Result<(), StoreError>) -> String {
    match refused {
        Err(StoreError::Unavailable { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A script that only removes runs outside of `MULTI` there: a crash must not come between its writes all
/// the same.
#[tokio::test]
async fn what_a_batch_removes_reaches_the_log_of_a_redis_as_one() {
    let server = RedisServer::start();
    let store = open_url(&server.url()).await;
    let two = [key("a"), key("b")];
    put_two(&store, &two).await.unwrap();
    let removed: Result<(), StoreError> = store
        .transact(two[0].partition(), &[], NOW, |txn| {
            two.iter().try_for_each(|key| txn.delete(key))
        })
        .await;
    removed.unwrap();
    let log = String::from_utf8_lossy(&server.log()).into_owned();
    let (_, last) = log.rsplit_once("MULTI\r\n").unwrap();
    let (inside, behind) = last.split_once("EXEC\r\n").unwrap();
    assert_eq!(
        [inside.matches("DEL\r").count(), inside.matches("ZREM\r").count()],
        [2, 2],
        "{log}"
    );
    assert!(!behind.contains("DEL") && !behind.contains("ZREM"), "{log}");
}

#[tokio::test]
async fn a_full_memory_refuses_writes_and_leaves_nothing_of_them() {
    let server = RedisServer::start();
    let store = open_url(&server.url()).await;
    let (alone, two, new) = (key(""), [key("a"), key("b")], [key("c"), key("d")]);
    let other = Key::new(&Partition::new("other", ""), RECORD, "");
    let spare = Key::new(&Partition::new("spare", ""), RECORD, "");
    for key in [&alone, &spare] {
        store.put(key, Entry::new(b"x"), NOW).await.unwrap();
    }
    put_two(&store, &two).await.unwrap();
    let old = store.get(&alone, NOW).await.unwrap().unwrap();
    let listed = store.get(&two[0], NOW).await.unwrap().unwrap();
    let entry = Entry::new(b"y");
    server.call(&["CONFIG", "SET", "maxmemory", "1"]);
    for (what, refused) in [
        ("put", store.put(&alone, entry, NOW).await),
        ("put of a new one", store.put(&other, entry, NOW).await),
        ("put of a listed one", store.put(&new[0], entry, NOW).await),
        ("put if absent", store.put_if(&other, Expected::Absent, entry, NOW).await),
        ("put if equal", store.put_if(&alone, Expected::Equals(&old), entry, NOW).await),
        (
            "put if equal, listed",
            store.put_if(&two[0], Expected::Equals(&listed), entry, NOW).await,
        ),
        ("transact", put_two(&store, &new).await),
        ("load", store.load(&[(new[0].clone(), old.clone())], NOW).await),
    ] {
        let said = reason(refused);
        assert!(said.contains("OOM: its memory is full and it refused this"), "{what}: {said}");
    }
    // What makes room is not refused, whether or not it stands in a list.
    store.delete(&spare).await.unwrap();
    store.delete(&two[1]).await.unwrap();
    assert!(store.take(&two[0], NOW).await.unwrap().is_some());
    server.call(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(value(&store, &alone).await, Some(b"x".to_vec()));
    for key in [&spare, &two[0], &two[1], &new[0], &new[1], &other] {
        assert_eq!(value(&store, key).await, None);
    }
    let page = store.scan(two[0].partition(), RECORD, None, 10, NOW).await.unwrap();
    assert_eq!(page.entries.len(), 0, "{page:?}");
    store.put_if(&alone, Expected::Equals(&old), entry, NOW).await.unwrap();
    put_two(&store, &new).await.unwrap();
    assert_eq!(value(&store, &alone).await, Some(b"y".to_vec()));
    assert_eq!(value(&store, &new[1]).await, Some(b"x".to_vec()));
}

/// What a server answers to `PING`; nothing while it does not listen.
fn ping(port: u16) -> String {
    let mut answer = [0; 8];
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.write_all(b"PING\r\n")?;
        stream.read_exact(&mut answer[..5])
    });
    asked.map_or_else(|_| String::new(), |()| String::from_utf8_lossy(&answer).into_owned())
}

/// A restarted server listens before it has read its log, and refuses everything until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_waits_for_a_server_that_is_loading() {
    // A quarter of a millisecond for each of 4000 commands in the log.
    let mut server = RedisServer::start_with(&["--key-load-delay", "250"]);
    let store = open_url(&server.url()).await;
    let (alone, two) = (key(""), [key("a"), key("b")]);
    store.put(&alone, Entry::new(b"x"), NOW).await.unwrap();
    put_two(&store, &two).await.unwrap();
    let old = store.get(&alone, NOW).await.unwrap().unwrap();
    let lengthen = "for i = 1, 4000 do redis.call('SET', KEYS[1], redis.call('GET', KEYS[1])) end";
    server.call(&["EVAL", lengthen, "1", "{g}/#format"]);
    let mut walk = store.walk(NOW).await.unwrap();
    let port = server.port();
    server.kill();
    let restarting = std::thread::spawn(move || {
        server.restart();
        server
    });
    let begin = Instant::now();
    while ping(port).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not listen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(ping(port).starts_with("-LOAD"), "it had loaded before it was asked");
    let (found, page, written, both, step) = tokio::join!(
        store.get_many(&two, NOW),
        store.scan(two[0].partition(), RECORD, None, 10, NOW),
        store.put_if(&alone, Expected::Equals(&old), Entry::new(b"y"), NOW),
        put_two(&store, &two),
        walk.next(),
    );
    assert_eq!(found.unwrap().iter().flatten().count(), 2);
    assert_eq!(page.unwrap().entries.len(), 2);
    written.unwrap();
    both.unwrap();
    step.unwrap().unwrap();
    assert_eq!(value(&store, &alone).await, Some(b"y".to_vec()));
    drop(restarting.join().unwrap());
}

/// While it is down a walk says so, and goes on where it was when it is up again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_that_failed_goes_on() {
    let mut server = RedisServer::start();
    let store = open_url(&server.url()).await;
    for number in 0..100_u8 {
        store.put(&key([number]), Entry::new(b"x"), NOW).await.unwrap();
    }
    let mut walk = store.walk(NOW).await.unwrap();
    // The names are known, and no record is read yet.
    assert_eq!(walk.next().await.unwrap().unwrap().records.len(), 0);
    server.kill();
    assert!(matches!(walk.next().await, Err(StoreError::Unavailable { .. })));
    server.restart();
    let (mut given, begin) = (0, Instant::now());
    loop {
        match walk.next().await {
            Ok(Some(page)) => given += page.records.len(),
            Ok(None) => break,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(20), "{error}"),
        }
    }
    assert_eq!(given, 100);
}

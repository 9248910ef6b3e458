//! What only the Redis engine promises: the commands it uses, what a lost reply means, and upkeep.

use std::collections::BTreeMap;

use tikti_store::testing::{Direction, Frame, KvrocksStub, Proxy, RedisServer};
use tikti_store::{
    Entry, Expected, Key, Kind, Partition, RECLAIM_AFTER_MILLIS, Store, StoreError, Stored,
    Timestamp,
};

use crate::support::{NOW, RECORD, key, options, value};

const HOUR_MILLIS: i64 = RECLAIM_AFTER_MILLIS as i64;
const LATER: Timestamp = NOW.plus_millis(1000);

async fn open(url: &str) -> Store {
    Store::open(url, options("test")).await.unwrap()
}

#[tokio::test]
async fn whoever_only_reads_makes_nothing() {
    let server = RedisServer::start();
    let refused = Store::open_read_only(&server.url(), options("test")).await.unwrap_err();
    assert!(refused.to_string().contains("it holds no store: check the URL"), "{refused}");
    assert_eq!(server.call(&["DBSIZE"]).text(), "0");
    open(&server.url()).await.put(&alone(), Entry::new(b"x"), NOW).await.unwrap();
    let store = Store::open_read_only(&server.url(), options("test")).await.unwrap();
    assert_eq!(value(&store, &alone()).await, Some(b"x".to_vec()));
    let refused = store.put(&alone(), Entry::new(b"y"), NOW).await;
    assert!(matches!(refused, Err(StoreError::Misuse { .. })), "{refused:?}");
}

/// A server, a proxy in front of it, and a store through that.
async fn through_proxy() -> (RedisServer, Proxy, Store) {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let store = open(&proxy.url()).await;
    (server, proxy, store)
}

/// The record without an id, which is in no index.
fn alone() -> Key {
    key("")
}

/// The names that [`alone`] and `key("a")` have on the server.
const ALONE: &str = "{g}/record/";
const LISTED: &str = "{g}/record/a";
const INDEX: &str = "{g}/record";

fn lifetime_millis(server: &RedisServer, name: &str) -> i64 {
    server.call(&["PTTL", name]).text().parse().unwrap()
}

/// The clock of the server may have moved by less than a minute.
fn assert_lives_for(server: &RedisServer, name: &str, millis: i64) {
    let left = lifetime_millis(server, name);
    assert!((millis - 60_000..=millis).contains(&left), "{left}");
}

async fn read(store: &Store, key: &Key) -> Stored {
    store.get(key, NOW).await.unwrap().unwrap()
}

async fn put_both(store: &Store, a: &Key, b: &Key, text: &[u8]) -> Result<(), StoreError> {
    let reads = [a.clone(), b.clone()];
    store
        .transact(a.partition(), &reads, NOW, |txn| {
            txn.put(a, Entry::new(text))?;
            txn.put(b, Entry::new(text))
        })
        .await
}

#[tokio::test]
async fn a_server_keeps_a_record_for_an_hour_longer() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    for (key, name) in [(alone(), ALONE), (key("a"), LISTED)] {
        let entry = Entry::new(b"x");
        store.put(&key, entry.expires_at(LATER), NOW).await.unwrap();
        assert_lives_for(&server, name, HOUR_MILLIS + 1000);
        let old = read(&store, &key).await;
        store.put_if(&key, Expected::Equals(&old), entry, NOW).await.unwrap();
        assert_eq!(lifetime_millis(&server, name), -1);
        let old = read(&store, &key).await;
        let expected = Expected::Equals(&old);
        store.put_if(&key, expected, entry.expires_at(LATER), NOW).await.unwrap();
        assert_lives_for(&server, name, HOUR_MILLIS + 1000);
        let never = entry.expires_at(Timestamp::from_millis(u64::MAX - 1));
        store.put(&key, never, NOW).await.unwrap();
        assert_eq!(lifetime_millis(&server, name), -1);
        store.put_if(&key, Expected::Absent, entry, NOW).await.unwrap_err();
        store.put(&key, entry.expires_at(NOW), NOW).await.unwrap();
        store.put_if(&key, Expected::Absent, entry.expires_at(LATER), NOW).await.unwrap();
        assert_lives_for(&server, name, HOUR_MILLIS + 1000);
    }
}

#[tokio::test]
async fn compare_and_set_repeats_the_lifetime() {
    let stub = KvrocksStub::start();
    let store = open(&stub.url()).await;
    let entry = Entry::new(b"x").expires_at(LATER);
    store.put(&alone(), entry, NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    let _ = stub.proxy().take_commands();
    store.put_if(&alone(), Expected::Equals(&old), entry, NOW).await.unwrap();
    assert_eq!(stub.proxy().take_commands(), ["CAS"]);
    let left: i64 = stub.call(&["PTTL", ALONE]).text().parse().unwrap();
    assert!((HOUR_MILLIS - 59_000..=HOUR_MILLIS + 1000).contains(&left), "{left}");
}

#[tokio::test]
async fn one_record_is_one_command_and_an_index_costs_a_transaction() {
    let (_server, proxy, store) = through_proxy().await;
    let entry = Entry::new(b"x");
    // The first of each tells the server the script.
    store.put(&key("a"), entry, NOW).await.unwrap();
    let old = read(&store, &key("a")).await;
    store.put_if(&key("a"), Expected::Equals(&old), entry, NOW).await.unwrap();
    store.put(&alone(), entry, NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    let _ = (proxy.take_commands(), proxy.take_round_trips());

    store.put_if(&alone(), Expected::Equals(&old), entry, NOW).await.unwrap();
    store.put_if(&alone(), Expected::Absent, entry, NOW).await.unwrap_err();
    store.take(&alone(), NOW).await.unwrap().unwrap();
    store.put_if(&alone(), Expected::Absent, entry, NOW).await.unwrap();
    store.put(&alone(), entry, NOW).await.unwrap();
    store.delete(&alone()).await.unwrap();
    store.get_many(&[alone(), key("a"), key("b")], NOW).await.unwrap();
    assert_eq!(
        proxy.take_commands(),
        ["EVALSHA", "SET", "GET", "GETDEL", "SET", "SET", "DEL", "MGET"]
    );
    assert_eq!(proxy.take_round_trips(), 8);

    store.put(&key("a"), entry, NOW).await.unwrap();
    store.delete(&key("a")).await.unwrap();
    let mut commands = proxy.take_commands();
    // What the connection adds to see that its replies are still in step.
    commands.retain(|command| command != "PING");
    // What only removes is whole without a transaction, on a Redis.
    assert_eq!(commands, ["MULTI", "EVALSHA", "EXEC", "EVALSHA"]);
    assert_eq!(proxy.take_round_trips(), 2);
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_scripts_is_told_again() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    for text in [b"1", b"2", b"3"] {
        server.call(&["SCRIPT", "FLUSH"]);
        put_both(&store, &key("a"), &key("b"), text).await.unwrap();
        server.call(&["SCRIPT", "FLUSH"]);
        let old = read(&store, &key("a")).await;
        store.put_if(&key("a"), Expected::Equals(&old), Entry::new(text), NOW).await.unwrap();
    }
    assert_eq!(value(&store, &key("b")).await, Some(b"3".to_vec()));
}

/// Breaks the next write. There is a connection for it before that, so that it is not connecting what
/// breaks.
async fn lose_next(store: &Store, proxy: &Proxy, direction: Direction, bytes: usize) {
    store
        .put(&Key::new(&Partition::global(), Kind::new("other"), ""), Entry::new(b""), NOW)
        .await
        .unwrap();
    proxy.half_send(direction, bytes);
}

/// The reply is lost, so the write has happened.
#[tokio::test]
async fn recognises_its_own_write_after_a_lost_reply() {
    let (_server, proxy, store) = through_proxy().await;
    let lose_reply = async || lose_next(&store, &proxy, Direction::Reply, 0).await;
    put_both(&store, &key("a"), &key("b"), b"0").await.unwrap();
    let old = read(&store, &key("a")).await;
    store.put_if(&key("a"), Expected::Equals(&old), Entry::new(b"0"), NOW).await.unwrap();

    lose_reply().await;
    store.put(&alone(), Entry::new(b"1"), NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    lose_reply().await;
    store.put_if(&alone(), Expected::Equals(&old), Entry::new(b"2"), NOW).await.unwrap();
    assert_eq!(value(&store, &alone()).await, Some(b"2".to_vec()));
    lose_reply().await;
    let gone = store.delete(&alone()).await.unwrap_err();
    assert!(matches!(gone, StoreError::Unavailable { .. }), "{gone}");
    assert_eq!(value(&store, &alone()).await, None);
    lose_reply().await;
    store.put_if(&alone(), Expected::Absent, Entry::new(b"3"), NOW).await.unwrap();
    assert_eq!(value(&store, &alone()).await, Some(b"3".to_vec()));
    lose_reply().await;
    store.put(&key("a"), Entry::new(b"4"), NOW).await.unwrap();
    assert_eq!(value(&store, &key("a")).await, Some(b"4".to_vec()));
}

/// The request is cut, so the write has not happened. Nobody knows that it is not on its way.
#[tokio::test]
async fn sends_again_only_what_cannot_happen_twice() {
    let (_server, proxy, store) = through_proxy().await;
    put_both(&store, &key("a"), &key("b"), b"0").await.unwrap();
    store.put(&alone(), Entry::new(b"0"), NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    let lose_request = async || lose_next(&store, &proxy, Direction::Request, 5).await;
    store.put_if(&alone(), Expected::Equals(&old), Entry::new(b"1"), NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    lose_request().await;
    store.put_if(&alone(), Expected::Equals(&old), Entry::new(b"2"), NOW).await.unwrap();
    assert_eq!(value(&store, &alone()).await, Some(b"2".to_vec()));
    let old = read(&store, &alone()).await;
    lose_request().await;
    let stale = store.put(&alone(), Entry::new(b"3"), NOW).await.unwrap_err();
    assert!(matches!(stale, StoreError::Unavailable { .. }), "{stale}");
    assert_eq!(read(&store, &alone()).await, old);
    lose_request().await;
    let kept = store.delete(&alone()).await.unwrap_err();
    assert!(matches!(kept, StoreError::Unavailable { .. }), "{kept}");
    lose_request().await;
    let kept = store.take(&alone(), NOW).await.unwrap_err();
    assert!(matches!(kept, StoreError::Unavailable { .. }), "{kept}");
    assert_eq!(store.take(&alone(), NOW).await.unwrap(), Some(old));
    lose_request().await;
    let none = store.put_if(&alone(), Expected::Absent, Entry::new(b"4"), NOW).await.unwrap_err();
    assert!(matches!(none, StoreError::Unavailable { .. }), "{none}");
    assert_eq!(value(&store, &alone()).await, None);
}

/// Who has lost the reply of a take cannot know whether it was the one that took.
#[tokio::test]
async fn hands_out_nothing_when_the_reply_of_a_take_is_lost() {
    let (_server, proxy, store) = through_proxy().await;
    store.put(&alone(), Entry::new(b"code"), NOW).await.unwrap();
    let _ = read(&store, &alone()).await;
    lose_next(&store, &proxy, Direction::Reply, 0).await;
    let lost = store.take(&alone(), NOW).await.unwrap_err();
    assert!(matches!(lost, StoreError::Unavailable { .. }), "{lost}");
    assert_eq!(store.take(&alone(), NOW).await.unwrap(), None);
}

/// A conflict would say that nothing was written, and it may have been.
#[tokio::test]
async fn an_overwritten_write_whose_reply_was_lost_is_no_conflict() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let (store, other) = (open(&proxy.url()).await, open(&server.url()).await);
    store.put(&alone(), Entry::new(b"0"), NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    store.put_if(&alone(), Expected::Equals(&old), Entry::new(b"1"), NOW).await.unwrap();
    let old = read(&store, &alone()).await;
    let code = alone();
    proxy.hold();
    let (written, ()) =
        tokio::join!(store.put_if(&code, Expected::Equals(&old), Entry::new(b"2"), NOW), async {
            other.put(&code, Entry::new(b"theirs"), NOW).await.unwrap();
            proxy.cut();
            proxy.release();
        });
    let error = written.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn names_damage_wherever_it_would_be_read() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    let entry = Entry::new(b"x");
    for (key, name) in [(alone(), ALONE), (key("a"), LISTED)] {
        store.put(&key, entry, NOW).await.unwrap();
        let old = read(&store, &key).await;
        server.call(&["SETRANGE", name, "8", "damage"]);
        let asked = std::slice::from_ref(&key);
        let assert_corrupt = |what: &str, error: Option<StoreError>| {
            let named = error.is_some_and(
                |error| matches!(error, StoreError::Corrupt { key: named, .. } if named == key),
            );
            assert!(named, "{what} of {key}");
        };
        assert_corrupt("get", store.get(&key, NOW).await.err());
        assert_corrupt("get_many", store.get_many(asked, NOW).await.err());
        assert_corrupt("absent", store.put_if(&key, Expected::Absent, entry, NOW).await.err());
        let equals = Expected::Equals(&old);
        assert_corrupt("equals", store.put_if(&key, equals, entry, NOW).await.err());
        assert_corrupt("transact", put_both(&store, &key, &key, b"x").await.err());
        if key.is_listed() {
            let page = store.scan(key.partition(), RECORD, None, 10, NOW).await;
            assert_corrupt("scan", page.err());
        }
        assert_corrupt("take", store.take(&key, NOW).await.err());
        store.put(&key, entry, NOW).await.unwrap();
        store.delete(&key).await.unwrap();
        assert_eq!(store.get(&key, NOW).await.unwrap(), None);
    }
}

/// Records in several partitions and kinds, with and without an id, some of them expired at `NOW`.
async fn fill(store: &Store) -> BTreeMap<Key, Stored> {
    let mut live = BTreeMap::new();
    for number in 0..600_u16 {
        let partition = Partition::new("u", &(number % 50).to_string());
        let kind = if number % 3 == 0 { Kind::new("other") } else { RECORD };
        let id = if number < 50 { Vec::new() } else { number.to_be_bytes().to_vec() };
        let key = Key::new(&partition, kind, id);
        let bytes = number.to_be_bytes();
        let entry = Entry::new(&bytes);
        if number % 7 == 0 {
            store.put(&key, entry.expires_at(NOW), NOW).await.unwrap();
        } else {
            store.put(&key, entry.expires_at(LATER), NOW).await.unwrap();
            live.insert(key.clone(), read(store, &key).await);
        }
    }
    live
}

async fn walk(store: &Store) -> (BTreeMap<Key, Stored>, Vec<Vec<u8>>) {
    let (mut records, mut foreign) = (BTreeMap::new(), Vec::new());
    let mut walk = store.walk(NOW).await.unwrap();
    while let Some(page) = walk.next().await.unwrap() {
        for (key, record) in page.records {
            assert!(records.insert(key, record.unwrap()).is_none(), "given twice");
        }
        foreign.extend(page.foreign.iter().map(|name| name.to_vec()));
    }
    foreign.sort();
    (records, foreign)
}

#[tokio::test]
async fn a_walk_gives_what_is_live_and_names_what_is_foreign() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    let live = fill(&store).await;
    store.count_in_window(&key("caller"), 1000, NOW).await.unwrap();
    server.call(&["SET", "theirs", "x"]);
    server.call(&["SET", "{g}/Theirs/", "x"]);
    let (records, foreign) = walk(&store).await;
    assert_eq!(records, live);
    assert_eq!(foreign, [&b"theirs"[..], b"{g}/Theirs/"]);
}

#[tokio::test]
async fn what_was_loaded_is_the_same_in_every_respect() {
    let [from, to] = [RedisServer::start(), RedisServer::start()];
    let (from, store) = (open(&from.url()).await, open(&to.url()).await);
    let live = fill(&from).await;
    let records: Vec<_> = live.clone().into_iter().collect();
    for part in records.chunks(250) {
        store.load(part, NOW).await.unwrap();
    }
    assert_eq!(walk(&store).await.0, live);
    for number in 0..50 {
        let partition = Partition::new("u", &number.to_string());
        for kind in [RECORD, Kind::new("other")] {
            let [ours, theirs] = [&from, &store].map(|store| async {
                store.scan(&partition, kind, None, 100, NOW).await.unwrap().entries
            });
            assert_eq!(ours.await, theirs.await);
        }
    }
    let key = Key::new(&Partition::new("u", "1"), RECORD, "");
    let expected = Expected::Equals(&live[&key]);
    store.put_if(&key, expected, Entry::new(b"new"), NOW).await.unwrap();
    assert_lives_for(&to, "{u:2}/record/", HOUR_MILLIS + 1000);
}

#[tokio::test]
async fn reclaiming_forgets_the_ids_of_what_is_gone_and_no_others() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    let mut gone = 0;
    for partition in 0..40_u8 {
        for number in 0..20_u8 {
            let name = format!("{{p:{partition}}}/record/{number}");
            let key =
                Key::new(&Partition::new("p", &partition.to_string()), RECORD, number.to_string());
            store.put(&key, Entry::new(b"x"), NOW).await.unwrap();
            // As the server does when its time has come.
            if number % 4 == 0 {
                server.call(&["DEL", &name]);
                gone += 1;
            }
        }
    }
    let before = walk(&store).await.0;
    for (limit, expected) in [(7, gone), (1000, 0)] {
        let (mut after, mut reclaimed, mut examined) = (None, 0, 0);
        loop {
            let step = store.reclaim(after.as_deref(), limit, NOW).await.unwrap();
            assert!(step.examined <= limit);
            reclaimed += step.reclaimed;
            examined += step.examined;
            after = step.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(reclaimed, expected);
        assert!(examined >= 600, "{examined}");
    }
    assert_eq!(walk(&store).await.0, before);
    for partition in 0..40_u8 {
        let index = format!("{{p:{partition}}}/record");
        assert_eq!(server.call(&["ZCARD", &index]), Frame::Integer(15));
    }
    let nonsense = store.reclaim(Some(b"\xff 7"), 10, NOW).await.unwrap();
    assert_eq!(nonsense.reclaimed, 0);
}

#[tokio::test]
async fn counts_each_window_by_itself_and_forgets_it_in_time() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    let caller = key("caller");
    let mut counts = Vec::new();
    for millis in [0, 999, 1000, 1500, 3000] {
        let now = NOW.plus_millis(millis);
        let count = store.count_in_window(&caller, 1000, now).await.unwrap();
        counts.push((count.current, count.previous, count.elapsed_millis));
    }
    assert_eq!(counts, [(1, 0, 0), (2, 0, 999), (1, 2, 0), (2, 2, 500), (1, 0, 0)]);
    assert_eq!(store.get(&caller, NOW).await.unwrap(), None);
    let hour = 3_600_000;
    store.count_in_window(&caller, hour, NOW).await.unwrap();
    let number = NOW.as_millis() / hour;
    assert_lives_for(&server, &format!("{{g}}/#record/{number}/caller"), 3 * HOUR_MILLIS);
    store.count_in_window(&caller, u64::MAX, NOW).await.unwrap();
}

#[tokio::test]
async fn says_how_it_is() {
    let server = RedisServer::start();
    let store = open(&server.url()).await;
    let before = store.status().await.unwrap().entries.unwrap();
    store.put(&key("a"), Entry::new(b"x"), NOW).await.unwrap();
    let status = store.status().await.unwrap();
    assert_eq!(status.entries, Some(before + 2), "the record and its index");
    assert!(status.used_bytes.unwrap() > 0 && status.limit_bytes.is_none());
    assert!(status.engine.to_lowercase().starts_with("redis"), "{}", status.engine);
    assert_eq!((store.engine_name(), store.statistics().writes), ("redis", 1));
    assert_eq!(server.call(&["ZRANGE", INDEX, "0", "-1"]).items(), [Frame::bulk("a")]);
}

/// A KVRocks gives what its last scan has counted, which may be nothing.
#[tokio::test]
async fn does_not_say_how_many_entries_a_kvrocks_has() {
    let stub = KvrocksStub::start();
    let store = open(&stub.url()).await;
    store.put(&key("a"), Entry::new(b"x"), NOW).await.unwrap();
    let status = store.status().await.unwrap();
    assert_eq!((status.engine.as_str(), status.entries), ("KVRocks 2.10.1", None));
}

/// Neither by opening nor by compacting.
#[tokio::test]
async fn a_url_without_a_scheme_shows_nothing_of_itself() {
    for url in ["s3cret@127.0.0.1:6379", "me:s3cret@127.0.0.1", "s3cret"] {
        let refused = [
            Store::open(url, options("test")).await.unwrap_err(),
            Store::open_read_only(url, options("test")).await.unwrap_err(),
            Store::compact(url, &options("test")).unwrap_err(),
        ];
        for refused in refused {
            let shown = format!("{refused} {refused:?}");
            assert!(shown.contains("no storage engine for this URL"), "{shown}");
            assert!(!shown.contains("s3cret") && !shown.contains("\"me"), "{shown}");
        }
    }
}

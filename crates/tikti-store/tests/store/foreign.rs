//! A Redis that another program filled is read as it is, and nothing is written to it.

use std::collections::BTreeSet;

use tikti_store::testing::{Certificates, RedisServer};
use tikti_store::{Foreign, Found, OpenError, TlsFiles};

async fn open(url: &str) -> Foreign {
    Foreign::open(url, &TlsFiles::default()).await.unwrap()
}

#[tokio::test]
async fn reads_names_hashes_strings_and_sets() {
    let redis = RedisServer::start_with(&["--enable-debug-command", "local"]);
    // More than one page, and bytes that are no text.
    for number in 0..1200 {
        redis.call(&["HSET", "users", &number.to_string(), "value"]);
        redis.call(&["SET", &format!("index:{number}"), &number.to_string()]);
    }
    redis.call(&[&b"HSET"[..], b"odd\xff", b"\xfe\0", b"\r\n"]);
    redis.call(&["SADD", "set:1", "a", "b"]);
    redis.call(&["SET", "other", "x"]);
    let digest = redis.call(&["DEBUG", "DIGEST"]).text();

    let server = open(&redis.url()).await;
    let Found::Is(users) = server.hash(b"users").await.unwrap() else { panic!("a hash") };
    assert_eq!(users.len(), 1200);
    assert_eq!(server.size(b"users").await.unwrap(), Found::Is(1200));
    let names = server.names("index:").await.unwrap();
    assert_eq!(names.len(), 1200);
    let names = Vec::from_iter(names);
    let strings = server.strings(&names).await.unwrap();
    for (name, string) in names.iter().zip(strings) {
        assert_eq!(string, Found::Is(Some(name[b"index:".len()..].to_vec())));
    }
    let Found::Is(odd) = server.hash(b"odd\xff").await.unwrap() else { panic!("a hash") };
    assert_eq!(odd, [(b"\xfe\0".to_vec(), b"\r\n".to_vec())].into());
    let sets = server.sets(&[b"set:1".to_vec(), b"none".to_vec(), b"other".to_vec()]).await;
    let sets: Vec<_> = sets
        .unwrap()
        .into_iter()
        .map(|set| match set {
            Found::Is(set) => Some(BTreeSet::from_iter(set)),
            Found::OtherType => None,
        })
        .collect();
    let both = BTreeSet::from([b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(sets, [Some(both), Some(BTreeSet::new()), None]);
    // What is not there is empty, and another type is said.
    assert_eq!(server.hash(b"none").await.unwrap(), Found::Is([].into()));
    assert_eq!(server.hash(b"other").await.unwrap(), Found::OtherType);
    assert_eq!(server.size(b"other").await.unwrap(), Found::OtherType);
    let strings = server.strings(&[b"none".to_vec(), b"users".to_vec()]).await.unwrap();
    assert_eq!(strings, [Found::Is(None), Found::OtherType]);
    assert_eq!(redis.call(&["DEBUG", "DIGEST"]).text(), digest);
}

#[tokio::test]
async fn says_why_a_server_cannot_be_read() {
    let tls = TlsFiles::default();
    let mut redis = RedisServer::start_with(&["--requirepass", "right"]);
    let port = redis.port();
    for (url, said) in [
        (format!("redis://:s3cret@127.0.0.1:{port}"), "the password is wrong"),
        (format!("redis://127.0.0.1:{port}"), "the password is wrong, missing"),
        (format!("redis://:right@127.0.0.1:{port}/9999"), "it has no database 9999"),
        (format!("redis+cluster://:s3cret@127.0.0.1:{port}"), "one server is read"),
        ("redis://:s3cret@127.0.0.1:1".to_owned(), "127.0.0.1:1"),
        ("postgres://:s3cret@127.0.0.1".to_owned(), "no storage engine"),
    ] {
        let refused = Foreign::open(&url, &tls).await.unwrap_err();
        let shown = format!("{refused} {refused:?}");
        assert!(shown.contains(said), "{url}: {shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let server = open(&format!("redis://:right@127.0.0.1:{port}")).await;
    redis.kill();
    assert!(server.hash(b"users").await.is_err());
}

#[tokio::test]
async fn speaks_tls_with_the_files_that_it_is_given() {
    let certificates = Certificates::make();
    let redis = RedisServer::start_with_tls(&certificates, &[]);
    redis.call(&["HSET", "users", "a", "b"]);
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port());
    let server = Foreign::open(&url, &certificates.trusted_and_shown()).await.unwrap();
    assert_eq!(server.size(b"users").await.unwrap(), Found::Is(1));
    let stranger = Foreign::open(&url, &TlsFiles::default()).await.unwrap_err();
    assert!(matches!(stranger, OpenError::Unreachable { .. }), "{stranger:?}");
}

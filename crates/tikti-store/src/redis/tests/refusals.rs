//! What is refused at the start, and with which sentence.

use super::support::{connect, options, refusal, try_connect};
use crate::testing::{KvrocksSettings, KvrocksStub, RedisServer};

#[tokio::test]
async fn refuses_a_wrong_or_missing_password_and_never_shows_it() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let with = |user_info: &str| format!("redis://{user_info}127.0.0.1:{}", server.port());
    for user_info in ["", ":wr0ng@", "default:wr0ng@"] {
        let said = refusal(&with(user_info), &options()).await;
        assert!(said.contains("the password is wrong, missing"), "{said}");
        assert!(!said.contains("wr0ng"), "{said}");
    }
    connect(&with(":right@")).await;
    connect(&with("default:right@")).await;
}

#[tokio::test]
async fn refuses_a_server_without_a_log_unless_that_is_allowed() {
    let server = RedisServer::start_with(&["--appendonly", "no"]);
    let said = refusal(&server.url(), &options()).await;
    assert!(said.contains("set appendonly to yes"), "{said}");
    let mut volatile = options();
    volatile.redis.allow_volatile = true;
    let servers = try_connect(&server.url(), &volatile).await.unwrap();
    assert!(servers.features().remarks.concat().contains("a restart loses"));
}

#[tokio::test]
async fn refuses_a_server_that_does_not_sync_where_that_is_asked_for() {
    let mut strict = options();
    strict.redis.require_sync = true;
    let settings = KvrocksSettings { sync: "no", use_rsid_psync: "yes" };
    let said = refusal(&KvrocksStub::start_with(settings).url(), &strict).await;
    assert!(said.contains("store.requireSync"), "{said}");
    try_connect(&KvrocksStub::start().url(), &strict).await.unwrap();
    let said = refusal(&RedisServer::start().url(), &strict).await;
    assert!(said.contains("appendfsync always, and it is no"), "{said}");
    let options = ["--appendfsync", "always", "--no-appendfsync-on-rewrite"];
    let pauses = RedisServer::start_with(&[&options[..], &["yes"]].concat());
    let said = refusal(&pauses.url(), &strict).await;
    assert!(said.contains("asks for no-appendfsync-on-rewrite no"), "{said}");
    let syncs = RedisServer::start_with(&[&options[..], &["no"]].concat());
    try_connect(&syncs.url(), &strict).await.unwrap();
}

#[tokio::test]
async fn refuses_to_wait_for_replicas_where_the_server_cannot() {
    let mut waits = options();
    waits.redis.wait_replicas = 1;
    let said = refusal(&KvrocksStub::start().url(), &waits).await;
    assert!(said.contains("it has no WAIT"), "{said}");
}

#[tokio::test]
async fn refuses_a_server_that_evicts() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let said = refusal(&server.url(), &options()).await;
    assert!(said.contains("set maxmemory-policy to noeviction"), "{said}");
}

#[tokio::test]
async fn refuses_the_data_of_another_program_and_leaves_it_alone() {
    let server = RedisServer::start();
    server.call(&["SET", "celery", "task"]);
    let said = refusal(&server.url(), &options()).await;
    assert!(said.contains("another program"), "{said}");
    assert_eq!(server.call(&["KEYS", "*"]).items().len(), 1);
}

#[tokio::test]
async fn refuses_the_data_of_another_version() {
    let server = RedisServer::start();
    server.call(&["SET", "{g}/#format", "tikti store format 9"]);
    let said = refusal(&server.url(), &options()).await;
    assert!(said.contains("its data has format 9"), "{said}");
}

#[tokio::test]
async fn marks_an_empty_database_and_knows_it_again() {
    let server = RedisServer::start();
    let url = server.url();
    let both = [connect(&url), connect(&url)];
    crate::redis::all::all(both).await;
    assert_eq!(server.call(&["GET", "{g}/#format"]).text(), "tikti store format 1");
    server.call(&["SET", "{a}/k/1", "x"]);
    connect(&server.url()).await;
}

#[tokio::test]
async fn refuses_a_replica() {
    let master = RedisServer::start();
    let of = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start_with(&["--replicaof", &of]);
    let said = refusal(&replica.url(), &options()).await;
    assert!(said.contains("it is a replica"), "{said}");
}

#[tokio::test]
async fn refuses_a_url_of_the_other_kind() {
    let server = RedisServer::start();
    let clustered = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let as_cluster = format!("redis+cluster://127.0.0.1:{}", server.port());
    let said = refusal(&as_cluster, &options()).await;
    assert!(said.contains("not in cluster mode"), "{said}");
    let said = refusal(&clustered.url(), &options()).await;
    assert!(said.contains("use redis+cluster:"), "{said}");
    let as_sentinel = format!("redis+sentinel://127.0.0.1:{}/main", server.port());
    let said = refusal(&as_sentinel, &options()).await;
    assert!(said.contains("not a sentinel"), "{said}");
}

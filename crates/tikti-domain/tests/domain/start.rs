//! Starting: what the store remembers of its deployment, and one first key among all replicas.

use tikti_domain::clock::{Clock, Timestamp};
use tikti_domain::random::Random;
use tikti_domain::testing::{START, config, new_directory};
use tikti_domain::{Domain, OpenOptions, StartError, Store};

async fn open_store(directory: &tempfile::TempDir) -> Store {
    let url = format!("embedded:{}", directory.path().join("store").display());
    Store::open(&url, OpenOptions::new([1; 16], "test")).await.unwrap()
}

async fn open(store: Store, seed: u64) -> Result<Domain, StartError> {
    Domain::open(store, config(), Clock::manual(START), Random::seeded(seed)).await
}

#[tokio::test]
async fn replicas_that_start_at_once_share_one_signing_key() {
    let directory = new_directory();
    let store = open_store(&directory).await;
    let (first, second) = tokio::join!(open(store.clone(), 1), open(store, 2));
    assert_eq!(first.unwrap().jwks(), second.unwrap().jwks());
}

#[tokio::test]
async fn a_replica_whose_clock_lags_signs_with_the_first_key_too() {
    let directory = new_directory();
    let store = open_store(&directory).await;
    let first = open(store.clone(), 1).await.unwrap();
    let behind = Clock::manual(Timestamp::from_millis(START.as_millis() - 5_000));
    let second = Domain::open(store, config(), behind, Random::seeded(2)).await.unwrap();
    assert_eq!(first.jwks(), second.jwks());
}

#[tokio::test]
async fn the_key_is_the_same_after_a_restart() {
    let directory = new_directory();
    let before = open(open_store(&directory).await, 1).await.unwrap().jwks();
    let after = open(open_store(&directory).await, 2).await.unwrap().jwks();
    assert_eq!(before, after);
}

#[tokio::test]
async fn another_issuer_and_other_secrets_do_not_start() {
    let directory = new_directory();
    let store = open_store(&directory).await;
    open(store.clone(), 1).await.unwrap();
    let clock = || Clock::manual(START);

    let mut other = config();
    other.settings.issuer = "https://other.test".to_owned();
    let refused = Domain::open(store.clone(), other, clock(), Random::seeded(1)).await;
    assert!(matches!(refused, Err(StartError::OtherIssuer { .. })));

    let mut other = config();
    other.secrets.master_key[0].kid = "m2".to_owned();
    let refused = Domain::open(store.clone(), other, clock(), Random::seeded(1)).await;
    assert!(matches!(refused, Err(StartError::OtherSecret { list: "masterKey", .. })));

    let mut costly = config();
    costly.settings.password_cost = 15;
    let refused = Domain::open(store, costly, clock(), Random::seeded(1)).await;
    assert!(matches!(refused, Err(StartError::Setting { setting: "passwords.cost", .. })));
}

/// Attacks, row K2: what is published holds the public members and nothing else.
#[tokio::test]
async fn k2_the_published_keys_hold_no_private_member() {
    let directory = new_directory();
    let domain = open(open_store(&directory).await, 1).await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&domain.jwks().body).unwrap();
    let keys = document["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let mut members: Vec<_> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(keys[0]["alg"], "RS256");
    assert!(keys[0]["kid"].as_str().unwrap().starts_with("tikti-2026-01-"));
}

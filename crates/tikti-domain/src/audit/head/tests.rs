//! The history of heads, replicas that sign at once, and keys that have retired since.

use tikti_token::{Jwks, KeySet, verify_audit_head};

use super::super::tests::{assert_clean, fill, links_of, tenant};
use super::*;
use crate::id::TenantId;
use crate::random::Random;
use crate::signing_key::{SigningKeys, first_key};
use crate::testing::{FaultPlan, Fixture, all, config};

/// Every head of a chain that was ever signed, in the order of the numbers.
async fn history(fixture: &Fixture, chain: &Chain) -> Vec<SignedHead> {
    let partition = keyspace::of_chain(chain);
    let scanned =
        fixture.domain.store.scan(&partition, keyspace::SIGNED, Some(b""), 100, fixture.now());
    let mut heads = Vec::new();
    for (id, stored) in scanned.await.unwrap().entries {
        let key = tikti_store::Key::new(&partition, keyspace::SIGNED, &id);
        let head = SignedHead::decode(&key, &stored).unwrap();
        assert_eq!(key, keyspace::earlier_head(chain, head.seq));
        heads.push(head);
    }
    heads
}

fn keys_of(document: &crate::JwksDocument) -> KeySet {
    let jwks: Jwks = serde_json::from_str(&document.body).unwrap();
    KeySet::from_jwks(&jwks).unwrap()
}

async fn published(fixture: &Fixture, tenant: &TenantId) -> SignedHead {
    let chain = Chain::Tenant(tenant.clone());
    find(&fixture.domain, &chain, fixture.now()).await.unwrap().unwrap()
}

#[tokio::test]
async fn every_head_is_kept_and_names_the_event_that_was_the_last_then() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme.clone());
    for hour in 1..=5_u64 {
        fill(&fixture, &chain, hour).await;
        fixture.clock.advance(SIGN_AFTER_MILLIS);
        sign_heads(&fixture.domain, &mut HeadsCursor::default(), fixture.now()).await.unwrap();
    }
    let heads = history(&fixture, &chain).await;
    assert_eq!(heads.iter().map(|head| head.seq).collect::<Vec<_>>(), [1, 3, 6, 10, 15]);
    assert_eq!(heads.last(), Some(&published(&fixture, &acme).await));
    let links = links_of(&fixture.domain, &chain, fixture.now()).await;
    let keys = keys_of(&fixture.domain.audit_keys());
    for head in heads {
        let told = verify_audit_head(&head.jws, &keys).unwrap().into_claims();
        let link = &links[usize::try_from(head.seq).unwrap() - 1];
        assert_eq!((told.seq, told.hash, told.pruned), (head.seq, link.hash.clone(), None));
        assert_eq!(told.chained_at, clock::rfc3339(link.chained_at));
    }
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn replicas_that_sign_in_the_same_hour_leave_one_head() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme.clone());
    let mut replicas = Vec::new();
    for seed in 2..6 {
        replicas.push(fixture.replica(seed, &FaultPlan::crash_after(1_000)).await);
    }
    for hour in 1..=3 {
        fill(&fixture, &chain, 2).await;
        fixture.clock.advance(SIGN_AFTER_MILLIS);
        let now = fixture.now();
        let sign = async |replica| sign_heads(replica, &mut HeadsCursor::default(), now).await;
        for outcome in all(replicas.iter().map(sign)).await {
            outcome.unwrap();
        }
        let heads = history(&fixture, &chain).await;
        assert_eq!(heads.len(), hour);
        assert_eq!(heads.last(), Some(&published(&fixture, &acme).await));
        // Who comes later in the same hour signs none, although the chain has grown.
        fill(&fixture, &chain, 1).await;
        for outcome in all(replicas.iter().map(sign)).await {
            assert_eq!(outcome.unwrap().signed, 0);
        }
    }
    assert_clean(&fixture).await;
}

/// A replica that finds the fixture's key and a newer one, after `change`.
async fn with_newer_key(
    fixture: &Fixture,
    seed: u64,
    change: impl FnOnce(&mut SigningKeys) + Send,
) -> Domain {
    let (key, now) = (keyspace::signing_keys(), fixture.now());
    let stored = fixture.domain.store.get(&key, now).await.unwrap();
    let mut keys = SigningKeys::decode_optional(&key, stored.as_ref()).unwrap().unwrap();
    let (config, random) = (config(), Random::seeded(seed));
    let size = config.settings.rsa_size;
    keys.keys.push(first_key(size, &config.secrets.master_key, now, &random).unwrap());
    change(&mut keys);
    let bytes = keys.encode().unwrap();
    fixture.domain.store.put(&key, Entry::new(&bytes), now).await.unwrap();
    fixture.replica(seed, &FaultPlan::crash_after(1_000)).await
}

#[tokio::test]
async fn a_head_is_verified_long_after_its_key_has_retired_and_not_once_it_is_revoked() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme.clone());
    fill(&fixture, &chain, 1).await;
    sign_heads(&fixture.domain, &mut HeadsCursor::default(), fixture.now()).await.unwrap();
    let old = published(&fixture, &acme).await;
    fixture.clock.advance(365 * 24 * SIGN_AFTER_MILLIS);
    fill(&fixture, &chain, 1).await;
    // The private part of a key that was removed is destroyed.
    let replica = with_newer_key(&fixture, 7, |keys| keys.keys[0].private = None).await;
    sign_heads(&replica, &mut HeadsCursor::default(), fixture.now()).await.unwrap();
    let new = published(&fixture, &acme).await;
    // The old one is gone from the JWKS when its last token is.
    fixture.clock.advance(2 * SIGN_AFTER_MILLIS);
    let (of_tokens, of_heads) = (keys_of(&replica.jwks()), keys_of(&replica.audit_keys()));
    assert!(verify_audit_head(&old.jws, &of_tokens).is_err());
    assert_eq!(verify_audit_head(&old.jws, &of_heads).unwrap().seq, 1);
    assert_eq!(verify_audit_head(&new.jws, &of_tokens).unwrap().seq, 2);
    assert_eq!(verify_audit_head(&new.jws, &of_heads).unwrap().seq, 2);

    let revoke = |keys: &mut SigningKeys| keys.keys[0].revoked_at = Some(fixture.now());
    let of_heads = keys_of(&with_newer_key(&fixture, 8, revoke).await.audit_keys());
    assert!(verify_audit_head(&old.jws, &of_heads).is_err());
    assert_eq!(verify_audit_head(&new.jws, &of_heads).unwrap().seq, 2);
}

//! Keys that a backup has brought back.

use super::*;
use crate::deployment::Deployment;

/// As a restore leaves it that ends what was issued before this moment.
async fn restore(fixture: &Fixture) -> Timestamp {
    fixture.clock.advance(1_000);
    let (key, now) = (keyspace::deployment(), fixture.now());
    let found = fixture.store().get(&key, now).await.unwrap().unwrap();
    let mut deployment = Deployment::decode(&key, &found).unwrap();
    deployment.not_before = Some(now);
    let bytes = deployment.encode().unwrap();
    fixture.store().put(&key, Entry::new(&bytes), now).await.unwrap();
    now
}

#[tokio::test]
async fn a_key_of_before_a_restore_is_revoked_once_by_whoever_starts_first() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let old = signs(&fixture.domain);
    let next = rotate(&fixture.domain, &root, &Rotate::default()).await.unwrap();
    let now = restore(&fixture).await;
    let replicas = all([3, 4].map(|seed| Box::pin(replica(&fixture, seed)))).await;
    let made = signs(&replicas[0]);
    assert!(made != old && made != next.kid);
    for replica in &replicas {
        assert_eq!((signs(replica), kids(&replica.jwks())), (made.clone(), vec![made.clone()]));
    }
    let keys = stored(fixture.store()).await;
    assert_eq!(keys.keys.len(), 3);
    for kid in [&old, &next.kid] {
        let (_, revoked) = keys.find(kid).unwrap();
        assert_eq!((revoked.revoked_at, &revoked.private), (Some(now), &None));
    }
    assert_clean(&fixture).await;
    // Another start finds it done, also by a clock that is behind.
    fixture.clock.set(START);
    assert_eq!(signs(&replica(&fixture, 5).await), made);
    assert_eq!(stored(fixture.store()).await, keys);
    // Another restore is another one.
    fixture.clock.set(now);
    restore(&fixture).await;
    assert_eq!(kids(&replica(&fixture, 6).await.jwks()).len(), 1);
    assert_ne!(signs(&replica(&fixture, 7).await), made);
}

#[tokio::test]
async fn a_key_of_a_backup_is_revoked_though_a_clock_that_was_ahead_has_made_it() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let now = fixture.now();
    fixture.clock.advance(30 * 60_000);
    let ahead = rotate(&fixture.domain, &root, &emergency()).await.unwrap();
    fixture.clock.set(now);
    restore(&fixture).await;
    let restored = replica(&fixture, 3).await;
    assert_ne!(signs(&restored), ahead.kid);
    let keys = stored(fixture.store()).await;
    let (_, revoked) = keys.find(&ahead.kid).unwrap();
    assert_eq!((revoked.revoked_at, &revoked.private), (Some(fixture.now()), &None));
}

#[tokio::test]
async fn a_key_that_was_destroyed_before_a_restore_and_one_that_came_after_it_stay() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let old = signs(&fixture.domain);
    rotate(&fixture.domain, &root, &Rotate::default()).await.unwrap();
    fixture.clock.advance(LEAD + LINGER + DAY);
    assert_eq!(destroy_removed(&fixture.domain, fixture.now()).await.unwrap(), 1);
    restore(&fixture).await;
    // So much later that no clock of before the restore can have made it.
    fixture.clock.advance(3_600_000);
    let now = fixture.now();
    let mut keys = stored(fixture.store()).await;
    let master_keys = config().secrets.master_key;
    let size = tikti_token::RsaSize::Bits2048;
    let later = make::key_of_now(&keys, size, &master_keys, (now, &Random::seeded(8))).unwrap();
    keys.keys.push(later.clone());
    let bytes = keys.encode().unwrap();
    fixture.store().put(&keyspace::signing_keys(), Entry::new(&bytes), now).await.unwrap();
    let restored = replica(&fixture, 9).await;
    assert_eq!(kids(&restored.jwks()), std::slice::from_ref(&later.kid));
    assert_eq!(kids(&restored.audit_keys()), [later.kid, old]);
}

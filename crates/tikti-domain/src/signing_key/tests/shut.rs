//! Keys that are sealed under a master key which a replica does not have.

use super::*;
use crate::deployment::StartError;

/// Why a replica with these master keys does not start.
async fn refusal(fixture: &Fixture, keys: &[NamedSecret]) -> String {
    let mut config = config();
    config.secrets.master_key = keys.to_vec();
    let store = fixture.store().clone();
    let opened = Domain::open(store, config, fixture.clock.clone(), Random::seeded(12)).await;
    match opened {
        Err(StartError::Store(Error::Internal(refused))) => refused.to_string(),
        other => panic!("{other:?}"),
    }
}

/// One that seals what it makes under a master key that the fixture's own domain does not have.
async fn newer(fixture: &Fixture) -> Domain {
    with_master_keys(fixture, vec![named("m2", 2), named("m1", 1)]).await
}

#[tokio::test]
async fn a_start_names_the_missing_master_key_of_every_key_that_signs_now_or_later() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let (lacking, first) = (&fixture.domain, signs(&fixture.domain));
    let next = rotate(&newer(&fixture).await, &root, &Rotate::default()).await.unwrap();
    let refused = refusal(&fixture, &[named("m1", 1)]).await;
    assert!(refused.contains(&next.kid) && !refused.contains(&first), "{refused}");
    assert!(refused.contains("the master key m2, which is not configured"), "{refused}");

    let third = rotate(lacking, &root, &Rotate::default()).await.unwrap();
    let refused = refusal(&fixture, &[named("m2", 2)]).await;
    assert!([&first, &third.kid].iter().all(|kid| refused.contains(*kid)), "{refused}");
    assert_eq!(refused.matches("the master key m1, which is not configured").count(), 2);
    // What signs no more is not needed.
    rotate(lacking, &root, &emergency()).await.unwrap();
    with_master_keys(&fixture, vec![named("m1", 1)]).await;
}

#[tokio::test]
async fn a_key_that_a_wrong_clock_has_dated_years_ahead_stops_no_start() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let newer = newer(&fixture).await;
    let now = fixture.now();
    fixture.clock.advance(3_600_000 + 1_000);
    let next = rotate(&newer, &root, &Rotate::default()).await.unwrap();
    fixture.clock.set(now);
    with_master_keys(&fixture, vec![named("m1", 1)]).await;
    // Once it is the next to sign, it does.
    fixture.clock.advance(1_000);
    let refused = refusal(&fixture, &[named("m1", 1)]).await;
    assert!(refused.contains(&next.kid), "{refused}");
}

#[tokio::test]
async fn a_rotation_does_not_wait_for_a_key_that_cannot_be_opened_here() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let (lacking, newer) = (&fixture.domain, newer(&fixture).await);
    let shut = rotate(&newer, &root, &Rotate::default()).await.unwrap();
    fixture.clock.advance(1_000);
    let made = rotate(lacking, &root, &Rotate::default()).await.unwrap();
    assert_ne!(made.kid, shut.kid);
    // That one is waited for.
    assert_eq!(rotate(lacking, &root, &Rotate::default()).await.unwrap(), made);
    assert_eq!(rotate(&newer, &root, &Rotate::default()).await.unwrap(), shut);
    fixture.clock.advance(LEAD);
    assert_eq!((signs(lacking), signs(&newer)), (made.kid.clone(), made.kid));
}

#[tokio::test]
async fn what_is_due_does_not_wait_for_a_key_that_cannot_be_opened_here() {
    let fixture = Fixture::new().await;
    let (lacking, newer) = (&fixture.domain, newer(&fixture).await);
    fixture.clock.advance(90 * 24 * 3_600_000);
    let shut = rotate_if_due(&newer, fixture.now()).await.unwrap().unwrap();
    fixture.clock.advance(1_000);
    let made = rotate_if_due(lacking, fixture.now()).await.unwrap().unwrap();
    assert_ne!(made, shut);
    for replica in [lacking, &newer] {
        refresh(replica).await.unwrap();
        assert_eq!(rotate_if_due(replica, fixture.now()).await.unwrap(), None);
    }
    fixture.clock.advance(LEAD);
    assert_eq!((signs(lacking), signs(&newer)), (made.clone(), made));
}

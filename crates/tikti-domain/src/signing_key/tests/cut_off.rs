//! What a replica that cannot read the store goes on to tell of the keys, and for how long it is held.

use std::time::Duration;

use super::*;

/// From when on nobody holds what the replica serves now, where it may be held at all.
fn held_until(replica: &Domain) -> Option<Timestamp> {
    let held = replica.keys_may_be_held().as_millis();
    let held = u64::try_from(held).unwrap();
    (held > 0).then(|| replica.clock.now().plus_millis(held))
}

#[tokio::test]
async fn nobody_holds_what_a_cut_off_replica_serves_when_the_next_key_begins() {
    let fixture = Fixture::new().await;
    let away = fixture.replica(2, &FaultPlan::crash_after(0)).await;
    let root = root(&fixture).await;
    let made = rotate(&fixture.domain, &root, &Rotate::default()).await.unwrap();
    let lead = (made.activates_at.as_millis() - START.as_millis()) / 1000;
    for second in 0..=lead {
        assert_eq!(refused(refresh(&away).await), Code::StoreUnavailable);
        assert!(!kids(&away.jwks()).contains(&made.kid));
        let until = held_until(&away);
        assert!(until.is_none_or(|until| until <= made.activates_at), "{second}");
        let whole = Duration::from_secs(300);
        assert_eq!(away.keys_may_be_held() == whole, second <= 30, "{second}");
        assert_eq!(away.keys_may_be_held().is_zero(), second >= 330, "{second}");
        fixture.clock.advance(1000);
    }
    // One that reads again promises all of it again.
    refresh(&fixture.domain).await.unwrap();
    assert_eq!(fixture.domain.keys_may_be_held(), Duration::from_secs(300));
}

#[tokio::test]
async fn the_lead_of_a_key_that_is_due_begins_once_it_is_made() {
    let fixture = Fixture::new().await;
    let quarter = 90 * 24 * 3_600_000;
    let due = fixture.now().plus_millis(quarter);
    // Asked when it was due, it waited for a minute until it was made.
    fixture.clock.advance(quarter + 60_000);
    let kid = rotate_if_due(&fixture.domain, due).await.unwrap().unwrap();
    let keys = stored(fixture.store()).await;
    let (_, made) = keys.find(&kid).unwrap();
    let now = fixture.now();
    assert_eq!((made.created_at, made.activates_at), (now, now.plus_millis(LEAD)));
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_destroys_no_key_that_the_others_sign_with() {
    let fixture = Fixture::new().await;
    let domain = &fixture.domain;
    let root = root(&fixture).await;
    let old = signs(domain);
    rotate(domain, &root, &Rotate::default()).await.unwrap();
    let now = fixture.now();
    // By a clock as far ahead the key is removed; by all others it signs.
    for ahead in [70 * 60_000, LEAD + LINGER, DAY] {
        assert_eq!(destroy_removed(domain, now.plus_millis(ahead)).await.unwrap(), 0);
    }
    assert_eq!(signs(domain), old);
    let keys = stored(fixture.store()).await;
    assert!(keys.find(&old).unwrap().1.private.is_some());
    let end = now.plus_millis(LEAD + LINGER + DAY);
    assert_eq!(destroy_removed(domain, end).await.unwrap(), 1);
}

#[tokio::test]
async fn a_revoked_key_that_a_cut_off_replica_still_serves_is_not_held() {
    let fixture = Fixture::new().await;
    let away = fixture.replica(2, &FaultPlan::crash_after(0)).await;
    let root = root(&fixture).await;
    let old = signs(&away);
    rotate(&fixture.domain, &root, &emergency()).await.unwrap();
    fixture.clock.advance(330_000);
    assert_eq!(kids(&away.jwks()), [old]);
    assert_eq!(held_until(&away), None);
}

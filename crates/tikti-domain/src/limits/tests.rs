//! What only the inside can see: names, queues, and what is kept.

use std::net::IpAddr;

use super::*;
use crate::account::delete_user;
use crate::integrity::verify;
use crate::reads::Reads;
use crate::record::Record;
use crate::testing::{Fixture, PASSWORD};
use crate::user::GlobalRole;

const ANN: &str = "ann@example.org";

async fn fixture() -> Fixture {
    Fixture::with(|settings| settings.limits.enabled = true).await
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn no_name_shows_whom_it_counts_and_each_is_another() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    let limit = Limit::per_minute(10);
    let names = [
        (("redemption", ANN), limit),
        (("code email", ANN), limit),
        (("redemption", "bob@example.org"), limit),
        (("redemption", ANN), Limit::per_hour(10)),
    ];
    let names = names.map(|(what, limit)| tag(domain, what, limit).unwrap());
    let again = tag(domain, ("redemption", ANN), Limit::per_minute(99)).unwrap();
    assert_eq!(names[0], again);
    let mut partitions: Vec<_> =
        names.iter().map(|name| keyspace::counter(name).partition().clone()).collect();
    partitions.sort_unstable();
    partitions.dedup();
    assert_eq!(partitions.len(), names.len());
    for name in &names {
        let key = keyspace::counter(name);
        assert!(!String::from_utf8_lossy(key.as_bytes()).contains("ann"));
    }
}

#[tokio::test]
async fn a_try_that_waits_in_the_queue_is_not_made_once_the_others_have_failed() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    let email = Email::parse(ANN).unwrap();
    let attempt = Attempt::new(domain, &email, ip("198.51.100.1")).unwrap();
    let (before, waiting) = (attempt.may_go_on(), attempt.may_go_on());
    for _ in 0..9 {
        attempt.failed().await.unwrap();
    }
    assert!(before());
    attempt.failed().await.unwrap();
    let password = PASSWORD.to_owned().into();
    let checked = domain.passwords.check_if(&password, None, waiting).await.unwrap();
    assert_eq!(checked, None);
    let other = Attempt::new(domain, &email, ip("203.0.113.1")).unwrap();
    assert!(other.may_go_on()());
}

#[tokio::test]
async fn what_is_kept_keeps_every_rule_and_goes_with_its_user() {
    let fixture = fixture().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let email = Email::parse(ANN).unwrap();
    let home = ip("203.0.113.7");
    fixture.sign_in_from(ANN, PASSWORD, home).await.unwrap();
    for _ in 0..10 {
        fixture.sign_in_from(ANN, "wrong password", ip("198.51.100.1")).await.unwrap_err();
    }
    let attempt = Attempt::new(domain, &email, ip("198.51.100.1")).unwrap();
    let reads = Reads::load(&domain.store, attempt.keys().collect(), now).await.unwrap();
    let blocks = attempt.keys().filter(|key| reads.stored(key).unwrap().is_some()).count();
    assert_eq!(blocks, 1);
    let networks = keyspace::known_networks(&ann.id);
    let stored = domain.store.get(&networks, now).await.unwrap();
    assert!(stored.is_some());
    let report = verify(&domain.store, now, &mut |_| ()).await.unwrap();
    assert_eq!(report.findings, []);
    delete_user(domain, &ann.id, now).await.unwrap();
    assert!(domain.store.get(&networks, now).await.unwrap().is_none());
    let report = verify(&domain.store, now, &mut |_| ()).await.unwrap();
    assert_eq!(report.findings, []);
}

#[tokio::test]
async fn a_block_is_forgotten_when_it_has_been_over_for_as_long_as_the_longest_lasts() {
    let fixture = fixture().await;
    let domain = &fixture.domain;
    let email = Email::parse(ANN).unwrap();
    let attempt = Attempt::new(domain, &email, ip("198.51.100.1")).unwrap();
    for _ in 0..10 {
        attempt.failed().await.unwrap();
    }
    let key = attempt.keys().next().unwrap();
    let at = |millis| fixture.now().plus_millis(millis);
    let minute = 60_000;
    for (after, strikes) in [(0, Some(1)), (16 * minute - 1, Some(1)), (16 * minute, None)] {
        let stored = domain.store.get(&key, at(after)).await.unwrap();
        let block = Block::decode_optional(&key, stored.as_ref()).unwrap();
        assert_eq!(block.map(|block| block.strikes), strikes, "{after}");
    }
}

//! Signing keys over a real store: what replicas know of each other's, and what becomes of them.

use serde_json::json;
use tikti_store::{Entry, Store};

use super::*;
use crate::audit::{AuditQuery, list_deployment_events};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};
use crate::id::KeyId;
use crate::idempotency::Repeatable;
use crate::integrity::verify;
use crate::keyspace;
use crate::page::PageRequest;
use crate::random::Random;
use crate::secret::{NamedSecret, SecretBytes};
use crate::testing::{FaultPlan, Fixture, START, all, bearing, config};
use crate::user::GlobalRole;

mod cut_off;
mod hidden;
mod offline;
mod restored;
mod shut;

const LEAD: u64 = 450_000;
const LINGER: u64 = 3_750_000;
const DAY: u64 = 24 * 3_600_000;

fn named(kid: &str, byte: u8) -> NamedSecret {
    NamedSecret { kid: kid.to_owned(), secret: SecretBytes::new(vec![byte; 32]) }
}

async fn root(fixture: &Fixture) -> Caller {
    fixture.admin("root@corp.sys").await;
    bearing(&fixture.sign_in("root@corp.sys").await.id_token)
}

async fn replica(fixture: &Fixture, seed: u64) -> Domain {
    fixture.replica(seed, &FaultPlan::crash_after(1_000_000)).await
}

/// As another replica is given other master keys.
async fn with_master_keys(fixture: &Fixture, keys: Vec<NamedSecret>) -> Domain {
    let mut config = config();
    config.secrets.master_key = keys;
    let store = fixture.store().clone();
    Domain::open(store, config, fixture.clock.clone(), Random::seeded(9)).await.unwrap()
}

async fn stored(store: &Store) -> SigningKeys {
    let key = keyspace::signing_keys();
    let stored = store.get(&key, START).await.unwrap();
    SigningKeys::decode(&key, &stored.unwrap()).unwrap()
}

async fn assert_clean(fixture: &Fixture) {
    let report = verify(fixture.store(), fixture.now(), &mut |_| {}).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

fn signs(domain: &Domain) -> String {
    domain.signer(domain.clock.now()).unwrap().kid().to_owned()
}

/// Whether one replica takes what another one signs now.
fn takes(verifier: &Domain, signer: &Domain) -> bool {
    let key = signer.signer(signer.clock.now()).unwrap();
    let signature = key.sign_raw(b"message").unwrap();
    let verifiers = verifier.verifiers();
    verifiers.get(key.kid()).is_some_and(|key| key.verify_raw(b"message", &signature).is_ok())
}

fn kids(document: &JwksDocument) -> Vec<String> {
    let jwks: tikti_token::Jwks = serde_json::from_str(&document.body).unwrap();
    jwks.keys.into_iter().map(|key| key.kid).collect()
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Code {
    outcome.unwrap_err().code()
}

fn emergency() -> Rotate {
    Rotate { emergency: true, kid: None }
}

#[tokio::test]
async fn a_key_signs_everywhere_from_its_moment_on_without_another_read() {
    let fixture = Fixture::new().await;
    let (a, b) = (&fixture.domain, replica(&fixture, 2).await);
    let root = root(&fixture).await;
    let old = signs(a);
    let made = rotate(a, &root, &Rotate::default()).await.unwrap();
    assert_eq!((made.state, made.activates_at), (KeyState::Published, START.plus_millis(LEAD)));
    assert!(refresh(&b).await.unwrap());
    assert!(!refresh(&b).await.unwrap());
    assert_eq!(kids(&b.jwks()), [made.kid.clone(), old.clone()]);
    assert_eq!(a.jwks(), b.jwks());
    fixture.clock.advance(LEAD - 1);
    assert_eq!((signs(a), signs(&b)), (old.clone(), old.clone()));
    fixture.clock.advance(1);
    assert_eq!((signs(a), signs(&b)), (made.kid.clone(), made.kid.clone()));
    assert!(takes(a, &b) && takes(&b, a));
    fixture.clock.advance(LINGER - 1);
    assert_eq!(kids(&b.jwks()), [made.kid.clone(), old.clone()]);
    fixture.clock.advance(1);
    assert_eq!((kids(&a.jwks()), kids(&b.jwks())), (vec![made.kid.clone()], vec![made.kid]));
    assert!(b.verifiers().get(&old).is_none());
    fixture.clock.advance(DAY - 1);
    assert_eq!(destroy_removed(&b, fixture.now()).await.unwrap(), 0);
    fixture.clock.advance(1);
    assert_eq!(destroy_removed(&b, fixture.now()).await.unwrap(), 1);
    assert_eq!(destroy_removed(a, fixture.now()).await.unwrap(), 0);
    assert!(kids(&b.audit_keys()).contains(&old));
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn a_document_is_made_once_and_served_again() {
    let fixture = Fixture::new().await;
    let domain = &fixture.domain;
    let first = domain.jwks();
    fixture.clock.advance(1);
    refresh(domain).await.unwrap();
    assert!(Arc::ptr_eq(&first, &domain.jwks()));
}

#[tokio::test]
async fn of_many_rotations_at_once_one_makes_a_key_and_all_tell_of_it() {
    let fixture = Fixture::new().await;
    let (a, b) = (&fixture.domain, replica(&fixture, 2).await);
    let root = root(&fixture).await;
    let ask = Rotate::default();
    let calls = (0..100).map(|number| rotate(if number % 2 == 0 { a } else { &b }, &root, &ask));
    let made: Vec<_> = all(calls).await.into_iter().map(Result::unwrap).collect();
    assert!(made.iter().all(|again| *again == made[0]));
    let listed = list(a, &root).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0].kid, listed[0].state), (&made[0].kid, KeyState::Published));
    assert_eq!(
        (listed[0].changes_at, listed[0].becomes),
        (Some(made[0].activates_at), Some(KeyState::Active))
    );
    assert_eq!((listed[0].tokens_alive_until, listed[0].safe_to_retire), (None, false));
    assert_eq!((listed[1].state, listed[1].becomes), (KeyState::Active, Some(KeyState::Retiring)));
    let alive_until = made[0].activates_at.plus_millis(LINGER);
    assert_eq!(listed[1].tokens_alive_until, Some(alive_until));
    assert!(listed.iter().all(|key| key.bits == 2048 && !key.imported));
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn an_emergency_revokes_all_and_signs_at_once_with_a_new_key() {
    let fixture = Fixture::new().await;
    let (a, b) = (&fixture.domain, replica(&fixture, 2).await);
    let root = root(&fixture).await;
    let old = signs(a);
    let next = rotate(a, &root, &Rotate::default()).await.unwrap();
    refresh(&b).await.unwrap();
    let made = rotate(a, &root, &emergency()).await.unwrap();
    assert_eq!((made.state, made.activates_at), (KeyState::Active, fixture.now()));
    assert_eq!((signs(a), kids(&a.jwks())), (made.kid.clone(), vec![made.kid.clone()]));
    // Whoever has not read of it yet is not believed any more.
    assert_eq!(signs(&b), old);
    assert!(!takes(a, &b));
    refresh(&b).await.unwrap();
    assert!(takes(a, &b) && takes(&b, a));
    assert_eq!((a.jwks(), kids(&a.audit_keys())), (b.jwks(), vec![made.kid.clone()]));
    let keys = stored(fixture.store()).await;
    for kid in [&old, &next.kid] {
        let (_, revoked) = keys.find(kid).unwrap();
        assert_eq!((revoked.revoked_at, &revoked.private), (Some(fixture.now()), &None));
    }
    let events = AuditQuery {
        from: None,
        to: None,
        action: None,
        actor: None,
        page: PageRequest::new(None, None).unwrap(),
    };
    let events = list_deployment_events(a, &root, &events).await.unwrap();
    let told: Vec<_> = events.items.iter().map(|link| link.event.clone()).collect();
    assert!(told.iter().any(|event| event.contains("key.rotate") && event.contains(&next.kid)));
    let last = told.iter().find(|event| event.contains("key.revoke")).unwrap();
    assert!([&made.kid, &old, &next.kid].iter().all(|kid| last.contains(*kid)));
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn an_emergency_that_comes_again_under_its_name_revokes_nothing_more() {
    let fixture = Fixture::new().await;
    let domain = &fixture.domain;
    let root = root(&fixture).await;
    let body = json!({"emergency": true});
    let repeatable = Repeatable::new("n1", ("POST", "/v1/keys/rotate"), &body).unwrap();
    let by_name = Caller { repeatable: Some(repeatable), ..root.clone() };
    let first = rotate(domain, &by_name, &emergency()).await.unwrap();
    let again = rotate(domain, &by_name, &emergency()).await.unwrap();
    assert_eq!((&again, signs(domain)), (&first, first.kid.clone()));
    let another = rotate(domain, &root, &emergency()).await.unwrap();
    assert_ne!(another.kid, first.kid);
    assert_eq!(kids(&domain.jwks()), [another.kid]);
}

#[tokio::test]
async fn an_emergency_for_one_key_leaves_the_others() {
    let fixture = Fixture::new().await;
    let domain = &fixture.domain;
    let root = root(&fixture).await;
    let old = signs(domain);
    let next = rotate(domain, &root, &Rotate::default()).await.unwrap();
    let of = |kid: &str| Rotate { emergency: true, kid: Some(KeyId::parse(kid).unwrap()) };
    let calm = Rotate { emergency: false, ..of(&old) };
    assert_eq!(refused(rotate(domain, &root, &calm).await), Code::InvalidArgument);
    assert_eq!(refused(rotate(domain, &root, &of("gone")).await), Code::KeyNotFound);
    let made = rotate(domain, &root, &of(&next.kid)).await.unwrap();
    assert_eq!((made.state, signs(domain)), (KeyState::Active, made.kid.clone()));
    assert_eq!(kids(&domain.jwks()), [made.kid.clone(), old.clone()]);
    // It is revoked already: there is nothing to do.
    let again = rotate(domain, &root, &of(&next.kid)).await.unwrap();
    assert_eq!(again, made);
    assert_eq!(list(domain, &root).await.unwrap().len(), 3);
    // Who was removed stays removed, whoever is revoked later.
    fixture.clock.advance(LINGER);
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let last = rotate(domain, &root, &of(&made.kid)).await.unwrap();
    assert_eq!(kids(&domain.jwks()), [last.kid]);
}

#[tokio::test]
async fn only_administrators_who_signed_in_lately_rotate() {
    let fixture = Fixture::with(|settings| {
        settings.admin_reauth = std::time::Duration::from_secs(60);
    })
    .await;
    let (domain, root) = (&fixture.domain, root(&fixture).await);
    fixture.user("ann@corp.sys", GlobalRole::CompanyEmployee).await;
    let ann = bearing(&fixture.sign_in("ann@corp.sys").await.id_token);
    for (caller, code) in [(Caller::default(), Code::Unauthenticated), (ann, Code::AdminRequired)] {
        assert_eq!(refused(list(domain, &caller).await), code);
        assert_eq!(refused(rotate(domain, &caller, &Rotate::default()).await), code);
        assert_eq!(refused(rotate(domain, &caller, &emergency()).await), code);
    }
    fixture.clock.advance(120_000);
    list(domain, &root).await.unwrap();
    assert_eq!(refused(rotate(domain, &root, &emergency()).await), Code::CredentialTooOld);
    assert_eq!(stored(fixture.store()).await.keys.len(), 1);
}

#[tokio::test]
async fn signing_ends_when_the_keys_were_not_read_for_too_long_and_verifying_does_not() {
    let fixture = Fixture::with(|settings| {
        settings.key_view_max_age = std::time::Duration::from_secs(300);
    })
    .await;
    let away = fixture.replica(2, &FaultPlan::crash_after(0)).await;
    let session = {
        fixture.admin("root@corp.sys").await;
        fixture.sign_in("root@corp.sys").await
    };
    let before = away.signer(fixture.now()).unwrap();
    fixture.clock.advance(300_000);
    assert_eq!(refused(refresh(&away).await), Code::StoreUnavailable);
    assert_eq!(away.signer(fixture.now()).unwrap().kid(), before.kid());
    fixture.clock.advance(1);
    assert_eq!(refused(away.signer(fixture.now())), Code::StoreUnavailable);
    assert_eq!(kids(&away.jwks()), [before.kid()]);
    assert!(away.verifiers().get(before.kid()).is_some());
    let verified = crate::id_token::verify(&away, &session.id_token, fixture.now());
    verified.unwrap();
    // One that reads them again signs again, and so does a clock that jumps either way.
    let back = &fixture.domain;
    for jump in [0, 3_600_000] {
        fixture.clock.advance(jump);
        assert_eq!(refused(back.signer(fixture.now())), Code::StoreUnavailable);
        assert!(!refresh(back).await.unwrap());
        back.signer(fixture.now()).unwrap();
    }
    fixture.clock.set(START);
    assert_eq!(refused(back.signer(fixture.now())), Code::StoreUnavailable);
    refresh(back).await.unwrap();
    back.signer(fixture.now()).unwrap();
}

#[tokio::test]
async fn a_clock_that_was_put_back_makes_no_old_view_new() {
    let fixture = Fixture::with(|settings| {
        settings.key_view_max_age = std::time::Duration::from_secs(300);
    })
    .await;
    let domain = &fixture.domain;
    fixture.clock.advance(300_001);
    for put_back_by in [0, 1, 300_001, 600_002] {
        let now = START.as_millis() + 300_001 - put_back_by;
        fixture.clock.set(Timestamp::from_millis(now));
        assert_eq!(refused(domain.signer(fixture.now())), Code::StoreUnavailable, "{put_back_by}");
    }
    refresh(domain).await.unwrap();
    domain.signer(fixture.now()).unwrap();
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_verifies_and_stops_signing_in_its_turn() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let (old, lacking) = (signs(&fixture.domain), &fixture.domain);
    let newer = with_master_keys(&fixture, vec![named("m2", 2), named("m1", 1)]).await;
    let made = rotate(&newer, &root, &Rotate::default()).await.unwrap();
    assert!(refresh(lacking).await.unwrap());
    assert_eq!((signs(lacking), lacking.jwks()), (old, newer.jwks()));
    fixture.clock.advance(LEAD);
    assert_eq!(signs(&newer), made.kid);
    assert!(takes(lacking, &newer));
    assert_eq!(refused(lacking.signer(fixture.now())), Code::Internal);
}

#[tokio::test]
async fn a_damaged_record_leaves_what_was_read_before() {
    let fixture = Fixture::new().await;
    let (domain, key) = (&fixture.domain, keyspace::signing_keys());
    let before = (signs(domain), domain.jwks());
    fixture.store().put(&key, Entry::new(b"\x01{"), fixture.now()).await.unwrap();
    assert_eq!(refused(refresh(domain).await), Code::Internal);
    assert_eq!((signs(domain), domain.jwks()), before);
}

#[tokio::test]
async fn what_is_due_is_made_once_by_many_replicas_and_in_the_end_destroyed() {
    let fixture = Fixture::new().await;
    let (a, b) = (&fixture.domain, replica(&fixture, 2).await);
    let old = signs(a);
    let quarter = 90 * 24 * 3_600_000;
    fixture.clock.advance(quarter - 1);
    assert_eq!(rotate_if_due(a, fixture.now()).await.unwrap(), None);
    fixture.clock.advance(1);
    let now = fixture.now();
    let made = all([a, &b, a, &b].map(|domain| Box::pin(rotate_if_due(domain, now)))).await;
    let made: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!((made.len(), stored(fixture.store()).await.keys.len()), (1, 2));
    assert_eq!(signs(a), old);
    fixture.clock.advance(LEAD);
    refresh(&b).await.unwrap();
    assert_eq!((signs(a), signs(&b)), (made[0].clone(), made[0].clone()));
    fixture.clock.advance(LINGER + DAY);
    let now = fixture.now();
    let destroyed = all([a, &b].map(|domain| destroy_removed(domain, now))).await;
    assert_eq!(destroyed.into_iter().map(Result::unwrap).sum::<usize>(), 1);
    let keys = stored(fixture.store()).await;
    assert!(keys.find(&old).unwrap().1.private.is_none());
    assert!(keys.find(&made[0]).unwrap().1.private.is_some());
}

#[test]
fn two_keys_of_one_month_never_share_a_name() {
    let keys = |kids: &[String]| SigningKeys {
        keys: kids
            .iter()
            .map(|kid| SigningKeyRecord {
                kid: kid.clone(),
                created_at: START,
                activates_at: START,
                revoked_at: None,
                imported: false,
                public: serde_json::from_value(
                    json!({"kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB"}),
                )
                .unwrap(),
                private: None,
            })
            .collect(),
        not_before: None,
    };
    let drawn = |taken: &[String]| make::new_kid(&keys(taken), START, &Random::seeded(5)).unwrap();
    let first = drawn(&[]);
    assert_eq!(drawn(&[]), first);
    assert_ne!(drawn(std::slice::from_ref(&first)), first);
}

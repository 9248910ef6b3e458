//! A creation that is asked for again makes nothing more and shows its secret once, whoever comes at the
//! same time and wherever a process dies.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tikti_store::Entry;

use super::*;
use crate::audit::Action;
use crate::audit::tests::events_of;
use crate::id::{RoleName, TenantId, TenantRef};
use crate::role::{Role, Roles};
use crate::scope::ScopeSet;
use crate::secret::{NamedSecret, Peppers, SecretBytes};
use crate::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, sweep};
use crate::tenancy::Administrator;
use crate::tenancy::administer::{Act, Done};
use crate::testing::{FaultPlan, Fixture, all, bearing};
use crate::user::GlobalRole;

const SECRET: &str = "shown-once";
const PATH: &str = "/v1/tenants/acme/things";

/// What is made: a role with a name that was not there before, so that each creation is seen.
async fn make(domain: &Domain, caller: &Caller) -> Result<(String, Option<&'static str>), Error> {
    let now = domain.clock.now();
    let acme = TenantRef::parse("acme").unwrap();
    let administrator = Administrator::recognise(domain, caller, &acme, now).await?;
    let once = administrator.once(domain, caller);
    let more = once.keys().collect();
    let (_, reads) = administrator.admit(domain, (&acme, "roles:write"), more, now).await?;
    if let Some(reply) = once.answered(&reads)? {
        return Ok(Answer::Again(reply).with(SECRET));
    }
    let (action, target) = (Action::RoleCreate, String::new());
    let act = Act { scope: "roles:write", action, target, details: BTreeMap::new() };
    let made = administrator.change_once(domain, (act, &[], &once), now, |txn, admission| {
        let mut roles = admission.roles.clone();
        let name = RoleName::parse(&format!("R{}", roles.len())).unwrap();
        let permissions = ScopeSet::default();
        roles.insert(name.clone(), Role { permissions, built_in: false, managed: false });
        txn.put(&keyspace::roles(&admission.tenant.id), Entry::new(&roles.encode()?))?;
        Ok(Done::Changed(name.to_string()))
    });
    Ok(made.await?.with(SECRET))
}

fn named(caller: &Caller, name: &str, body: &serde_json::Value) -> Caller {
    let repeatable = Repeatable::new(name, ("POST", PATH), body).unwrap();
    Caller { repeatable: Some(repeatable), ..caller.clone() }
}

struct World {
    fixture: Fixture,
    root: Caller,
    acme: TenantId,
    before: usize,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await.id;
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let mut world = Self { fixture, root, acme, before: 0 };
        world.before = world.made().await;
        world
    }

    /// How many there are more than in the beginning.
    async fn made(&self) -> usize {
        let key = keyspace::roles(&self.acme);
        let stored = self.fixture.store().get(&key, self.fixture.now()).await.unwrap();
        Roles::decode_optional(&key, stored.as_ref()).unwrap().unwrap().len() - self.before
    }

    async fn events(&self) -> usize {
        events_of(&self.fixture.domain, &self.acme, self.fixture.now()).await.len()
    }

    async fn assert_clean(&self) {
        let (store, now) = (self.fixture.store(), self.fixture.now());
        let report = crate::integrity::verify(store, now, &mut |_| ()).await.unwrap();
        assert_eq!((report.findings, report.pending), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn a_creation_that_is_repeated_makes_one_and_shows_its_secret_once() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let ask = named(&world.root, "n1", &json!({"id": "a", "scopes": ["x", "y"]}));
    let (made, secret) = make(domain, &ask).await.unwrap();
    assert_eq!(secret, Some(SECRET));
    for _ in 0..3 {
        assert_eq!(make(domain, &ask).await.unwrap(), (made.clone(), None));
    }
    // However the body is spelt.
    let respelt = serde_json::from_str(r#" {"scopes":["\u0078","y"], "id":"a"}"#).unwrap();
    let respelt = named(&world.root, "n1", &respelt);
    assert_eq!(make(domain, &respelt).await.unwrap(), (made, None));
    assert_eq!((world.made().await, world.events().await), (1, 1));
    world.assert_clean().await;
}

#[tokio::test]
async fn refuses_another_body_under_the_same_name_and_makes_nothing() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    make(domain, &named(&world.root, "n1", &json!({"id": "a"}))).await.unwrap();
    for other in [json!({"id": "b"}), json!({}), json!({"id": "a", "x": 1}), json!({"id": ["a"]})] {
        let refused = make(domain, &named(&world.root, "n1", &other)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict, "{other}");
    }
    assert_eq!((world.made().await, world.events().await), (1, 1));
}

#[tokio::test]
async fn another_name_path_method_or_caller_and_none_at_all_are_requests_of_their_own() {
    let world = World::new().await;
    let (fixture, body) = (&world.fixture, json!({"id": "a"}));
    let domain = &fixture.domain;
    fixture.admin("eve@corp.sys").await;
    let eve = bearing(&fixture.sign_in("eve@corp.sys").await.id_token);
    let at = |line| {
        let repeatable = Some(Repeatable::new("n1", line, &body).unwrap());
        Caller { repeatable, ..world.root.clone() }
    };
    let asks = [
        named(&world.root, "n1", &body),
        named(&world.root, "N1", &body),
        named(&eve, "n1", &body),
        at(("PUT", PATH)),
        at(("POST", "/v1/tenants/acme/others")),
    ];
    for ask in &asks {
        assert_eq!(make(domain, ask).await.unwrap().1, Some(SECRET));
    }
    for _ in 0..2 {
        assert_eq!(make(domain, &world.root).await.unwrap().1, Some(SECRET));
    }
    for ask in &asks {
        assert_eq!(make(domain, ask).await.unwrap().1, None);
    }
    // The same user, signed in anew.
    let again = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    assert_eq!(make(domain, &named(&again, "n1", &body)).await.unwrap().1, None);
    assert_eq!(world.made().await, asks.len() + 2);
}

#[tokio::test]
async fn an_answer_is_given_again_for_ten_minutes() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let ask = named(&world.root, "n1", &json!({"id": "a"}));
    let (made, _) = make(domain, &ask).await.unwrap();
    world.fixture.clock.advance(599_999);
    assert_eq!(make(domain, &ask).await.unwrap(), (made.clone(), None));
    world.fixture.clock.advance(1);
    let (other, secret) = make(domain, &ask).await.unwrap();
    assert_eq!(secret, Some(SECRET));
    assert_ne!(made, other);
}

#[tokio::test]
async fn of_many_at_once_one_makes_something_and_has_the_secret() {
    let world = World::new().await;
    let ask = named(&world.root, "n1", &json!({"id": "a"}));
    let never = FaultPlan::crash_after(u64::MAX - 1);
    let mut replicas = Vec::new();
    for seed in 2..6 {
        replicas.push(world.fixture.replica(seed, &never).await);
    }
    let asked = replicas.iter().cycle().take(24).map(|replica| make(replica, &ask));
    let answers: Vec<_> = all(asked).await.into_iter().map(|answer| answer.unwrap()).collect();
    assert_eq!(answers.iter().filter(|(_, secret)| secret.is_some()).count(), 1);
    assert!(answers.iter().all(|(name, _)| *name == answers[0].0));
    assert_eq!((world.made().await, world.events().await), (1, 1));
    world.assert_clean().await;
}

/// Wherever the process dies, whoever repeats the call finds exactly one thing, with one event.
#[tokio::test]
async fn a_repeat_after_a_crash_makes_what_is_missing_and_no_more() {
    let mut died = true;
    let mut calls = 0;
    while died {
        let world = World::new().await;
        let ask = named(&world.root, "n1", &json!({"id": "a"}));
        let replica = world.fixture.replica(2, &FaultPlan::crash_after(calls)).await;
        died = make(&replica, &ask).await.is_err();
        make(&world.fixture.domain, &ask).await.unwrap();
        assert_eq!((world.made().await, world.events().await), (1, 1), "after {calls} calls");
        world.fixture.clock.advance(SWEEP_AFTER_MILLIS);
        let now = world.fixture.now();
        sweep(&world.fixture.domain, &mut SweepCursor::default(), now).await.unwrap();
        assert_eq!((world.made().await, world.events().await), (1, 1), "after {calls} calls");
        world.assert_clean().await;
        calls += 1;
    }
    assert!(calls > 4, "{calls}");
}

#[tokio::test]
async fn who_has_lost_the_right_is_not_told_again_and_a_refusal_is_not_kept() {
    let world = World::new().await;
    let (fixture, domain) = (&world.fixture, &world.fixture.domain);
    let ann = fixture.user("ann@corp.sys", GlobalRole::CompanyEmployee).await;
    fixture.member(&world.acme, &ann, &["TENANT_USER"]).await;
    let ask =
        named(&bearing(&fixture.sign_in("ann@corp.sys").await.id_token), "n1", &json!({"id": "a"}));
    assert_eq!(make(domain, &ask).await.unwrap_err().code(), Code::PermissionDenied);
    fixture.member(&world.acme, &ann, &["TENANT_ADMIN"]).await;
    assert_eq!(make(domain, &ask).await.unwrap().1, Some(SECRET));
    fixture.member(&world.acme, &ann, &["TENANT_USER"]).await;
    assert_eq!(make(domain, &ask).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(world.made().await, 1);
}

#[tokio::test]
async fn an_answer_is_found_after_the_pepper_was_rotated() {
    let world = World::new().await;
    let ask = named(&world.root, "n1", &json!({"id": "a"}));
    let pepper = |kid: &str, byte| NamedSecret {
        kid: kid.to_owned(),
        secret: SecretBytes::new(vec![byte; 32]),
    };
    let never = FaultPlan::crash_after(u64::MAX - 1);
    let mut before = world.fixture.replica(2, &never).await;
    before.peppers = Peppers::new(&[pepper("p1", 1)]).unwrap();
    let mut after = world.fixture.replica(3, &never).await;
    after.peppers = Peppers::new(&[pepper("p2", 2), pepper("p1", 1)]).unwrap();
    let (made, _) = make(&before, &ask).await.unwrap();
    assert_eq!(make(&after, &ask).await.unwrap(), (made, None));
    let other = named(&world.root, "n1", &json!({"id": "b"}));
    assert_eq!(make(&after, &other).await.unwrap_err().code(), Code::Conflict);
    assert_eq!(world.made().await, 1);
}

/// What is asked for may be private, and the client's name for it too.
#[tokio::test]
async fn what_is_kept_tells_neither_name_nor_body_nor_secret() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let ask = named(&world.root, "the-name", &json!({"id": "the-body"}));
    assert_eq!(format!("{:?}", ask.repeatable), "Some(Repeatable)");
    let (made, _) = make(domain, &ask).await.unwrap();
    let acme = TenantRef::parse("acme").unwrap();
    let now = world.fixture.now();
    let administrator = Administrator::recognise(domain, &ask, &acme, now).await.unwrap();
    let key = administrator.once(domain, &ask).keys().next().unwrap();
    let stored = domain.store.get(&key, now).await.unwrap().unwrap();
    let text = format!("{key} {}", String::from_utf8_lossy(stored.value()));
    assert!(text.contains(&made), "{text}");
    for private in ["the-name", "the-body", SECRET] {
        assert!(!text.contains(private), "{text}");
    }
}

/// Where no tenant is: keys of the deployment.
#[tokio::test]
async fn the_deployment_has_answers_of_its_own() {
    let fixture = Arc::new(Fixture::new().await);
    let (domain, now) = (&fixture.domain, fixture.now());
    let global = Partition::global();
    let ask = named(&Caller::default(), "n1", &json!({}));
    let once = Once::of(domain, (&ask, "user u1"), &global);
    let keys: Vec<_> = once.keys().collect();
    for expected in [None, Some("made")] {
        let found = domain.store.transact(&global, &keys, now, |txn| {
            let found = once.recall::<String>(txn)?;
            if found.is_none() {
                once.remember(txn, &"made", now)?;
            }
            Ok::<_, Error>(found)
        });
        assert_eq!(found.await.unwrap().as_deref(), expected);
    }
    let unnamed = Once::of(domain, (&Caller::default(), "user u1"), &global);
    assert_eq!(unnamed.keys().count(), 0);
}

#[test]
fn a_name_is_of_1_to_255_visible_characters() {
    let try_name = |name: &str| Repeatable::new(name, ("POST", PATH), &json!({}));
    let longest = "x".repeat(255);
    for good in ["a", "~", "!", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", longest.as_str()] {
        assert!(try_name(good).is_ok(), "{good}");
    }
    let too_long = "x".repeat(256);
    for bad in ["", " ", "a b", "a\tb", "a\n", "\u{7f}", "é", too_long.as_str()] {
        let refused = try_name(bad).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument, "{bad:?}");
        assert!(refused.details.contains_key("Idempotency-Key"));
    }
}

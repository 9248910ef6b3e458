//! What carrying a plan out leaves behind, once, twice, and after it stopped anywhere.

use tikti_store::FaultPlan;

use super::super::report::{Count, Report, Thing};
use super::super::{carry_out, compare};
use super::{Build, OLD, line};
use crate::account::find_by_email;
use crate::domain::Domain;
use crate::email::Email;
use crate::id::{RoleName, TenantId, TenantRef, UserId};
use crate::integrity::verify;
use crate::keyspace;
use crate::membership::Membership;
use crate::password::PasswordHash;
use crate::record::Record;
use crate::sweep::{SweepCursor, sweep};
use crate::tenancy::find;
use crate::tenant::TenantStatus;
use crate::testing::{Fixture, PASSWORD};
use crate::user::{GlobalRole, User, UserStatus};

/// Two tenants, one of them suspended; three users, one an administrator; roles, a client, memberships.
fn world(hash: &PasswordHash) -> Build {
    let hash = serde_json::to_string(hash).unwrap();
    Build::default()
        .tenant(OLD, r#"{"slug":"acme","name":"Acme"}"#)
        .tenant("beta", r#"{"slug":"beta-co","status":"SUSPENDED"}"#)
        .role(OLD, "BILLING", r#"{"permissions":["billing:read"]}"#)
        .client(OLD, "billing", r#"{"type":"SERVICE","defaultScopes":["billing:read"]}"#)
        .user("Ann@example.org", &format!(r#"{{"localId":"u-1","password":{hash}}}"#))
        .user("root@corp.sys", &format!(r#"{{"localId":"u-2","role":"ADMIN","password":{hash}}}"#))
        .newer_user("u-3", r#"{"email":"bob@example.org","companyId":"beta"}"#)
        .member(OLD, "u-1", r#"{"roles":["TENANT_ADMIN","BILLING"],"createdAt":7}"#)
        .member(OLD, "u-3", r#"{"roles":["BILLING"],"createdAt":7}"#)
        .member("beta", "u-3", r#"{"roles":["TENANT_ADMIN"],"createdAt":8}"#)
}

async fn hash(fixture: &Fixture) -> PasswordHash {
    fixture.domain.passwords.hash(&PASSWORD.to_owned().into()).await.unwrap()
}

async fn carry(domain: &Domain, build: &Build) -> Report {
    Box::pin(carry_out(domain, build.plan(), &mut |_| ())).await.unwrap()
}

fn taken(report: &Report) -> Vec<u64> {
    Thing::ALL.map(|thing| report.count(thing).taken).to_vec()
}

fn present(report: &Report) -> Vec<u64> {
    Thing::ALL.map(|thing| report.count(thing).present).to_vec()
}

fn lines(report: &Report) -> Vec<String> {
    report.troubles.iter().map(line).collect()
}

async fn user(fixture: &Fixture, email: &str) -> User {
    let email = Email::parse(email).unwrap();
    find_by_email(&fixture.domain, &email, fixture.now()).await.unwrap().unwrap()
}

async fn assert_sound(fixture: &Fixture) {
    let report = verify(fixture.store(), fixture.now(), &mut |_| ()).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.pending, 0);
}

#[tokio::test]
async fn what_was_taken_over_works_and_a_second_run_takes_nothing() {
    let fixture = Fixture::new().await;
    let build = world(&hash(&fixture).await);
    let (domain, now) = (&fixture.domain, fixture.now());
    let here = (Some(fixture.store()), now);
    let dry = Box::pin(compare(here, build.plan(), &mut |_| ())).await.unwrap();
    let nothing = compare((None, now), build.plan(), &mut |_| ()).await.unwrap();

    let report = carry(domain, &build).await;
    assert_eq!(taken(&report), [2, 1, 1, 3, 3]);
    assert_eq!(lines(&report), Vec::<String>::new());
    // A dry run says the same, also where there is no store.
    assert_eq!((&dry, &nothing), (&report, &report));
    assert_sound(&fixture).await;

    // By the old id as by the slug, and with what the role holds.
    for name in [OLD, "acme"] {
        let tenant = find(domain, &TenantRef::parse(name).unwrap(), now).await.unwrap().unwrap();
        assert_eq!(tenant.id, TenantId::of_old(OLD).unwrap());
        assert_eq!((tenant.name.as_str(), tenant.status), ("Acme", TenantStatus::Active));
    }
    let signed_in = fixture.sign_in("ann@example.org").await;
    assert_eq!(signed_in.tenant_id, TenantId::of_old(OLD));
    assert!(fixture.try_sign_in("ann@example.org", "another").await.is_err());
    assert_eq!(user(&fixture, "root@corp.sys").await.role, GlobalRole::Admin);
    // His company comes first, also where it is suspended.
    let bob = user(&fixture, "bob@example.org").await;
    assert_eq!(bob.default_tenant, TenantId::parse("beta").ok());

    fixture.clock.advance(120_000);
    let again = carry(domain, &build).await;
    assert_eq!((taken(&again), present(&again)), (vec![0; 5], vec![2, 1, 1, 3, 3]));
    assert_eq!(lines(&again), Vec::<String>::new());
    assert_eq!(user(&fixture, "bob@example.org").await, bob);
    assert_sound(&fixture).await;
}

#[tokio::test]
async fn what_is_here_otherwise_stays_and_is_said() {
    let fixture = Fixture::new().await;
    let build = world(&hash(&fixture).await);
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.admin("chief@corp.sys").await;
    let acme = fixture.tenant("chief@corp.sys", "acme").await;
    let report = carry(&fixture.domain, &build).await;
    assert_eq!(taken(&report), [1, 0, 0, 2, 1]);
    assert_eq!(
        lines(&report),
        [
            format!("! tenant_missing clients:{OLD} billing"),
            format!("! tenant_missing memberships:{OLD} u-1"),
            format!("! tenant_missing memberships:{OLD} u-3"),
            format!("! tenant_missing roles:{OLD} BILLING"),
            format!("! differs tenants {OLD} its slug is another tenant's"),
            "! differs users Ann@example.org his address is another user's".to_owned(),
        ]
    );
    let still = find(&fixture.domain, &TenantRef::from(&acme.slug), fixture.now()).await.unwrap();
    assert_eq!(still.unwrap(), acme);
    for thing in Thing::ALL {
        let Count { found, taken, present, merged, left } = report.count(thing);
        assert_eq!(found, taken + present + merged + left, "{thing:?}");
    }
    assert_sound(&fixture).await;
}

#[tokio::test]
async fn what_was_changed_here_since_is_not_undone() {
    let fixture = Fixture::new().await;
    let build = world(&hash(&fixture).await);
    carry(&fixture.domain, &build).await;
    fixture.clock.advance(1000);
    let (domain, now) = (&fixture.domain, fixture.now());
    // Demoted, removed, given another role.
    fixture.admin("chief@corp.sys").await;
    let change =
        crate::user::UserChange { role: Some(GlobalRole::CompanyEmployee), ..Default::default() };
    let root = UserId::parse("u-2").unwrap();
    crate::account::change_user::change_user(domain, &root, &change, now).await.unwrap();
    let acme = TenantId::of_old(OLD).unwrap();
    let (ann, bob) = (UserId::parse("u-1").unwrap(), UserId::parse("u-3").unwrap());
    crate::tenancy::remove_member(domain, &acme, &bob, now).await.unwrap();
    let key = keyspace::member(&acme, &ann);
    let stored = domain.store.get(&key, now).await.unwrap().unwrap();
    let mut held = Membership::decode(&key, &stored).unwrap();
    held.roles.remove(&RoleName::parse("BILLING").unwrap());
    fixture.put_membership(&held).await;

    let report = carry(domain, &build).await;
    assert_eq!((taken(&report), present(&report)), (vec![0; 5], vec![2, 1, 1, 2, 1]));
    assert_eq!(
        lines(&report),
        [
            format!("! differs memberships:{OLD} u-1 he has other roles here"),
            format!("! differs memberships:{OLD} u-3 it was deleted here"),
            "! differs users root@corp.sys not the same here: role".to_owned(),
        ]
    );
    assert_eq!(user(&fixture, "root@corp.sys").await.role, GlobalRole::CompanyEmployee);
    assert_sound(&fixture).await;
}

#[tokio::test]
async fn nobody_rises_whom_an_earlier_run_took_as_less_and_what_differs_is_named() {
    let fixture = Fixture::new().await;
    let hash = hash(&fixture).await;
    let text = serde_json::to_string(&hash).unwrap();
    let user_of = |role: &str| format!(r#"{{"localId":"u-2","role":"{role}","password":{text}}}"#);
    let of = |role: &str| world(&hash).user("root@corp.sys", &user_of(role));
    carry(&fixture.domain, &of("COMPANY_ADMIN")).await;
    fixture.clock.advance(1000);
    let domain = &fixture.domain;
    let mut ann = user(&fixture, "ann@example.org").await;
    ann.status = UserStatus::Suspended;
    fixture.put_user(&ann).await;
    let mut bob = user(&fixture, "bob@example.org").await;
    bob.password_hash = Some(hash.clone());
    fixture.put_user(&bob).await;

    let other = r#"{"email":"bob@example.org","companyId":"beta","password":"$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"}"#;
    let build = of("ADMIN").newer_user("u-3", other);
    let report = carry(domain, &build).await;
    assert_eq!((taken(&report), present(&report)), (vec![0; 5], vec![2, 1, 1, 1, 3]));
    assert_eq!(
        lines(&report),
        [
            "! differs users Ann@example.org not the same here: status",
            "! differs users root@corp.sys not the same here: role",
        ]
    );
    assert_eq!(user(&fixture, "root@corp.sys").await.role, GlobalRole::CompanyAdmin);
    // A password that ended his sessions is another one; one that did not is the same, hashed anew.
    bob.ver += 1;
    fixture.put_user(&bob).await;
    let told = lines(&carry(domain, &build).await);
    assert!(told.contains(&"! differs users_v2 u-3 not the same here: password".to_owned()));
}

#[tokio::test]
async fn a_role_that_was_left_is_given_to_nobody() {
    let fixture = Fixture::new().await;
    let of = |permission: &str| {
        let json = format!(r#"{{"permissions":["{permission}"]}}"#);
        Build::default().tenant("acme", "{}").role("acme", "BILLING", &json)
    };
    carry(&fixture.domain, &of("billing:write")).await;
    let build = of("billing:read").user("ann@example.org", r#"{"localId":"u-1"}"#).member(
        "acme",
        "u-1",
        r#"{"roles":["BILLING","TENANT_USER"]}"#,
    );
    let told = [
        "! member_role memberships:acme u-1",
        "! differs roles:acme BILLING it has other permissions here",
    ];
    let now = fixture.now();
    let dry = compare((Some(fixture.store()), now), build.plan(), &mut |_| ()).await.unwrap();
    let report = carry(&fixture.domain, &build).await;
    assert_eq!(dry, report);
    assert_eq!(
        (taken(&report), lines(&report)),
        (vec![0, 0, 0, 1, 1], told.map(String::from).to_vec())
    );
    let (acme, ann) = (TenantId::parse("acme").unwrap(), UserId::parse("u-1").unwrap());
    let key = keyspace::member(&acme, &ann);
    let stored = fixture.store().get(&key, now).await.unwrap().unwrap();
    let held = Membership::decode(&key, &stored).unwrap();
    assert_eq!(held.roles, [RoleName::parse("TENANT_USER").unwrap()].into());
    // Once more: the same is there, and said.
    let again = carry(&fixture.domain, &build).await;
    assert_eq!((present(&again), lines(&again)), (vec![1, 0, 0, 1, 1], lines(&report)));
}

#[tokio::test]
async fn a_dry_run_sees_that_an_id_is_the_name_of_another_tenant() {
    let fixture = Fixture::new().await;
    fixture.admin("chief@corp.sys").await;
    fixture.tenant("chief@corp.sys", "acme").await;
    let build = Build::default().tenant("acme", r#"{"slug":"other"}"#);
    let here = (Some(fixture.store()), fixture.now());
    let dry = compare(here, build.plan(), &mut |_| ()).await.unwrap();
    assert_eq!(lines(&dry), ["! differs tenants acme its id is another tenant's"]);
    assert_eq!(carry(&fixture.domain, &build).await, dry);
}

/// One of each, and an administrator.
fn small(hash: &PasswordHash) -> Build {
    let hash = serde_json::to_string(hash).unwrap();
    Build::default()
        .tenant(OLD, r#"{"slug":"acme"}"#)
        .role(OLD, "BILLING", r#"{"permissions":["billing:read"]}"#)
        .client(OLD, "billing", "{}")
        .user("root@corp.sys", &format!(r#"{{"localId":"u-2","role":"ADMIN","password":{hash}}}"#))
        .member(OLD, "u-2", r#"{"roles":["BILLING"]}"#)
}

/// A process that dies at any call of the store, and the next one, which goes on.
#[tokio::test]
async fn a_migration_that_stopped_anywhere_goes_on_to_the_same_end() {
    let mut calls = 0;
    while !goes_on((calls, small), [1, 1, 1, 1, 1]).await {
        calls += 1;
    }
    let mut calls = 4;
    while !goes_on((calls, world), [2, 1, 1, 3, 3]).await {
        calls += 21;
    }
}

/// Whether the first one came to its end.
async fn goes_on((calls, of): (u64, fn(&PasswordHash) -> Build), all: [u64; 5]) -> bool {
    let fixture = Fixture::new().await;
    let build = of(&hash(&fixture).await);
    let faults = FaultPlan::crash_after(calls);
    let dying = fixture.replica(7, &faults).await;
    let died = Box::pin(carry_out(&dying, build.plan(), &mut |_| ())).await;
    let is_over = died.is_ok() && faults.calls() <= calls;
    let when = format!("after {calls} calls");

    let report = carry(&fixture.domain, &build).await;
    let both: Vec<u64> = taken(&report).iter().zip(present(&report)).map(|(a, b)| a + b).collect();
    assert_eq!(both, all, "{when}");
    assert_eq!(lines(&report), Vec::<String>::new(), "{when}");
    assert_eq!(user(&fixture, "root@corp.sys").await.role, GlobalRole::Admin, "{when}");

    // What the dead one had under way is given up or finished.
    fixture.clock.advance(120_000);
    let mut cursor = SweepCursor::default();
    let swept = Box::pin(sweep(&fixture.domain, &mut cursor, fixture.now())).await.unwrap();
    assert_eq!(swept.failed, 0, "{when}");
    assert_sound(&fixture).await;
    let again = carry(&fixture.domain, &build).await;
    assert_eq!(present(&again), all, "{when}");
    assert_sound(&fixture).await;
    fixture.sign_in("root@corp.sys").await;
    is_over
}

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
use crate::user::{GlobalRole, User};

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
    assert_eq!((taken(&report), present(&report)), (vec![0; 5], vec![2, 1, 1, 3, 1]));
    assert_eq!(
        lines(&report),
        [
            format!("! differs memberships:{OLD} u-1 he has other roles here"),
            format!("! differs memberships:{OLD} u-3 it was deleted here"),
        ]
    );
    assert_eq!(user(&fixture, "root@corp.sys").await.role, GlobalRole::CompanyEmployee);
    assert_sound(&fixture).await;
}

/// A process that dies at any call of the store, and the next one, which goes on.
#[tokio::test]
async fn a_migration_that_stopped_anywhere_goes_on_to_the_same_end() {
    let mut calls = 0;
    loop {
        let fixture = Fixture::new().await;
        let build = world(&hash(&fixture).await);
        let faults = FaultPlan::crash_after(calls);
        let dying = fixture.replica(7, &faults).await;
        let died = Box::pin(carry_out(&dying, build.plan(), &mut |_| ())).await;
        let is_over = died.is_ok() && faults.calls() <= calls;
        let when = format!("after {calls} calls");

        let report = carry(&fixture.domain, &build).await;
        let both: Vec<u64> =
            taken(&report).iter().zip(present(&report)).map(|(a, b)| a + b).collect();
        assert_eq!(both, [2, 1, 1, 3, 3], "{when}");
        assert_eq!(lines(&report), Vec::<String>::new(), "{when}");
        assert_eq!(user(&fixture, "root@corp.sys").await.role, GlobalRole::Admin, "{when}");

        // What the dead one had under way is given up or finished.
        fixture.clock.advance(120_000);
        let mut cursor = SweepCursor::default();
        let swept = Box::pin(sweep(&fixture.domain, &mut cursor, fixture.now())).await.unwrap();
        assert_eq!(swept.failed, 0, "{when}");
        assert_sound(&fixture).await;
        let again = carry(&fixture.domain, &build).await;
        assert_eq!(present(&again), [2, 1, 1, 3, 3], "{when}");
        assert_sound(&fixture).await;
        fixture.sign_in("ann@example.org").await;
        if is_over {
            return;
        }
        calls += 9;
    }
}

//! Who changes and deletes a tenant, and that a deletion and its audit event never come alone.

use std::time::Duration;

use crate::account::{Lookup, lookup};
use crate::audit::Chain;
use crate::audit::tests::links_of;
use crate::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, sweep};
use crate::tenancy::get_tenant;
use crate::testing::{FaultPlan, Fixture, bearing, keyed};
use crate::user::GlobalRole;

use super::*;

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn renamed(name: &str) -> UpdateTenant {
    UpdateTenant { name: Some(name.to_owned()), ..UpdateTenant::default() }
}

fn set(status: TenantStatus) -> UpdateTenant {
    UpdateTenant { status: Some(status), ..UpdateTenant::default() }
}

/// A deployment with the tenant `acme`, its administrator Ann, and an administrator of the deployment.
async fn place() -> (Fixture, Caller, Caller) {
    let short = Duration::from_secs(120);
    let fixture = Fixture::with(|settings| settings.admin_reauth = short).await;
    fixture.admin("root@corp.sys").await;
    let ann = fixture.user("ann@corp.sys", GlobalRole::CompanyAdmin).await;
    // Their sessions are of no tenant, and do not end with it.
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let caller = bearing(&fixture.sign_in("ann@corp.sys").await.id_token);
    let tenant = fixture.tenant("root@corp.sys", "acme").await;
    fixture.member(&tenant.id, &ann, &["TENANT_ADMIN"]).await;
    (fixture, root, caller)
}

#[tokio::test]
async fn t5_an_administrator_of_a_tenant_renames_it_but_says_not_whether_it_is_served() {
    let (fixture, _, ann) = place().await;
    let domain = &fixture.domain;
    let tenant = update_tenant(domain, &ann, (&acme(), &renamed("Acme"))).await.unwrap();
    assert_eq!(tenant.name, "Acme");
    for status in [TenantStatus::Active, TenantStatus::Suspended] {
        let refused = update_tenant(domain, &ann, (&acme(), &set(status))).await.unwrap_err();
        assert_eq!(refused.code(), Code::AdminRequired);
    }
    let refused = remove_tenant(domain, &ann, &acme()).await.unwrap_err();
    assert_eq!(refused.code(), Code::AdminRequired);
    assert_eq!(get_tenant(domain, &ann, &acme()).await.unwrap(), tenant);
}

#[tokio::test]
async fn who_is_no_member_or_may_not_write_changes_no_tenant() {
    let (fixture, _, ann) = place().await;
    let domain = &fixture.domain;
    let tenant = get_tenant(domain, &ann, &acme()).await.unwrap();
    let bob = fixture.user("bob@corp.sys", GlobalRole::CompanyAdmin).await;
    let caller = bearing(&fixture.sign_in("bob@corp.sys").await.id_token);
    for code in [Code::TenantNotFound, Code::PermissionDenied] {
        for ask in [renamed("Bobs"), set(TenantStatus::Suspended)] {
            let refused = update_tenant(domain, &caller, (&acme(), &ask)).await.unwrap_err();
            assert_eq!(refused.code(), code);
        }
        fixture.member(&tenant.id, &bob, &["TENANT_USER"]).await;
    }
}

#[tokio::test]
async fn a8_a_suspended_tenant_is_gone_for_its_members_until_it_is_activated() {
    let (fixture, root, ann) = place().await;
    let domain = &fixture.domain;
    let suspended = set(TenantStatus::Suspended);
    update_tenant(domain, &root, (&acme(), &suspended)).await.unwrap();
    let refused = get_tenant(domain, &ann, &acme()).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);
    let refused = update_tenant(domain, &ann, (&acme(), &renamed("Acme"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);
    let refused = update_tenant(domain, &root, (&acme(), &renamed("Acme"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantDisabled);
    update_tenant(domain, &root, (&acme(), &set(TenantStatus::Active))).await.unwrap();
    get_tenant(domain, &ann, &acme()).await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_is_being_deleted_never_comes_back() {
    let (fixture, root, _) = place().await;
    let domain = &fixture.domain;
    let mut tenant = get_tenant(domain, &root, &acme()).await.unwrap();
    tenant.status = TenantStatus::Deleting;
    fixture.put_tenant(&tenant).await;
    for ask in [set(TenantStatus::Active), set(TenantStatus::Suspended), renamed("Acme")] {
        let refused = update_tenant(domain, &root, (&acme(), &ask)).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantDisabled);
    }
    // The deletion may be asked for again.
    remove_tenant(domain, &root, &acme()).await.unwrap();
    let refused = remove_tenant(domain, &root, &acme()).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);
}

#[tokio::test]
async fn what_is_the_deployments_to_say_needs_a_recent_sign_in() {
    let (fixture, root, _) = place().await;
    let domain = &fixture.domain;
    let limit = domain.settings.admin_reauth.as_secs();
    fixture.clock.advance((limit + 1) * 1000);
    let suspended = set(TenantStatus::Suspended);
    let refused = update_tenant(domain, &root, (&acme(), &suspended)).await.unwrap_err();
    assert_eq!(refused.code(), Code::CredentialTooOld);
    let refused = remove_tenant(domain, &root, &acme()).await.unwrap_err();
    assert_eq!(refused.code(), Code::CredentialTooOld);
    get_tenant(domain, &root, &acme()).await.unwrap();
}

/// How often the deployment's chain says that a tenant was deleted.
async fn told(fixture: &Fixture) -> usize {
    let links = links_of(&fixture.domain, &Chain::Deployment, fixture.now()).await;
    links.iter().filter(|link| link.event.contains("\"tenant.delete\"")).count()
}

#[tokio::test]
async fn a_deletion_that_dies_at_any_call_is_finished_and_told_once_or_never_was() {
    let mut finished = 0;
    for calls in 0.. {
        let (fixture, root, _) = place().await;
        let plan = FaultPlan::crash_after(calls);
        let replica = fixture.replica(2, &plan).await;
        let outcome = remove_tenant(&replica, &root, &acme()).await;
        fixture.clock.advance(SWEEP_AFTER_MILLIS + 1);
        let domain = &fixture.domain;
        let swept = sweep(domain, &mut SweepCursor::default(), fixture.now()).await.unwrap();
        assert_eq!(swept.failed, 0, "after {calls} calls");
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let is_gone = get_tenant(domain, &root, &acme()).await.is_err();
        assert!(is_gone || outcome.is_err(), "after {calls} calls");
        assert_eq!(told(&fixture).await, usize::from(is_gone), "after {calls} calls");
        let report = crate::integrity::verify(&domain.store, fixture.now(), &mut |_| ()).await;
        assert_eq!(report.unwrap().findings, vec![], "after {calls} calls");
        finished += usize::from(is_gone);
        if plan.calls() <= calls {
            break;
        }
    }
    assert!(finished > 10, "{finished}");
}

/// Attacks, row T4: whoever has suspended the tenant that he is signed in to is let in to activate it.
#[tokio::test]
async fn t4_an_administrator_of_the_deployment_activates_the_tenant_that_he_is_signed_in_to() {
    let (fixture, _, ann) = place().await;
    let domain = &fixture.domain;
    let signed_in = fixture.sign_in("root@corp.sys").await;
    let (tenant, inside) = (signed_in.tenant_id.unwrap(), bearing(&signed_in.id_token));
    let ann_inside = bearing(&fixture.sign_in("ann@corp.sys").await.id_token);
    for status in [TenantStatus::Suspended, TenantStatus::Suspended, TenantStatus::Active] {
        update_tenant(domain, &inside, (&acme(), &set(status))).await.unwrap();
        if status == TenantStatus::Suspended {
            // Nobody else gets in meanwhile, and the token is good for nothing else.
            for (caller, code) in
                [(&ann, Code::TenantNotFound), (&ann_inside, Code::Unauthenticated)]
            {
                let refused = update_tenant(domain, caller, (&acme(), &set(status))).await;
                assert_eq!(refused.unwrap_err().code(), code);
            }
            let ask = Lookup { id_token: signed_in.id_token.clone(), memberships: false };
            let refused = lookup(domain, &keyed(), &ask).await.unwrap_err();
            assert_eq!(refused.code(), Code::TokenRevoked);
        }
    }
    delete_tenant::delete_tenant(domain, &tenant, fixture.now()).await.unwrap();
    let refused = update_tenant(domain, &inside, (&acme(), &set(TenantStatus::Active))).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

//! What a creation leaves behind, wherever it stops, and who gets its names.

use std::collections::BTreeMap;

use super::*;
use crate::audit::{Actor, Who};
use crate::id::TenantRef;
use crate::page::PageRequest;
use crate::tenancy::{get_tenant, list_tenants};
use crate::testing::{Fixture, bearing};
use crate::user::GlobalRole;

fn tenant(id: &str, slug: &str, now: Timestamp) -> Tenant {
    Tenant {
        id: TenantId::parse(id).unwrap(),
        slug: Slug::parse(slug).unwrap(),
        name: slug.to_owned(),
        status: TenantStatus::Active,
        self_sign_up: false,
        created_at: now,
    }
}

fn claim_of(tenant: &TenantId, now: Timestamp, domain: &Domain) -> NameClaim {
    let token = OperationId::generate(now, &domain.random).unwrap();
    NameClaim { tenant_id: tenant.clone(), token }
}

/// A creation whose process dies after claiming (1) or listing (2).
async fn dies(
    fixture: &Fixture,
    tenant: &Tenant,
    creator: &UserId,
    steps: usize,
) -> (OperationId, CreatingTenant) {
    let (domain, now) = (&fixture.domain, fixture.now());
    let (tenant_id, slug) = (tenant.id.clone(), tenant.slug.clone());
    let work = CreatingTenant { tenant_id, slug, creator: Some(creator.clone()) };
    let operation = intent::begin(domain, Work::CreateTenant(work.clone()), now).await.unwrap();
    let ours = NameClaim { tenant_id: tenant.id.clone(), token: operation.clone() };
    for name in names_of(&tenant.slug, &tenant.id) {
        claim_name(domain, &name, &ours, now).await.unwrap();
    }
    if steps == 2 {
        enlist(domain, &operation, &tenant.id, now).await.unwrap();
        seats::enter(domain, &operation, (&tenant.id, creator), None, now).await.unwrap();
    }
    (operation, work)
}

/// What the audit would say.
fn draft(creator: &UserId) -> Draft {
    Draft {
        action: Action::TenantCreate,
        target: "t-dead".to_owned(),
        tenant_id: None,
        actor: Actor { who: Who::User(creator.clone()), session_id: None, ip: None },
        request_id: String::new(),
        cross_tenant: false,
        details: BTreeMap::new(),
    }
}

fn birth<'a>(tenant: &'a Tenant, creator: &'a UserId, draft: &'a Draft) -> Birth<'a> {
    let creator = Some(creator);
    Birth { tenant, creator, roles: Roles::built_in(), clients: Vec::new(), draft }
}

/// A creator dies after `steps` steps; another one asks for the same slug.
async fn dies_after(steps: usize) {
    let fixture = Fixture::new().await;
    let root = fixture.admin("root@corp.sys").await;
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let (domain, now) = (&fixture.domain, fixture.now());
    let dead = tenant("t-dead", "acme", now);
    let (operation, _) = dies(&fixture, &dead, &root.id, steps).await;
    let page = PageRequest::new(None, None).unwrap();
    assert_eq!(list_tenants(domain, &caller, &page).await.unwrap().items, []);
    for name in ["acme", "t-dead"] {
        let name = TenantRef::parse(name).unwrap();
        let refused = get_tenant(domain, &caller, &name).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantNotFound);
    }

    let ask = CreateTenant { slug: dead.slug.clone(), name: None, id: None };
    let made = create_tenant(domain, &caller, &ask).await.unwrap();
    let draft = draft(&root.id);
    let entered = Entered { token: operation.clone(), counts: true };
    let birth = birth(&dead, &root.id, &draft);
    let last = (&birth, Some((&root.id, &entered)));
    let late = bring_to_life(domain, &operation, last, now).await;
    let late = late.map(|_| ()).unwrap_err();
    assert_eq!(late.code(), Code::TenantExists);
    let acme = TenantRef::parse("acme").unwrap();
    assert_eq!(get_tenant(domain, &caller, &acme).await.unwrap(), made);
    assert_eq!(list_tenants(domain, &caller, &page).await.unwrap().items, [made]);
}

#[tokio::test]
async fn a_creator_that_dies_after_any_step_leaves_the_name_to_the_next() {
    for steps in 1..=2 {
        dies_after(steps).await;
    }
}

#[tokio::test]
async fn a_creation_that_died_is_repeated_with_the_same_id() {
    let fixture = Fixture::new().await;
    let root = fixture.admin("root@corp.sys").await;
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let (domain, now) = (&fixture.domain, fixture.now());
    let dead = tenant("corp", "acme", now);
    let (operation, work) = dies(&fixture, &dead, &root.id, 2).await;
    let ask = CreateTenant { slug: dead.slug, name: None, id: Some(dead.id.clone()) };
    let made = create_tenant(domain, &caller, &ask).await.unwrap();
    assert_eq!(made.id, dead.id);
    // Who tidies up after the dead one leaves the living one as it is.
    settle(domain, &operation, &work, now).await.unwrap();
    let page = PageRequest::new(None, None).unwrap();
    assert_eq!(list_tenants(domain, &caller, &page).await.unwrap().items, vec![made.clone()]);
    let acme = TenantRef::parse("acme").unwrap();
    assert_eq!(get_tenant(domain, &caller, &acme).await.unwrap(), made);
}

/// A creation sleeps; its name goes to another by a clock that is decades back, and the clock returns.
#[tokio::test]
async fn a_fence_that_was_put_up_by_a_clock_that_was_back_stands_when_it_returns() {
    let fixture = Fixture::new().await;
    let root = fixture.admin("root@corp.sys").await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let slow = tenant("t-slow", "acme", now);
    let (operation, _) = dies(&fixture, &slow, &root.id, 2).await;
    fixture.clock.set(Timestamp::from_millis(0));
    let made = fixture.tenant("root@corp.sys", "acme").await;
    fixture.clock.set(now);
    let draft = draft(&root.id);
    let entered = Entered { token: operation.clone(), counts: true };
    let birth = birth(&slow, &root.id, &draft);
    let last = (&birth, Some((&root.id, &entered)));
    let late = bring_to_life(domain, &operation, last, now).await.map(|_| ()).unwrap_err();
    assert_eq!(late.code(), Code::TenantExists);
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let acme = TenantRef::parse("acme").unwrap();
    assert_eq!(get_tenant(domain, &caller, &acme).await.unwrap(), made);
}

/// The claim of a creation that failed half-way does not make its name mean another tenant.
#[tokio::test]
async fn a_name_that_a_living_tenant_does_not_bear_is_nobody_s() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let (domain, now) = (&fixture.domain, fixture.now());
    let corp = fixture.tenant("root@corp.sys", "corp").await;
    let stray = TenantRef::parse("stray").unwrap();
    claim_name(domain, &stray, &claim_of(&corp.id, now, domain), now).await.unwrap();
    for _ in 0..2 {
        let refused = get_tenant(domain, &caller, &stray).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantNotFound);
    }
    let made = fixture.tenant("root@corp.sys", "stray").await;
    assert_eq!(get_tenant(domain, &caller, &stray).await.unwrap(), made);
}

#[tokio::test]
async fn the_id_of_a_deleted_tenant_is_never_free_its_slug_after_ninety_days() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let (domain, start) = (&fixture.domain, fixture.now());
    let gone = tenant("corp", "acme", start);
    for name in [TenantRef::from(&gone.id), TenantRef::from(&gone.slug)] {
        claim_name(domain, &name, &claim_of(&gone.id, start, domain), start).await.unwrap();
    }
    let cause = crate::record::Cause::Deleted;
    let tombstone = crate::record::Tombstone { since: start, cause };
    let bytes = Lasting::<Tenant>::Tombstone(tombstone).encode().unwrap();
    domain.store.put(&keyspace::tenant(&gone.id), Entry::new(&bytes), start).await.unwrap();
    let next = claim_of(&TenantId::parse("t-next").unwrap(), start, domain);
    let (id, slug) = (TenantRef::from(&gone.id), TenantRef::from(&gone.slug));
    let almost = start.plus_millis(90 * 24 * 3_600_000 - 1);
    for (name, now) in [(&id, almost), (&slug, almost), (&id, almost.plus_millis(1))] {
        let refused = claim_name(domain, name, &next, now).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantExists);
    }
    claim_name(domain, &slug, &next, almost.plus_millis(1)).await.unwrap();
}

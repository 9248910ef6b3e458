//! Makes a tenant with what the template gives it.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. claim the slug, then the id | names are claimed by a tenant that does not exist |
//! | 2. list it: among all tenants, and among the creator's memberships | the lists name a tenant that does not exist |
//! | 3. in one transaction of its partition, if nothing stands there: tenant, roles, clients, membership | done, but for the next line |
//! | 4. a creator without a default tenant gets this one | done |
//!
//! Nothing before step 3 can be seen: readers of lists pass over what has no record. A creation may
//! be repeated; who meets the names of a creator that died takes them over as `names` says.
//!
//! Spec: Domain, "Tenant template"; Storage, "what crosses partitions".

use tikti_store::{Entry, StoreError};

use super::names::{claim_name, release_name};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{Slug, TenantId, TenantRef, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::permission;
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::tenant::{ListEntry, Tenant, TenantStatus};
use crate::user::{User, parse_display_name};

/// Asks for a tenant.
#[derive(Debug)]
pub struct CreateTenant {
    /// Its slug.
    pub slug: Slug,
    /// Its name for people; the slug where none is given.
    pub name: Option<String>,
    /// Its id; made up where none is given.
    pub id: Option<TenantId>,
}

/// Makes a tenant; the caller becomes its first administrator.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`; `TENANT_EXISTS`; `INVALID_ARGUMENT`;
/// the store's.
pub async fn create_tenant(
    domain: &Domain,
    caller: &Caller,
    ask: &CreateTenant,
) -> Result<Tenant, Error> {
    let now = domain.clock.now();
    let principal = permission::by_id_token(domain, caller, now).await?;
    principal.require_admin_write(domain, now)?;
    refuse_reserved(ask)?;
    let name = match &ask.name {
        Some(name) => parse_display_name("name", name)?,
        None => ask.slug.as_str().to_owned(),
    };
    let id = match &ask.id {
        Some(id) => {
            refuse_taken_id(domain, id, now).await?;
            id.clone()
        }
        None => TenantId::generate(now, &domain.random)?,
    };
    let tenant = Tenant {
        id,
        slug: ask.slug.clone(),
        name,
        status: TenantStatus::Active,
        self_sign_up: false,
        created_at: now,
    };
    claim_names(domain, &tenant, now).await?;
    enlist(domain, &tenant, &principal.user.id).await?;
    match bring_to_life(domain, &tenant, &principal.user.id, now).await {
        Err(taken) if taken.code() == Code::TenantExists => {
            withdraw(domain, &tenant, now).await?;
            return Err(taken);
        }
        other => other?,
    }
    prefer_first(domain, &tenant.id, &principal.user.id, now).await?;
    tracing::info!(
        tenant.id = %tenant.id,
        user.id = %principal.user.id,
        request.id = caller.request_id,
        "tenant created"
    );
    Ok(tenant)
}

async fn claim_names(domain: &Domain, tenant: &Tenant, now: Timestamp) -> Result<(), Error> {
    let (id, slug) = (TenantRef::from(&tenant.id), TenantRef::from(&tenant.slug));
    claim_name(domain, &slug, &tenant.id, now).await?;
    match claim_name(domain, &id, &tenant.id, now).await {
        Err(taken) if taken.code() == Code::TenantExists => {
            release_name(domain, &slug, &tenant.id, now).await?;
            Err(taken)
        }
        other => other,
    }
}

/// Names that are words of the paths: `/v1/tenants/id/{t}`.
const RESERVED_NAMES: [&str; 1] = ["id"];

fn refuse_reserved(ask: &CreateTenant) -> Result<(), Refusal> {
    let reserved = |name: &str| RESERVED_NAMES.contains(&name);
    if reserved(ask.slug.as_str()) {
        return Err(Refusal::invalid("slug", "is a reserved word"));
    }
    if ask.id.as_ref().is_some_and(|id| reserved(id.as_str())) {
        return Err(Refusal::invalid("id", "is a reserved word"));
    }
    Ok(())
}

/// A given id that stands already is refused before anything is claimed.
async fn refuse_taken_id(domain: &Domain, id: &TenantId, now: Timestamp) -> Result<(), Error> {
    match domain.store.get(&keyspace::tenant(id), now).await? {
        Some(_) => Err(Code::TenantExists.into()),
        None => Ok(()),
    }
}

async fn enlist(domain: &Domain, tenant: &Tenant, creator: &UserId) -> Result<(), Error> {
    let entry = ListEntry {}.encode()?;
    domain.store.put(&keyspace::tenant_entry(&tenant.id), Entry::new(&entry)).await?;
    domain.store.put(&keyspace::membership_entry(creator, &tenant.id), Entry::new(&entry)).await?;
    Ok(())
}

/// The step that makes the tenant: before it nothing can be seen, after it everything is there.
async fn bring_to_life(
    domain: &Domain,
    tenant: &Tenant,
    creator: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let template = &domain.settings.tenant_template;
    let roles = template.roles().encode()?;
    let clients = template.clients(now)?;
    let creator_roles = template.creator_roles()?;
    let membership = Membership::new(tenant.id.clone(), creator.clone(), creator_roles, now);
    let key = keyspace::tenant(&tenant.id);
    let reads = [key.clone()];
    let made = domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            if txn.get(&key)?.is_some() {
                return Err(Error::from(Code::TenantExists));
            }
            for client in &clients {
                let key = keyspace::client(&tenant.id, &client.id);
                txn.put(&key, Entry::new(&client.encode()?))?;
            }
            txn.put(&keyspace::roles(&tenant.id), Entry::new(&roles))?;
            let member = keyspace::member(&tenant.id, creator);
            txn.put(&member, Entry::new(&membership.encode()?))?;
            txn.put(&key, Entry::new(&Lasting::Live(tenant.clone()).encode()?))?;
            Ok(())
        })
        .await;
    match made {
        Err(Error::Store(StoreError::Conflict { .. })) => Err(Code::TenantExists.into()),
        other => other,
    }
}

/// The first membership sets the user's default tenant; later ones change nobody's sign-in.
async fn prefer_first(
    domain: &Domain,
    tenant: &TenantId,
    creator: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user(creator);
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let stored = txn.get(&key)?.cloned();
            if let Some(mut user) = User::load(&key, stored.as_ref())?
                && user.default_tenant.is_none()
            {
                user.default_tenant = Some(tenant.clone());
                txn.put(&key, Entry::new(&Lasting::Live(user).encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Gives up the slug of a creation that found its id taken: the id may live under another slug.
async fn withdraw(domain: &Domain, tenant: &Tenant, now: Timestamp) -> Result<(), Error> {
    let key = keyspace::tenant(&tenant.id);
    let reads = Reads::load(&domain.store, vec![key.clone()], now).await?;
    let living: Option<Tenant> = reads.find_live(&key)?;
    if living.is_some_and(|living| living.slug == tenant.slug) {
        return Ok(());
    }
    release_name(domain, &TenantRef::from(&tenant.slug), &tenant.id, now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::{PageRequest, get_tenant, list_tenants};
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

    /// A creator dies after `steps` steps; another one asks for the same slug.
    async fn dies_after(steps: usize) {
        let fixture = Fixture::new().await;
        let root = fixture.admin("root@corp.sys").await;
        let caller = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let (domain, now) = (&fixture.domain, fixture.now());
        let dead = tenant("t-dead", "acme", now);
        claim_names(domain, &dead, now).await.unwrap();
        if steps == 2 {
            enlist(domain, &dead, &root.id).await.unwrap();
        }
        let page = PageRequest::new(None, None).unwrap();
        assert_eq!(list_tenants(domain, &caller, &page).await.unwrap().items, []);
        for name in ["acme", "t-dead"] {
            let name = TenantRef::parse(name).unwrap();
            let refused = get_tenant(domain, &caller, &name).await.unwrap_err();
            assert_eq!(refused.code(), Code::TenantNotFound);
        }

        let ask = CreateTenant { slug: dead.slug.clone(), name: None, id: None };
        let made = create_tenant(domain, &caller, &ask).await.unwrap();
        let late = bring_to_life(domain, &dead, &root.id, now).await.unwrap_err();
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
        claim_names(domain, &dead, now).await.unwrap();
        enlist(domain, &dead, &root.id).await.unwrap();
        let ask = CreateTenant { slug: dead.slug, name: None, id: Some(dead.id.clone()) };
        assert_eq!(create_tenant(domain, &caller, &ask).await.unwrap().id, dead.id);
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
        claim_name(domain, &stray, &corp.id, now).await.unwrap();
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
        claim_names(domain, &gone, start).await.unwrap();
        let cause = crate::record::Cause::Deleted;
        let tombstone = crate::record::Tombstone { since: start, cause };
        let bytes = Lasting::<Tenant>::Tombstone(tombstone).encode().unwrap();
        domain.store.put(&keyspace::tenant(&gone.id), Entry::new(&bytes)).await.unwrap();
        let next = TenantId::parse("t-next").unwrap();
        let (id, slug) = (TenantRef::from(&gone.id), TenantRef::from(&gone.slug));
        let almost = start.plus_millis(90 * 24 * 3_600_000 - 1);
        for (name, now) in [(&id, almost), (&slug, almost), (&id, almost.plus_millis(1))] {
            let refused = claim_name(domain, name, &next, now).await.unwrap_err();
            assert_eq!(refused.code(), Code::TenantExists);
        }
        claim_name(domain, &slug, &next, almost.plus_millis(1)).await.unwrap();
    }
}

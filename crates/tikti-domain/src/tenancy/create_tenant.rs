//! Makes a tenant with what the template gives it.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. claim the slug, then the id | names are claimed by a tenant that does not exist |
//! | 2. list it: among all tenants, and among the creator's memberships | the lists name a tenant that does not exist |
//! | 3. in one transaction of its partition, if nothing stands there: tenant, roles, clients, membership | done |
//!
//! Nothing before step 3 can be seen: readers of lists pass over what has no record. A creation may be
//! repeated; who meets the names of a creator that died takes them over as `names` says.
//!
//! Spec: Domain, "Tenant template"; Storage, "what crosses partitions".

use tikti_store::{Entry, StoreError};

use super::names::{claim_name, release_name};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};
use crate::id::{Slug, TenantId, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::permission;
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::tenant::{ListEntry, Tenant, TenantStatus};
use crate::user::parse_display_name;

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
    let name = match &ask.name {
        Some(name) => parse_display_name("name", name)?,
        None => ask.slug.as_str().to_owned(),
    };
    let id = match &ask.id {
        Some(id) => id.clone(),
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
    tracing::info!(
        tenant.id = %tenant.id,
        user.id = %principal.user.id,
        request.id = caller.request_id,
        "tenant created"
    );
    Ok(tenant)
}

async fn claim_names(domain: &Domain, tenant: &Tenant, now: Timestamp) -> Result<(), Error> {
    claim_name(domain, tenant.slug.as_str(), &tenant.id, now).await?;
    if tenant.slug.as_str() == tenant.id.as_str() {
        return Ok(());
    }
    match claim_name(domain, tenant.id.as_str(), &tenant.id, now).await {
        Err(taken) if taken.code() == Code::TenantExists => {
            release_name(domain, tenant.slug.as_str(), &tenant.id, now).await?;
            Err(taken)
        }
        other => other,
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

/// Gives up the slug of a creation that found its id taken: the id may live under another slug.
async fn withdraw(domain: &Domain, tenant: &Tenant, now: Timestamp) -> Result<(), Error> {
    let key = keyspace::tenant(&tenant.id);
    let reads = Reads::load(&domain.store, vec![key.clone()], now).await?;
    let living: Option<Tenant> = reads.find_live(&key)?;
    if living.is_some_and(|living| living.slug == tenant.slug) {
        return Ok(());
    }
    release_name(domain, tenant.slug.as_str(), &tenant.id, now).await
}

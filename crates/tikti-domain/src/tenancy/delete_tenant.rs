//! Deletes a tenant: access is cut at once, the rest is swept.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed; the sweep goes on |
//! | 2. status `DELETING`, with the note for the audit of the deployment | nobody gets in any more; the rest is swept |
//! | 3. memberships with their entries, API keys, clients, workers | |
//! | 4. in one transaction: a tombstone in place of the tenant, no roles | its names rest |
//! | 5. out of the list of tenants, the note to its chain | done |
//!
//! Memberships, clients, workers and API keys are only added in a transaction that reads the tenant
//! as active, so that after step 2 their lists are complete. Where the list of one thing is the
//! other (members say which users to visit, entries which keys to remove), it goes last.
//!
//! Spec: Domain, "Tenant", rule 4. Why: docs/decisions/0015.

use tikti_store::{Entry, Key};

use super::seats;
use crate::api_keys::{self, ListedKey};
use crate::audit::{self, Chain, Draft};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{OperationId, TenantId, UserId};
use crate::intent::{self, DeletingTenant, Work};
use crate::keyspace;
use crate::purge;
use crate::record::{Cause, Lasting, Record, Tombstone};
use crate::tenant::{Tenant, TenantStatus};

/// Deletes a tenant with its roles, clients, workers, memberships and API keys. The id is never used
/// again, the slug rests for 90 days.
///
/// The caller decides whether it may happen. On return nobody gets in any more; what could not be
/// swept at once is swept within minutes. A deletion under way may be asked for again.
///
/// # Errors
/// `TENANT_NOT_FOUND`; the store's: then the deletion may still happen within minutes.
///
/// Spec: Domain, rule 4.
pub async fn delete_tenant(
    domain: &Domain,
    tenant_id: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    delete(domain, tenant_id, None, now).await
}

/// As [`delete_tenant`], with what the audit of the deployment says of it.
///
/// # Errors
/// Those of [`delete_tenant`].
pub(super) async fn delete(
    domain: &Domain,
    tenant_id: &TenantId,
    draft: Option<Draft>,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::tenant(tenant_id);
    let stored = domain.store.get(&key, now).await?;
    let tenant = Lasting::<Tenant>::decode_optional(&key, stored.as_ref())?;
    tenant.and_then(Lasting::live).ok_or(Code::TenantNotFound)?;
    let work = DeletingTenant { tenant_id: tenant_id.clone(), draft };
    let operation = intent::begin(domain, Work::DeleteTenant(work.clone()), now).await?;
    let marked = mark(domain, &operation, &work, now).await?;
    intent::rest(&operation, clean(domain, &operation, &work, now).await);
    // Otherwise another deletion has ended meanwhile.
    if marked { Ok(()) } else { Err(Code::TenantNotFound.into()) }
}

/// Goes on with a deletion wherever it stopped. May be repeated, at any time.
pub(crate) async fn resume(
    domain: &Domain,
    operation: &OperationId,
    work: &DeletingTenant,
    now: Timestamp,
) -> Result<(), Error> {
    mark(domain, operation, work, now).await?;
    clean(domain, operation, work, now).await
}

/// Step 2. Says whether the tenant is still there. Of several deletions the one that marks it is noted.
async fn mark(
    domain: &Domain,
    operation: &OperationId,
    work: &DeletingTenant,
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::tenant(&work.tenant_id);
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let tenant = Lasting::<Tenant>::decode_optional(&key, txn.get(&key)?)?;
            let Some(mut tenant) = tenant.and_then(Lasting::live) else {
                return Ok(false);
            };
            if tenant.status != TenantStatus::Deleting {
                tenant.status = TenantStatus::Deleting;
                txn.put(&key, Entry::new(&Lasting::Live(tenant).encode()?))?;
                if let Some(draft) = &work.draft {
                    audit::note(txn, key.partition(), operation, (&Chain::Deployment, draft), now)?;
                }
            }
            Ok::<_, Error>(true)
        })
        .await
}

/// Steps 3 to 5: the tenant is dead for ever.
async fn clean(
    domain: &Domain,
    operation: &OperationId,
    work: &DeletingTenant,
    now: Timestamp,
) -> Result<(), Error> {
    let tenant_id = &work.tenant_id;
    let partition = keyspace::of_tenant(tenant_id);
    remove_members(domain, tenant_id, now).await?;
    remove_api_keys(domain, tenant_id, now).await?;
    purge::all(domain, (&partition, keyspace::CLIENT), now).await?;
    purge::all(domain, (&partition, keyspace::FORMER_CLIENT), now).await?;
    purge::all(domain, (&partition, keyspace::FORMER_ROLE), now).await?;
    purge::all(domain, (&partition, keyspace::WORKER), now).await?;
    purge::all(domain, (&partition, keyspace::DEPARTED), now).await?;
    purge::all(domain, (&partition, keyspace::DENIED), now).await?;
    bury(domain, tenant_id, now).await?;
    domain.store.delete(&keyspace::tenant_entry(tenant_id)).await?;
    domain.names.forget(tenant_id);
    audit::deliver(domain, operation, &partition, now).await?;
    intent::end(domain, operation).await
}

async fn remove_members(
    domain: &Domain,
    tenant_id: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_tenant(tenant_id);
    let list = (&partition, keyspace::MEMBER);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = purge::page(domain, list, after.as_deref(), now).await?;
        for user in purge::ids(&page, UserId::parse) {
            seats::forget_tenant(domain, &user, tenant_id, now).await?;
        }
        purge::remove(domain, list, &page, now).await?;
        after = page.next.map(Into::into);
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn remove_api_keys(
    domain: &Domain,
    tenant_id: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_tenant(tenant_id);
    let list = (&partition, keyspace::API_KEY);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = purge::page(domain, list, after.as_deref(), now).await?;
        for (id, stored) in &page.entries {
            let entry = Key::new(&partition, keyspace::API_KEY, id);
            let listed = ListedKey::decode(&entry, stored)?;
            // Whoever has read the entry and is slow does not put the key back.
            api_keys::remove(domain, &listed.key.id, &listed.token, now).await?;
            domain.store.delete(&entry).await?;
        }
        after = page.next.map(Into::into);
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Step 4. The rest of the slug begins here, once.
async fn bury(domain: &Domain, tenant_id: &TenantId, now: Timestamp) -> Result<(), Error> {
    let key = keyspace::tenant(tenant_id);
    let reads = [key.clone()];
    let tombstone = Tombstone { since: now, cause: Cause::Deleted };
    let bytes = Lasting::<Tenant>::Tombstone(tombstone).encode()?;
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let tenant = Lasting::<Tenant>::decode_optional(&key, txn.get(&key)?)?;
            if tenant.and_then(Lasting::live).is_some() {
                txn.delete(&keyspace::roles(tenant_id))?;
                txn.delete(&keyspace::tenant_admins(tenant_id))?;
                txn.put(&key, Entry::new(&bytes))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

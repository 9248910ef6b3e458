//! Which tenant does a name mean?
//!
//! Ids and slugs share one namespace: every tenant claims both, so a reference is never ambiguous. A
//! tenant whose id is its slug has one name and one claim.
//! What a name means hardly ever changes, so it is kept in process for at most an hour, and
//! forgotten when the tenant reads as deleted.
//!
//! Spec: Domain, "Tenant"; Storage, "Hot reads". Why claims heal themselves: docs/decisions/0008, 0015.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tikti_store::Key;

use crate::claim::{self, Claimed};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{Slug, TenantId, TenantRef};
use crate::keyspace;
use crate::reads::Reads;
use crate::record::{Cause, Lasting, Record, Tombstone};
use crate::tenant::{NameClaim, Tenant};

/// How long a name is kept in process, in milliseconds.
const KEPT_MILLIS: u64 = 3_600_000;
/// How many names are kept.
const KEPT_NAMES: usize = 10_000;
/// How long the slug of a deleted tenant stays taken, in milliseconds.
const SLUG_REST_MILLIS: u64 = 90 * 24 * 3_600_000;

/// Names that were resolved lately.
#[derive(Debug, Default)]
pub(crate) struct NameCache(Mutex<HashMap<String, (TenantId, Timestamp)>>);

impl NameCache {
    /// What the name meant when it was last read, where that is fresh.
    pub(crate) fn find(&self, reference: &TenantRef, now: Timestamp) -> Option<TenantId> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .get(reference.as_str())
            // One of the future was read before the clock jumped back.
            .filter(|(_, read)| *read <= now && now < read.plus_millis(KEPT_MILLIS))
            .map(|(tenant, _)| tenant.clone())
    }

    /// Keeps what a name means.
    pub(crate) fn keep(&self, reference: &TenantRef, tenant: &TenantId, now: Timestamp) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Starting over is simpler than ageing, and as rare as ten thousand tenants are.
        if names.len() >= KEPT_NAMES {
            names.clear();
        }
        names.insert(reference.as_str().to_owned(), (tenant.clone(), now));
    }

    /// Forgets every name of a tenant that turned out to be gone.
    pub(crate) fn forget(&self, gone: &TenantId) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, (tenant, _)| tenant != gone);
    }
}

/// The id of the tenant that a reference names; `None` where nobody claims the name.
///
/// Costs no round trip for a name that was resolved within the hour. Says nothing about the tenant
/// itself: whoever asks reads its record.
pub(crate) async fn resolve(
    domain: &Domain,
    reference: &TenantRef,
    now: Timestamp,
) -> Result<Option<TenantId>, Error> {
    if let Some(tenant) = domain.names.find(reference, now) {
        return Ok(Some(tenant));
    }
    let key = keyspace::name_claim(reference.as_str());
    let stored = domain.store.get(&key, now).await?;
    let claim = NameClaim::decode_optional(&key, stored.as_ref())?;
    if let Some(claim) = &claim {
        domain.names.keep(reference, &claim.tenant_id, now);
    }
    Ok(claim.map(|claim| claim.tenant_id))
}

/// As [`resolve`]; with a name that was not resolved lately `beside` is read, which is what the call would read
/// of the tenant whose id it could be: whoever asks for one that nobody bears waits as long as whoever asks
/// for one that he does not belong to.
pub(crate) async fn resolve_alike(
    domain: &Domain,
    reference: &TenantRef,
    beside: Vec<Key>,
    now: Timestamp,
) -> Result<Option<TenantId>, Error> {
    if let Some(tenant) = domain.names.find(reference, now) {
        return Ok(Some(tenant));
    }
    // On the heap: administrative calls are deep as it is.
    Box::pin(read_beside(domain, reference, beside, now)).await
}

async fn read_beside(
    domain: &Domain,
    reference: &TenantRef,
    beside: Vec<Key>,
    now: Timestamp,
) -> Result<Option<TenantId>, Error> {
    let key = keyspace::name_claim(reference.as_str());
    let mut keys = beside;
    keys.push(key.clone());
    let reads = Reads::load(&domain.store, keys, now).await?;
    let claim: Option<NameClaim> = reads.find(&key)?;
    if let Some(claim) = &claim {
        domain.names.keep(reference, &claim.tenant_id, now);
    }
    Ok(claim.map(|claim| claim.tenant_id))
}

/// The tenant that a reference names, whatever its status; `None` where none bears the name now.
pub(crate) async fn find(
    domain: &Domain,
    reference: &TenantRef,
    now: Timestamp,
) -> Result<Option<Tenant>, Error> {
    let Some(id) = resolve(domain, reference, now).await? else { return Ok(None) };
    let key = keyspace::tenant(&id);
    let stored = domain.store.get(&key, now).await?;
    let tenant = Lasting::<Tenant>::decode_optional(&key, stored.as_ref())?.and_then(Lasting::live);
    let tenant = tenant.filter(|tenant| tenant.bears(reference));
    if tenant.is_none() {
        domain.names.forget(&id);
    }
    Ok(tenant)
}

/// The names that a tenant claims: its slug, and its id where that is another one.
pub(super) fn names_of(slug: &Slug, id: &TenantId) -> impl Iterator<Item = TenantRef> {
    let (slug, id) = (TenantRef::from(slug), TenantRef::from(id));
    // Its own claim would look like somebody else's.
    let other = (id != slug).then_some(id);
    std::iter::once(slug).chain(other)
}

/// Claims a name for a tenant, over the claim of a creator that died if need be.
///
/// # Errors
/// `TENANT_EXISTS`; the store's.
pub(super) async fn claim_name(
    domain: &Domain,
    name: &TenantRef,
    ours: &NameClaim,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::name_claim(name.as_str());
    let lost = match claim::put(domain, &key, ours, now).await? {
        Claimed::Ours => return Ok(()),
        Claimed::Held { by, stored } if is_free_of(domain, name, &by, now).await? => stored,
        Claimed::Held { .. } | Claimed::Moving => return Err(Code::TenantExists.into()),
    };
    match claim::take_over(domain, &key, &lost, ours, now).await? {
        true => Ok(()),
        false => Err(Code::TenantExists.into()),
    }
}

/// Frees a name that is still claimed by this very claim.
pub(super) async fn release_name(
    domain: &Domain,
    name: &TenantRef,
    ours: &NameClaim,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::name_claim(name.as_str());
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            if NameClaim::decode_optional(&key, txn.get(&key)?)?.as_ref() == Some(ours) {
                txn.delete(&key)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Whether a claimed name may be taken over: the operation behind the claim will never make its
/// tenant, or that tenant lives without this name, or has been gone for 90 days and the name was its
/// slug. An id is never free again. Where it was still open whether the operation makes its tenant,
/// it is settled that it does not.
async fn is_free_of(
    domain: &Domain,
    name: &TenantRef,
    claim: &NameClaim,
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::tenant(&claim.tenant_id);
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            Ok(match Lasting::<Tenant>::decode_optional(&key, txn.get(&key)?)? {
                Some(Lasting::Live(tenant)) => !tenant.bears(name),
                Some(Lasting::Tombstone(Tombstone { cause: Cause::Abandoned, .. })) => true,
                Some(Lasting::Tombstone(Tombstone { cause: Cause::Deleted, since })) => {
                    name.as_str() != claim.tenant_id.as_str()
                        && now >= since.plus_millis(SLUG_REST_MILLIS)
                }
                None => {
                    // A fence and no tombstone: an id that was given may be asked for again.
                    fence::put(txn, partition, &claim.token, now)?;
                    true
                }
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_for_an_hour_and_not_for_as_long_as_a_clock_has_jumped_back() {
        let (names, at) = (NameCache::default(), Timestamp::from_millis);
        let (name, tenant) = (TenantRef::parse("acme").unwrap(), TenantId::parse("t-1").unwrap());
        names.keep(&name, &tenant, at(KEPT_MILLIS));
        for (now, kept) in [
            (KEPT_MILLIS - 1, false),
            (KEPT_MILLIS, true),
            (2 * KEPT_MILLIS - 1, true),
            (2 * KEPT_MILLIS, false),
        ] {
            let now = at(now);
            assert_eq!(names.find(&name, now).is_some(), kept, "{now:?}");
        }
    }
}

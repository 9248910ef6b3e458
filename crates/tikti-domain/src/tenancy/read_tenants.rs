//! Reads tenants: one by its reference, or a page of those that the caller may see.
//!
//! A page costs in proportion to its size: it follows an ordered list of ids, and reads the records
//! of that page in one further round trip.
//!
//! Spec: HTTP API, "Tenant administration", "Lists"; Attacks, row E5.

use tikti_store::{Kind, Partition};

use super::administer::Administrator;
use super::standing::listed;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::id::{TenantId, TenantRef};
use crate::keyspace;
use crate::membership::Membership;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::permission::{self, Principal};
use crate::reads::Reads;
use crate::tenant::Tenant;

/// Reads the tenants that the caller may see: all for a global administrator, the caller's own
/// otherwise.
///
/// # Errors
/// `UNAUTHENTICATED`; `INVALID_ARGUMENT` for a page token that this server did not make; the
/// store's.
pub async fn list_tenants(
    domain: &Domain,
    caller: &Caller,
    ask: &PageRequest,
) -> Result<Page<Tenant>, Error> {
    let now = domain.clock.now();
    let principal = permission::by_id_token(domain, caller, now).await?;
    let (partition, kind) = list_of(&principal);
    let list = format!("{partition}/{}", kind.as_str());
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let after = after.transpose()?;
    let size = usize::from(ask.size);
    let page = domain.store.scan(&partition, kind, after.as_deref(), size, now).await?;
    let ids = listed(&page);
    let items = load_visible(domain, &principal, &ids, now).await?;
    let next = page.next.map(|last| page_token::make(domain, &list, &last)).transpose()?;
    Ok(Page { items, next })
}

fn list_of(principal: &Principal) -> (Partition, Kind) {
    if principal.user.is_admin() {
        (Partition::global(), keyspace::TENANT)
    } else {
        (keyspace::of_user(&principal.user.id), keyspace::MEMBERSHIP)
    }
}

/// The tenants of these ids that exist and that the caller may see.
async fn load_visible(
    domain: &Domain,
    principal: &Principal,
    ids: &[TenantId],
    now: Timestamp,
) -> Result<Vec<Tenant>, Error> {
    let user = &principal.user;
    let keys =
        ids.iter().flat_map(|id| [keyspace::tenant(id), keyspace::member(id, &user.id)]).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let mut tenants = Vec::with_capacity(ids.len());
    for id in ids {
        let member: Option<Membership> = reads.find(&keyspace::member(id, &user.id))?;
        let member = member.filter(|held| !held.cuts_off(principal.session_began));
        if let Some(tenant) = reads.find_live::<Tenant>(&keyspace::tenant(id))?
            && (user.is_admin() || (member.is_some() && tenant.is_active()))
        {
            tenants.push(tenant);
        }
    }
    Ok(tenants)
}

/// Reads one tenant.
///
/// # Errors
/// `UNAUTHENTICATED`; `TENANT_NOT_FOUND` for a tenant that does not exist or that the caller does
/// not belong to; `PERMISSION_DENIED`; the store's.
pub async fn get_tenant(
    domain: &Domain,
    caller: &Caller,
    reference: &TenantRef,
) -> Result<Tenant, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, reference, now).await?;
    let asked = (reference, "tenants:read");
    let (admission, _) = administrator.admit(domain, asked, vec![], now).await?;
    Ok(admission.tenant)
}

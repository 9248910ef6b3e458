//! Reads tenants: one by its reference, or a page of those that the caller may see.
//!
//! A page costs in proportion to its size: it follows an ordered list of ids, and reads the records
//! of that page in one further round trip.
//!
//! Spec: HTTP API, "Tenant administration", "Lists"; Attacks, row E5.

use tikti_store::{Kind, Partition};

use super::page_token;
use super::resolve;
use super::standing::listed;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{TenantId, TenantRef};
use crate::keyspace;
use crate::membership::Membership;
use crate::permission::{self, Principal, TenantFacts};
use crate::reads::Reads;
use crate::tenant::Tenant;

/// Asks for one page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many things at most: 1 to 200.
    pub size: u16,
    /// Where the page before ended.
    pub token: Option<String>,
}

/// Things of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The things.
    pub items: Vec<T>,
    /// What to ask for the next page with; absent on the last one.
    pub next: Option<String>,
}

impl PageRequest {
    /// Largest page.
    pub const LARGEST: u16 = 200;
    /// Size of a page that names none.
    pub const USUAL: u16 = 50;

    /// Checks size and token of a request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `pageSize`.
    pub fn new(size: Option<u64>, token: Option<String>) -> Result<Self, Refusal> {
        let size = size.unwrap_or_else(|| u64::from(Self::USUAL));
        match u16::try_from(size) {
            Ok(size) if (1..=Self::LARGEST).contains(&size) => Ok(Self { size, token }),
            _ => Err(Refusal::invalid("pageSize", "must be 1 to 200")),
        }
    }
}

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
    let principal = permission::by_any_token(domain, caller, now).await?;
    let Some(id) = resolve(domain, reference, now).await? else {
        return Err(Code::TenantNotFound.into());
    };
    let facts = TenantFacts::load(domain, &id, &principal.user.id, now).await?;
    if !facts.tenant.as_ref().is_some_and(|tenant| tenant.bears(reference)) {
        domain.names.forget(&id);
        return Err(Code::TenantNotFound.into());
    }
    Ok(permission::require_scope(&principal, facts, "tenants:read")?)
}

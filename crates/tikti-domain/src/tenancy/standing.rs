//! Where does a user stand in a tenant?
//!
//! The membership in the tenant's own partition decides; the list in the user's partition only says
//! where to look.
//!
//! Spec: Domain, "Membership", rule 3.

use tikti_store::{Page, Stored};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Error, InternalError};
use crate::id::{TenantId, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::tenant::Tenant;

/// Most memberships of one user that are looked at.
const MOST_MEMBERSHIPS: usize = 200;

/// An active tenant and the user's membership there.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) tenant: Tenant,
    pub(crate) membership: Membership,
}

/// Where a user stands in a tenant.
#[derive(Debug)]
pub(crate) enum Standing {
    /// A member of an active tenant.
    Active(Box<Held>),
    /// A member of a tenant that is not served.
    TenantInactive,
    /// No member, or no tenant: a stranger cannot tell these apart.
    None,
}

/// Reads where a user stands in one tenant; one round trip.
pub(crate) async fn standing(
    domain: &Domain,
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
) -> Result<Standing, Error> {
    let keys = vec![keyspace::tenant(tenant), keyspace::member(tenant, user)];
    let reads = Reads::load(&domain.store, keys, now).await?;
    if reads.find_live::<Tenant>(&keyspace::tenant(tenant))?.is_none() {
        domain.names.forget(tenant);
    }
    Ok(judge(&reads, tenant, user)?)
}

/// Memberships of one user.
#[derive(Debug)]
pub(crate) struct Memberships {
    /// The active ones among those that were looked at.
    pub(crate) active: Vec<Held>,
    /// Whether there are more than were looked at.
    pub(crate) more: bool,
}

impl Memberships {
    /// The only one, where there is just one.
    pub(crate) fn only(mut self) -> Option<Held> {
        if self.more || self.active.len() > 1 { None } else { self.active.pop() }
    }
}

/// Reads the active ones of a user's first 200 memberships, in the order of tenant ids; two round
/// trips.
pub(crate) async fn active_memberships(
    domain: &Domain,
    user: &UserId,
    now: Timestamp,
) -> Result<Memberships, Error> {
    let partition = keyspace::of_user(user);
    let page =
        domain.store.scan(&partition, keyspace::MEMBERSHIP, None, MOST_MEMBERSHIPS, now).await?;
    let tenants = listed(&page);
    let keys = tenants
        .iter()
        .flat_map(|tenant| [keyspace::tenant(tenant), keyspace::member(tenant, user)])
        .collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let mut active = Vec::new();
    for tenant in &tenants {
        if let Standing::Active(held) = judge(&reads, tenant, user)? {
            active.push(*held);
        }
    }
    Ok(Memberships { active, more: page.next.is_some() })
}

/// The tenants that a page of a list names, each with its entry.
pub(crate) fn entries(page: &Page) -> impl Iterator<Item = (TenantId, &Stored)> {
    let parse = |id: &[u8]| TenantId::parse(std::str::from_utf8(id).ok()?).ok();
    page.entries.iter().filter_map(move |(id, stored)| Some((parse(id)?, stored)))
}

/// The tenants that a page of a list names.
pub(crate) fn listed(page: &Page) -> Vec<TenantId> {
    entries(page).map(|(tenant, _)| tenant).collect()
}

fn judge(reads: &Reads, tenant: &TenantId, user: &UserId) -> Result<Standing, InternalError> {
    let membership = reads.find(&keyspace::member(tenant, user))?;
    let (Some(tenant), Some(membership)) =
        (reads.find_live::<Tenant>(&keyspace::tenant(tenant))?, membership)
    else {
        return Ok(Standing::None);
    };
    if tenant.is_active() {
        Ok(Standing::Active(Box::new(Held { tenant, membership })))
    } else {
        Ok(Standing::TenantInactive)
    }
}

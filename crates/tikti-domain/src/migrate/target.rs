//! Is a thing of the old layout here already?
//!
//! Reads records, and writes nothing. What was deleted here is not missing: nothing comes back to life because it
//! lives in an old layout.
//!
//! Spec: Operations, "migrate legacy" ("idempotent").

use std::borrow::Cow;

use tikti_store::Store;

use super::plan::PlannedMembership;
use super::tenants::{PlannedClient, PlannedRole, PlannedTenant};
use super::users::PlannedUser;
use crate::client::{Client, FormerClient};
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::Error;
use crate::id::{TenantId, TenantRef, UserId};
use crate::keyspace;
use crate::membership::{Departure, Membership};
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::role::{FormerRole, Roles};
use crate::tenant::{NameClaim, Tenant};
use crate::user::{EmailClaim, GlobalRole, User};

/// How a thing stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// It is not here.
    Missing,
    /// It is here, as it is there.
    Same,
    /// It is here but for its last step: a user who was to become an administrator when the migration stopped.
    Unfinished,
    /// It is here, and otherwise, by what this says.
    Changed(Cow<'static, str>),
    /// Its place is taken, by what this says: what is here may be another one's.
    Otherwise(&'static str),
}

const DELETED: &str = "it was deleted here";

pub(super) async fn tenant(
    store: &Store,
    planned: &PlannedTenant,
    now: Timestamp,
) -> Result<Stands, Error> {
    let Tenant { id, slug, .. } = &planned.tenant;
    let key = keyspace::tenant(id);
    let claims = [slug.as_str(), id.as_str()].map(keyspace::name_claim);
    let keys = [std::slice::from_ref(&key), claims.as_slice()].concat();
    let reads = Reads::load(store, keys, now).await?;
    match reads.find::<Lasting<Tenant>>(&key)? {
        Some(Lasting::Live(here)) if here.slug == *slug => return Ok(Stands::Same),
        Some(Lasting::Live(_)) => return Ok(Stands::Otherwise("it has another slug here")),
        Some(Lasting::Tombstone(_)) => return Ok(Stands::Otherwise(DELETED)),
        None => {}
    }
    for (name, claim) in [TenantRef::from(slug), TenantRef::from(id)].iter().zip(&claims) {
        let Some(claim) = reads.find::<NameClaim>(claim)? else { continue };
        let owner = live_tenant(store, &claim.tenant_id, now).await?;
        if owner.is_some_and(|owner| owner.bears(name)) {
            let is_slug = name.as_str() == slug.as_str();
            let whose =
                if is_slug { "its slug is another tenant's" } else { "its id is another tenant's" };
            return Ok(Stands::Otherwise(whose));
        }
    }
    Ok(Stands::Missing)
}

async fn live_tenant(
    store: &Store,
    id: &TenantId,
    now: Timestamp,
) -> Result<Option<Tenant>, Error> {
    let key = keyspace::tenant(id);
    let stored = store.get(&key, now).await?;
    Ok(Lasting::<Tenant>::decode_optional(&key, stored.as_ref())?.and_then(Lasting::live))
}

pub(super) async fn role(
    store: &Store,
    (tenant, planned): (&TenantId, &PlannedRole),
    now: Timestamp,
) -> Result<Stands, Error> {
    let (key, former) = (keyspace::roles(tenant), keyspace::former_role(tenant, &planned.name));
    let reads = Reads::load(store, vec![key.clone(), former.clone()], now).await?;
    let roles: Roles = reads.find(&key)?.unwrap_or_default();
    Ok(match roles.find(&planned.name) {
        Some(here) if here.permissions == planned.permissions => Stands::Same,
        Some(_) => Stands::Otherwise("it has other permissions here"),
        None if reads.find::<FormerRole>(&former)?.is_some() => Stands::Otherwise(DELETED),
        None => Stands::Missing,
    })
}

pub(super) async fn client(
    store: &Store,
    (tenant, planned): (&TenantId, &PlannedClient),
    now: Timestamp,
) -> Result<Stands, Error> {
    let id = &planned.client.id;
    let (key, former) = (keyspace::client(tenant, id), keyspace::former_client(tenant, id));
    let reads = Reads::load(store, vec![key.clone(), former.clone()], now).await?;
    Ok(match reads.find::<Client>(&key)? {
        Some(here) if is_same(&here, &planned.client) => Stands::Same,
        Some(_) => Stands::Otherwise("it is set otherwise here"),
        None if reads.find::<FormerClient>(&former)?.is_some() => Stands::Otherwise(DELETED),
        None => Stands::Missing,
    })
}

/// Whether what the old layout says of a client is said here; what it had no words for may be set here.
fn is_same(here: &Client, old: &Client) -> bool {
    here.kind == old.kind
        && here.status == old.status
        && here.allowed_grant_types == old.allowed_grant_types
        && here.default_scopes == old.default_scopes
}

pub(super) async fn user(
    store: &Store,
    planned: &PlannedUser,
    now: Timestamp,
) -> Result<Stands, Error> {
    let (id, email) = (&planned.user.id, &planned.user.email);
    let key = keyspace::user(id);
    let claim = keyspace::email_claim(email);
    let reads = Reads::load(store, vec![key.clone(), claim.clone()], now).await?;
    match reads.find::<Lasting<User>>(&key)? {
        Some(Lasting::Live(here)) if here.bears(email) => return Ok(compared(&here, planned)),
        Some(Lasting::Live(_)) => return Ok(Stands::Otherwise("he has another address here")),
        Some(Lasting::Tombstone(_)) => return Ok(Stands::Otherwise(DELETED)),
        None => {}
    }
    let Some(claim) = reads.find::<EmailClaim>(&claim)? else { return Ok(Stands::Missing) };
    let is_taken = bears(store, &claim.user_id, email, now).await?;
    Ok(if is_taken { Stands::Otherwise("his address is another user's") } else { Stands::Missing })
}

/// How a user who is here is said to be there. He becomes an administrator only where his record says that he was
/// imported to be one: whoever was one and is none any more does not become one again, nor does he whose role
/// over there was raised since.
fn compared(here: &User, planned: &PlannedUser) -> Stands {
    let PlannedUser { user, is_admin, .. } = planned;
    let is_untouched = here.ver == here.email_claim.made_at().as_millis();
    let is_unfinished = *is_admin && here.is_to_rise && is_untouched;
    let role = if *is_admin { GlobalRole::Admin } else { user.role };
    // A sign-in hashes the same password anew, and a new password ends all sessions.
    let has_other_password = user.password_hash.is_some()
        && here.password_hash != user.password_hash
        && (here.password_hash.is_none() || !is_untouched);
    let other = [
        ("password", has_other_password),
        ("role", here.role != role && !is_unfinished),
        ("status", here.status != user.status),
    ];
    let other =
        Vec::from_iter(other.iter().filter(|(_, is_other)| *is_other).map(|(name, _)| *name));
    if !other.is_empty() {
        return Stands::Changed(format!("not the same here: {}", other.join(", ")).into());
    }
    if is_unfinished { Stands::Unfinished } else { Stands::Same }
}

async fn bears(store: &Store, id: &UserId, email: &Email, now: Timestamp) -> Result<bool, Error> {
    let key = keyspace::user(id);
    let stored = store.get(&key, now).await?;
    Ok(User::load(&key, stored.as_ref())?.is_some_and(|user| user.holds(email)))
}

pub(super) async fn membership(
    store: &Store,
    planned: &PlannedMembership,
    now: Timestamp,
) -> Result<Stands, Error> {
    let Membership { tenant_id, user_id, roles, .. } = &planned.membership;
    let key = keyspace::member(tenant_id, user_id);
    let departed = keyspace::departed(tenant_id, user_id);
    let reads = Reads::load(store, vec![key.clone(), departed.clone()], now).await?;
    Ok(match reads.find::<Membership>(&key)? {
        Some(here) if here.roles == *roles => Stands::Same,
        Some(_) => Stands::Changed("he has other roles here".into()),
        None if reads.find::<Departure>(&departed)?.is_some() => Stands::Otherwise(DELETED),
        None => Stands::Missing,
    })
}

//! In which tenant does a sign-in begin?
//!
//! The one that was asked for; else the API key's; else the user's default; else the only one; else none.
//! Asked after the right password only, so that nobody learns of memberships without it.
//!
//! Spec: HTTP API, "Tenant context at sign-in".

use super::sign_in::{SignIn, key_tenant};
use crate::api_key::KeyGrant;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{ClientId, TenantId};
use crate::keyspace;
use crate::record::Record;
use crate::settings::Tenantless;
use crate::tenancy::{self, Held, Standing};
use crate::user::User;

/// The tenant context of a new session.
#[derive(Debug)]
pub(super) struct Context {
    held: Option<Held>,
    by_tenant_key: bool,
}

impl Context {
    pub(super) fn tenant_id(&self) -> Option<&TenantId> {
        self.held.as_ref().map(|held| &held.tenant.id)
    }

    /// The version of the membership, for the token.
    pub(super) fn mver(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.membership.mver)
    }

    pub(super) fn by_tenant_key(&self) -> bool {
        self.by_tenant_key
    }
}

/// Finds the tenant context of a sign-in.
///
/// # Errors
/// `MEMBERSHIP_REQUIRED`, `TENANT_DISABLED`, `TENANT_CONFLICT`, `TENANT_REQUIRED`,
/// `UNKNOWN_AUDIENCE`; `INVALID_LOGIN_CREDENTIALS` to a stranger of the key's tenant; the store's.
pub(super) async fn resolve_context(
    domain: &Domain,
    user: &User,
    grant: Option<&KeyGrant>,
    ask: &SignIn,
    now: Timestamp,
) -> Result<Context, Error> {
    let by_key = key_tenant(grant);
    let held = match (&ask.tenant, by_key) {
        (Some(reference), key) => {
            let tenant = tenancy::resolve(domain, reference, now).await?;
            if key.is_some() && tenant.as_ref() != key {
                return Err(Code::TenantConflict.into());
            }
            Some(require(domain, user, tenant.as_ref(), Code::MembershipRequired, now).await?)
        }
        (None, Some(tenant)) => {
            let stranger = Code::InvalidLoginCredentials;
            Some(require(domain, user, Some(tenant), stranger, now).await?)
        }
        (None, None) => default_context(domain, user, now).await?,
    };
    if held.is_none() && domain.settings.tenantless == Tenantless::Admin && !user.is_admin() {
        return Err(Code::MembershipRequired.into());
    }
    if let Some(client) = &ask.client {
        check_application(domain, held.as_ref(), client, now).await?;
    }
    Ok(Context { held, by_tenant_key: by_key.is_some() })
}

/// The user's standing in this very tenant; `stranger` where there is none.
async fn require(
    domain: &Domain,
    user: &User,
    tenant: Option<&TenantId>,
    stranger: Code,
    now: Timestamp,
) -> Result<Held, Error> {
    let Some(tenant) = tenant else {
        return Err(stranger.into());
    };
    match tenancy::standing(domain, tenant, &user.id, now).await? {
        Standing::Active(held) => Ok(*held),
        Standing::TenantInactive => Err(Code::TenantDisabled.into()),
        Standing::None => Err(stranger.into()),
    }
}

/// The default tenant, if that membership is active; else the only active membership.
async fn default_context(
    domain: &Domain,
    user: &User,
    now: Timestamp,
) -> Result<Option<Held>, Error> {
    if let Some(default) = &user.default_tenant
        && let Standing::Active(held) = tenancy::standing(domain, default, &user.id, now).await?
    {
        return Ok(Some(*held));
    }
    let mut all = tenancy::active_memberships(domain, &user.id, now).await?;
    Ok(if all.len() == 1 { all.pop() } else { None })
}

/// A client named at sign-in must be an active application of the session's tenant.
async fn check_application(
    domain: &Domain,
    held: Option<&Held>,
    client: &ClientId,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(held) = held else {
        return Err(Code::TenantRequired.into());
    };
    let key = keyspace::client(&held.tenant.id, client);
    let stored = domain.store.get(&key, now).await?;
    match Client::decode_optional(&key, stored.as_ref())? {
        Some(client) if client.takes_id_tokens() => Ok(()),
        _ => Err(Code::UnknownAudience.into()),
    }
}

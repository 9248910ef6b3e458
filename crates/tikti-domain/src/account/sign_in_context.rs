//! In which tenant does a sign-in begin?
//!
//! The one that was asked for; else the API key's; else the user's default; else the only one; else
//! none. Asked after the right password only, so that nobody learns of memberships without it.
//!
//! Spec: HTTP API, "Tenant context at sign-in".

use crate::api_key::AcceptedKey;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{ClientId, TenantId, TenantRef};
use crate::keyspace;
use crate::record::Record;
use crate::session::SessionDoor;
use crate::settings::Tenantless;
use crate::tenancy::{self, Held, Standing};
use crate::user::User;

/// The tenant context of a new session.
#[derive(Debug)]
pub(super) struct Context {
    held: Option<Held>,
    door: SessionDoor,
}

impl Context {
    /// That of a code which a tenant had sent.
    pub(super) fn of_code(held: Held) -> Self {
        Self { held: Some(held), door: SessionDoor::TenantCode }
    }

    pub(super) fn tenant_id(&self) -> Option<&TenantId> {
        self.held.as_ref().map(|held| &held.tenant.id)
    }

    /// The version of the membership, for the token.
    pub(super) fn mver(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.membership.mver)
    }

    /// The door that the session came through.
    pub(super) fn door(&self) -> SessionDoor {
        self.door
    }
}

/// The tenant context that a sign-in asks for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// The one that the request names, as it is named; `None` where nobody bears the name.
    Named(TenantRef, Option<TenantId>),
    /// That of the API key.
    Key(TenantId),
    /// Whatever follows from the user's memberships.
    Default,
}

impl Wanted {
    /// Reads it from key and request.
    ///
    /// # Errors
    /// `TENANT_CONFLICT` where these name different tenants; the store's.
    pub(super) async fn of(
        domain: &Domain,
        key: Option<&AcceptedKey>,
        named: Option<&TenantRef>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let by_key = key.and_then(|key| key.tenant_id.clone());
        let Some(reference) = named else {
            return Ok(by_key.map_or(Self::Default, Self::Key));
        };
        let named = tenancy::resolve(domain, reference, now).await?;
        match by_key {
            None => Ok(Self::Named(reference.clone(), named)),
            Some(tenant) if named.as_ref() == Some(&tenant) => Ok(Self::Key(tenant)),
            Some(_) => Err(Code::TenantConflict.into()),
        }
    }

    /// Whether a tenant's key was used.
    pub(super) fn by_key(&self) -> bool {
        matches!(self, Self::Key(_))
    }
}

/// Finds the tenant context of a sign-in.
///
/// # Errors
/// `MEMBERSHIP_REQUIRED`, `TENANT_DISABLED`, `UNKNOWN_AUDIENCE`; `INVALID_LOGIN_CREDENTIALS` to a
/// stranger of the key's tenant; the store's.
pub(super) async fn resolve_context(
    domain: &Domain,
    user: &User,
    wanted: &Wanted,
    client: Option<&ClientId>,
    now: Timestamp,
) -> Result<Context, Error> {
    let held = match wanted {
        Wanted::Named(name, tenant) => {
            let held =
                require(domain, user, tenant.as_ref(), Code::MembershipRequired, now).await?;
            // A claim on the name may belong to a creation that never finished.
            if !held.tenant.bears(name) {
                return Err(Code::MembershipRequired.into());
            }
            Some(held)
        }
        Wanted::Key(tenant) => {
            let stranger = Code::InvalidLoginCredentials;
            Some(require(domain, user, Some(tenant), stranger, now).await?)
        }
        Wanted::Default => default_context(domain, user, now).await?,
    };
    if held.is_none() && domain.settings.tenantless == Tenantless::Admin && !user.is_admin() {
        return Err(Code::MembershipRequired.into());
    }
    if let Some(client) = client {
        check_application(domain, held.as_ref(), client, now).await?;
    }
    let door = if wanted.by_key() { SessionDoor::TenantKey } else { SessionDoor::Plain };
    Ok(Context { held, door })
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
    Ok(tenancy::active_memberships(domain, &user.id, now).await?.only())
}

/// A client named at sign-in must be an active application of the session's tenant.
async fn check_application(
    domain: &Domain,
    held: Option<&Held>,
    client: &ClientId,
    now: Timestamp,
) -> Result<(), Error> {
    // In no tenant there is none.
    let Some(held) = held else {
        return Err(Code::UnknownAudience.into());
    };
    let key = keyspace::client(&held.tenant.id, client);
    let stored = domain.store.get(&key, now).await?;
    match Client::decode_optional(&key, stored.as_ref())? {
        Some(client) if client.takes_id_tokens() => Ok(()),
        _ => Err(Code::UnknownAudience.into()),
    }
}

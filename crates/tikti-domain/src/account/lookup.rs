//! Tells who the holder of an idToken is.
//!
//! One round trip: the API key's record, the user, the session and the context of the token are
//! read together. Only `memberships` costs a second one, and a token of an older Tikti that names no
//! user id one before.
//!
//! Spec: HTTP API, Identity, `lookup`; Tokens and keys, "Verification".

use secrecy::SecretString;

use crate::api_key::{AcceptedKey, KeyScope, PresentedKey};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{RoleName, TenantId, UserId};
use crate::id_token::Holder;
use crate::legacy::{self, Shown};
use crate::limits;
use crate::reads::Reads;
use crate::tenancy;
use crate::user::{GlobalRole, User, UserStatus};

/// Asks who the holder of an idToken is.
#[derive(Debug)]
pub struct Lookup {
    /// The token.
    pub id_token: SecretString,
    /// Whether the memberships are wanted too.
    pub memberships: bool,
}

/// Who the holder of an idToken is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// The user's id.
    pub user_id: UserId,
    /// The address.
    pub email: Option<Email>,
    /// Whether the user has shown to receive mail there.
    pub email_verified: bool,
    /// The role towards the deployment.
    pub role: GlobalRole,
    /// The tenant context of the token.
    pub tenant_id: Option<TenantId>,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// A name for people.
    pub display_name: Option<String>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user last signed in.
    pub last_login_at: Option<Timestamp>,
    /// The active memberships, at most 200, where they were asked for; of a session that is bound to a
    /// tenant that one only.
    pub memberships: Option<Vec<(TenantId, Vec<RoleName>)>>,
}

/// Tells who the holder of an idToken is.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; `INVALID_ID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`,
/// `USER_DISABLED`; `RATE_LIMITED`; the store's.
pub async fn lookup(domain: &Domain, caller: &Caller, ask: &Lookup) -> Result<LookedUp, Error> {
    let now = domain.clock.now();
    let presented = domain.present_key(caller);
    if matches!(presented, PresentedKey::Missing) {
        return Err(Code::InvalidApiKey.into());
    }
    // Before anything is read or verified: that is what it spares.
    if let Some(key) = &caller.api_key {
        limits::lookup(domain, key, now)?;
    }
    let token = legacy::verify(domain, &ask.id_token, now).await?;
    let mut keys: Vec<_> = presented.key().cloned().into_iter().collect();
    keys.extend(token.iter().flat_map(Shown::keys));
    let reads = Reads::load(&domain.store, keys, now).await?;

    // A stranger without a key learns nothing of the token, not even whether it is one.
    let key = domain.judge_key(&presented, &reads, KeyScope::Lookup, now)??;
    let token = token?;
    let holder = token.find(&reads)?;
    let user = decide(domain, &key, &token, &holder)?.clone();
    // A session that a tenant opened tells nobody of the user's other tenants.
    let session = holder.session.as_ref().filter(|session| session.is_bound());
    let only = session.and_then(|session| session.tenant_id.as_ref());
    let memberships = if ask.memberships {
        let held = tenancy::active_memberships(domain, &user.id, now).await?;
        let shown = held.active.into_iter().filter(|held| {
            let tenant = &held.tenant.id;
            key.covers(Some(tenant)) && only.is_none_or(|only| only == tenant)
        });
        let pair =
            |held: tenancy::Held| (held.tenant.id, held.membership.roles.into_iter().collect());
        Some(shown.map(pair).collect())
    } else {
        None
    };
    Ok(reply(user, &key, token.tenant_id().cloned(), memberships))
}

/// Whether this key may look this token up, and whose it is.
fn decide<'a>(
    domain: &Domain,
    key: &AcceptedKey,
    token: &Shown,
    holder: &'a Holder,
) -> Result<&'a User, Code> {
    // Before the records are looked at: a tenant's key learns nothing of another tenant's user.
    if !key.covers(token.tenant_id()) {
        return Err(Code::ApiKeyForbidden);
    }
    token.check(holder, domain.not_before)
}

fn reply(
    user: User,
    key: &AcceptedKey,
    tenant_id: Option<TenantId>,
    memberships: Option<Vec<(TenantId, Vec<RoleName>)>>,
) -> LookedUp {
    // A tenant's key is shown its own tenant's view: the role towards the deployment is not part of
    // it.
    let role = if key.tenant_id.is_some() { GlobalRole::CompanyEmployee } else { user.role };
    LookedUp {
        user_id: user.id,
        email: user.email,
        email_verified: user.email_verified,
        role,
        tenant_id,
        status: user.status,
        display_name: user.display_name,
        created_at: user.created_at,
        last_login_at: user.last_login_at,
        memberships,
    }
}

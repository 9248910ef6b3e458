//! Who may administer accounts? A platform administrator, through an API key that may.
//!
//! Both are needed: the key says that the program may, the idToken that the person may. A tenant's key
//! never reaches a route of the deployment.
//!
//! Spec: HTTP API, "API key", rows "yes + admin"; Authorization, "Administrative endpoints"; attacks,
//! rows T5 and E9.

use crate::api_key::{AcceptedKey, KeyScope};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};
use crate::permission::{self, Principal};

/// What an administrator is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing changes.
    Read,
    /// Something changes: the sign-in must be recent enough.
    Write,
}

/// Recognises an administrator who comes with a key for `accounts:admin`.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; `UNAUTHENTICATED`, `ADMIN_REQUIRED`; `CREDENTIAL_TOO_OLD`
/// for a change; the store's.
pub(super) async fn require_admin(
    domain: &Domain,
    caller: &Caller,
    access: Access,
    now: Timestamp,
) -> Result<Principal, Error> {
    let (principal, _) = require_admin_and_key(domain, caller, access, now).await?;
    Ok(principal)
}

/// As [`require_admin`], and gives the key too, which is one of the deployment.
///
/// # Errors
/// Those of [`require_admin`].
pub(super) async fn require_admin_and_key(
    domain: &Domain,
    caller: &Caller,
    access: Access,
    now: Timestamp,
) -> Result<(Principal, AcceptedKey), Error> {
    let key = domain.require_key(caller, KeyScope::Admin, now).await?;
    if key.tenant_id.is_some() {
        return Err(Code::ApiKeyForbidden.into());
    }
    let principal = permission::by_id_token(domain, caller, now).await?;
    match access {
        Access::Read => principal.require_admin()?,
        Access::Write => principal.require_admin_write(domain, now)?,
    }
    Ok((principal, key))
}

#[cfg(test)]
mod tests;

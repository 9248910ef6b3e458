//! Deletes one's own account.
//!
//! Spec: HTTP API, Identity, `delete`; Domain, rule 4.

use secrecy::SecretString;

use super::delete_user::delete_user;
use super::own::Own;
use crate::api_key::KeyScope;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::id::UserId;

/// Deletes the account of an idToken's holder; says whose it was.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; those of a token that is not good; `CREDENTIAL_TOO_OLD`;
/// `LAST_ADMIN`; the store's.
pub async fn delete_account(
    domain: &Domain,
    caller: &Caller,
    id_token: &SecretString,
) -> Result<UserId, Error> {
    let now = domain.clock.now();
    let own = Own::load(domain, caller, (id_token, KeyScope::Delete), now).await?;
    own.require_recent(&domain.settings, now)?;
    delete_user(domain, &own.user.id, now).await?;
    Ok(own.user.id)
}

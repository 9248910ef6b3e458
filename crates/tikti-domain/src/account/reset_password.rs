//! Sets a new password by a code that left by mail, or says what the code is good for.
//!
//! The code proves that mail at the address reaches the user, so that the address is verified; every
//! session of before is over. A refused password leaves the code usable.
//!
//! Spec: HTTP API, Identity, `resetPassword`. Which API key: docs/decisions/0020.

use secrecy::SecretString;

use super::redeem::{Found, find};
use super::sign_out::remove_old_sessions;
use crate::api_key::KeyScope;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::UserId;
use crate::limits;
use crate::oob_code::OobType;
use crate::password::check_new_password;

/// Asks to set a new password.
#[derive(Debug)]
pub struct ResetPassword {
    /// The code.
    pub code: SecretString,
    /// The password; without one the code is only checked.
    pub new_password: Option<SecretString>,
}

/// A code is good, and was used up if there was a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordReset {
    /// Whose password it is.
    pub user_id: UserId,
    /// The user's address.
    pub email: Option<Email>,
}

/// Sets a new password, or checks a code without using it up.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`; `INVALID_OOB_CODE`; `RATE_LIMITED`; `WEAK_PASSWORD`, `PASSWORD_TOO_LONG`,
/// `INVALID_ARGUMENT`, `OVERLOADED`: these leave the code usable; the store's.
pub async fn reset_password(
    domain: &Domain,
    caller: &Caller,
    ask: &ResetPassword,
) -> Result<PasswordReset, Error> {
    let now = domain.clock.now();
    let key = domain.require_key(caller, KeyScope::OobSend, now).await?;
    limits::code_redemption(domain, caller.ip, now).await?;
    let found = find(domain, &[OobType::PasswordReset], &ask.code, now).await?;
    // A tenant's key hands in what was sent for its own tenant.
    if !key.covers(found.code.tenant_id.as_ref()) {
        return Err(Code::InvalidOobCode.into());
    }
    match &ask.new_password {
        None => Ok(PasswordReset { user_id: found.user.id, email: found.code.email }),
        Some(password) => set(domain, &found, password).await,
    }
}

/// Sets a new password by the code of a link, for the page that the link opens: there the code alone
/// is enough.
///
/// # Errors
/// As [`reset_password`], but for those of the key.
pub async fn reset_password_by_link(
    domain: &Domain,
    caller: &Caller,
    code: &SecretString,
    new_password: &SecretString,
) -> Result<PasswordReset, Error> {
    let now = domain.clock.now();
    limits::code_redemption(domain, caller.ip, now).await?;
    let found = find(domain, &[OobType::PasswordReset], code, now).await?;
    set(domain, &found, new_password).await
}

async fn set(
    domain: &Domain,
    found: &Found,
    password: &SecretString,
) -> Result<PasswordReset, Error> {
    check_new_password(password, found.user.email.as_ref())
        .map_err(|refusal| refusal.renamed("password", "newPassword"))?;
    let hash = domain.passwords.hash(password).await?;
    found.take(domain).await?;
    // bcrypt took its time.
    let now = domain.clock.now();
    let changed = found.write(
        domain,
        |user| {
            user.password_hash = Some(hash.clone());
            user.email_verified = true;
            user.ver = user.next_version(now);
        },
        now,
    );
    let user = changed.await?;
    remove_old_sessions(domain, &user, now).await;
    tracing::info!(
        target: "tikti::audit",
        action = "password.reset",
        outcome = "allow",
        user.id = %user.id,
        "password reset"
    );
    Ok(PasswordReset { user_id: user.id, email: user.email })
}

#[cfg(test)]
mod tests;

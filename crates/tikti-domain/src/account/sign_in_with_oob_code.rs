//! Signs a user in with a code that left by mail.
//!
//! Whatever is wrong with the code (unknown, used, expired, of another type, another address or
//! another tenant, of a user who may not sign in) is one answer. A code that a tenant had sent opens a
//! session in that tenant, bound to it; any other one opens it where a sign-in with the password would.
//! The address is verified from then on, and the network that the user came from is one that he is known to
//! sign in from.
//!
//! Spec: HTTP API, Identity, `signInWithOobCode`; attacks, rows L4, L6, T6.

use secrecy::SecretString;

use super::begin_session::{Beginning, Begun, Proof, SignedIn, begin_session};
use super::redeem::{Found, find};
use super::sign_in_context::{Context, Wanted, resolve_context};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::limits;
use crate::network::Network;
use crate::oob_code::OobType;

/// Asks to sign a user in with a code.
#[derive(Debug)]
pub struct SignInWithOobCode {
    /// The address that the code was sent to.
    pub email: Email,
    /// The code.
    pub code: SecretString,
    /// Whether a refresh token is wanted.
    pub return_secure_token: bool,
}

/// Signs a user in with a code, which is used up.
///
/// # Errors
/// `INVALID_OOB_CODE` for every code that is not good for this, and `RATE_LIMITED` after too many of
/// them, or too many codes of one host; with a good one, which stays usable:
/// `MEMBERSHIP_REQUIRED` where only members may sign in; the store's.
pub async fn sign_in_with_oob_code(
    domain: &Domain,
    caller: &Caller,
    ask: &SignInWithOobCode,
) -> Result<SignedIn, Error> {
    let now = domain.clock.now();
    limits::code_redemption(domain, caller.ip, now).await?;
    let mut found = find_of(domain, ask, now).await?;
    let context = match found.held.take() {
        Some(held) => Context::of_code(held),
        None => resolve_context(domain, &found.user, &Wanted::Default, None, now).await?,
    };
    found.take(domain).await?;
    let network = caller.ip.map(Network::of);
    let beginning = Beginning {
        user: &found.user,
        context: &context,
        client: None,
        return_secure_token: ask.return_secure_token,
        proof: Proof::MailedCode,
        fresh_network: network.as_ref(),
    };
    match begin_session(domain, caller, &beginning).await {
        Ok(Begun::Done(session)) => Ok(*session),
        // The user was suspended or changed at the same moment: the code is no good any more.
        Ok(Begun::OtherHash(_)) => Err(Code::InvalidOobCode.into()),
        Err(error) => match error.code() {
            Code::InvalidLoginCredentials | Code::UserDisabled => Err(Code::InvalidOobCode.into()),
            _ => Err(error),
        },
    }
}

/// The code, if it is one of this address. Whoever tries codes of others does not use them up.
async fn find_of(domain: &Domain, ask: &SignInWithOobCode, now: Timestamp) -> Result<Found, Error> {
    match find(domain, &[OobType::EmailSignIn], &ask.code, now).await {
        Ok(found) if found.code.email.as_ref() == Some(&ask.email) => return Ok(found),
        Ok(_) => {}
        Err(error) if error.code() == Code::InvalidOobCode => {}
        Err(error) => return Err(error),
    }
    limits::failed_redemption(domain, &ask.email, now).await?;
    Err(Code::InvalidOobCode.into())
}

#[cfg(test)]
mod tests;

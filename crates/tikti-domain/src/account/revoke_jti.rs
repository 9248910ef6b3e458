//! Denies one token until it would have expired.
//!
//! Where that stands, and for how long, says `denial`.
//!
//! Spec: HTTP API, Identity, `revokeJti`; Tokens and keys, "Revocation".

use secrecy::SecretString;
use tikti_token::Audience;

use super::gate::{self, Access};
use crate::any_token::{self, AnyToken};
use crate::audit::{Action, Chain};
use crate::clock::Timestamp;
use crate::denial::Denial;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};

/// A token that is denied from now on.
#[derive(Debug)]
pub struct RevokedJti {
    /// The token's id.
    pub jti: String,
    /// When it would have expired.
    pub expires_at: Timestamp,
}

/// Denies one token, of whichever class.
///
/// # Errors
/// Those of the gate of administrators; `INVALID_ID_TOKEN` or `TOKEN_EXPIRED`, with the step that failed; the
/// store's.
pub async fn revoke_jti(
    domain: &Domain,
    caller: &Caller,
    token: &SecretString,
) -> Result<RevokedJti, Error> {
    let now = domain.clock.now();
    let principal = gate::require_admin(domain, caller, Access::Write, now).await?;
    let verified = AnyToken::verify(domain, token, Audience::Deferred, now);
    let verified = verified.map_err(any_token::refused)?;
    let denial = Denial::of(&verified).ok_or(Code::InvalidIdToken)?;
    let draft = principal.draft(caller, Action::TokenRevoke, (&denial.jti, None));
    denial.write(domain, (&Chain::Deployment, draft), now).await?;
    Ok(RevokedJti { jti: denial.jti, expires_at: denial.expires_at })
}

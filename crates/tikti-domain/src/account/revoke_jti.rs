//! Denies one token until it would have expired.
//!
//! The record stands with the user who is behind the token, where everything that takes a token reads it,
//! and expires when the token does, after the difference of clocks that a verification allows.
//!
//! Spec: HTTP API, Identity, `revokeJti`; Tokens and keys, "Revocation".

use secrecy::SecretString;
use tikti_store::Entry;
use tikti_token::Audience;

use super::any_token::{self, AnyToken};
use super::gate::{self, Access};
use crate::audit::{self, Action, Chain, NotePlace};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Error, Refusal};
use crate::id::UserId;
use crate::keyspace;
use crate::record::Record;
use crate::session::DeniedToken;
use crate::tenancy::administer::Done;

/// A token that is denied from now on.
#[derive(Debug)]
pub struct RevokedJti {
    /// The token's id.
    pub jti: String,
    /// When it would have expired.
    pub expires_at: Timestamp,
    /// The user behind it.
    pub user_id: UserId,
}

/// Denies one token, of whichever class.
///
/// # Errors
/// Those of the gate of administrators; `INVALID_ID_TOKEN` or `TOKEN_EXPIRED`, with the step that failed;
/// `INVALID_ARGUMENT` for a token without a user; the store's.
pub async fn revoke_jti(
    domain: &Domain,
    caller: &Caller,
    token: &SecretString,
) -> Result<RevokedJti, Error> {
    let now = domain.clock.now();
    let principal = gate::require_admin(domain, caller, Access::Write, now).await?;
    let verified = AnyToken::verify(domain, token, Audience::Deferred, now);
    let verified = verified.map_err(any_token::refused)?;
    let Some(user_id) = verified.user_id() else {
        let reason = "has no user: disable its worker, or revoke the worker's secret";
        return Err(Refusal::invalid("token", reason).into());
    };
    let expires_at = Timestamp::from_millis(verified.expires_at().saturating_mul(1000));
    let skew = domain.settings.skew.as_secs().saturating_add(1).saturating_mul(1000);
    let key = keyspace::denied_token(&user_id, verified.jti());
    let bytes = DeniedToken {}.encode()?;
    let jti = verified.jti().to_owned();
    let mut draft = principal.draft(caller, Action::TokenRevoke, (&jti, None));
    draft.details.insert("userId".to_owned(), user_id.to_string());
    let keys = [key.clone()];
    let place = (NotePlace::User(user_id.clone()), &keys[..]);
    let denied = audit::change(domain, place, (&Chain::Deployment, &draft), now, |txn| {
        if txn.get(&key)?.is_some() {
            return Ok(Done::Same(()));
        }
        let entry = Entry::new(&bytes).expires_at(expires_at.plus_millis(skew));
        Ok(Done::Changed(txn.put(&key, entry)?))
    });
    denied.await?;
    Ok(RevokedJti { jti, expires_at, user_id })
}

//! Ends one token, for whoever holds it and needs it no more, or knows it stolen (RFC 7009).
//!
//! An idToken, access token or worker token is denied by its id; a refresh token ends its session. Whether
//! the token was good plays no part: one of a suspended user is denied too, since he may be let in again.
//! Invariant: the answer is the same whatever the token is, so that nobody learns of a token that is not for
//! him; but for one that would be good on, and for the asker to revoke, and cannot be.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints", "Revocation"; HTTP API, "API key".
//! Choices: docs/decisions/0039.

use secrecy::SecretString;
use tikti_store::Key;
use tikti_token::Audience;

use crate::account::refresh_standing::ShownRefresh;
use crate::any_token::AnyToken;
use crate::api_key::KeyScope;
use crate::audit::{self, Chain, Draft, NotePlace};
use crate::client_auth::ClientAuth;
use crate::clock::Timestamp;
use crate::denial::Denial;
use crate::domain::{Caller, Domain};
use crate::error::{Error, Refusal};
use crate::keyspace;
use crate::legacy;
use crate::reads::Reads;
use crate::session::Session;
use crate::tenancy::administer::Done;
use crate::token_asker::{self, Shown, TokenAsker};

/// Asks to end a token.
#[derive(Debug)]
pub struct RevokeToken {
    /// The token, of whichever class.
    pub token: SecretString,
    /// The client that asks, where it is one; else it is whoever has the caller's API key.
    pub client: Option<ClientAuth>,
}

/// What ends with a token.
enum Target {
    Token(Box<AnyToken>, Denial),
    Session(ShownRefresh),
    /// Nothing that this service gave out, or ended.
    Nothing,
}

/// Ends a token; a success also where there was nothing to end, or nothing that is the asker's.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`, `INVALID_CLIENT_CREDENTIALS`; `TENANT_DISABLED` for a token of a
/// tenant that is not served, shown with that tenant's key; `INVALID_ARGUMENT` naming `token`
/// for one of an older Tikti, which cannot be revoked alone; `CONFLICT`; the store's: then the token may or
/// may not have ended.
pub async fn revoke_token(
    domain: &Domain,
    caller: &Caller,
    ask: &RevokeToken,
) -> Result<(), Error> {
    let now = domain.clock.now();
    let shown = Shown::of(domain, caller, ask.client.as_ref())?;
    let target = Target::of(domain, &ask.token, now);
    let mut keys = shown.keys();
    keys.extend(target.keys());
    let mut reads = Reads::load(&domain.store, keys, now).await?;
    let asking = (&shown, &reads, KeyScope::Revoke);
    let asker = token_asker::judge_counted(domain, caller, asking, now).await?;
    match target {
        Target::Token(token, denial) => {
            let is_done = reads.stored(&denial.key())?.is_some();
            if is_done || !asker.covers_token(&token) {
                return Ok(());
            }
            asker.require_served(domain, &mut reads, now).await?;
            let (chain, draft) = asker.draft(caller, &denial.jti)?;
            denial.write(domain, (&chain, draft), now).await
        }
        Target::Session(token) => end_session(domain, caller, (&asker, &token, reads), now).await,
        Target::Nothing => {
            // Not told to a client: it has none of these.
            match legacy::context(domain, &ask.token, now) {
                Some(tenant) if asker.covers(tenant.as_ref()) => {
                    let reason =
                        "is of an older Tikti and cannot be revoked alone: revoke its user";
                    Err(Refusal::invalid("token", reason).into())
                }
                _ => Ok(()),
            }
        }
    }
}

impl Target {
    fn of(domain: &Domain, token: &SecretString, now: Timestamp) -> Self {
        if let Ok(verified) = AnyToken::verify(domain, token, Audience::Deferred, now) {
            return match Denial::of(&verified) {
                Some(denial) => Self::Token(Box::new(verified), denial),
                None => Self::Nothing,
            };
        }
        ShownRefresh::parse(token).map_or(Self::Nothing, Self::Session)
    }

    /// The records that say whether there is something to do, and whether the tenant is served whose key may
    /// have it done.
    fn keys(&self) -> Vec<Key> {
        let (record, tenant) = match self {
            Self::Token(token, denial) => (denial.key(), token.tenant_id()),
            Self::Session(token) => (token.session_key(), token.hinted_tenant().cloned()),
            Self::Nothing => return Vec::new(),
        };
        std::iter::once(record).chain(tenant.as_ref().map(keyspace::tenant)).collect()
    }
}

/// Ends the session that waits for `token` or gave it out, wherever that is the asker's to do. A refresh at the
/// same time does not save it.
async fn end_session(
    domain: &Domain,
    caller: &Caller,
    (asker, token, mut reads): (&TokenAsker, &ShownRefresh, Reads),
    now: Timestamp,
) -> Result<(), Error> {
    let key = token.session_key();
    let Some(session) = reads.find::<Session>(&key)? else { return Ok(()) };
    // In this order: only the second is counted.
    if !asker.covers(session.tenant_id.as_ref())
        || !token.is_or_was_of(domain, &session, now).await?
    {
        return Ok(());
    }
    asker.require_served(domain, &mut reads, now).await?;
    let (chain, mut draft): (Chain, Draft) = asker.draft(caller, session.id.as_str())?;
    draft.details.insert("userId".to_owned(), session.user_id.to_string());
    draft.details.insert("tokenUse".to_owned(), "refresh".to_owned());
    let keys = [key.clone()];
    let place = (NotePlace::User(token.user_id().clone()), &keys[..]);
    let ended = audit::change(domain, place, (&chain, &draft), now, |txn| {
        if txn.get(&key)?.is_none() {
            return Ok(Done::Same(()));
        }
        Ok(Done::Changed(txn.delete(&key)?))
    });
    ended.await
}

//! Signs a user out: of one session, or everywhere.
//!
//! One session ends when its record is gone. Everywhere is the user's version: from the commit on
//! every token and every session of before is of another version, at every replica; the records are
//! removed after that. For a session that is bound to a tenant everywhere is that tenant: those of its
//! sessions end, one by one, and nothing else of the user.
//!
//! Spec: HTTP API, Identity, `signOut`; Tokens and keys, "Revocation".

use secrecy::SecretString;
use tikti_store::{Entry, Key, Txn};

use super::refresh_token::{RefreshToken, Shown};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{SessionId, UserId};
use crate::id_token::{self, Holder};
use crate::keyspace;
use crate::purge;
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::session::Session;
use crate::user::User;

/// Asks to sign out.
#[derive(Debug)]
pub struct SignOut {
    /// What says whose session it is.
    pub by: SignOutBy,
    /// Whether all sessions end, not only this one.
    pub everywhere: bool,
}

/// A token of the session that is to end.
#[derive(Debug)]
pub enum SignOutBy {
    /// An idToken.
    IdToken(SecretString),
    /// A refresh token, used or not.
    RefreshToken(SecretString),
}

/// Signs a user out; says whom.
///
/// # Errors
/// `INVALID_ID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, `INVALID_REFRESH_TOKEN`; the store's.
pub async fn sign_out(domain: &Domain, ask: &SignOut) -> Result<UserId, Error> {
    let now = domain.clock.now();
    let session = match &ask.by {
        SignOutBy::IdToken(token) => by_id_token(domain, token, now).await?,
        SignOutBy::RefreshToken(token) => by_refresh_token(domain, token, now).await?,
    };
    if !ask.everywhere {
        domain.store.delete(&keyspace::session(&session.user_id, &session.id)).await?;
    } else if session.is_bound() {
        remove_reached(domain, &session, now).await?;
    } else {
        revoke_everything(domain, &session.user_id, now).await?;
    }
    Ok(session.user_id)
}

async fn by_id_token(
    domain: &Domain,
    token: &SecretString,
    now: Timestamp,
) -> Result<Session, Error> {
    let token = id_token::verify(domain, token, now)?;
    let reads = Reads::load(&domain.store, Holder::keys(&token), now).await?;
    let holder = Holder::find(&reads, &token)?;
    match holder.check_alive(&token, domain.not_before).map(drop) {
        // Whoever is suspended may still end what is left of a session.
        Ok(()) | Err(Code::UserDisabled) => Ok(holder.session.ok_or(Code::TokenRevoked)?),
        Err(code) => Err(code.into()),
    }
}

async fn by_refresh_token(
    domain: &Domain,
    token: &SecretString,
    now: Timestamp,
) -> Result<Session, Error> {
    let token = RefreshToken::parse(token).ok_or(Code::InvalidRefreshToken)?;
    let user_key = keyspace::user(&token.user_id);
    let session_key = keyspace::session(&token.user_id, &token.session_id);
    let keys = vec![user_key.clone(), session_key.clone()];
    let reads = Reads::load(&domain.store, keys, now).await?;
    let session: Option<Session> = reads.find(&session_key)?;
    let user: Option<User> = reads.find_live(&user_key)?;
    let (Some(session), Some(user)) = (session, user) else {
        return Err(Code::InvalidRefreshToken.into());
    };
    let is_unknown = matches!(token.judge(domain, &session, now).await?, Shown::Unknown);
    if is_unknown || !session.is_of(&user) {
        return Err(Code::InvalidRefreshToken.into());
    }
    Ok(session)
}

/// Ends the session and those that it reaches. A refresh at the same time does not save one.
async fn remove_reached(domain: &Domain, own: &Session, now: Timestamp) -> Result<(), Error> {
    let partition = keyspace::of_user(&own.user_id);
    let list = (&partition, keyspace::SESSION);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = purge::page(domain, list, after.as_deref(), now).await?;
        let ids = purge::ids(&page, SessionId::parse);
        let keys: Vec<_> = ids.map(|id| keyspace::session(&own.user_id, &id)).collect();
        domain
            .store
            .transact(&partition, &keys, now, |txn| {
                for key in &keys {
                    let session = Session::decode_optional(key, txn.get(key)?)?;
                    if session.is_some_and(|session| own.reaches(&session)) {
                        txn.delete(key)?;
                    }
                }
                Ok::<_, Error>(())
            })
            .await?;
        after = page.next.map(Into::into);
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Ends every session and token of a user.
///
/// # Errors
/// `USER_NOT_FOUND`; the store's. After the version was raised the answer is a success, whatever the
/// removal of the records does: they are of no use to anybody.
pub(crate) async fn revoke_everything(
    domain: &Domain,
    user_id: &UserId,
    now: Timestamp,
) -> Result<User, Error> {
    let key = keyspace::user(user_id);
    let reads = [key.clone()];
    let ended = domain.store.transact(key.partition(), &reads, now, |txn| end_all(txn, &key, now));
    let user = ended.await?;
    remove_old_sessions(domain, &user, now).await;
    Ok(user)
}

/// Raises the version of the user at `key`, which the transaction has declared.
///
/// # Errors
/// `USER_NOT_FOUND`.
pub(super) fn end_all(txn: &mut Txn, key: &Key, now: Timestamp) -> Result<User, Error> {
    let mut user = User::load(key, txn.get(key)?)?.ok_or(Code::UserNotFound)?;
    user.ver = user.next_version(now);
    txn.put(key, Entry::new(&Lasting::Live(user.clone()).encode()?))?;
    Ok(user)
}

/// Gives back the space of the sessions of older versions. What fails is left until they expire.
pub(crate) async fn remove_old_sessions(domain: &Domain, user: &User, now: Timestamp) {
    let partition = keyspace::of_user(&user.id);
    let list = (&partition, keyspace::SESSION);
    let is_old = |id: &[u8], stored: &tikti_store::Stored| {
        let id = std::str::from_utf8(id).ok().and_then(|id| SessionId::parse(id).ok());
        let session = id.map(|id| Session::decode(&keyspace::session(&user.id, &id), stored));
        session.is_some_and(|session| session.is_ok_and(|session| !session.is_of(user)))
    };
    if let Err(error) = purge::those(domain, list, is_old, now).await {
        let code = error.code().as_str();
        tracing::warn!(user.id = %user.id, code, "sessions that are over were not removed");
    }
}

#[cfg(test)]
mod tests;

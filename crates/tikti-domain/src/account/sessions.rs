//! One's own sessions: which there are, and ending one.
//!
//! A session whose version is not the user's any more is over, whether or not its record is still
//! there: it is not shown. Invariant: the holder of a session that is bound to a tenant sees and ends those
//! of that tenant only.
//!
//! Spec: HTTP API, Identity, `GET /v1/accounts/sessions`, `DELETE .../{sid}`.

use tikti_store::{StoreError, Stored};

use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};
use crate::id::{SessionId, UserId};
use crate::id_token::{self, Holder};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::reads::Reads;
use crate::record::Record;
use crate::session::Session;
use crate::user::User;

/// Shows a page of the caller's sessions, in the order of their beginning.
///
/// # Errors
/// `UNAUTHENTICATED` without a token; those of a token that is not good; `INVALID_ARGUMENT` for a
/// page token that this server did not make; the store's.
pub async fn list_sessions(
    domain: &Domain,
    caller: &Caller,
    ask: &PageRequest,
) -> Result<Page<Session>, Error> {
    let now = domain.clock.now();
    let (user, own) = holder(domain, caller, now).await?;
    let list = format!("{}/{}", keyspace::of_user(&user.id), keyspace::SESSION.as_str());
    page_of(domain, (&user, &list), ask, |session| own.reaches(session), now).await
}

/// Reads a page of a user's sessions that are not over, of those that `is_shown` picks; a page may be short
/// and still have a next one. `list` names the list that the page tokens are for.
///
/// # Errors
/// `INVALID_ARGUMENT` for a page token that this server did not make for this list; the store's.
pub(crate) async fn page_of(
    domain: &Domain,
    (user, list): (&User, &str),
    ask: &PageRequest,
    is_shown: impl Fn(&Session) -> bool + Send,
    now: Timestamp,
) -> Result<Page<Session>, Error> {
    let (partition, kind) = (keyspace::of_user(&user.id), keyspace::SESSION);
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, list, token));
    let after = after.transpose()?;
    let size = usize::from(ask.size);
    let page = domain.store.scan(&partition, kind, after.as_deref(), size, now).await?;
    let mut items = Vec::with_capacity(page.entries.len());
    for (id, stored) in &page.entries {
        let parsed = std::str::from_utf8(id).ok().and_then(|id| SessionId::parse(id).ok());
        let Some(id) = parsed else { continue };
        let session = Session::decode(&keyspace::session(&user.id, &id), stored)?;
        if session.is_of(user) && is_shown(&session) {
            items.push(session);
        }
    }
    let next = page.next.map(|last| page_token::make(domain, list, &last)).transpose()?;
    Ok(Page { items, next })
}

/// Ends one of the caller's sessions; his other ones go on.
///
/// # Errors
/// As [`list_sessions`]; `SESSION_NOT_FOUND`.
pub async fn end_session(
    domain: &Domain,
    caller: &Caller,
    session: &SessionId,
) -> Result<UserId, Error> {
    let now = domain.clock.now();
    let (user, own) = holder(domain, caller, now).await?;
    let key = keyspace::session(&user.id, session);
    let stored = domain.store.get(&key, now).await?.ok_or(Code::SessionNotFound)?;
    let found = Session::decode(&key, &stored)?;
    if !found.is_of(&user) || !own.reaches(&found) {
        return Err(Code::SessionNotFound.into());
    }
    domain.store.delete(&key).await?;
    Ok(user.id)
}

/// The user whose idToken the caller shows as bearer, and the session that it is of.
async fn holder(
    domain: &Domain,
    caller: &Caller,
    now: Timestamp,
) -> Result<(User, Session), Error> {
    let bearer = caller.bearer.as_ref().ok_or(Code::Unauthenticated)?;
    let token = id_token::verify(domain, bearer, now)?;
    let reads = Reads::load(&domain.store, Holder::keys(&token), now).await?;
    let holder = Holder::find(&reads, &token)?;
    let (user, session) = holder.check(&token, domain.not_before)?;
    Ok((user.clone(), session.clone()))
}

/// Removes a session if it is still as it was read.
///
/// # Errors
/// `Conflict` where it is not; the store's.
pub(super) async fn remove(
    domain: &Domain,
    (user, session): (&UserId, &SessionId),
    seen: &Stored,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::session(user, session);
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            if txn.get(&key)? != Some(seen) {
                return Err(Error::Store(StoreError::Conflict { key: key.clone() }));
            }
            Ok(txn.delete(&key)?)
        })
        .await
}

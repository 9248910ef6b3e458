//! Signs a user in with e-mail address and password.
//!
//! An unknown address, a wrong password and a suspended user with a wrong password take the same path,
//! the same time and the same reply; what is special about an account is told only after the right
//! password. The session and the user's last sign-in are written in one transaction of the user's
//! partition, which also repeats the checks: a user suspended or a password changed while bcrypt was
//! running does not get a session.
//!
//! Spec: HTTP API, Identity, `signIn`, "Tenant context at sign-in"; Domain, rule 7.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use tikti_store::{Entry, Stored};

use super::sign_in_context::{Context, resolve_context};
use crate::api_key::{KeyGrant, KeyScope};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ClientId, SessionId, TenantId, TenantRef, UserId};
use crate::issue;
use crate::keyspace;
use crate::password::{Match, PasswordHash};
use crate::record::{Lasting, Record};
use crate::session::{RefreshState, Session, SessionDoor};
use crate::user::{EmailClaim, User};

/// Which call is used to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `signIn`: no API key.
    Open,
    /// `signInWithPassword`: an API key that may sign in.
    Keyed,
}

/// Asks to sign a user in.
#[derive(Debug)]
pub struct SignIn {
    /// Which call is used.
    pub door: Door,
    /// The address.
    pub email: Email,
    /// The password.
    pub password: SecretString,
    /// The tenant context that is wanted.
    pub tenant: Option<TenantRef>,
    /// The application that signs the user in.
    pub client: Option<ClientId>,
    /// Whether a refresh token is wanted.
    pub return_secure_token: bool,
}

/// A session has begun.
#[derive(Debug)]
pub struct SignedIn {
    /// The idToken.
    pub id_token: SecretString,
    /// The refresh token, where one was asked for.
    pub refresh_token: Option<SecretString>,
    /// The user's address.
    pub email: Option<Email>,
    /// The user's id.
    pub user_id: UserId,
    /// Life of the idToken in seconds.
    pub expires_in_seconds: u64,
    /// The tenant context.
    pub tenant_id: Option<TenantId>,
}

/// Signs a user in.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN` (keyed door); `INVALID_LOGIN_CREDENTIALS`;
/// `PASSWORD_TOO_LONG`; after the right password: `USER_DISABLED`, `MEMBERSHIP_REQUIRED`,
/// `TENANT_DISABLED`, `TENANT_CONFLICT`, `TENANT_REQUIRED`, `UNKNOWN_AUDIENCE`; `OVERLOADED`; the
/// store's.
pub async fn sign_in(domain: &Domain, caller: &Caller, ask: &SignIn) -> Result<SignedIn, Error> {
    let now = domain.clock.now();
    let grant = match ask.door {
        Door::Open => None,
        Door::Keyed => Some(domain.require_key(caller, KeyScope::SignIn, now).await?),
    };
    let user = find_by_email(domain, &ask.email, now).await?;
    let stored_hash = user.as_ref().and_then(|user| user.password_hash.as_ref());
    let found = domain.passwords.check(&ask.password, stored_hash).await?;
    let (Some(user), Match::Right | Match::RightButCheap) = (user, found) else {
        return Err(Code::InvalidLoginCredentials.into());
    };
    if !user.is_active() {
        return Err(Code::UserDisabled.into());
    }
    let context = resolve_context(domain, &user, grant.as_ref(), ask, now).await?;
    let new_hash = match found {
        Match::RightButCheap => Some(domain.passwords.hash(&ask.password).await?),
        Match::Right | Match::Wrong => None,
    };
    // bcrypt took its time: the session begins now.
    let now = domain.clock.now();
    let (session, refresh_token) = begin_session(domain, caller, ask, (&user, &context), now)?;
    let user = commit(domain, &user, &session, new_hash, now).await?;
    let id_token = issue::id_token(domain, &user, &session, context.mver(), now)?;
    Ok(SignedIn {
        id_token,
        refresh_token,
        email: user.email,
        user_id: user.id,
        expires_in_seconds: domain.settings.id_token_ttl.as_secs(),
        tenant_id: session.tenant_id,
    })
}

/// Reads the user who owns an address.
///
/// Two round trips for a known address, one for an unknown one: microseconds, below what a hash check
/// varies by.
pub(crate) async fn find_by_email(
    domain: &Domain,
    email: &Email,
    now: Timestamp,
) -> Result<Option<User>, Error> {
    let key = keyspace::email_claim(email);
    let stored = domain.store.get(&key, now).await?;
    let Some(claim) = EmailClaim::decode_optional(&key, stored.as_ref())? else {
        return Ok(None);
    };
    let key = keyspace::user(&claim.user_id);
    let stored = domain.store.get(&key, now).await?;
    let user = User::load(&key, stored.as_ref())?;
    // A claim left behind by a change of address does not name its old owner any more.
    Ok(user.filter(|user| user.email.as_ref() == Some(email)))
}

fn begin_session(
    domain: &Domain,
    caller: &Caller,
    ask: &SignIn,
    (user, context): (&User, &Context),
    now: Timestamp,
) -> Result<(Session, Option<SecretString>), Error> {
    let id = SessionId::generate(now, &domain.random)?;
    let (refresh, refresh_token) = if ask.return_secure_token {
        let secret = BASE64URL_NOPAD.encode(&domain.random.bytes::<32>()?);
        let state = RefreshState { generation: 0, hash: domain.peppers.hash(&secret)? };
        (Some(state), Some(format!("rt_{}.{id}.0.{secret}", user.id).into()))
    } else {
        (None, None)
    };
    let session = Session {
        id,
        user_id: user.id.clone(),
        created_at: now,
        refreshed_at: now,
        tenant_id: context.tenant_id().cloned(),
        client_id: ask.client.clone(),
        door: context.door(),
        amr: vec!["pwd".to_owned()],
        user_agent: caller.user_agent.as_deref().map(shorten),
        ip: caller.ip,
        refresh,
    };
    Ok((session, refresh_token))
}

/// The part of a program's name for itself that is worth keeping: printable, at most 256 bytes.
fn shorten(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_ascii_graphic() || *character == ' ')
        .take(256)
        .collect()
}

/// Writes the session and the sign-in, if the user is still as the checks saw it.
async fn commit(
    domain: &Domain,
    checked: &User,
    session: &Session,
    new_hash: Option<PasswordHash>,
    now: Timestamp,
) -> Result<User, Error> {
    let user_key = keyspace::user(&checked.id);
    let session_key = keyspace::session(&checked.id, &session.id);
    let session_bytes = session.encode()?;
    let ends = now.plus_millis(millis(domain.settings.session_ttl));
    let reads = [user_key.clone()];
    domain
        .store
        .transact(user_key.partition(), &reads, now, |txn| {
            let stored: Option<Stored> = txn.get(&user_key)?.cloned();
            let user = User::load(&user_key, stored.as_ref())?;
            let same = |user: &User| {
                user.password_hash == checked.password_hash
                    && user.ver == checked.ver
                    && user.email == checked.email
            };
            let Some(mut user) = user.filter(same) else {
                return Err(Code::InvalidLoginCredentials.into());
            };
            if !user.is_active() {
                return Err(Code::UserDisabled.into());
            }
            user.last_login_at = Some(now);
            if let Some(hash) = &new_hash {
                user.password_hash = Some(hash.clone());
            }
            let bytes = Lasting::Live(user.clone()).encode()?;
            txn.put(&user_key, Entry::new(&bytes))?;
            txn.put(&session_key, Entry::new(&session_bytes).expires_at(ends))?;
            Ok::<_, Error>(user)
        })
        .await
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Context {
    /// The door that the session came through.
    fn door(&self) -> SessionDoor {
        if self.by_tenant_key() { SessionDoor::TenantKey } else { SessionDoor::Plain }
    }
}

/// The tenant of the key that was used, where it belongs to one.
pub(super) fn key_tenant(grant: Option<&KeyGrant>) -> Option<&TenantId> {
    grant.and_then(|grant| grant.tenant_id.as_ref())
}

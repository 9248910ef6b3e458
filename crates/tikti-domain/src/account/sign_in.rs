//! Signs a user in with e-mail address and password.
//!
//! An unknown address, a wrong password and a suspended user with a wrong password take the same
//! path, the same time and the same reply; what is special about an account is told only after the
//! right password. The session and the user's last sign-in are written in one transaction of the
//! user's partition, which also repeats the checks: a user suspended or a password changed while
//! bcrypt was running does not get a session.
//!
//! Spec: HTTP API, Identity, `signIn`, "Tenant context at sign-in"; Domain, rule 7.

use secrecy::SecretString;
use tikti_store::{Entry, Stored};

use super::refresh_token::{self, Fresh};
use super::sign_in_context::{Context, Wanted, resolve_context};
use crate::api_key::KeyScope;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ClientId, SessionId, TenantId, TenantRef, UserId};
use crate::issue;
use crate::keyspace;
use crate::password::{Match, PasswordHash};
use crate::record::{Lasting, Record};
use crate::session::Session;
use crate::user::{EmailClaim, User};

/// Which call is used to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInCall {
    /// `signIn`: no API key.
    Open,
    /// `signInWithPassword`: an API key that may sign in.
    Keyed,
}

/// Asks to sign a user in.
#[derive(Debug)]
pub struct SignIn {
    /// Which call is used.
    pub call: SignInCall,
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
/// `PASSWORD_TOO_LONG`; `TENANT_CONFLICT` where request and key name different tenants; after the
/// right password: `USER_DISABLED`, `MEMBERSHIP_REQUIRED`, `TENANT_DISABLED`, `UNKNOWN_AUDIENCE`;
/// `OVERLOADED`; the store's.
pub async fn sign_in(domain: &Domain, caller: &Caller, ask: &SignIn) -> Result<SignedIn, Error> {
    let now = domain.clock.now();
    let key = match ask.call {
        SignInCall::Open => None,
        SignInCall::Keyed => Some(domain.require_key(caller, KeyScope::SignIn, now).await?),
    };
    // From the request alone, before anything is known of the user.
    let wanted = Wanted::of(domain, key.as_ref(), ask, now).await?;
    let (mut user, mut found) = check_password(domain, ask, now).await?;
    let context = judge(domain, &user, &wanted, ask, now).await?;
    loop {
        let new_hash = match found {
            Match::RightButCheap => Some(domain.passwords.hash(&ask.password).await?),
            Match::Right | Match::Wrong => None,
        };
        // bcrypt took its time: the session begins now.
        let now = domain.clock.now();
        let (session, refresh_token) = begin_session(domain, caller, ask, (&user, &context), now)?;
        match commit(domain, &user, &session, new_hash, now).await? {
            Committed::Done(user) => {
                let id_token = issue::id_token(domain, &user, &session, context.mver(), now)?;
                return Ok(reply(domain, *user, session, (id_token, refresh_token)));
            }
            // Another sign-in has made the hash dearer meanwhile, or the password was changed.
            Committed::OtherHash(newer) => {
                found = domain.passwords.check(&ask.password, newer.password_hash.as_ref()).await?;
                if found == Match::Wrong {
                    return Err(Code::InvalidLoginCredentials.into());
                }
                user = *newer;
            }
        }
    }
}

fn reply(
    domain: &Domain,
    user: User,
    session: Session,
    (id_token, refresh_token): (SecretString, Option<SecretString>),
) -> SignedIn {
    SignedIn {
        id_token,
        refresh_token,
        email: user.email,
        user_id: user.id,
        expires_in_seconds: domain.settings.id_token_ttl.as_secs(),
        tenant_id: session.tenant_id,
    }
}

/// The user, if the password is right: one path, whatever is wrong.
async fn check_password(
    domain: &Domain,
    ask: &SignIn,
    now: Timestamp,
) -> Result<(User, Match), Error> {
    let user = find_by_email(domain, &ask.email, now).await?;
    let stored_hash = user.as_ref().and_then(|user| user.password_hash.as_ref());
    match (domain.passwords.check(&ask.password, stored_hash).await?, user) {
        (found @ (Match::Right | Match::RightButCheap), Some(user)) => Ok((user, found)),
        _ => Err(Code::InvalidLoginCredentials.into()),
    }
}

/// What is told after the right password: whether the user may sign in, and where.
async fn judge(
    domain: &Domain,
    user: &User,
    wanted: &Wanted,
    ask: &SignIn,
    now: Timestamp,
) -> Result<Context, Error> {
    // To a tenant's key a stranger looks like nobody, suspended or not: there the membership is
    // first.
    if !wanted.by_key() && !user.is_active() {
        return Err(Code::UserDisabled.into());
    }
    let context = resolve_context(domain, user, wanted, ask, now).await?;
    if user.is_active() { Ok(context) } else { Err(Code::UserDisabled.into()) }
}

/// Reads the user who owns an address; two round trips, whether or not there is one.
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
    // A claim counts only while its user bears the address: not before a change of address is made,
    // and not after.
    Ok(user.filter(|user| user.bears(email)))
}

fn begin_session(
    domain: &Domain,
    caller: &Caller,
    ask: &SignIn,
    (user, context): (&User, &Context),
    now: Timestamp,
) -> Result<(Session, Option<SecretString>), Error> {
    let mut session = Session {
        id: SessionId::generate(now, &domain.random)?,
        user_id: user.id.clone(),
        created_at: now,
        refreshed_at: now,
        ver: user.ver,
        tenant_id: context.tenant_id().cloned(),
        client_id: ask.client.clone(),
        door: context.door(),
        amr: vec!["pwd".to_owned()],
        user_agent: caller.user_agent.as_deref().map(shorten),
        ip: caller.ip,
        refresh: None,
    };
    if !ask.return_secure_token {
        return Ok((session, None));
    }
    let Fresh { token, state } = refresh_token::first(&domain.peppers, &session, &domain.random)?;
    session.refresh = Some(state);
    Ok((session, Some(token)))
}

/// The part of a program's name for itself that is worth keeping: printable, at most 256 bytes.
fn shorten(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_ascii_graphic() || *character == ' ')
        .take(256)
        .collect()
}

/// What became of the transaction that begins a session.
#[derive(Debug)]
enum Committed {
    /// The session stands.
    Done(Box<User>),
    /// Nothing was written: the user has another password hash by now.
    OtherHash(Box<User>),
}

/// Writes the session and the sign-in, if the user is still as the checks saw it.
async fn commit(
    domain: &Domain,
    checked: &User,
    session: &Session,
    new_hash: Option<PasswordHash>,
    now: Timestamp,
) -> Result<Committed, Error> {
    let user_key = keyspace::user(&checked.id);
    let session_key = keyspace::session(&checked.id, &session.id);
    let session_bytes = session.encode()?;
    let ends = session.ends(&domain.settings, now);
    let reads = [user_key.clone()];
    domain
        .store
        .transact(user_key.partition(), &reads, now, |txn| {
            let stored: Option<Stored> = txn.get(&user_key)?.cloned();
            let user = User::load(&user_key, stored.as_ref())?;
            let same = |user: &User| user.ver == checked.ver && user.email == checked.email;
            let Some(mut user) = user.filter(same) else {
                return Err(Code::InvalidLoginCredentials.into());
            };
            if !user.is_active() {
                return Err(Code::UserDisabled.into());
            }
            if user.password_hash != checked.password_hash {
                return Ok(Committed::OtherHash(Box::new(user)));
            }
            user.last_login_at = Some(now);
            if let Some(hash) = &new_hash {
                user.password_hash = Some(hash.clone());
            }
            let bytes = Lasting::Live(user.clone()).encode()?;
            txn.put(&user_key, Entry::new(&bytes))?;
            txn.put(&session_key, Entry::new(&session_bytes).expires_at(ends))?;
            Ok::<_, Error>(Committed::Done(Box::new(user)))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, PASSWORD};
    use crate::user::{GlobalRole, UserStatus};

    fn ask() -> SignIn {
        SignIn {
            call: SignInCall::Open,
            email: Email::parse("ann@example.org").unwrap(),
            password: PASSWORD.to_owned().into(),
            tenant: None,
            client: None,
            return_secure_token: false,
        }
    }

    /// Everything of a sign-in up to the last step; then `change` happens; then the last step.
    async fn interrupted(change: impl FnOnce(&mut User) + Send) -> Result<Committed, Error> {
        let fixture = Fixture::new().await;
        fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        let (domain, now, ask) = (&fixture.domain, fixture.now(), ask());
        let (checked, _) = check_password(domain, &ask, now).await.unwrap();
        let context = judge(domain, &checked, &Wanted::Default, &ask, now).await.unwrap();
        let caller = Caller::default();
        let (session, _) = begin_session(domain, &caller, &ask, (&checked, &context), now).unwrap();
        let mut changed = checked.clone();
        change(&mut changed);
        fixture.put_user(&changed).await;
        commit(domain, &checked, &session, None, now).await
    }

    #[tokio::test]
    async fn what_happens_to_the_user_while_the_password_is_checked_counts() {
        assert!(matches!(interrupted(|_| ()).await, Ok(Committed::Done(_))));
        let suspended = interrupted(|user| user.status = UserStatus::Suspended).await;
        assert_eq!(suspended.unwrap_err().code(), Code::UserDisabled);
        let revoked = interrupted(|user| user.ver += 1).await;
        assert_eq!(revoked.unwrap_err().code(), Code::InvalidLoginCredentials);
        let rehashed = interrupted(|user| user.password_hash = None).await;
        assert!(matches!(rehashed, Ok(Committed::OtherHash(_))));
    }

    #[tokio::test]
    async fn two_sign_ins_that_both_make_the_hash_dearer_both_succeed() {
        let cheap = crate::password::LOWEST_COST;
        let fixture = Fixture::with(|settings| settings.password_cost = cheap + 1).await;
        let mut ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        ann.password_hash = Some(fixture.hash_of_cost(PASSWORD, cheap).await);
        fixture.put_user(&ann).await;
        let caller = Caller::default();
        let (first, second) = (ask(), ask());
        let (first, second) = tokio::join!(
            sign_in(&fixture.domain, &caller, &first),
            sign_in(&fixture.domain, &caller, &second)
        );
        assert!(first.is_ok() && second.is_ok());
    }
}

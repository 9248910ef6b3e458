//! Begins a session, by whichever door its user came in.
//!
//! The session, the user's last sign-in and the network that he came from are written in one transaction
//! of the user's partition, which also repeats the checks: a user who was suspended, or whose password was changed, while the
//! proof was looked at does not get a session.
//!
//! Spec: Domain, "Session"; HTTP API, "Identity".

use secrecy::SecretString;
use tikti_store::Entry;

use super::known_networks::{KnownNetworks, Whence};
use super::refresh_token::{self, Fresh};
use super::sign_in_context::Context;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ClientId, SessionId, TenantId, UserId};
use crate::issue;
use crate::keyspace;
use crate::network::Network;
use crate::password::PasswordHash;
use crate::record::{Lasting, Record};
use crate::session::Session;
use crate::user::User;

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

/// How a user proved to be it.
#[derive(Debug)]
pub(super) enum Proof {
    /// By the password; with a dearer hash of it, where the stored one is too cheap.
    Password(Option<PasswordHash>),
    /// By a code that was sent to the address, which is verified from now on.
    MailedCode,
}

impl Proof {
    /// The method's name in `amr` (RFC 8176, section 2).
    fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => "pwd",
            Self::MailedCode => "otp",
        }
    }

    /// Whether a password that changed since the check makes it worthless.
    fn is_of(&self, checked: &User, user: &User) -> bool {
        match self {
            Self::Password(_) => user.password_hash == checked.password_hash,
            Self::MailedCode => true,
        }
    }

    /// What the user's record keeps of it.
    fn leave_in(&self, user: &mut User) {
        match self {
            Self::Password(None) => {}
            Self::Password(Some(hash)) => user.password_hash = Some(hash.clone()),
            Self::MailedCode => user.email_verified = true,
        }
    }
}

/// A session that is to begin.
#[derive(Debug)]
pub(super) struct Beginning<'a> {
    /// The user as he was when the proof was checked.
    pub(super) user: &'a User,
    /// The tenant context.
    pub(super) context: &'a Context,
    /// The application that signs the user in.
    pub(super) client: Option<&'a ClientId>,
    /// Whether a refresh token is wanted.
    pub(super) return_secure_token: bool,
    /// How the user proved to be it.
    pub(super) proof: Proof,
    /// The network, where it may have to be written down that the user has signed in from it.
    pub(super) fresh_network: Option<&'a Network>,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Begun {
    /// The session stands.
    Done(Box<SignedIn>),
    /// Nothing was written: the user has another password hash by now.
    OtherHash(Box<User>),
}

/// Begins a session of a user who has proved to be it.
///
/// # Errors
/// `INVALID_LOGIN_CREDENTIALS` where the user was revoked or has another address since,
/// `USER_DISABLED`; the store's.
pub(super) async fn begin_session(
    domain: &Domain,
    caller: &Caller,
    beginning: &Beginning<'_>,
) -> Result<Begun, Error> {
    // bcrypt took its time: the session begins now.
    let now = domain.clock.now();
    let (session, refresh_token) = make(domain, caller, beginning, now)?;
    let user = match commit(domain, beginning, &session, now).await? {
        Committed::Done(user) => user,
        Committed::OtherHash(user) => return Ok(Begun::OtherHash(user)),
    };
    let id_token = issue::id_token(domain, &user, &session, beginning.context.mver(), now).await?;
    Ok(Begun::Done(Box::new(SignedIn {
        id_token,
        refresh_token,
        email: user.email,
        user_id: user.id,
        expires_in_seconds: domain.settings.id_token_ttl.as_secs(),
        tenant_id: session.tenant_id,
    })))
}

fn make(
    domain: &Domain,
    caller: &Caller,
    beginning: &Beginning<'_>,
    now: Timestamp,
) -> Result<(Session, Option<SecretString>), Error> {
    let Beginning { user, context, client, return_secure_token, proof, .. } = beginning;
    let mut session = Session {
        id: SessionId::generate(now, &domain.random)?,
        user_id: user.id.clone(),
        created_at: now,
        refreshed_at: now,
        ver: user.ver,
        tenant_id: context.tenant_id().cloned(),
        client_id: client.cloned(),
        door: context.door(),
        amr: vec![proof.name().to_owned()],
        user_agent: caller.user_agent.as_deref().map(shorten),
        ip: caller.ip,
        refresh: None,
    };
    if !return_secure_token {
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

/// What became of the transaction.
enum Committed {
    /// The session stands.
    Done(Box<User>),
    /// Nothing was written: the user has another password hash by now.
    OtherHash(Box<User>),
}

/// Writes the session and the sign-in, if the user is still as the checks saw it.
async fn commit(
    domain: &Domain,
    beginning: &Beginning<'_>,
    session: &Session,
    now: Timestamp,
) -> Result<Committed, Error> {
    let Beginning { user: checked, proof, fresh_network, .. } = beginning;
    let user_key = keyspace::user(&checked.id);
    let session_key = keyspace::session(&checked.id, &session.id);
    let session_bytes = session.encode()?;
    let ends = session.ends(&domain.settings, now);
    let networks_key = keyspace::known_networks(&checked.id);
    let mut reads = vec![user_key.clone()];
    reads.extend(fresh_network.map(|_| networks_key.clone()));
    domain
        .store
        .transact(user_key.partition(), &reads, now, |txn| {
            let user = User::load(&user_key, txn.get(&user_key)?)?;
            let same = |user: &User| user.ver == checked.ver && user.email == checked.email;
            let Some(mut user) = user.filter(same) else {
                return Err(Code::InvalidLoginCredentials.into());
            };
            if !user.is_active() {
                return Err(Code::UserDisabled.into());
            }
            if !proof.is_of(checked, &user) {
                return Ok(Committed::OtherHash(Box::new(user)));
            }
            user.last_login_at = Some(now);
            proof.leave_in(&mut user);
            let bytes = Lasting::Live(user.clone()).encode()?;
            txn.put(&user_key, Entry::new(&bytes))?;
            txn.put(&session_key, Entry::new(&session_bytes).expires_at(ends))?;
            if let Some(network) = fresh_network {
                let known = KnownNetworks::decode_optional(&networks_key, txn.get(&networks_key)?)?;
                let known = known.unwrap_or_default();
                let whence = Whence { domain, user: &user.id, network };
                if !known.are_current(whence, now) {
                    txn.put(&networks_key, Entry::new(&known.after(whence, now)?.encode()?))?;
                }
            }
            Ok::<_, Error>(Committed::Done(Box::new(user)))
        })
        .await
}

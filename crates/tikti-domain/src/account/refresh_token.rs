//! What is a refresh token, and which one is it that somebody shows?
//!
//! `rt_<user id>.<session id>.<generation>.<secret>`, the secret being 256 bits and, behind a dot each,
//! the tenant and the client of the session, so that one read fetches all that a refresh looks at.
//! They are a hint: what counts is the session's record.
//!
//! The next secret is an HMAC of the present one, so that every replica can make it again while only
//! its hash is stored. Invariant: whoever shows a token of an older generation shows one that was
//! given out, not one that was made up: it leads to the present one.
//!
//! Spec: Tokens and keys, "Refresh tokens".

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Error, InternalError};
use crate::id::{ClientId, SessionId, TenantId, UserId};
use crate::limits;
use crate::random::Random;
use crate::secret::Peppers;
use crate::session::{RefreshState, Session};

/// How many generations back a used token is still recognised: more than a session of 90 days has
/// that is refreshed every half hour, and more than a thief can put behind him, at 60 a minute, before the
/// owner's idToken ends and he shows his own.
const MOST_GENERATIONS_BACK: u64 = 4_500;

/// Longer texts are no refresh token.
const MAX_BYTES: usize = 1024;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// A refresh token that was shown, in its parts. Nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct RefreshToken {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    generation: u64,
    secret: SecretString,
    /// Where the session is said to speak for a tenant, and through an application.
    pub(super) tenant_id: Option<TenantId>,
    pub(super) client_id: Option<ClientId>,
}

/// Which token of its session somebody shows.
#[derive(Debug)]
pub(super) enum Shown {
    /// The one that the session waits for.
    Present,
    /// The one before it; with the present one, which it was exchanged for.
    Last(SecretString),
    /// An older one.
    Older,
    /// None that was given out for this session.
    Unknown,
}

/// A new token, and what the session keeps of it.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) token: SecretString,
    pub(super) state: RefreshState,
}

impl RefreshToken {
    /// Takes a text apart; `None` where it is no refresh token.
    pub(super) fn parse(text: &SecretString) -> Option<Self> {
        let text = text.expose_secret();
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut parts = text.strip_prefix("rt_")?.splitn(6, '.');
        let mut next = || parts.next();
        let (user_id, session_id, generation) = (next()?, next()?, next()?);
        let secret = next()?;
        // One spelling of 256 bits: anything else was never given out, and is not worth a hash.
        if BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?.len() != SECRET_BYTES {
            return None;
        }
        let secret = SecretString::from(secret);
        let (tenant_id, client_id) = (next(), next());
        // One spelling for each number: `007` is none that was given out.
        let generation: u64 =
            generation.parse().ok().filter(|n: &u64| n.to_string() == generation)?;
        Some(Self {
            user_id: UserId::parse(user_id).ok()?,
            session_id: SessionId::parse(session_id).ok()?,
            generation,
            secret,
            tenant_id: tenant_id.map(TenantId::parse).transpose().ok()?,
            client_id: client_id.map(ClientId::parse).transpose().ok()?,
        })
    }

    /// Which token of `session` this is. What is neither the present one nor the one before costs up to
    /// 4,500 hashes: it is counted by session first.
    ///
    /// # Errors
    /// `RATE_LIMITED`, so that whoever holds a used token comes again: a theft shows later, not never; the
    /// store's.
    pub(super) async fn judge(
        &self,
        domain: &Domain,
        session: &Session,
        now: Timestamp,
    ) -> Result<Shown, Error> {
        if self.is_far(session) {
            limits::old_token(domain, &session.id, now).await?;
        }
        Ok(self.compare(&domain.peppers, session))
    }

    /// Whether it may be one that was used long ago.
    fn is_far(&self, session: &Session) -> bool {
        let back =
            session.refresh.as_ref().and_then(|it| it.generation.checked_sub(self.generation));
        back.is_some_and(|back| (2..=MOST_GENERATIONS_BACK).contains(&back))
    }

    /// Whether this is the token that `session` waits for: one hash, whatever is shown.
    pub(super) fn is_present(&self, peppers: &Peppers, session: &Session) -> bool {
        session.refresh.as_ref().is_some_and(|state| {
            state.generation == self.generation
                && peppers.matches(self.secret.expose_secret(), &state.hash)
        })
    }

    fn compare(&self, peppers: &Peppers, session: &Session) -> Shown {
        let Some(state) = &session.refresh else { return Shown::Unknown };
        let Some(back) = state.generation.checked_sub(self.generation) else {
            return Shown::Unknown;
        };
        if back > MOST_GENERATIONS_BACK {
            return Shown::Unknown;
        }
        let mut secret = self.secret.clone();
        for generation in self.generation..state.generation {
            let Some(next) = successor(peppers, (session, state), generation, &secret) else {
                return Shown::Unknown;
            };
            secret = next;
        }
        if !peppers.matches(secret.expose_secret(), &state.hash) {
            return Shown::Unknown;
        }
        match back {
            0 => Shown::Present,
            1 => Shown::Last(written(session, state.generation, &secret)),
            _ => Shown::Older,
        }
    }

    /// The token that comes after this one, which is the present one of `session`; `next` is the
    /// session as it will be. `None` where the session's pepper is not configured any more.
    pub(super) fn next(
        &self,
        peppers: &Peppers,
        session: &Session,
        next: &Session,
    ) -> Option<Fresh> {
        let state = session.refresh.as_ref()?;
        let secret = successor(peppers, (session, state), self.generation, &self.secret)?;
        let generation = self.generation.saturating_add(1);
        let hash = peppers.hash_under(&state.hash.pepper, secret.expose_secret())?;
        let token = written(next, generation, &secret);
        Some(Fresh { token, state: RefreshState { generation, hash } })
    }
}

/// The first token of a session.
pub(super) fn first(
    peppers: &Peppers,
    session: &Session,
    random: &Random,
) -> Result<Fresh, InternalError> {
    made(peppers, session, 0, random)
}

/// A token of the next generation that follows from none before it, where the session has one: of those
/// that were given out none is good any more. `session` is the one that it will stand in.
pub(super) fn anew(
    peppers: &Peppers,
    session: &Session,
    random: &Random,
) -> Result<Option<Fresh>, InternalError> {
    let Some(state) = &session.refresh else { return Ok(None) };
    made(peppers, session, state.generation.saturating_add(1), random).map(Some)
}

fn made(
    peppers: &Peppers,
    session: &Session,
    generation: u64,
    random: &Random,
) -> Result<Fresh, InternalError> {
    let secret = SecretString::from(BASE64URL_NOPAD.encode(&random.bytes::<SECRET_BYTES>()?));
    let hash = peppers.hash(secret.expose_secret())?;
    let token = written(session, generation, &secret);
    Ok(Fresh { token, state: RefreshState { generation, hash } })
}

/// The secret of the next generation, under the pepper that the session began with.
fn successor(
    peppers: &Peppers,
    (session, state): (&Session, &RefreshState),
    generation: u64,
    secret: &SecretString,
) -> Option<SecretString> {
    let next = generation.saturating_add(1);
    let text = format!("{}.{next}.{}", session.id, secret.expose_secret());
    peppers.next_secret(&state.hash.pepper, text.as_bytes())
}

fn written(session: &Session, generation: u64, secret: &SecretString) -> SecretString {
    let Session { user_id, id, tenant_id, client_id, .. } = session;
    let mut text = format!("rt_{user_id}.{id}.{generation}.{}", secret.expose_secret());
    if let Some(tenant) = tenant_id {
        text.push('.');
        text.push_str(tenant.as_str());
        if let Some(client) = client_id {
            text.push('.');
            text.push_str(client.as_str());
        }
    }
    text.into()
}

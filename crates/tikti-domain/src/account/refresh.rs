//! Exchanges a refresh token for a new one and a fresh idToken.
//!
//! | what is shown | what happens |
//! |---|---|
//! | the present token | it is rotated: one `put_if` on the session decides who of many does it |
//! | the one before, within 10 s | the same new token again: its answer was lost |
//! | the one before, later, or an older one | somebody copied it: the session ends |
//! | one that was never given out | refused, nothing changes |
//!
//! The first two are counted, the others end there: a thief must not be able to use up a limit, nor a
//! limit to hide a theft.
//!
//! What is read is read in one round trip: the token names the session, and as a hint its tenant and
//! client. What a session is good for is read from its record and from the user's, tenant's and
//! membership's as they are now; a context whose membership has ended is dropped, and a session that
//! is bound to it ends. A suspended tenant pauses: its sessions are refused, and go on when it does.
//!
//! Spec: Tokens and keys, "Refresh tokens"; attacks, rows L1 to L3.

use secrecy::SecretString;
use tikti_store::{Entry, Expected, StoreError, Stored};

use super::refresh_token::{Fresh, RefreshToken, Shown};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{TenantId, TenantRef, UserId};
use crate::issue;
use crate::keyspace;
use crate::limits;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::record::Record;
use crate::session::Session;
use crate::settings::Tenantless;
use crate::tenancy;
use crate::tenant::{Tenant, TenantStatus};
use crate::user::User;

/// How long the answer of a rotation is given again, in milliseconds.
pub const GRACE_MILLIS: u64 = 10_000;

/// How often a refresh begins anew because another one changed the session.
const MOST_ROUNDS: u32 = 8;

/// Asks for a fresh idToken.
#[derive(Debug)]
pub struct Refresh {
    /// The refresh token.
    pub token: SecretString,
    /// The tenant that the session is to speak for from now on.
    pub tenant: Option<TenantRef>,
}

/// A session goes on.
#[derive(Debug)]
pub struct Refreshed {
    /// The fresh idToken.
    pub id_token: SecretString,
    /// The next refresh token.
    pub refresh_token: SecretString,
    /// Whose session it is.
    pub user_id: UserId,
    /// Life of the idToken in seconds.
    pub expires_in_seconds: u64,
    /// The tenant context.
    pub tenant_id: Option<TenantId>,
}

/// Exchanges a refresh token.
///
/// # Errors
/// `INVALID_REFRESH_TOKEN` for a token that is unknown, used, expired or revoked; `USER_DISABLED`;
/// `TENANT_CONFLICT` where a bound session is to speak for another tenant; `MEMBERSHIP_REQUIRED`,
/// `TENANT_DISABLED` for the tenant that was asked for, or else for the session's; `RATE_LIMITED`;
/// `CONFLICT`; the store's.
pub async fn refresh(domain: &Domain, ask: &Refresh) -> Result<Refreshed, Error> {
    let now = domain.clock.now();
    let Some(token) = RefreshToken::parse(&ask.token) else {
        return Err(Code::InvalidRefreshToken.into());
    };
    let wanted = match &ask.tenant {
        None => None,
        Some(reference) => {
            let named = tenancy::resolve(domain, reference, now).await?;
            Some((reference, named))
        }
    };
    let mut is_counted = false;
    for _ in 0..MOST_ROUNDS {
        let attempt = Attempt::load(domain, &token, wanted.as_ref(), now).await?;
        if !is_counted && attempt.is_honest(now) {
            limits::refresh(domain, &attempt.session.id, now).await?;
            is_counted = true;
        }
        match attempt.rotate(domain, &token, now).await {
            Err(Error::Store(StoreError::Conflict { .. })) => {}
            outcome => return outcome,
        }
    }
    Err(Code::Conflict.into())
}

/// The tenant that is asked for: as it is named, and which one that is.
type Wanted<'a> = (&'a TenantRef, Option<TenantId>);

/// What was read for one try, after the token was found to be one of its session.
struct Attempt<'a> {
    user: User,
    session: Session,
    stored: Stored,
    shown: Shown,
    reads: Reads,
    wanted: Option<&'a Wanted<'a>>,
}

/// What an idToken will say of the tenant.
struct Context {
    tenant_id: Option<TenantId>,
    mver: Option<u64>,
}

impl<'a> Attempt<'a> {
    /// Reads everything, and refuses a token that was never given out before anything is told.
    async fn load(
        domain: &Domain,
        token: &RefreshToken,
        wanted: Option<&'a Wanted<'a>>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let user_key = keyspace::user(&token.user_id);
        let session_key = keyspace::session(&token.user_id, &token.session_id);
        let mut keys = vec![user_key.clone(), session_key.clone()];
        let named = wanted.and_then(|(_, id)| id.as_ref());
        for tenant in token.tenant_id.iter().chain(named) {
            keys.extend(context_keys(&token.user_id, tenant));
        }
        if let (Some(tenant), Some(client)) = (&token.tenant_id, &token.client_id) {
            keys.push(keyspace::client(tenant, client));
        }
        let mut reads = Reads::load(&domain.store, keys, now).await?;
        let invalid = || Error::from(Code::InvalidRefreshToken);
        let stored = reads.stored(&session_key)?.cloned().ok_or_else(invalid)?;
        let session = Session::decode(&session_key, &stored)?;
        let shown = token.judge(domain, &session, now).await?;
        if matches!(shown, Shown::Unknown) {
            return Err(invalid());
        }
        let user: User = reads.find_live(&user_key)?.ok_or_else(invalid)?;
        // The hint was right unless the session speaks for another tenant since: then once more.
        let mut keys = Vec::new();
        if let Some(tenant) = &session.tenant_id {
            keys.extend(context_keys(&user.id, tenant));
            keys.extend(session.client_id.iter().map(|client| keyspace::client(tenant, client)));
        }
        reads.extend(&domain.store, keys, now).await?;
        Ok(Self { user, session, stored, shown, reads, wanted })
    }

    /// Whether the token is the present one, or the one before within the time that a lost answer
    /// takes: what nobody but the session's holder shows.
    fn is_honest(&self, now: Timestamp) -> bool {
        let since = now.as_millis().saturating_sub(self.session.refreshed_at.as_millis());
        match self.shown {
            Shown::Present => true,
            Shown::Last(_) => since <= GRACE_MILLIS,
            Shown::Older | Shown::Unknown => false,
        }
    }

    /// Decides, and writes where something changes.
    ///
    /// # Errors
    /// `Conflict` where the session changed since it was read.
    async fn rotate(
        &self,
        domain: &Domain,
        token: &RefreshToken,
        now: Timestamp,
    ) -> Result<Refreshed, Error> {
        let Self { user, session, .. } = self;
        if !session.is_of(user) || domain.not_before.is_some_and(|cut| session.created_at < cut) {
            return Err(Code::InvalidRefreshToken.into());
        }
        let repeated = match &self.shown {
            Shown::Last(present) if self.is_honest(now) => Some(present.clone()),
            Shown::Present => None,
            Shown::Last(_) | Shown::Older | Shown::Unknown => {
                self.end(domain, "refresh token used again", now).await?;
                return Err(Code::InvalidRefreshToken.into());
            }
        };
        if !user.is_active() {
            return Err(Code::UserDisabled.into());
        }
        let Some(context) = self.context(domain)? else {
            self.end(domain, "its tenant context has ended", now).await?;
            return Err(Code::InvalidRefreshToken.into());
        };
        let next = Session { refreshed_at: now, tenant_id: context.tenant_id, ..session.clone() };
        let (next, refresh_token) = match repeated {
            Some(present) if next.tenant_id == session.tenant_id => (session.clone(), present),
            // The answer that is given again is the one that was given.
            Some(_) => return Err(Code::TenantConflict.into()),
            None => self.put(domain, token, next, now).await?,
        };
        Ok(Refreshed {
            id_token: issue::id_token(domain, user, &next, context.mver, now).await?,
            refresh_token,
            user_id: user.id.clone(),
            expires_in_seconds: domain.settings.id_token_ttl.as_secs(),
            tenant_id: next.tenant_id,
        })
    }

    /// Writes the session with its next token, which it gives.
    async fn put(
        &self,
        domain: &Domain,
        token: &RefreshToken,
        mut next: Session,
        now: Timestamp,
    ) -> Result<(Session, SecretString), Error> {
        // The pepper of the session is not configured any more.
        let Some(Fresh { token, state }) = token.next(&domain.peppers, &self.session, &next) else {
            return Err(Code::InvalidRefreshToken.into());
        };
        next.refresh = Some(state);
        let key = keyspace::session(&next.user_id, &next.id);
        let bytes = next.encode()?;
        let entry = Entry::new(&bytes).expires_at(next.ends(&domain.settings, now));
        domain.store.put_if(&key, Expected::Equals(&self.stored), entry, now).await?;
        Ok((next, token))
    }

    /// Ends the session, if it is still as it was read.
    async fn end(
        &self,
        domain: &Domain,
        reason: &'static str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Session { id, user_id, .. } = &self.session;
        super::sessions::remove(domain, (user_id, id), &self.stored, now).await?;
        tracing::info!(
            target: "tikti::audit",
            action = "session.end",
            outcome = "allow",
            user.id = %user_id,
            session.id = %id,
            reason,
            "session ended"
        );
        Ok(())
    }

    /// The tenant context from now on; `None` where the session is bound to one that has ended.
    fn context(&self, domain: &Domain) -> Result<Option<Context>, Error> {
        let Self { user, session, .. } = self;
        let none = || Context { tenant_id: None, mver: None };
        let context = match (self.wanted, &session.tenant_id) {
            (Some((_, named)), own) if session.is_bound() && named != own => {
                return Err(Code::TenantConflict.into());
            }
            (Some((reference, named)), _) if !session.is_bound() => {
                let stranger = Code::MembershipRequired;
                let tenant = named.as_ref().ok_or(stranger)?;
                let (found, membership) = self.standing(tenant)?;
                let found = found.filter(|found| found.bears(reference)).ok_or(stranger)?;
                let membership = membership.ok_or(stranger)?;
                if !found.is_active() {
                    return Err(Code::TenantDisabled.into());
                }
                Context { tenant_id: Some(found.id), mver: Some(membership.mver) }
            }
            (_, None) => none(),
            (_, Some(tenant)) => match self.standing(tenant)? {
                (Some(found), Some(membership)) if found.status != TenantStatus::Deleting => {
                    // Nothing is written: a suspension takes nothing that its end would not give back.
                    if !found.is_active() {
                        return Err(Code::TenantDisabled.into());
                    }
                    if !self.takes_id_tokens(tenant)? {
                        return Ok(None);
                    }
                    Context { tenant_id: Some(found.id), mver: Some(membership.mver) }
                }
                _ if session.is_bound() => return Ok(None),
                _ => none(),
            },
        };
        let is_tenantless = context.tenant_id.is_none();
        if is_tenantless && domain.settings.tenantless == Tenantless::Admin && !user.is_admin() {
            return Err(Code::MembershipRequired.into());
        }
        Ok(Some(context))
    }

    /// A tenant, and the user's membership there unless it was revoked since the session began.
    fn standing(&self, tenant: &TenantId) -> Result<(Option<Tenant>, Option<Membership>), Error> {
        let found = self.reads.find_live(&keyspace::tenant(tenant))?;
        let membership: Option<Membership> =
            self.reads.find(&keyspace::member(tenant, &self.user.id))?;
        Ok((found, membership.filter(|held| !held.cuts_off(self.session.created_at))))
    }

    /// Whether the application that the session came through still takes idTokens of the tenant.
    fn takes_id_tokens(&self, tenant: &TenantId) -> Result<bool, Error> {
        let Some(client) = &self.session.client_id else { return Ok(true) };
        let client: Option<Client> = self.reads.find(&keyspace::client(tenant, client))?;
        Ok(client.is_some_and(|client| {
            client.takes_id_tokens() && client.created_at <= self.session.created_at
        }))
    }
}

fn context_keys(user: &UserId, tenant: &TenantId) -> [tikti_store::Key; 2] {
    [keyspace::tenant(tenant), keyspace::member(tenant, user)]
}

#[cfg(test)]
mod tests;

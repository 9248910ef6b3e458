//! Would this refresh token be taken now, and what for? Asked by whoever does not use it up.
//!
//! Only the token that its session waits for counts: of an older one nothing is said, and showing it is no use
//! of it. Whoever ends a session may show any that it ever had: the one that he holds may have been used by a
//! thief. Invariant: what is said of the present one is what a
//! refresh that names no tenant would do with it.
//!
//! Spec: Tokens and keys, "Refresh tokens", "Standards beside Tikti's own endpoints".

use secrecy::SecretString;
use tikti_store::{Key, Stored};

use super::refresh_token::{RefreshToken, Shown};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Error, InternalError};
use crate::id::{ClientId, TenantId, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::record::Record;
use crate::session::Session;
use crate::settings::Tenantless;
use crate::tenant::{Tenant, TenantStatus};
use crate::user::User;

/// A refresh token that somebody shows without using it.
#[derive(Debug)]
pub(crate) struct ShownRefresh(RefreshToken);

/// A session, as a refresh would find it now.
#[derive(Debug)]
pub(crate) struct Refreshable {
    pub(crate) session: Session,
    /// The tenant that its next idToken would be for.
    pub(crate) tenant_id: Option<TenantId>,
}

impl ShownRefresh {
    /// Takes a text apart; `None` where it is no refresh token.
    pub(crate) fn parse(text: &SecretString) -> Option<Self> {
        RefreshToken::parse(text).map(Self)
    }

    pub(crate) fn user_id(&self) -> &UserId {
        &self.0.user_id
    }

    /// The tenant that its session is said to speak for: what to read, and nothing to decide by.
    pub(crate) fn hinted_tenant(&self) -> Option<&TenantId> {
        self.0.tenant_id.as_ref()
    }

    pub(crate) fn session_key(&self) -> Key {
        keyspace::session(&self.0.user_id, &self.0.session_id)
    }

    /// The keys of everything that a refresh looks at, if the token's hint is right.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let RefreshToken { user_id, tenant_id, client_id, .. } = &self.0;
        let mut keys = vec![keyspace::user(user_id), self.session_key()];
        keys.extend(context_keys(user_id, tenant_id.as_ref(), client_id.as_ref()));
        keys
    }

    /// The session that waits for this token, at its record; `None` for every other token.
    pub(crate) fn session(
        &self,
        domain: &Domain,
        stored: Option<&Stored>,
    ) -> Result<Option<Session>, InternalError> {
        let found = Session::decode_optional(&self.session_key(), stored)?;
        Ok(found.filter(|session| self.0.is_present(&domain.peppers, session)))
    }

    /// What [`ShownRefresh::find`] looks at beside [`ShownRefresh::keys`], of a session that is for `is_told`
    /// to know of: nothing where the token's hint says what the session's record does. As at a refresh the
    /// hint decides nothing, and nobody has anything read by it but whoever holds the present token.
    pub(crate) fn further_keys(
        &self,
        domain: &Domain,
        reads: &Reads,
        is_told: impl FnOnce(Option<&TenantId>) -> bool,
    ) -> Result<Vec<Key>, InternalError> {
        let session = self.session(domain, reads.stored(&self.session_key())?)?;
        let Some(session) = session.filter(|session| is_told(session.tenant_id.as_ref())) else {
            return Ok(Vec::new());
        };
        let (tenant, client) = (session.tenant_id.as_ref(), session.client_id.as_ref());
        Ok(context_keys(&session.user_id, tenant, client))
    }

    /// Whether this token is, or was, one of the session that it names: whoever holds a used one may end what
    /// came of it (RFC 9700, section 4.14.2). For those alone whose session it is to end: what may be an old
    /// token is counted, and who may not end it must not use up a count of its owner's.
    ///
    /// # Errors
    /// `RATE_LIMITED` for too many that may be old ones; the store's.
    pub(crate) async fn is_or_was_of(
        &self,
        domain: &Domain,
        session: &Session,
        now: Timestamp,
    ) -> Result<bool, Error> {
        Ok(!matches!(self.0.judge(domain, session, now).await?, Shown::Unknown))
    }

    /// What a refresh would find; `None` where it would be refused. Where the hint was wrong and nothing
    /// further was read, that is not known: `None`.
    pub(crate) fn find(
        &self,
        domain: &Domain,
        reads: &Reads,
    ) -> Result<Option<Refreshable>, InternalError> {
        let Some(session) = self.session(domain, reads.stored(&self.session_key())?)? else {
            return Ok(None);
        };
        let user: Option<User> = reads.find_live(&keyspace::user(&self.0.user_id))?;
        let Some(user) = user.filter(|user| user.is_active() && session.is_of(user)) else {
            return Ok(None);
        };
        if domain.not_before.is_some_and(|cut| session.created_at < cut) {
            return Ok(None);
        }
        let (tenant, client) = (session.tenant_id.as_ref(), session.client_id.as_ref());
        if !context_keys(&session.user_id, tenant, client).iter().all(|key| reads.holds(key)) {
            return Ok(None);
        }
        let Some(tenant_id) = context(&session, reads)? else { return Ok(None) };
        let is_refused = tenant_id.is_none()
            && domain.settings.tenantless == Tenantless::Admin
            && !user.is_admin();
        Ok((!is_refused).then_some(Refreshable { session, tenant_id }))
    }
}

/// The records of the context that a session, or a token of one, speaks for.
fn context_keys(user: &UserId, tenant: Option<&TenantId>, client: Option<&ClientId>) -> Vec<Key> {
    let Some(tenant) = tenant else { return Vec::new() };
    let mut keys = vec![keyspace::tenant(tenant), keyspace::member(tenant, user)];
    keys.extend(client.map(|client| keyspace::client(tenant, client)));
    keys
}

/// The tenant that the session speaks for from now on, if any; `None` where it may not be refreshed.
fn context(session: &Session, reads: &Reads) -> Result<Option<Option<TenantId>>, InternalError> {
    let Some(tenant_id) = &session.tenant_id else { return Ok(Some(None)) };
    let tenant: Option<Tenant> = reads.find_live(&keyspace::tenant(tenant_id))?;
    let held: Option<Membership> = reads.find(&keyspace::member(tenant_id, &session.user_id))?;
    let is_member = held.is_some_and(|held| !held.cuts_off(session.created_at));
    match tenant.filter(|tenant| is_member && tenant.status != TenantStatus::Deleting) {
        Some(tenant) if tenant.is_active() && takes_id_tokens(session, tenant_id, reads)? => {
            Ok(Some(Some(tenant.id)))
        }
        None if !session.is_bound() => Ok(Some(None)),
        Some(_) | None => Ok(None),
    }
}

fn takes_id_tokens(
    session: &Session,
    tenant: &TenantId,
    reads: &Reads,
) -> Result<bool, InternalError> {
    let Some(client) = &session.client_id else { return Ok(true) };
    let client: Option<Client> = reads.find(&keyspace::client(tenant, client))?;
    Ok(client
        .is_some_and(|client| client.takes_id_tokens() && client.created_at <= session.created_at))
}

/// When a session ends, unless it is refreshed before.
pub(crate) fn ends(domain: &Domain, session: &Session) -> Timestamp {
    session.ends(&domain.settings, session.refreshed_at)
}

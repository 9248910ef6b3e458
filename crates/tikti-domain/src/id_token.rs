//! Is this idToken good, now? The signature and times first, then what the store says of its
//! holder.
//!
//! Every operation that takes an idToken goes through here: [`verify`] is the algorithm of the
//! specification, by a secret or by a signing key, [`Holder`] the records that speak of the token, read together with whatever else
//! the operation needs.
//!
//! Spec: Tokens and keys, "Verification".

use secrecy::{ExposeSecret, SecretString};
use tikti_store::Key;
use tikti_token::{Audience, IdClaims, IdKeys, Verified, VerifyError};

use crate::client::Client;
use crate::clock::{self, Timestamp};
use crate::domain::Domain;
use crate::error::{Code, InternalError};
use crate::id::{ClientId, SessionId, TenantId, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::session::{DeniedToken, Session};
use crate::tenant::{Tenant, TenantStatus};
use crate::user::User;

/// What a verified idToken says, parsed into ids.
#[derive(Clone, Debug)]
pub(crate) struct IdToken {
    pub(crate) user_id: UserId,
    pub(crate) session_id: SessionId,
    pub(crate) tenant_id: Option<TenantId>,
    /// Where the token is not for this deployment's own audience: the application that it is for.
    pub(crate) client_id: Option<ClientId>,
    pub(crate) ver: u64,
    pub(crate) mver: Option<u64>,
    pub(crate) jti: String,
    /// When the token was made, in seconds since the Unix epoch.
    pub(crate) issued_at: u64,
}

/// Verifies signature, issuer and times.
///
/// # Errors
/// `TOKEN_EXPIRED` for a token that is good but for its age, else `INVALID_ID_TOKEN`.
pub(crate) fn verify(
    domain: &Domain,
    token: &SecretString,
    now: Timestamp,
) -> Result<IdToken, Code> {
    // Whether the audience is an application of the token's tenant is in the store: `Holder::check`.
    verify_claims(domain, token, Audience::Deferred, now)
        .map_err(|error| match error {
            VerifyError::Expired => Code::TokenExpired,
            _ => Code::InvalidIdToken,
        })
        .and_then(|claims| IdToken::parse(claims, &domain.settings.default_audience))
}

/// The one place where an idToken is verified. Both algorithms are taken, whichever signs now: what was
/// given out before the setting changed stays good.
///
/// # Errors
/// The step that fails.
pub(crate) fn verify_claims(
    domain: &Domain,
    token: &SecretString,
    audience: Audience<'_>,
    now: Timestamp,
) -> Result<IdClaims, VerifyError> {
    let policy = domain.policy(audience);
    let keys = IdKeys { secrets: &domain.hs256, public: Some(&*domain.verifiers()) };
    tikti_token::verify_id(token.expose_secret(), keys, &policy, clock::seconds(now))
        .map(Verified::into_claims)
}

impl IdToken {
    /// Types the claims of a verified idToken.
    ///
    /// # Errors
    /// `INVALID_ID_TOKEN`.
    pub(crate) fn parse(claims: IdClaims, default_audience: &str) -> Result<Self, Code> {
        let invalid = |_| Code::InvalidIdToken;
        let for_us = claims.aud == default_audience;
        let client_id =
            if for_us { None } else { Some(ClientId::parse(&claims.aud).map_err(invalid)?) };
        Ok(Self {
            user_id: UserId::parse(&claims.sub).map_err(invalid)?,
            session_id: SessionId::parse(&claims.sid).map_err(invalid)?,
            tenant_id: claims.tid.as_deref().map(TenantId::parse).transpose().map_err(invalid)?,
            client_id,
            ver: claims.ver,
            mver: claims.mver,
            jti: claims.jti,
            issued_at: claims.iat,
        })
    }
}

/// What the store says of an idToken's holder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holder {
    pub(crate) user: Option<User>,
    pub(crate) session: Option<Session>,
    pub(crate) denied: bool,
    /// The application that the token is for, where it is not for this deployment's own audience.
    pub(crate) client: Option<Client>,
    /// The tenant and membership of the token's context, where it has one.
    pub(crate) tenant: Option<Tenant>,
    pub(crate) membership: Option<Membership>,
}

impl Holder {
    /// The keys of everything that speaks of this token.
    pub(crate) fn keys(token: &IdToken) -> Vec<Key> {
        let mut keys = vec![
            keyspace::user(&token.user_id),
            keyspace::session(&token.user_id, &token.session_id),
            keyspace::denied_token(&token.user_id, &token.jti),
        ];
        if let Some(tenant) = &token.tenant_id {
            keys.push(keyspace::tenant(tenant));
            keys.push(keyspace::member(tenant, &token.user_id));
            keys.extend(token.client_id.iter().map(|client| keyspace::client(tenant, client)));
        }
        keys
    }

    /// Picks the holder out of what was read.
    pub(crate) fn find(reads: &Reads, token: &IdToken) -> Result<Self, InternalError> {
        let user_id = &token.user_id;
        let mut holder = Self {
            user: reads.find_live(&keyspace::user(user_id))?,
            session: reads.find(&keyspace::session(user_id, &token.session_id))?,
            denied: reads
                .find::<DeniedToken>(&keyspace::denied_token(user_id, &token.jti))?
                .is_some(),
            ..Self::default()
        };
        if let Some(tenant) = &token.tenant_id {
            holder.tenant = reads.find_live(&keyspace::tenant(tenant))?;
            holder.membership = reads.find(&keyspace::member(tenant, user_id))?;
            if let Some(client) = &token.client_id {
                holder.client = reads.find(&keyspace::client(tenant, client))?;
            }
        }
        Ok(holder)
    }
}

impl Holder {
    /// Whether the token's audience takes idTokens of its tenant, and the token is not from before
    /// the application was made.
    pub(crate) fn check_audience(&self, token: &IdToken) -> Result<(), Code> {
        if token.client_id.is_none() {
            return Ok(());
        }
        match &self.client {
            Some(client)
                if client.takes_id_tokens()
                    && token.issued_at >= clock::seconds(client.created_at) =>
            {
                Ok(())
            }
            _ => Err(Code::InvalidIdToken),
        }
    }

    /// Whether the user is active, the session lives and the token's version is current.
    pub(crate) fn check_alive(
        &self,
        token: &IdToken,
        not_before: Option<Timestamp>,
    ) -> Result<(&User, &Session), Code> {
        let user = self.user.as_ref().ok_or(Code::TokenRevoked)?;
        // First: whoever was suspended is told so, although that has ended his sessions as well.
        if !user.is_active() {
            return Err(Code::UserDisabled);
        }
        let session = self.session.as_ref().ok_or(Code::TokenRevoked)?;
        if self.denied
            || token.ver != user.ver
            || not_before.is_some_and(|cut| {
                // A token's own time has seconds only; its session's is exact.
                token.issued_at < clock::seconds(cut) || session.created_at < cut
            })
        {
            return Err(Code::TokenRevoked);
        }
        Ok((user, session))
    }

    /// Whether the tenant context in the token still holds: an active tenant, and the membership of
    /// the very version that the token was made with.
    pub(crate) fn check_context(&self, token: &IdToken) -> Result<(), Code> {
        if token.tenant_id.is_none() {
            return Ok(());
        }
        match (&self.tenant, &self.membership) {
            (Some(tenant), Some(membership))
                if tenant.is_active() && token.mver == Some(membership.mver) =>
            {
                Ok(())
            }
            _ => Err(Code::TokenRevoked),
        }
    }

    /// As [`Holder::check_context`], also while the tenant is suspended.
    fn check_seat(&self, token: &IdToken) -> Result<(), Code> {
        let is_there = |tenant: &Tenant| tenant.status != TenantStatus::Deleting;
        match &self.membership {
            Some(membership)
                if self.tenant.as_ref().is_some_and(is_there)
                    && token.mver == Some(membership.mver) =>
            {
                Ok(())
            }
            _ => self.check_context(token),
        }
    }

    /// As [`Holder::check`], for whoever administers. An administrator of the deployment is one whatever
    /// becomes of the tenant that he signed in to: else he who has suspended it could not activate it.
    pub(crate) fn check_administers(
        &self,
        token: &IdToken,
        not_before: Option<Timestamp>,
    ) -> Result<(&User, &Session), Code> {
        self.check_audience(token)?;
        let alive = self.check_alive(token, not_before)?;
        if alive.0.is_admin() {
            self.check_seat(token)?;
        } else {
            self.check_context(token)?;
        }
        Ok(alive)
    }

    /// Everything that an idToken must be to be accepted as its holder's word.
    pub(crate) fn check(
        &self,
        token: &IdToken,
        not_before: Option<Timestamp>,
    ) -> Result<(&User, &Session), Code> {
        self.check_audience(token)?;
        let alive = self.check_alive(token, not_before)?;
        self.check_context(token)?;
        Ok(alive)
    }
}

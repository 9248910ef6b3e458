//! Is this idToken of an older Tikti good, now? And whatever else may be shown where one is taken.
//!
//! The secret behind such tokens was shared with others, so they open little: `lookup`, and the exchange of
//! a user who is no administrator. Every other operation goes through `id_token::verify`, which does not
//! know them. There is no session behind one and no `ver` in it; in place of both stands the moment at
//! which it was made, which must lie after the last time that the user's or the membership's version was
//! raised. A version begins as the moment of creation, so a user made again never matches an older token.
//!
//! Spec: Tokens and keys, "Tokens of an older Tikti"; Authorization, steps 2 and 3. Choices:
//! docs/decisions/0023.

use secrecy::{ExposeSecret, SecretString};
use tikti_store::Key;
use tikti_token::{HmacKey, LegacyClaims, LegacyPolicy, VerifyError};

use crate::clock::{self, Timestamp};
use crate::deployment::StartError;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error, InternalError};
use crate::id::{TenantId, UserId};
use crate::id_token::{self, Holder, IdToken};
use crate::keyspace;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::record::Record;
use crate::secret::Secrets;
use crate::user::{EmailClaim, User};

/// Longest time after the first start for which tokens of an older Tikti may be taken.
const LONGEST_MILLIS: u64 = 24 * 3600 * 1000;
/// Where the configuration says it.
pub(crate) const SETTING: &str = "secrets.hs256Legacy";

/// What verifies tokens of an older Tikti, prepared once.
#[derive(Debug)]
pub(crate) struct LegacyKeys {
    keys: Vec<HmacKey>,
    issuers: Vec<String>,
    accept_until: Timestamp,
}

impl LegacyKeys {
    /// Prepares the configured secrets, if there are any, for a deployment first started at `started`.
    ///
    /// # Errors
    /// [`StartError::Setting`] for a time that lies too late, and for a secret that is too short.
    pub(crate) fn open(secrets: &Secrets, started: Timestamp) -> Result<Option<Self>, StartError> {
        let Some(legacy) = &secrets.hs256_legacy else {
            return Ok(None);
        };
        let refuse = |reason: String| StartError::Setting { setting: SETTING, reason };
        let latest = started.plus_millis(LONGEST_MILLIS);
        if legacy.accept_until > latest {
            let reason = format!(
                "acceptUntil must be at most 24 hours after the first start: until {}",
                clock::rfc3339(latest)
            );
            return Err(refuse(reason));
        }
        let keys = legacy.secrets.iter().map(|secret| HmacKey::new("legacy", secret.expose()));
        let keys = keys.collect::<Result<_, _>>().map_err(|error| refuse(error.to_string()))?;
        let (issuers, accept_until) = (legacy.issuers.clone(), legacy.accept_until);
        Ok(Some(Self { keys, issuers, accept_until }))
    }
}

/// What a verified token of an older Tikti says, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct LegacyToken {
    pub(crate) user_id: UserId,
    /// The address that the token names; the user must bear it.
    pub(crate) email: Option<Email>,
    pub(crate) tenant_id: Option<TenantId>,
    /// When the token was made, in seconds since the Unix epoch.
    pub(crate) issued_at: u64,
}

/// What was shown as an idToken where one of an older Tikti is taken too.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// One of this deployment.
    Own(IdToken),
    /// One of an older Tikti.
    Legacy(LegacyToken),
}

/// Verifies an idToken of this deployment or of an older Tikti. Costs a read only where a token of the
/// latter kind names its user by address alone.
///
/// # Errors
/// The store's; inside: `TOKEN_EXPIRED` for a token that is good but for its age, else `INVALID_ID_TOKEN`.
pub(crate) async fn verify(
    domain: &Domain,
    token: &SecretString,
    now: Timestamp,
) -> Result<Result<Shown, Code>, Error> {
    let own = id_token::verify(domain, token, now);
    let Some(legacy) = &domain.legacy else {
        return Ok(own.map(Shown::Own));
    };
    if !matches!(own, Err(Code::InvalidIdToken)) || now >= legacy.accept_until {
        return Ok(own.map(Shown::Own));
    }
    let skew_seconds = domain.settings.skew.as_secs();
    let policy = LegacyPolicy { issuers: &legacy.issuers, skew_seconds };
    let text = token.expose_secret();
    match tikti_token::verify_legacy(text, &legacy.keys, &policy, clock::seconds(now)) {
        Ok(verified) => {
            // Boxed: seldom needed, and part of every exchange's and lookup's future.
            let found = Box::pin(LegacyToken::resolve(domain, verified.into_claims(), now)).await?;
            Ok(found.map(Shown::Legacy).ok_or(Code::InvalidIdToken))
        }
        Err(VerifyError::Expired) => Ok(Err(Code::TokenExpired)),
        Err(_) => Ok(Err(Code::InvalidIdToken)),
    }
}

/// The tenant that a token of an older Tikti names, if this is one that verifies; `None` for any other token.
/// Without a read.
pub(crate) fn context(
    domain: &Domain,
    token: &SecretString,
    now: Timestamp,
) -> Option<Option<TenantId>> {
    let legacy = domain.legacy.as_ref().filter(|legacy| now < legacy.accept_until)?;
    let skew_seconds = domain.settings.skew.as_secs();
    let policy = LegacyPolicy { issuers: &legacy.issuers, skew_seconds };
    let text = token.expose_secret();
    let verified = tikti_token::verify_legacy(text, &legacy.keys, &policy, clock::seconds(now));
    let tenant = verified.ok()?.into_claims().tid;
    old_tenant(tenant.as_deref()).ok()
}

/// The tenant that a claim `tid` names, by the id that it has here; an error for one that can be no tenant's.
fn old_tenant(tid: Option<&str>) -> Result<Option<TenantId>, ()> {
    tid.map(|tid| TenantId::of_old(tid).ok_or(())).transpose()
}

impl LegacyToken {
    /// Types the claims and finds the one whom they name; `None` where they name nobody.
    async fn resolve(
        domain: &Domain,
        claims: LegacyClaims,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let Ok(email) = claims.email.as_deref().map(Email::parse).transpose() else {
            return Ok(None);
        };
        let Ok(tenant_id) = old_tenant(claims.tid.as_deref()) else {
            return Ok(None);
        };
        let user_id = match (&claims.sub, &email) {
            (Some(sub), _) => UserId::parse(sub).ok(),
            (None, Some(email)) => {
                let key = keyspace::email_claim(email);
                let stored = domain.store.get(&key, now).await?;
                EmailClaim::decode_optional(&key, stored.as_ref())?.map(|claim| claim.user_id)
            }
            (None, None) => None,
        };
        let issued_at = claims.iat;
        Ok(user_id.map(|user_id| Self { user_id, email, tenant_id, issued_at }))
    }

    /// When the token was made.
    pub(crate) fn made_at(&self) -> Timestamp {
        Timestamp::from_millis(self.issued_at.saturating_mul(1000))
    }

    /// Whether the token was made after this version was raised: a version is the moment of that, or
    /// later, in milliseconds.
    fn is_after(&self, version: u64) -> bool {
        self.made_at().as_millis() > version
    }

    /// Whether this membership is of before the token, unrevoked since: for one of the token's own tenant.
    pub(crate) fn fits(&self, held: &Membership) -> bool {
        self.is_after(held.mver)
    }

    /// Whether the token names one user as he is now: active, and neither made, revoked nor given another
    /// password since.
    ///
    /// # Errors
    /// `INVALID_ID_TOKEN` for nobody, `TOKEN_REVOKED`, `USER_DISABLED`.
    pub(crate) fn check_user<'a>(
        &self,
        holder: &'a Holder,
        not_before: Option<Timestamp>,
    ) -> Result<&'a User, Code> {
        let bears = |user: &&User| self.email.as_ref().is_none_or(|email| user.bears(email));
        let user = holder.user.as_ref().filter(bears).ok_or(Code::InvalidIdToken)?;
        let is_cut_off = not_before.is_some_and(|cut| self.issued_at < clock::seconds(cut));
        if is_cut_off || !self.is_after(user.ver) {
            return Err(Code::TokenRevoked);
        }
        if user.is_active() { Ok(user) } else { Err(Code::UserDisabled) }
    }

    /// Whether the tenant that the token names, if any, is active and has the user as its member since
    /// before the token.
    ///
    /// # Errors
    /// `TOKEN_REVOKED`.
    fn check_context(&self, holder: &Holder) -> Result<(), Code> {
        let is_fine = match (&self.tenant_id, &holder.tenant, &holder.membership) {
            (None, _, _) => true,
            (Some(_), Some(tenant), Some(held)) => tenant.is_active() && self.fits(held),
            (Some(_), _, _) => false,
        };
        if is_fine { Ok(()) } else { Err(Code::TokenRevoked) }
    }
}

impl Shown {
    pub(crate) fn user_id(&self) -> &UserId {
        match self {
            Self::Own(token) => &token.user_id,
            Self::Legacy(token) => &token.user_id,
        }
    }

    pub(crate) fn tenant_id(&self) -> Option<&TenantId> {
        match self {
            Self::Own(token) => token.tenant_id.as_ref(),
            Self::Legacy(token) => token.tenant_id.as_ref(),
        }
    }

    /// The keys of everything that speaks of this token.
    pub(crate) fn keys(&self) -> Vec<Key> {
        match self {
            Self::Own(token) => Holder::keys(token),
            Self::Legacy(token) => {
                let user = &token.user_id;
                let context = token.tenant_id.iter();
                let context = context
                    .flat_map(|tenant| [keyspace::tenant(tenant), keyspace::member(tenant, user)]);
                std::iter::once(keyspace::user(user)).chain(context).collect()
            }
        }
    }

    /// Picks the holder out of what was read.
    pub(crate) fn find(&self, reads: &Reads) -> Result<Holder, InternalError> {
        let token = match self {
            Self::Own(token) => return Holder::find(reads, token),
            Self::Legacy(token) => token,
        };
        let user = reads.find_live(&keyspace::user(&token.user_id))?;
        let mut holder = Holder { user, ..Holder::default() };
        if let Some(tenant) = &token.tenant_id {
            holder.tenant = reads.find_live(&keyspace::tenant(tenant))?;
            holder.membership = reads.find(&keyspace::member(tenant, &token.user_id))?;
        }
        Ok(holder)
    }

    /// Whether the token's context still holds.
    ///
    /// # Errors
    /// `TOKEN_REVOKED`.
    pub(crate) fn check_context(&self, holder: &Holder) -> Result<(), Code> {
        match self {
            Self::Own(token) => holder.check_context(token),
            Self::Legacy(token) => token.check_context(holder),
        }
    }

    /// Everything that the token must be to say whose it is.
    ///
    /// # Errors
    /// `INVALID_ID_TOKEN`, `TOKEN_REVOKED`, `USER_DISABLED`.
    pub(crate) fn check<'a>(
        &self,
        holder: &'a Holder,
        not_before: Option<Timestamp>,
    ) -> Result<&'a User, Code> {
        match self {
            Self::Own(token) => holder.check(token, not_before).map(|(user, _)| user),
            Self::Legacy(token) => {
                let user = token.check_user(holder, not_before)?;
                token.check_context(holder)?;
                Ok(user)
            }
        }
    }
}

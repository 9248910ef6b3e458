//! Who is this caller, for administration?
//!
//! Two credentials are taken: an idToken for this deployment's own audience from a plain sign-in,
//! and an access token for audience `tikti`, of a user or of a worker. What they allow is decided from
//! stored records, never from the token alone: for a tenant in `tenancy::administer`.
//!
//! Spec: Authorization, "Administrative endpoints".

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use tikti_store::Key;
use tikti_token::{AccessClaims, Audience, VerifyError};

use crate::any_token;
use crate::audit::{Action, Actor, Draft, Who};
use crate::client::{Client, TIKTI};
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{ClientId, SessionId, TenantId, WorkerId};
use crate::id_token::{self, Holder, IdToken};
use crate::keyspace;
use crate::reads::Reads;
use crate::scope::ScopeSet;
use crate::session::DeniedToken;
use crate::user::User;
use crate::worker::{Worker, WorkerStatus};

/// A user who was recognised for administration.
#[derive(Debug)]
pub(crate) struct Principal {
    pub(crate) user: User,
    /// When the session began that speaks for the user.
    pub(crate) session_began: Timestamp,
    /// The session that speaks for the user.
    pub(crate) session_id: SessionId,
    /// By access token: the only tenant that it is good for, and the scopes that it carries.
    pub(crate) bounds: Option<(TenantId, ScopeSet)>,
}

/// A worker that was recognised for administration of its own tenant.
#[derive(Debug)]
pub(crate) struct WorkerPrincipal {
    pub(crate) id: WorkerId,
    /// The only tenant that the token is good for, and the scopes that it carries.
    pub(crate) bounds: (TenantId, ScopeSet),
    wver: u64,
    issued_at: u64,
}

impl WorkerPrincipal {
    /// Whether the worker's record still bears the token out.
    pub(crate) fn is_still(&self, worker: &Worker) -> bool {
        worker.status == WorkerStatus::Active
            && worker.wver == self.wver
            && self.issued_at >= clock::seconds(worker.created_at)
            && worker.clients.iter().any(|client| client.as_str() == TIKTI)
    }
}

/// Who administers a tenant.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// A user, by idToken or access token.
    User(Box<Principal>),
    /// A worker, by an access token of its own.
    Worker(WorkerPrincipal),
}

impl Bearer {
    /// What is read of a tenant to decide what the bearer may do there.
    pub(crate) fn keys_in(&self, tenant: &TenantId) -> Vec<Key> {
        let own = match self {
            Self::User(principal) => keyspace::member(tenant, &principal.user.id),
            Self::Worker(worker) => keyspace::worker(tenant, &worker.id),
        };
        vec![keyspace::tenant(tenant), keyspace::roles(tenant), own]
    }
}

/// Recognises the bearer of an idToken; for deployment-level routes, which take nothing else.
///
/// # Errors
/// `UNAUTHENTICATED` for every token that is not good here.
pub(crate) async fn by_id_token(
    domain: &Domain,
    caller: &Caller,
    now: Timestamp,
) -> Result<Principal, Error> {
    let Some(bearer) = &caller.bearer else {
        return Err(Code::Unauthenticated.into());
    };
    let token = id_token::verify(domain, bearer, now).map_err(unaccepted)?;
    from_id_token(domain, &token, now).await
}

/// Recognises the bearer of an idToken or of an access token for audience `tikti`.
///
/// # Errors
/// As [`by_id_token`].
pub(crate) async fn by_bearer(
    domain: &Domain,
    caller: &Caller,
    now: Timestamp,
) -> Result<Bearer, Error> {
    let Some(bearer) = &caller.bearer else {
        return Err(Code::Unauthenticated.into());
    };
    match verify_access(domain, bearer, now) {
        // A worker's own token speaks of no session.
        Ok(claims) if claims.sid.is_none() => {
            from_worker_token(domain, &claims, now).await.map(Bearer::Worker)
        }
        Ok(claims) => {
            from_access_token(domain, claims, now).await.map(|user| Bearer::User(Box::new(user)))
        }
        // Not of the access class: then it must be an idToken.
        Err(_) => by_id_token(domain, caller, now).await.map(|user| Bearer::User(Box::new(user))),
    }
}

/// Whatever is wrong with a token, on administrative routes it is one answer: sign in again.
fn unaccepted(code: Code) -> Refusal {
    let message = match code {
        Code::TokenExpired => "the token has expired: sign in again",
        Code::TokenRevoked => "the token was revoked: sign in again",
        Code::UserDisabled => "the user is not active",
        _ => "the token is not accepted here: sign in again",
    };
    Refusal::new(Code::Unauthenticated, message)
}

async fn from_id_token(
    domain: &Domain,
    token: &IdToken,
    now: Timestamp,
) -> Result<Principal, Error> {
    let reads = Reads::load(&domain.store, Holder::keys(token), now).await?;
    let holder = Holder::find(&reads, token)?;
    accept_id_token(token, holder, domain.not_before).map_err(|code| unaccepted(code).into())
}

/// An idToken administers only where no service and no tenant could have got hold of it.
fn accept_id_token(
    token: &IdToken,
    holder: Holder,
    not_before: Option<Timestamp>,
) -> Result<Principal, Code> {
    let (_, session) = holder.check_administers(token, not_before)?;
    if !administers(token, session.may_administer()) {
        return Err(Code::Unauthenticated);
    }
    let began = (token.session_id.clone(), session.created_at);
    let user = holder.user.ok_or(Code::TokenRevoked)?;
    Ok(Principal::recognised(user, began, None))
}

/// Whether an idToken may administer: for this deployment's own audience, from a plain sign-in.
pub(crate) fn administers(token: &IdToken, plain_session: bool) -> bool {
    token.client_id.is_none() && plain_session
}

fn verify_access(
    domain: &Domain,
    bearer: &SecretString,
    now: Timestamp,
) -> Result<AccessClaims, VerifyError> {
    let policy = domain.policy(Audience::OneOf(&[TIKTI]));
    let verifiers = domain.verifiers();
    tikti_token::verify_access(bearer.expose_secret(), &verifiers, &policy, clock::seconds(now))
        .map(tikti_token::Verified::into_claims)
}

/// What an access token for audience `tikti` says of its user, as far as it can be parsed.
async fn from_access_token(
    domain: &Domain,
    claims: AccessClaims,
    now: Timestamp,
) -> Result<Principal, Error> {
    let refuse = |code| Error::from(unaccepted(code));
    let token = as_user_token(&claims).ok_or_else(|| refuse(Code::Unauthenticated))?;
    let tenant_id = token.tenant_id.clone().ok_or_else(|| refuse(Code::Unauthenticated))?;
    let tikti = ClientId::parse(TIKTI).map_err(Error::from)?;
    let client_key = keyspace::client(&tenant_id, &tikti);
    let mut keys = Holder::keys(&token);
    keys.push(client_key.clone());
    let reads = Reads::load(&domain.store, keys, now).await?;
    let client: Option<Client> = reads.find(&client_key)?;
    let holder = Holder::find(&reads, &token)?;
    let (_, session) = holder.check_alive(&token, domain.not_before).map_err(refuse)?;
    let began = (token.session_id.clone(), session.created_at);
    let fresh = |client: &Client| {
        client.is_active() && token.issued_at >= clock::seconds(client.created_at)
    };
    // A global administrator's token stands without membership: then it carries no version of one.
    let in_place = match &holder.membership {
        Some(membership) => token.mver == Some(membership.mver),
        None => token.mver.is_none() && holder.user.as_ref().is_some_and(User::is_admin),
    };
    if !client.as_ref().is_some_and(fresh) || !in_place {
        return Err(refuse(Code::TokenRevoked));
    }
    let scopes = ScopeSet::parse(&claims.scope)?;
    let user = holder.user.ok_or_else(|| refuse(Code::TokenRevoked))?;
    Ok(Principal::recognised(user, began, Some((tenant_id, scopes))))
}

/// A worker speaks for itself with a token for audience `tikti`; one that was made for it by a user
/// carries `act` and administers nothing.
async fn from_worker_token(
    domain: &Domain,
    claims: &AccessClaims,
    now: Timestamp,
) -> Result<WorkerPrincipal, Error> {
    let refuse = |code| Error::from(unaccepted(code));
    let invalid = |_| refuse(Code::Unauthenticated);
    if claims.act.is_some() {
        return Err(refuse(Code::Unauthenticated));
    }
    let id = WorkerId::parse(&claims.sub).map_err(invalid)?;
    let tenant_id = TenantId::parse(&claims.tid).map_err(invalid)?;
    let wver = claims.wver.ok_or_else(|| refuse(Code::Unauthenticated))?;
    let tikti = ClientId::parse(TIKTI).map_err(Error::from)?;
    let client_key = keyspace::client(&tenant_id, &tikti);
    let denied_key = keyspace::denied_in_tenant(&tenant_id, &claims.jti);
    let keys = vec![client_key.clone(), denied_key.clone()];
    let reads = Reads::load(&domain.store, keys, now).await?;
    let is_denied = reads.find::<DeniedToken>(&denied_key)?.is_some();
    let client: Option<Client> = reads.find(&client_key)?;
    let fresh = client.is_some_and(|client| {
        client.is_active() && claims.iat >= clock::seconds(client.created_at)
    });
    let too_old = domain.not_before.is_some_and(|cut| claims.iat < clock::seconds(cut));
    if is_denied || !fresh || too_old {
        return Err(refuse(Code::TokenRevoked));
    }
    let bounds = (tenant_id, ScopeSet::parse(&claims.scope)?);
    Ok(WorkerPrincipal { id, bounds, wver, issued_at: claims.iat })
}

/// The claims of a token that a user asked for himself, in the shape that the holder's checks take.
fn as_user_token(claims: &AccessClaims) -> Option<IdToken> {
    if claims.act.is_some() { None } else { any_token::asked_by(claims) }
}

impl Principal {
    /// Makes the principal and names him in the log of the request, allowed or refused.
    fn recognised(
        user: User,
        (session_id, session_began): (SessionId, Timestamp),
        bounds: Option<(TenantId, ScopeSet)>,
    ) -> Self {
        tracing::Span::current().record("user.id", tracing::field::display(&user.id));
        Self { user, session_began, session_id, bounds }
    }

    /// What the audit says of something that the user does to the deployment, or to a tenant as such.
    pub(crate) fn draft(
        &self,
        caller: &Caller,
        action: Action,
        (target, tenant): (&dyn std::fmt::Display, Option<&TenantId>),
    ) -> Draft {
        Draft {
            action,
            target: target.to_string(),
            tenant_id: tenant.cloned(),
            actor: Actor {
                who: Who::User(self.user.id.clone()),
                session_id: Some(self.session_id.clone()),
                ip: caller.ip,
            },
            request_id: caller.request_id.clone(),
            cross_tenant: false,
            details: BTreeMap::new(),
        }
    }

    /// Requires the stored role `ADMIN`.
    ///
    /// # Errors
    /// `ADMIN_REQUIRED`.
    pub(crate) fn require_admin(&self) -> Result<(), Refusal> {
        if self.user.is_admin() { Ok(()) } else { Err(Refusal::of(Code::AdminRequired)) }
    }

    /// Requires the stored role `ADMIN`, and for a change a sign-in that is recent enough.
    ///
    /// # Errors
    /// `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`.
    pub(crate) fn require_admin_write(
        &self,
        domain: &Domain,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.require_admin()?;
        let limit = domain.settings.admin_reauth.as_secs();
        if clock::seconds(now) > clock::seconds(self.session_began).saturating_add(limit) {
            return Err(Refusal::of(Code::CredentialTooOld));
        }
        Ok(())
    }
}

//! Gives a worker a token of its own, for its own credentials: one tenant, one audience, a set of scopes.
//!
//! [`issue()`] reads the facts in at most two round trips, and for an assertion in one more whether it was
//! shown before, and finds out whether the worker is who it says;
//! `decide` judges them without doing anything; only what is allowed is signed. The one thing that is written
//! is that an assertion was shown. Invariant: until the credentials have proved good there is one answer,
//! `INVALID_CLIENT_CREDENTIALS`, for the same reads and the same work, whatever is wrong or missing.
//!
//! | file | what it answers |
//! |---|---|
//! | `facts` | what must be known, and how it is read |
//! | `proof` | whether the credentials are the worker's |
//! | `replay` | whether an assertion was shown before |
//! | `decide` | whether the token is allowed, and what it may be |
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 6749 section 4.4, RFC 7523 section
//! 2.2. Choices: docs/decisions/0038.

mod decide;
mod facts;
mod proof;
mod replay;

#[cfg(test)]
mod tests;

use secrecy::SecretString;

pub(crate) use replay::UsedAssertion;

use crate::client_auth::ClientAuth;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::id::{ClientId, EventType, TenantId, TenantRef, WorkerId};
use crate::issue::{self, Content, Whose};
use crate::limits;
use crate::scope::ScopeSet;
use crate::token_exchange::{IssuedClass, shorten};

use decide::{Allowed, Denied, decide};
use facts::{Facts, Name};
use proof::{Proof, Unproven};

/// Asks for a token of a worker's own.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// Who asks: `<tenant id>.<worker id>`, and what proves it.
    pub auth: ClientAuth,
    /// The client that the token is for; none: the only one that the worker has.
    pub audience: Option<ClientId>,
    /// The scopes that are wanted; none: the client's defaults, as far as the worker holds them.
    pub scopes: Option<ScopeSet>,
    /// The event types that are wanted.
    pub event_types: Option<Vec<EventType>>,
    /// The tenant that the request names beside the worker, which must be the worker's own.
    pub tenant: Option<TenantRef>,
    /// The tenant that a header of the request names, likewise.
    pub tenant_header: Option<TenantRef>,
}

/// A token was made for the worker that asked.
#[derive(Debug)]
pub struct IssuedToWorker {
    /// The token.
    pub token: SecretString,
    /// Its class.
    pub class: IssuedClass,
    /// Its life in seconds.
    pub expires_in_seconds: u64,
    /// What it may do.
    pub scope: ScopeSet,
    /// Where.
    pub tenant_id: TenantId,
    /// Who asked.
    pub worker_id: WorkerId,
}

/// Makes a token for a worker that proves itself.
///
/// # Errors
/// `INVALID_CLIENT_CREDENTIALS` alike for an unknown tenant or worker, a wrong or ended secret, an assertion
/// that is not good or was shown before. To the worker itself then the first of `TENANT_CONFLICT`,
/// `TENANT_DISABLED`, `WORKER_DISABLED`, `UNKNOWN_AUDIENCE`, `CLIENT_DISABLED`, `GRANT_NOT_ALLOWED`, `SCOPE_NOT_PERMITTED`,
/// `EVENT_TYPES_REQUIRED`, `EVENT_TYPE_NOT_PERMITTED`, `INVALID_TTL` that applies. `RATE_LIMITED`;
/// `OVERLOADED`; the store's.
pub async fn issue(
    domain: &Domain,
    caller: &Caller,
    request: &ClientCredentials,
) -> Result<IssuedToWorker, Error> {
    let now = domain.clock.now();
    let mut facts = Facts::load(domain, request, now).await?;
    let admitted = admit(domain, caller, &mut facts, now).await;
    let decision = decide(&facts, request);
    let issued = match (admitted, &decision) {
        (Err(error), _) => Err(error),
        (Ok(()), Err(denied)) => Err(denied.refusal.clone().into()),
        (Ok(()), Ok(allowed)) => sign(domain, allowed).await,
    };
    log_decision(caller, (&facts, request), (&decision, issued.as_ref().err()));
    issued
}

/// Counts the call, by the worker where it is one, else by whom it named and where it came from; and takes an
/// assertion for shown. The worker's own calls are not counted with those of strangers who use its name, so
/// that nobody can keep it out: nor are assertions that were used, which anybody may have caught.
async fn admit(
    domain: &Domain,
    caller: &Caller,
    facts: &mut Facts,
    now: Timestamp,
) -> Result<(), Error> {
    if let (Some(name), Ok(proof)) = (&facts.name, &facts.proof)
        && !admit_own(domain, (name, &facts.client_id, proof), now).await?
    {
        facts.proof = Err(Unproven::Used);
    }
    if facts.proof.is_err() {
        limits::failed_client_auth(domain, &facts.client_id, caller.ip, now).await?;
    }
    Ok(())
}

/// Counts the worker's own call; `false` where its assertion was shown before.
async fn admit_own(
    domain: &Domain,
    (name, client_id, proof): (&Name, &str, &Proof),
    now: Timestamp,
) -> Result<bool, Error> {
    let worker = (&name.tenant_id, &name.worker_id);
    let Proof::Assertion { jti, exp } = proof else {
        limits::own_token(domain, worker, now).await?;
        return Ok(true);
    };
    if replay::was_shown(domain, (&name.tenant_id, client_id, jti), now).await? {
        return Ok(false);
    }
    limits::own_token(domain, worker, now).await?;
    replay::is_first(domain, (&name.tenant_id, client_id, jti, *exp), now).await
}

async fn sign(domain: &Domain, allowed: &Allowed) -> Result<IssuedToWorker, Error> {
    let content = Content {
        tenant_id: &allowed.tenant_id,
        audience: &allowed.audience,
        class: allowed.class,
        scopes: &allowed.scopes,
        event_types: &allowed.event_types,
        ttl_seconds: allowed.ttl_seconds,
        whose: Whose {
            sub: allowed.worker_id.as_str().to_owned(),
            wver: Some(allowed.wver),
            ..Whose::default()
        },
    };
    Ok(IssuedToWorker {
        token: issue::sign(domain, content, domain.clock.now()).await?,
        class: allowed.class,
        expires_in_seconds: allowed.ttl_seconds,
        scope: allowed.scopes.clone(),
        tenant_id: allowed.tenant_id.clone(),
        worker_id: allowed.worker_id.clone(),
    })
}

/// Every decision is an audit event of the structured log. Whom a stranger named is logged where it is an id,
/// and `reason` says what was wrong with the credentials, never what they were.
///
/// Spec: Authorization, "Audit".
fn log_decision(
    caller: &Caller,
    (facts, request): (&Facts, &ClientCredentials),
    (decision, failed): (&Result<Allowed, Denied>, Option<&Error>),
) {
    let allowed = decision.as_ref().ok();
    let asked = facts.proof.as_ref().ok().and(request.scopes.as_ref());
    tracing::info!(
        target: "tikti::audit",
        action = "client_credentials",
        outcome = match (allowed, failed) {
            (Some(_), None) => "allow",
            (Some(_), Some(_)) => "failed",
            (None, _) => "deny",
        },
        code = failed.map(|error| error.code().as_str()),
        step = decision.as_ref().err().map(|denied| denied.step.name()),
        reason = facts.proof.as_ref().err().map(tracing::field::display),
        method = request.auth.method(),
        door = caller.door.name(),
        request.id = caller.request_id,
        tenant.id = facts.name.as_ref().map(|name| tracing::field::display(&name.tenant_id)),
        worker.id = facts.name.as_ref().map(|name| tracing::field::display(&name.worker_id)),
        ip = caller.ip.map(tracing::field::display),
        audience = facts.audience.as_ref().map(tracing::field::display),
        scopes.requested = asked.map(shorten),
        scopes.granted = allowed.map(|allowed| tracing::field::display(&allowed.scopes)),
        "client credentials decided"
    );
}

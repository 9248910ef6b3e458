//! Exchanges an idToken for an access or worker token: for one tenant, one audience and a set of scopes.
//!
//! [`exchange`] reads the facts in at most two round trips, `decide` judges them without doing anything,
//! and only an allowed exchange is signed. Nothing is written to the store.
//!
//! | file | what it answers |
//! |---|---|
//! | `facts` | what must be known, and how it is read |
//! | `decide` | whether the exchange is allowed: the eleven steps |
//! | `subject` | the tenth step: for whom the token may be made |
//! | `trace` | how the decision came about, step by step |
//!
//! Spec: Authorization, "Token exchange, in order"; RFC 8693.

mod decide;
mod describe;
mod facts;
mod subject;
mod trace;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
#[cfg(test)]
mod world;

use secrecy::SecretString;

pub use decide::{Decision, Grant, Subject, decide};
pub use facts::Facts;
pub use trace::{Step, Trace, TraceEntry};

use crate::domain::{Caller, Domain};
use crate::error::{Error, Refusal};
use crate::id::{ClientId, EventType, TenantId, TenantRef, UserId, WorkerId};
use crate::issue;
use crate::scope::ScopeSet;

/// Asks for an access or worker token.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The idToken.
    pub id_token: SecretString,
    /// The client that the token is for.
    pub audience: ClientId,
    /// The scopes that are wanted; none: the client's defaults.
    pub scopes: Option<ScopeSet>,
    /// The event types that are wanted.
    pub event_types: Option<Vec<EventType>>,
    /// The life that is wanted, in seconds.
    pub ttl_seconds: Option<i64>,
    /// Whom the token is to speak for, where that is not the user himself.
    pub subject: Option<String>,
    /// The tenant, as the body names it.
    pub tenant: Option<TenantRef>,
    /// The tenant, as the header `X-Tenant-Id` names it.
    pub tenant_header: Option<TenantRef>,
}

/// Which class of token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedClass {
    /// For a client without event types.
    Access,
    /// For a client with event types.
    Worker,
}

/// A token was made.
#[derive(Debug)]
pub struct Issued {
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
}

/// Exchanges an idToken for an access or worker token.
///
/// # Errors
/// The code of the first of the eleven steps that fails; `OVERLOADED`; the store's.
pub async fn exchange(
    domain: &Domain,
    caller: &Caller,
    request: &Exchange,
) -> Result<Issued, Error> {
    let now = domain.clock.now();
    let facts = Facts::load(domain, caller, request, now).await?;
    let decision = decide(&facts, request);
    log_decision(caller, &facts, request, &decision);
    match decision.outcome {
        Ok(grant) => issue::access_token(domain, grant, domain.clock.now()).await,
        Err(refusal) => Err(refusal.into()),
    }
}

/// Every decision is an audit event of the structured log: who asked for what, and what came of it.
///
/// Spec: Authorization, "Audit".
fn log_decision(caller: &Caller, facts: &Facts, request: &Exchange, decision: &Decision) {
    let granted = decision.outcome.as_ref().ok();
    let code = decision.outcome.as_ref().err().map(|refusal: &Refusal| refusal.code.as_str());
    tracing::info!(
        target: "tikti::audit",
        action = "token_exchange",
        outcome = if granted.is_some() { "allow" } else { "deny" },
        code,
        step = decision.failed_step().map(Step::name),
        request.id = caller.request_id,
        user.id = facts.user_id().map(tracing::field::display),
        session.id = facts.session_id().map(tracing::field::display),
        ip = caller.ip.map(tracing::field::display),
        tenant.id = facts.tenant_id().map(tracing::field::display),
        audience = %request.audience,
        subject = request.subject.as_deref().and_then(loggable),
        scopes.requested = request.scopes.as_ref().map(tracing::field::display),
        scopes.granted = granted.map(|grant| tracing::field::display(&grant.scopes)),
        cross_tenant = granted.is_some_and(|grant| grant.cross_tenant),
        "token exchange decided"
    );
}

/// A subject that may stand in a log: an id, never whatever else a caller wrote there.
fn loggable(subject: &str) -> Option<&str> {
    WorkerId::parse(subject)
        .is_ok()
        .then_some(subject)
        .or_else(|| UserId::parse(subject).is_ok().then_some(subject))
}

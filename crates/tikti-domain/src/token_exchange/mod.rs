//! Exchanges an idToken for an access or worker token: for one tenant, one audience and a set of
//! scopes.
//!
//! [`exchange`] reads the facts in at most two round trips, `decide` judges them without doing
//! anything, and only an allowed exchange is signed. Nothing is written to the store.
//!
//! | file | what it answers |
//! |---|---|
//! | `facts` | what must be known, and how it is read |
//! | `decide` | whether the exchange is allowed: the eleven steps |
//! | `event_types` | the ninth step: which events it may claim |
//! | `subject` | the tenth step: for whom the token may be made |
//! | `trace` | how the decision came about, step by step |
//! | `explain` | what would be decided, for whoever asks why |
//!
//! Spec: Authorization, "Token exchange, in order"; RFC 8693.

mod decide;
mod describe;
mod event_types;
mod explain;
mod facts;
mod subject;
mod trace;

#[cfg(test)]
mod tests;

use secrecy::SecretString;

pub use decide::{Allowed, Decision, Subject, decide};
pub(crate) use event_types::event_types;
pub use explain::{AskedUser, Explain, explain, is_assumed};
pub use facts::Facts;
pub use trace::{Step, Trace, TraceEntry};

use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::id::{ClientId, EventType, TenantId, TenantRef, UserId};
use crate::issue;
use crate::limits;
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
    /// Who asked.
    pub user_id: UserId,
}

/// Exchanges an idToken for an access or worker token.
///
/// # Errors
/// The code of the first of the eleven steps that fails; `RATE_LIMITED`; `OVERLOADED`; the store's.
pub async fn exchange(
    domain: &Domain,
    caller: &Caller,
    request: &Exchange,
) -> Result<Issued, Error> {
    let now = domain.clock.now();
    let facts = Facts::load(domain, caller, request, now).await?;
    let decision = decide(&facts, request);
    let issued = match &decision.outcome {
        Ok(allowed) => sign(domain, allowed, now).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    log_decision(caller, &facts, request, (&decision, issued.as_ref().err()));
    issued
}

/// Signs what was allowed, and counts it meanwhile: the count costs a round trip and no time. What is
/// refused is not counted, so nobody uses up what a user may have but those who act for him.
async fn sign(domain: &Domain, allowed: &Allowed, now: Timestamp) -> Result<Issued, Error> {
    let counted = limits::exchange(domain, &allowed.user_id, now);
    let signed = issue::access_token(domain, allowed, domain.clock.now());
    let ((), issued) = tokio::try_join!(counted, signed)?;
    Ok(issued)
}

/// Every decision is an audit event of the structured log: who asked for what, and what came of it.
///
/// Spec: Authorization, "Audit".
///
/// `failed` says why an allowed exchange gave no token after all.
fn log_decision(
    caller: &Caller,
    facts: &Facts,
    request: &Exchange,
    (decision, failed): (&Decision, Option<&Error>),
) {
    let allowed = decision.outcome.as_ref().ok();
    tracing::info!(
        target: "tikti::audit",
        action = "token_exchange",
        outcome = match (allowed, failed) {
            (Some(_), None) => "allow",
            (Some(_), Some(_)) => "failed",
            (None, _) => "deny",
        },
        code = failed.map(|error| error.code().as_str()),
        step = decision.failed_step().map(Step::name),
        door = caller.door.name(),
        request.id = caller.request_id,
        user.id = facts.user_id().map(tracing::field::display),
        session.id = facts.session_id().map(tracing::field::display),
        ip = caller.ip.map(tracing::field::display),
        tenant.id = facts.tenant_id().map(tracing::field::display),
        audience = %request.audience,
        subject = request.subject.as_deref().and_then(describe::loggable),
        scopes.requested = facts.user_id().and(request.scopes.as_ref()).map(shorten),
        scopes.granted = allowed.map(|allowed| tracing::field::display(&allowed.scopes)),
        cross_tenant = allowed.is_some_and(|allowed| allowed.cross_tenant),
        "token exchange decided"
    );
}

/// Scopes in a log line: those that a person asks for fit, a flood does not.
pub(crate) fn shorten(scopes: &ScopeSet) -> String {
    const MOST: usize = 32;
    let listed: Vec<_> = scopes.iter().take(MOST).collect();
    match scopes.len().saturating_sub(MOST) {
        0 => listed.join(" "),
        more => format!("{} and {more} more", listed.join(" ")),
    }
}

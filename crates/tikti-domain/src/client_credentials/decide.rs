//! Decides what token a worker gets for itself: steps in order, the first that fails answers.
//!
//! | step | refused with |
//! |---|---|
//! | the credentials are the worker's | `INVALID_CLIENT_CREDENTIALS` |
//! | no other tenant is named beside the worker's; it is active | `TENANT_CONFLICT`, `TENANT_DISABLED` |
//! | the worker is active | `WORKER_DISABLED` |
//! | the audience is an active client of the tenant that allows the grant and is in the worker's list | `UNKNOWN_AUDIENCE`, `CLIENT_DISABLED`, `GRANT_NOT_ALLOWED` |
//! | scopes ⊆ the worker's ∩ the client's | `SCOPE_NOT_PERMITTED` |
//! | event types ⊆ the client's and the worker's | `EVENT_TYPES_REQUIRED`, `EVENT_TYPE_NOT_PERMITTED` |
//! | the lifetime, which is the client's, is within the bounds | `INVALID_TTL` |
//!
//! Pure: the same facts and request give the same decision on every replica.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints" (`client_credentials`).

use std::collections::BTreeSet;

use super::ClientCredentials;
use super::facts::Facts;
use crate::client::{Client, ClientType, GrantType, MAX_TOKEN_TTL_SECONDS, MIN_TOKEN_TTL_SECONDS};
use crate::error::{Code, Refusal};
use crate::id::{ClientId, EventType, TenantId, WorkerId};
use crate::scope::ScopeSet;
use crate::tenant::Tenant;
use crate::token_exchange::{IssuedClass, event_types};
use crate::worker::Worker;

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Credentials,
    Tenant,
    Worker,
    Audience,
    Scopes,
    EventTypes,
    Lifetime,
}

impl Step {
    /// The name in logs: that of the exchange's step, where it has such a one.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Tenant => "tenant",
            Self::Worker => "worker",
            Self::Audience => "audience",
            Self::Scopes => "scopes",
            Self::EventTypes => "event types",
            Self::Lifetime => "lifetime",
        }
    }
}

/// Which step refused, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) step: Step,
    pub(super) refusal: Refusal,
}

/// What the token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) tenant_id: TenantId,
    pub(super) worker_id: WorkerId,
    /// The version of the worker.
    pub(super) wver: u64,
    pub(super) audience: ClientId,
    /// Access, or worker where the client has event types.
    pub(super) class: IssuedClass,
    /// Never empty.
    pub(super) scopes: ScopeSet,
    pub(super) event_types: BTreeSet<EventType>,
    pub(super) ttl_seconds: u64,
}

/// Decides from facts already read.
pub(super) fn decide(facts: &Facts, request: &ClientCredentials) -> Result<Allowed, Denied> {
    let at = |step| move |refusal| Denied { step, refusal };
    let (tenant, worker) = credentials(facts).map_err(at(Step::Credentials))?;
    if ![&request.tenant, &request.tenant_header].into_iter().flatten().all(|it| tenant.bears(it)) {
        let message = "the worker belongs to another tenant";
        return Err(at(Step::Tenant)(Refusal::new(Code::TenantConflict, message)));
    }
    if !tenant.is_active() {
        return Err(at(Step::Tenant)(Refusal::of(Code::TenantDisabled)));
    }
    if !worker.is_active() {
        return Err(at(Step::Worker)(Refusal::of(Code::WorkerDisabled)));
    }
    let client = audience(facts, worker).map_err(at(Step::Audience))?;
    let scopes = scopes(request, client, worker).map_err(at(Step::Scopes))?;
    let events = event_types(request.event_types.as_deref(), client, Some(worker));
    let event_types = events.map_err(at(Step::EventTypes))?;
    let ttl_seconds = lifetime(client).map_err(at(Step::Lifetime))?;
    let worker_class = !client.event_types.is_empty();
    Ok(Allowed {
        tenant_id: tenant.id.clone(),
        worker_id: worker.id.clone(),
        wver: worker.wver,
        audience: client.id.clone(),
        class: if worker_class { IssuedClass::Worker } else { IssuedClass::Access },
        scopes,
        event_types,
        ttl_seconds,
    })
}

/// Whatever is wrong or missing, the answer is one.
fn credentials(facts: &Facts) -> Result<(&Tenant, &Worker), Refusal> {
    match (&facts.proof, &facts.tenant, &facts.worker) {
        (Ok(_), Some(tenant), Some(worker)) => Ok((tenant, worker)),
        _ => Err(Refusal::of(Code::InvalidClientCredentials)),
    }
}

/// The client that was asked for, or the only one that the worker has. Of several none is meant by saying
/// nothing: which is the first must not decide what a token opens.
fn audience<'a>(facts: &'a Facts, worker: &Worker) -> Result<&'a Client, Refusal> {
    if facts.audience.is_none() {
        let message = "name the audience: the worker has none, or more than one";
        return Err(Refusal::new(Code::UnknownAudience, message));
    }
    let Some(client) = &facts.client else {
        return Err(Refusal::of(Code::UnknownAudience));
    };
    if !client.is_active() {
        return Err(Refusal::of(Code::ClientDisabled));
    }
    let grants = client.kind == ClientType::Service
        && client.allowed_grant_types.contains(&GrantType::ClientCredentials);
    if !grants {
        return Err(Refusal::new(Code::GrantNotAllowed, "the client does not allow this grant"));
    }
    if !worker.clients.contains(&client.id) {
        let message = "the worker has no access to this audience";
        return Err(Refusal::new(Code::GrantNotAllowed, message));
    }
    Ok(client)
}

/// What was asked for, or the client's defaults, within worker and client; never nothing.
fn scopes(
    request: &ClientCredentials,
    client: &Client,
    worker: &Worker,
) -> Result<ScopeSet, Refusal> {
    let allowed = worker.scopes.intersection(&client.allowed_scopes);
    let asked = request.scopes.as_ref().filter(|scopes| !scopes.is_empty());
    let (granted, beyond) = match asked {
        Some(asked) => (asked.intersection(&allowed), asked.difference(&allowed)),
        None => (client.default_scopes.intersection(&allowed), ScopeSet::default()),
    };
    if beyond.is_empty() && !granted.is_empty() {
        return Ok(granted);
    }
    let missing = if asked.is_some() { beyond } else { client.default_scopes.clone() };
    let message = "a scope is outside what the worker and the client allow";
    Err(Refusal::new(Code::ScopeNotPermitted, message).detail("scopes", missing.to_string()))
}

/// The client's: refused where it is out of bounds, never cut.
fn lifetime(client: &Client) -> Result<u64, Refusal> {
    let bounds = MIN_TOKEN_TTL_SECONDS..=MAX_TOKEN_TTL_SECONDS;
    if bounds.contains(&client.token_ttl_seconds) {
        return Ok(client.token_ttl_seconds);
    }
    Err(Refusal::new(Code::InvalidTtl, "the client's lifetime of tokens is out of bounds"))
}

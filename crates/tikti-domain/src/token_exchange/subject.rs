//! For whom may the token be made? Step 10 of the decision.
//!
//! A name that the caller gives never grants anything: it is the caller himself, a worker that he
//! may act for, or a name that is nobody's, and the token says who acts (`act`).
//!
//! Spec: Authorization, step 10; Attacks, rows A4, A10.

use super::Exchange;
use super::decide::{Member, Subject};
use super::facts::Facts;
use crate::client::{Client, SubjectPolicy};
use crate::error::{Code, Refusal};
use crate::id::WorkerId;
use crate::record::Lasting;
use crate::scope::ScopeSet;
use crate::worker::{Worker, WorkerStatus};

/// The management scope that lets its holder have tokens made for any worker of the tenant.
const IMPERSONATE: &str = "workers:impersonate";

fn refuse<T>(reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal::of(Code::SubjectNotPermitted).detail("subject", reason))
}

/// Step 10: the user himself; or a registered worker that he may act for; or, where the client
/// takes any, a name that is nobody's.
pub(super) fn subject(
    facts: &Facts,
    request: &Exchange,
    client: &Client,
    member: &Member<'_>,
) -> Result<Subject, Refusal> {
    let Some(name) = request.subject.as_deref() else {
        return Ok(Subject::Caller);
    };
    if name == member.token.user_id().as_str() {
        return Ok(Subject::Caller);
    }
    if client.subject_policy == SubjectPolicy::User {
        return refuse("this client takes tokens of users only");
    }
    if facts.place.subject_is_user {
        return refuse("is not one that a token may be made for");
    }
    let Ok(id) = WorkerId::parse(name) else {
        return refuse("is not one that a token may be made for");
    };
    match &facts.place.worker {
        Some(Lasting::Live(worker)) => acts_for(facts, client, member, worker),
        Some(Lasting::Tombstone(_)) => refuse("is not one that a token may be made for"),
        None if client.subject_policy == SubjectPolicy::Any => Ok(Subject::Unregistered(id)),
        None => refuse("is not a registered worker"),
    }
}

/// Whether the user may have tokens made for this worker and client.
fn acts_for(
    facts: &Facts,
    client: &Client,
    member: &Member<'_>,
    worker: &Worker,
) -> Result<Subject, Refusal> {
    if worker.status != WorkerStatus::Active {
        return refuse("the worker is disabled");
    }
    if !worker.clients.contains(&client.id) {
        return refuse("the worker has no access to this audience");
    }
    let held = facts.place.membership.iter().flat_map(|held| &held.roles);
    // A role that no longer exists grants nothing, this neither.
    let by_role = held
        .filter(|role| facts.place.roles.find(role).is_some())
        .any(|role| worker.mintable_by.contains(role));
    if !by_role && !member.permissions.contains(IMPERSONATE) {
        return refuse("the caller may not act for this worker");
    }
    Ok(Subject::Worker { id: worker.id.clone(), wver: worker.wver })
}

/// Step 10, second half: a registered worker's own scopes bound the token further. What was asked
/// for is refused beyond them, defaults are narrowed to them.
pub(super) fn bounded(
    subject: Subject,
    worker: Option<&Worker>,
    request: &Exchange,
    scopes: ScopeSet,
) -> Result<(Subject, ScopeSet), Refusal> {
    let (Subject::Worker { .. }, Some(worker)) = (&subject, worker) else {
        return Ok((subject, scopes));
    };
    let beyond = scopes.difference(&worker.scopes);
    let asked = request.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty());
    let granted = scopes.intersection(&worker.scopes);
    if granted.is_empty() || (asked && !beyond.is_empty()) {
        return Err(Refusal::of(Code::SubjectNotPermitted)
            .detail("subject", "the worker does not hold these scopes")
            .detail("scopes", beyond.to_string()));
    }
    Ok((subject, granted))
}

//! Which events may a token claim? Step 9 of the exchange, and the same for a worker that asks for itself.
//!
//! Spec: Authorization, step 9; Real clients, row 7.

use std::collections::BTreeSet;

use crate::client::Client;
use crate::error::{Code, Refusal};
use crate::id::EventType;
use crate::worker::Worker;

/// The event type that, in a policy, means any.
const ANY_EVENT: &str = "*";

/// What was asked for, or else the concrete types that the worker or the client names, within the client's
/// event types, and the worker's where there is one.
///
/// # Errors
/// `EVENT_TYPES_REQUIRED` where nothing follows from a policy; `EVENT_TYPE_NOT_PERMITTED`, naming the types.
pub(crate) fn event_types(
    asked: Option<&[EventType]>,
    client: &Client,
    worker: Option<&Worker>,
) -> Result<BTreeSet<EventType>, Refusal> {
    let refuse = |beyond: &[&EventType]| {
        let names: Vec<_> = beyond.iter().map(|event| event.as_str()).collect();
        Err(Refusal::of(Code::EventTypeNotPermitted).detail("eventTypes", names.join(" ")))
    };
    let asked: BTreeSet<_> = asked.into_iter().flatten().cloned().collect();
    if client.event_types.is_empty() {
        let asked: Vec<_> = asked.iter().collect();
        return if asked.is_empty() { Ok(BTreeSet::new()) } else { refuse(&asked) };
    }
    let policies: Vec<_> = [Some(&client.event_types), worker.map(|worker| &worker.event_types)]
        .into_iter()
        .flatten()
        .collect();
    let allowed = |event: &EventType| policies.iter().all(|policy| permits(policy, event));
    if asked.is_empty() {
        // The narrower policy first: a worker's concrete types, else the client's.
        let default: BTreeSet<_> = policies
            .iter()
            .rev()
            .find(|policy| policy.iter().all(|event| event.as_str() != ANY_EVENT))
            .map(|policy| policy.iter().filter(|event| allowed(event)).cloned().collect())
            .unwrap_or_default();
        return if default.is_empty() {
            Err(Refusal::of(Code::EventTypesRequired).detail("eventTypes", "is required"))
        } else {
            Ok(default)
        };
    }
    let beyond: Vec<_> = asked.iter().filter(|event| !allowed(event)).collect();
    if beyond.is_empty() { Ok(asked) } else { refuse(&beyond) }
}

/// `*` in a policy means any; `*` in a request must itself be there.
fn permits(policy: &BTreeSet<EventType>, event: &EventType) -> bool {
    policy.contains(event)
        || (event.as_str() != ANY_EVENT && policy.iter().any(|held| held.as_str() == ANY_EVENT))
}

//! What each step looked at, in words for the trace: ids, names and scopes, never a token.

use super::Exchange;
use super::facts::Facts;
use crate::client::{Client, SubjectPolicy};
use crate::id::{ClientId, EventType, TenantId, UserId, WorkerId};
use crate::legacy::Shown;
use crate::scope::ScopeSet;

fn whose(tenant: Option<&TenantId>) -> String {
    tenant.map_or_else(|| "the deployment".to_owned(), |tenant| format!("tenant {tenant}"))
}

pub(super) fn token(facts: &Facts) -> String {
    match &facts.token {
        Ok(Shown::Legacy(token)) => format!("sub {} of an older Tikti", token.user_id),
        Ok(Shown::Own(token)) => {
            let audience = token.client_id.as_ref().map_or("the deployment", ClientId::as_str);
            format!("sub {} for {audience}", token.user_id)
        }
        Err(_) => "not a valid idToken".to_owned(),
    }
}

pub(super) fn session(facts: &Facts) -> String {
    let session = match &facts.token {
        Ok(Shown::Legacy(_)) => "none",
        _ if facts.holder.session.is_some() => "alive",
        _ => "ended",
    };
    let user = facts.holder.user.as_ref().map_or("gone", |user| user.status.as_str());
    format!("session {session}, user {user}")
}

pub(super) fn context(request: &Exchange, token: &Shown) -> String {
    let body = request.tenant.as_ref().map_or("-", |tenant| tenant.as_str());
    let header = request.tenant_header.as_ref().map_or("-", |tenant| tenant.as_str());
    let own = token.tenant_id().map_or("-", TenantId::as_str);
    format!("body {body}, header {header}, token {own}")
}

pub(super) fn membership(facts: &Facts) -> String {
    match &facts.place.membership {
        Some(held) => {
            let roles: Vec<_> = held.roles.iter().map(|role| role.as_str()).collect();
            format!("roles {}", roles.join(" "))
        }
        None => "no membership".to_owned(),
    }
}

pub(super) fn scopes(request: &Exchange, client: &Client, permissions: &ScopeSet) -> String {
    let asked = match request.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
        Some(scopes) => scopes.to_string(),
        None => format!("defaults {}", or_none(&client.default_scopes)),
    };
    format!("{asked} of {}", or_none(&permissions.intersection(&client.allowed_scopes)))
}

/// A line that ends with nothing looks as if something was cut off.
fn or_none(scopes: &ScopeSet) -> String {
    if scopes.is_empty() { "none".to_owned() } else { scopes.to_string() }
}

pub(super) fn events(request: &Exchange, client: &Client) -> String {
    let join = |events: &mut dyn Iterator<Item = &EventType>| {
        let names: Vec<_> = events.map(EventType::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    };
    let asked = join(&mut request.event_types.iter().flatten());
    format!("{asked} of {}", join(&mut client.event_types.iter()))
}

pub(super) fn subject(request: &Exchange, client: &Client) -> String {
    let policy = match client.subject_policy {
        SubjectPolicy::User => "user",
        SubjectPolicy::Registered => "registered",
        SubjectPolicy::Any => "any",
    };
    format!("{}, policy {policy}", subject_name(request))
}

pub(super) fn key(facts: &Facts) -> String {
    match &facts.api_key {
        Ok(key) => {
            format!("key of {} with {} scopes", whose(key.tenant_id.as_ref()), key.scopes.len())
        }
        Err(_) => "no accepted key".to_owned(),
    }
}

pub(super) fn lifetime(request: &Exchange, client: &Client) -> String {
    let asked = request.ttl_seconds.map_or_else(|| "default".to_owned(), |ttl| ttl.to_string());
    format!("{asked}, at most {}", client.token_ttl_seconds)
}

pub(super) fn own_context(token: &Shown) -> String {
    let own = token.tenant_id().map_or("-", TenantId::as_str);
    format!("context of the token: {own}")
}

/// The subject in words that may stand in a log: an id, never whatever else a caller wrote there.
fn subject_name(request: &Exchange) -> &str {
    match request.subject.as_deref() {
        None => "the caller",
        Some(subject) => loggable(subject).unwrap_or("not an id"),
    }
}

/// A subject that may stand in a log or a trace: an id.
pub(super) fn loggable(subject: &str) -> Option<&str> {
    let id = WorkerId::parse(subject).is_ok() || UserId::parse(subject).is_ok();
    id.then_some(subject)
}

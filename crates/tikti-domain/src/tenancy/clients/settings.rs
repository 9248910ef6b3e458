//! What may be set of a client, and does it fit together?
//!
//! Spec: HTTP API, "Tenant administration", clients; Domain, "Client".

use std::collections::{BTreeMap, BTreeSet};

use crate::client::{
    Client, ClientType, GrantType, MAX_EVENT_TYPES, MAX_TOKEN_TTL_SECONDS, MIN_TOKEN_TTL_SECONDS,
    SubjectPolicy,
};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::id::{ClientId, EventType};
use crate::scope::ScopeSet;

/// What is to be set of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// How tokens for it may be obtained.
    pub allowed_grant_types: Option<BTreeSet<GrantType>>,
    /// The most that a token for it may hold; of a new client as much as by default.
    pub allowed_scopes: Option<ScopeSet>,
    /// What a token holds when nothing was asked for.
    pub default_scopes: Option<ScopeSet>,
    /// The event types that a token for it may hold; at most 64.
    pub event_types: Option<BTreeSet<EventType>>,
    /// For whom tokens may be made.
    pub subject_policy: Option<SubjectPolicy>,
    /// Life of its tokens in seconds.
    pub token_ttl_seconds: Option<i64>,
}

impl ClientSettings {
    /// The new client of these settings.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the member; `INVALID_TTL`.
    pub(super) fn made(
        &self,
        (id, kind): (ClientId, ClientType),
        now: Timestamp,
    ) -> Result<Client, Refusal> {
        let default_scopes = self.default_scopes.clone().unwrap_or_default();
        let bare = Client {
            allowed_grant_types: [GrantType::TokenExchange].into(),
            allowed_scopes: default_scopes.clone(),
            default_scopes,
            ..Client::bare((id, kind), now)
        };
        self.applied_to(&bare)
    }

    /// The client as these settings leave it.
    ///
    /// # Errors
    /// As [`ClientSettings::made`].
    pub(super) fn applied_to(&self, before: &Client) -> Result<Client, Refusal> {
        let mut after = before.clone();
        let given = self.clone();
        after.allowed_grant_types = given.allowed_grant_types.unwrap_or(after.allowed_grant_types);
        after.allowed_scopes = given.allowed_scopes.unwrap_or(after.allowed_scopes);
        after.default_scopes = given.default_scopes.unwrap_or(after.default_scopes);
        after.event_types = given.event_types.unwrap_or(after.event_types);
        after.subject_policy = given.subject_policy.unwrap_or(after.subject_policy);
        if let Some(seconds) = given.token_ttl_seconds {
            after.token_ttl_seconds = ttl(seconds)?;
        }
        if after.event_types.len() > MAX_EVENT_TYPES {
            return Err(Refusal::invalid("eventTypes", format!("at most {MAX_EVENT_TYPES}")));
        }
        if !after.default_scopes.is_subset(&after.allowed_scopes) {
            return Err(Refusal::invalid("defaultScopes", "must be among the allowed scopes"));
        }
        Ok(after)
    }

    /// What the audit says of it.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let grants = self.allowed_grant_types.as_ref();
        let events = self.event_types.as_ref();
        let given = [
            ("allowedGrantTypes", grants.map(|all| words(all.iter().map(|one| one.as_str())))),
            ("allowedScopes", self.allowed_scopes.as_ref().map(ScopeSet::to_string)),
            ("defaultScopes", self.default_scopes.as_ref().map(ScopeSet::to_string)),
            ("eventTypes", events.map(|all| words(all.iter().map(EventType::as_str)))),
            ("subjectPolicy", self.subject_policy.map(|policy| policy.as_str().to_owned())),
            ("tokenTtlSeconds", self.token_ttl_seconds.map(|seconds| seconds.to_string())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Within 900 to 3600 seconds; refused, never cut.
fn ttl(seconds: i64) -> Result<u64, Refusal> {
    let found = u64::try_from(seconds).ok();
    let bounds = MIN_TOKEN_TTL_SECONDS..=MAX_TOKEN_TTL_SECONDS;
    found.filter(|seconds| bounds.contains(seconds)).ok_or_else(|| {
        let reason = format!("must be {MIN_TOKEN_TTL_SECONDS} to {MAX_TOKEN_TTL_SECONDS} seconds");
        Refusal::of(Code::InvalidTtl).detail("tokenTtlSeconds", reason)
    })
}

fn words<'a>(list: impl Iterator<Item = &'a str>) -> String {
    list.collect::<Vec<_>>().join(" ")
}

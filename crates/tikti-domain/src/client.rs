//! A client: a registered audience of one tenant, the `aud` of its access tokens.
//!
//! Spec: Domain, "Client"; Authorization, "subjectPolicy".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ClientId, EventType};
use crate::record::Record;
use crate::scope::{ScopeSet, management_scopes};

/// The built-in client of every tenant: Tikti's own administration.
pub const TIKTI: &str = "tikti";
/// Shortest lifetime of an access token in seconds.
pub const MIN_TOKEN_TTL_SECONDS: u64 = 900;
/// Longest lifetime of an access token in seconds.
pub const MAX_TOKEN_TTL_SECONDS: u64 = 3600;

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClientType {
    /// A resource server: takes access tokens.
    Service,
    /// An application that signs users in: the `aud` of idTokens, never of an exchange.
    Application,
}

/// Whether a client is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClientStatus {
    /// Served.
    Active,
    /// Refused everywhere.
    Disabled,
}

/// How tokens for a client may be obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// By a user's idToken (RFC 8693).
    TokenExchange,
    /// By a worker's own credentials (RFC 6749, section 4.4).
    ClientCredentials,
}

/// For whom tokens for a client may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectPolicy {
    /// Only the user who asks.
    User,
    /// Registered workers too.
    Registered,
    /// Any worker name that nothing else bears, too.
    Any,
}

/// The client's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// The id, the `aud` claim.
    pub id: ClientId,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ClientType,
    /// Whether it is served.
    pub status: ClientStatus,
    /// How tokens for it may be obtained.
    pub allowed_grant_types: BTreeSet<GrantType>,
    /// The most that a token for it may hold.
    pub allowed_scopes: ScopeSet,
    /// What a token holds when nothing was asked for.
    pub default_scopes: ScopeSet,
    /// The event types that a token for it may hold; none: it takes access tokens, not worker
    /// tokens.
    #[serde(default)]
    pub event_types: BTreeSet<EventType>,
    /// For whom tokens may be made.
    pub subject_policy: SubjectPolicy,
    /// Life of its tokens in seconds, and the most that may be asked for: 900 to 3600.
    pub token_ttl_seconds: u64,
    /// Whether it came from the template; a tenant admin cannot widen or delete it.
    #[serde(default)]
    pub managed: bool,
    /// When it was made: tokens for it from before are refused.
    pub created_at: Timestamp,
}

impl Client {
    /// The built-in client of every tenant.
    pub(crate) fn built_in(id: ClientId, now: Timestamp) -> Self {
        Self {
            id,
            kind: ClientType::Service,
            status: ClientStatus::Active,
            allowed_grant_types: [GrantType::TokenExchange, GrantType::ClientCredentials].into(),
            allowed_scopes: management_scopes(),
            default_scopes: management_scopes(),
            event_types: BTreeSet::new(),
            subject_policy: SubjectPolicy::User,
            token_ttl_seconds: MIN_TOKEN_TTL_SECONDS,
            managed: true,
            created_at: now,
        }
    }

    /// Whether it is served.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == ClientStatus::Active
    }

    /// Whether it is an application that may be the `aud` of idTokens now.
    #[must_use]
    pub fn takes_id_tokens(&self) -> bool {
        self.is_active() && self.kind == ClientType::Application
    }
}

impl Record for Client {}

//! A client: a registered audience of one tenant, the `aud` of its access tokens.
//!
//! Tokens say in whole seconds when they were made. Invariant: of two clients that bear one id one after the
//! other, the later was made in a second in which no token was made for the earlier one; that is what keeps
//! the tokens of the earlier one dead.
//!
//! Spec: Domain, "Client"; Authorization, "subjectPolicy".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::{self, Timestamp};
use crate::error::Refusal;
use crate::id::{ClientId, EventType};
use crate::record::Record;
use crate::scope::{ScopeSet, management_scopes};
use crate::secret::TokenHash;

/// The built-in client of every tenant: Tikti's own administration.
pub const TIKTI: &str = "tikti";
/// Shortest lifetime of an access token in seconds.
pub const MIN_TOKEN_TTL_SECONDS: u64 = 900;
/// Longest lifetime of an access token in seconds.
pub const MAX_TOKEN_TTL_SECONDS: u64 = 3600;
/// Most event types of one client.
pub const MAX_EVENT_TYPES: usize = 64;

/// How long it is kept that a client was deleted, in milliseconds: much longer than the clocks of replicas
/// are apart.
const FORMER_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// Declares the names on the wire of an enumeration, and what reads them.
macro_rules! on_the_wire {
    ($name:ident $member:literal $reason:literal { $($variant:ident $wire:literal,)+ }) => {
        impl $name {
            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// Parses the name on the wire.
            ///
            /// # Errors
            #[doc = concat!("`INVALID_ARGUMENT` naming `", $member, "`.")]
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                match text {
                    $($wire => Ok(Self::$variant),)+
                    _ => Err(Refusal::invalid($member, $reason)),
                }
            }
        }
    };
}

on_the_wire! { ClientType "type" "must be SERVICE or APPLICATION" {
    Service "SERVICE",
    Application "APPLICATION",
} }

on_the_wire! { ClientStatus "status" "must be ACTIVE or DISABLED" {
    Active "ACTIVE",
    Disabled "DISABLED",
} }

on_the_wire! { GrantType "allowedGrantTypes" "must be token_exchange or client_credentials" {
    TokenExchange "token_exchange",
    ClientCredentials "client_credentials",
} }

on_the_wire! { SubjectPolicy "subjectPolicy" "must be user, registered or any" {
    User "user",
    Registered "registered",
    Any "any",
} }

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

/// For whom tokens for a client may be made; the narrower first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The HMAC of the secret that it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TokenHash>,
}

impl Client {
    /// An active client of no tenant in particular, which may do nothing and get nothing.
    pub(crate) fn bare((id, kind): (ClientId, ClientType), now: Timestamp) -> Self {
        Self {
            id,
            kind,
            status: ClientStatus::Active,
            allowed_grant_types: BTreeSet::new(),
            allowed_scopes: ScopeSet::default(),
            default_scopes: ScopeSet::default(),
            event_types: BTreeSet::new(),
            subject_policy: SubjectPolicy::User,
            token_ttl_seconds: MIN_TOKEN_TTL_SECONDS,
            managed: false,
            created_at: now,
            secret: None,
        }
    }

    /// The built-in client of every tenant.
    pub(crate) fn built_in(id: ClientId, now: Timestamp) -> Self {
        Self {
            allowed_grant_types: [GrantType::TokenExchange, GrantType::ClientCredentials].into(),
            allowed_scopes: management_scopes(),
            default_scopes: management_scopes(),
            managed: true,
            ..Self::bare((id, ClientType::Service), now)
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

/// What is kept for a day of a client that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FormerClient {
    /// When it was deleted.
    deleted_at: Timestamp,
}

impl Record for FormerClient {}

impl FormerClient {
    /// What is kept of `client`, which is deleted now: not before it began.
    pub(crate) fn of(client: &Client, now: Timestamp) -> Self {
        Self { deleted_at: now.max(client.created_at) }
    }

    /// When it is forgotten.
    pub(crate) fn forgotten_at(&self) -> Timestamp {
        self.deleted_at.plus_millis(FORMER_MILLIS)
    }

    /// When a client that is made now in its place begins: where a token of this one may bear the present
    /// second, with the next.
    pub(crate) fn next_begins(&self, now: Timestamp) -> Timestamp {
        let free = clock::seconds(self.deleted_at).saturating_add(1).saturating_mul(1000);
        now.max(Timestamp::from_millis(free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a10_a_client_made_again_begins_after_every_second_of_the_one_before() {
        let at = Timestamp::from_millis;
        let client = Client::built_in(ClientId::parse(TIKTI).unwrap(), at(5_000));
        for (deleted, made, begins) in [
            (6_001, 6_002, 7_000),
            (6_999, 7_000, 7_000),
            (6_000, 9_500, 9_500),
            // The clock of the other replica is behind.
            (6_000, 5_900, 7_000),
            (4_000, 4_100, 6_000),
        ] {
            let former = FormerClient::of(&client, at(deleted));
            assert_eq!(former.next_begins(at(made)), at(begins), "{deleted} {made}");
        }
    }

    #[test]
    fn names_on_the_wire_are_those_of_the_records() {
        let stored = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for kind in [ClientType::Service, ClientType::Application] {
            assert_eq!(stored(serde_json::to_value(kind).unwrap()), kind.as_str());
            assert_eq!(ClientType::parse(kind.as_str()), Ok(kind));
        }
        for policy in [SubjectPolicy::User, SubjectPolicy::Registered, SubjectPolicy::Any] {
            assert_eq!(stored(serde_json::to_value(policy).unwrap()), policy.as_str());
            assert_eq!(SubjectPolicy::parse(policy.as_str()), Ok(policy));
        }
        for grant in [GrantType::TokenExchange, GrantType::ClientCredentials] {
            assert_eq!(stored(serde_json::to_value(grant).unwrap()), grant.as_str());
            assert_eq!(GrantType::parse(grant.as_str()), Ok(grant));
        }
        assert!(ClientStatus::parse("SUSPENDED").is_err());
    }
}

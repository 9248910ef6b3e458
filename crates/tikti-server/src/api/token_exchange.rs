//! Token exchange on the wire: an idToken goes in, an access or worker token comes out.
//!
//! Nothing in the request grants anything: it names what is wanted, stored records decide.
//!
//! Spec: HTTP API, "Identity"; Authorization, "Token exchange".

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `token/exchange` asks for.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeRequest {
    /// idToken of the user who asks.
    pub id_token: String,
    /// Client of the tenant that the token is for: its `aud`.
    #[schema(example = "backend-worker")]
    pub audience: String,
    /// Scopes wanted; without them the client's default scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ScopeList>,
    /// Event types wanted; yields a worker token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// Life wanted, 900 to 3600 seconds; refused outside the client's bounds, never cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 900)]
    pub ttl_seconds: Option<i64>,
    /// Worker that the token speaks for; without it the user who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "worker-01")]
    pub subject: Option<String>,
    /// Tenant, by id or slug; without it that of the idToken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub tenant_id: Option<String>,
}

/// Scopes as a JSON array of strings, or as one string with spaces between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ScopeList {
    /// `["jobs:read", "jobs:write"]`
    List(Vec<String>),
    /// `"jobs:read jobs:write"`, the form of RFC 6749 section 3.3.
    Text(String),
}

impl ScopeList {
    /// Lists the scopes one by one, in the order given; repeats and grammar are judged by the domain.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (list, text) = match self {
            Self::List(list) => (list.as_slice(), ""),
            Self::Text(text) => (&[][..], text.as_str()),
        };
        let from_text = text.split(' ').filter(|scope| !scope.is_empty());
        list.iter().map(String::as_str).chain(from_text)
    }
}

// By hand, because the derived untagged form answers a wrong type with "did not match any variant",
// which names neither the place nor what was expected.
impl<'de> Deserialize<'de> for ScopeList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopeListVisitor)
    }
}

struct ScopeListVisitor;

impl<'de> Visitor<'de> for ScopeListVisitor {
    type Value = ScopeList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings or one string")
    }

    fn visit_str<E>(self, text: &str) -> Result<ScopeList, E> {
        Ok(ScopeList::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<ScopeList, E> {
        Ok(ScopeList::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ScopeList, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(ScopeList::List(list))
    }
}

/// A token that was minted.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeReply {
    /// Access or worker token (JWT, RS256), told apart by its `token_use`.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Life of the token from now on, in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Scopes granted, with spaces between them.
    #[schema(example = "jobs:read jobs:write")]
    pub scope: String,
    /// Tenant id, the `tid` of the token.
    pub tenant_id: String,
}

//! Workers on the wire.
//!
//! Spec: HTTP API, "Tenant administration", workers.

use std::fmt;

use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Asks for a worker.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateWorkerRequest {
    /// Id, fixed for ever: the `sub` of the worker's tokens. No UUID, and no user's id.
    #[schema(example = "worker-01", pattern = "^[A-Za-z0-9._:/-]{1,128}$")]
    pub id: String,
    /// Audiences that its tokens may have; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32, example = json!(["backend-worker"]))]
    pub clients: Option<Vec<String>>,
    /// The most that its tokens may hold; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256, example = json!(["jobs:read"]))]
    pub scopes: Option<Vec<String>>,
    /// Event types that its tokens may hold; `*` means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256)]
    pub event_types: Option<Vec<String>>,
    /// Roles whose holders may have tokens made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32)]
    pub mintable_by: Option<Vec<String>>,
    /// Public keys with which it signs assertions; with any of them it is given no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<WorkerKeys>,
    /// Whether it may sign users of its tenant in by custom tokens; only a platform administrator grants that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_tokens: Option<bool>,
}

/// Public keys of a worker: a JWKS (RFC 7517, section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkerKeys {
    /// At most 8, of at most 16 KiB together: RS256 of at least 2048 bits, ES256 or EdDSA, each with a `kid`.
    #[schema(max_items = 8, value_type = Vec<Object>)]
    pub keys: Vec<Map<String, Value>>,
}

// By hand, because the derived form takes an array as the members in order.
impl<'de> Deserialize<'de> for WorkerKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WorkerKeysVisitor)
    }
}

struct WorkerKeysVisitor;

impl<'de> Visitor<'de> for WorkerKeysVisitor {
    type Value = WorkerKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WorkerKeys, A::Error> {
        let mut keys = None;
        while let Some(member) = map.next_key::<String>()? {
            if member != "keys" {
                map.next_value::<IgnoredAny>()?;
            } else if keys.replace(map.next_value()?).is_some() {
                return Err(de::Error::duplicate_field("keys"));
            }
        }
        Ok(WorkerKeys { keys: keys.ok_or_else(|| de::Error::missing_field("keys"))? })
    }
}

/// Asks for a change of a worker; what is absent stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateWorkerRequest {
    /// All audiences that its tokens may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32)]
    pub clients: Option<Vec<String>>,
    /// The most that its tokens may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256)]
    pub scopes: Option<Vec<String>>,
    /// All event types that its tokens may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256)]
    pub event_types: Option<Vec<String>>,
    /// All roles whose holders may have tokens made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32)]
    pub mintable_by: Option<Vec<String>>,
    /// Whether it may sign users of its tenant in by custom tokens; only a platform administrator grants that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_tokens: Option<bool>,
    /// `ACTIVE` or `DISABLED`; disabling kills its tokens at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "DISABLED")]
    pub status: Option<String>,
}

/// Asks for a further secret of a worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddWorkerSecretRequest {
    /// When it ends by itself: RFC 3339, in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A worker, without its secrets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReply {
    /// Id: the `sub` of its tokens.
    #[schema(example = "worker-01")]
    pub id: String,
    /// Audiences that its tokens may have.
    pub clients: Vec<String>,
    /// The most that its tokens may hold.
    pub scopes: Vec<String>,
    /// Event types that its tokens may hold.
    pub event_types: Vec<String>,
    /// Roles whose holders may have tokens made for it.
    pub mintable_by: Vec<String>,
    /// Public keys with which it signs assertions.
    pub jwks: WorkerKeys,
    /// Whether it may sign users of its tenant in by custom tokens.
    pub custom_tokens: bool,
    /// What its secrets are called by.
    pub secrets: Vec<WorkerSecretReply>,
    /// Number of the secret that was made last, also where that is revoked or has ended; 0 before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub last_secret: Option<u32>,
    /// `ACTIVE` or `DISABLED`.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A secret of a worker, without the secret itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSecretReply {
    /// Number that names it.
    pub n: u32,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ends by itself: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// A worker that was just registered. No `Debug`: it carries the secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedWorkerReply {
    /// Its secret, shown here and never again; absent where it has keys of its own, and where the request had come before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What is shown of it from now on.
    #[serde(flatten)]
    pub shown: WorkerReply,
}

/// A secret that was just made. No `Debug`: it carries the secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedWorkerSecretReply {
    /// Number that names it.
    pub n: u32,
    /// The secret, shown here and never again; absent where the request had come before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// When it ends by itself: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// One page of workers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerListReply {
    /// At most `pageSize` of them, in the order of their ids.
    pub workers: Vec<WorkerReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

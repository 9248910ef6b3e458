//! API keys on the wire.
//!
//! Spec: HTTP API, "API key", "Tenant administration".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for an API key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateApiKeyRequest {
    /// Name for people: 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may be used for.
    #[schema(example = json!(["accounts:signin", "token:exchange"]))]
    pub scopes: Vec<String>,
    /// When it ends by itself: RFC 3339, in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Asks for a change of an API key; what is absent stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateApiKeyRequest {
    /// Name for people: 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `ACTIVE` or `DISABLED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "DISABLED")]
    pub status: Option<String>,
    /// What it may be used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// When it ends by itself: RFC 3339, in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// An API key, without the key itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyReply {
    /// Id of the key.
    pub id: String,
    /// How the key begins.
    pub prefix: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// `ACTIVE` or `DISABLED`.
    pub status: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ends by itself: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// When it was last used, to the hour: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

/// An API key that was just made. No `Debug`: it carries the key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedApiKeyReply {
    /// The key itself, shown here and never again; absent where the request had come before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is shown of it from now on.
    #[serde(flatten)]
    pub shown: ApiKeyReply,
}

/// One page of API keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyListReply {
    /// At most `pageSize` of them, in the order of their ids.
    pub api_keys: Vec<ApiKeyReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

//! Clients on the wire.
//!
//! Spec: HTTP API, "Tenant administration", clients.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a client.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateClientRequest {
    /// Id, fixed for ever: the `aud` of tokens for it.
    #[schema(example = "https://api.example/billing", pattern = "^[A-Za-z0-9._:/-]{1,128}$")]
    pub client_id: String,
    /// `SERVICE` (takes access tokens; where absent) or `APPLICATION` (signs users in); fixed for ever.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "SERVICE")]
    pub kind: Option<String>,
    /// `token_exchange` (alone where absent), `client_credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["token_exchange"]))]
    pub allowed_grant_types: Option<Vec<String>>,
    /// The most that a token for it may hold; as much as `defaultScopes` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256, example = json!(["bills:read", "bills:write"]))]
    pub allowed_scopes: Option<Vec<String>>,
    /// What a token holds when nothing was asked for, within `allowedScopes`; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256, example = json!(["bills:read"]))]
    pub default_scopes: Option<Vec<String>>,
    /// Event types that a token for it may hold, `*` means any; with none of them it takes access tokens, not worker tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 64)]
    pub event_types: Option<Vec<String>>,
    /// For whom tokens may be made: `user` (where absent), `registered` or `any`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "user")]
    pub subject_policy: Option<String>,
    /// Life of its tokens in seconds; 900 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 900, maximum = 3600)]
    pub token_ttl_seconds: Option<i64>,
}

/// Asks for a change of a client; what is absent stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateClientRequest {
    /// Id; where given, the one of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What it is; where given, what it is already.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "SERVICE")]
    pub kind: Option<String>,
    /// `ACTIVE` or `DISABLED`; while it is disabled, tokens for it are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "DISABLED")]
    pub status: Option<String>,
    /// All of `token_exchange` and `client_credentials` that it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["token_exchange"]))]
    pub allowed_grant_types: Option<Vec<String>>,
    /// The most that a token for it may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256)]
    pub allowed_scopes: Option<Vec<String>>,
    /// What a token holds when nothing was asked for, within the allowed scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 256)]
    pub default_scopes: Option<Vec<String>>,
    /// All event types that a token for it may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 64)]
    pub event_types: Option<Vec<String>>,
    /// `user`, `registered` or `any`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "user")]
    pub subject_policy: Option<String>,
    /// Life of its tokens in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 900, maximum = 3600)]
    pub token_ttl_seconds: Option<i64>,
}

/// A client, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientReply {
    /// Id: the `aud` of tokens for it.
    #[schema(example = "https://api.example/billing")]
    pub client_id: String,
    /// `SERVICE` or `APPLICATION`.
    #[serde(rename = "type")]
    #[schema(example = "SERVICE")]
    pub kind: String,
    /// `ACTIVE` or `DISABLED`.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// How tokens for it may be obtained.
    pub allowed_grant_types: Vec<String>,
    /// The most that a token for it may hold.
    pub allowed_scopes: Vec<String>,
    /// What a token holds when nothing was asked for.
    pub default_scopes: Vec<String>,
    /// Event types that a token for it may hold.
    pub event_types: Vec<String>,
    /// `user`, `registered` or `any`.
    #[schema(example = "user")]
    pub subject_policy: String,
    /// Life of its tokens in seconds.
    pub token_ttl_seconds: u64,
    /// Whether it came from the template; such a client only a platform administrator changes.
    pub managed: bool,
}

/// A client that was just made. No `Debug`: it carries the secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedClientReply {
    /// Its secret, shown here and never again; absent for an application, and where the request had come before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What is shown of it from now on.
    #[serde(flatten)]
    pub shown: ClientReply,
}

/// One page of clients.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientListReply {
    /// At most `pageSize` of them, in the order of their ids.
    pub clients: Vec<ClientReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

//! Introspection and revocation on the wire: a token goes in; what it says comes out, or nothing does.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 7662 section 2, RFC 7009 section 2.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which token is asked about.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct IntrospectRequest {
    /// The token, of whichever class.
    pub token: String,
    /// `access_token`, `id_token` or `refresh_token`, or the URN of one (RFC 8693). An idToken or a refresh
    /// token is active only where it is named; an access or worker token is whatever this says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// A resource server that asks, as `<tenant id>.<client id>`, where it does not authenticate by HTTP
    /// Basic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

/// Which token is to be revoked.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RevokeTokenRequest {
    /// The token, of whichever class.
    pub token: String,
    /// `access_token` or `refresh_token`. A hint: every class is looked for, whatever it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// A resource server that asks, as `<tenant id>.<client id>`, where it does not authenticate by HTTP
    /// Basic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

/// What a token says that is good now; of every other token `active` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntrospectionReply {
    /// Whether the token is good now, and for the asker to know.
    pub active: bool,
    /// What it is: `access`, `worker`, `id` or `refresh`. A resource server takes the first two only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "access")]
    pub token_use: Option<String>,
    /// `Bearer`, of access and worker tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// Scopes, with spaces between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "jobs:read jobs:write")]
    pub scope: Option<String>,
    /// The client that it was made for; of a refresh token the application that signed the user in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "backend-worker")]
    pub client_id: Option<String>,
    /// The user or worker that it is about, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "backend-worker")]
    pub aud: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// The user who asked for it, where it is about somebody else (RFC 8693).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<ActorReply>,
    /// Event types that a worker may claim.
    #[serde(default, rename = "eventTypes", skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// The session that it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The token's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// When it ends, in seconds since the Unix epoch; of a refresh token, unless it is used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
}

/// Who asked for a token that is about somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActorReply {
    /// The user's id.
    pub sub: String,
}

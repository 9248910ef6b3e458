//! The token endpoint on the wire: forms go in as RFC 6749 shapes them, tokens come out.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 6749 sections 4.4 to 6, RFC 8693
//! section 2.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the token endpoint is asked for; which members count depends on the grant.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct OAuthTokenRequest {
    /// `urn:ietf:params:oauth:grant-type:token-exchange`, `client_credentials` or `refresh_token`.
    #[schema(example = "urn:ietf:params:oauth:grant-type:token-exchange")]
    pub grant_type: String,
    /// Exchange: the idToken of the user who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token: Option<String>,
    /// Exchange: `urn:ietf:params:oauth:token-type:id_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token_type: Option<String>,
    /// Exchange: `urn:ietf:params:oauth:token-type:access_token` or `...:jwt`, which are the same here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_token_type: Option<String>,
    /// Client of the tenant that the token is for: its `aud`. One, as a token has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "backend-worker")]
    pub audience: Option<String>,
    /// The same by RFC 8707, where the client's id is a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://jobs.example.org/api")]
    pub resource: Option<String>,
    /// Scopes wanted, with spaces between them; without them the client's default scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "jobs:read jobs:write")]
    pub scope: Option<String>,
    /// Event types wanted, with spaces or commas between them; yields a worker token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<String>,
    /// Exchange: worker that the token speaks for; without it the user who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "worker-01")]
    pub subject: Option<String>,
    /// Tenant, by id or slug; without it that of the token, or of the worker, whose own it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub tenant: Option<String>,
    /// Refresh: the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// A worker, as `<tenant id>.<worker id>`, where it does not authenticate by HTTP Basic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// A JWT signed by the worker, in place of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_assertion: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_assertion_type: Option<String>,
}

/// What the token endpoint gives; which members there are depends on the grant.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct OAuthTokenReply {
    /// Access or worker token (JWT, RS256), told apart by its `token_use`. Of a refresh, the idToken: it is
    /// what opens Tikti's own endpoints, and no resource server takes it for an access token.
    pub access_token: String,
    /// What `access_token` is: of an exchange always `urn:ietf:params:oauth:token-type:access_token`, of a
    /// refresh always `urn:ietf:params:oauth:token-type:id_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<String>,
    /// Always `Bearer`; of a refresh, at Tikti's own endpoints.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Life of the token from now on, in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Scopes granted, with spaces between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "jobs:read jobs:write")]
    pub scope: Option<String>,
    /// Refresh: the fresh idToken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// Refresh: the next refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Tenant id, the `tid` of the token, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

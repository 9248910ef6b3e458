//! How a decision comes about, on the wire.
//!
//! Spec: HTTP API, `POST /v1/authorization/explain`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ScopeList;

/// Asks how an exchange would be decided; `email` or `userId` says whose.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainRequest {
    /// Address of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Email)]
    pub email: Option<String>,
    /// Id of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Tenant, by id or slug.
    #[schema(example = "codecompany")]
    pub tenant_id: String,
    /// Client that the token would be for.
    #[schema(example = "backend-worker")]
    pub audience: String,
    /// Scopes that would be wanted; without them the client's default scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ScopeList>,
    /// Event types that would be wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// Worker that the token would speak for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Life that would be wanted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i64>,
}

/// How an exchange would be decided.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainReply {
    /// Whether there would be a token.
    pub allow: bool,
    /// Number of the step that refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    /// Code that an exchange would be refused with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Scopes that the token would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The steps that were taken, in order; the refusing one last.
    pub trace: Vec<ExplainStep>,
}

/// One step of a decision.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainStep {
    /// Number.
    pub step: u8,
    /// Name.
    #[schema(example = "membership")]
    pub name: String,
    /// What it looked at.
    #[schema(example = "roles JOBS_OPERATOR TENANT_USER")]
    pub input: String,
    /// `pass`, `assumed` for what only a request could show, or the code that it refuses with.
    #[schema(example = "pass")]
    pub result: String,
}

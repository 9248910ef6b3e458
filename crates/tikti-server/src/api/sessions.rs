//! Sessions on the wire: going on, ending, and which there are.
//!
//! Spec: HTTP API, "Identity" (`/v1/token`, `signOut`, sessions) and the table of shapes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a fresh idToken. The member names are those of OAuth (RFC 6749, section 6).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `refresh_token`.
    #[schema(example = "refresh_token")]
    pub grant_type: String,
    /// The refresh token; it is used up by a success.
    pub refresh_token: String,
    /// Tenant, by id or slug, that the session speaks for from now on.
    #[serde(rename = "tenantId", default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub tenant_id: Option<String>,
}

/// A session goes on.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenReply {
    /// Fresh identity token.
    pub id_token: String,
    /// The next refresh token; the one that was sent is good no more.
    pub refresh_token: String,
    /// Life of the idToken from now on, in seconds.
    #[schema(example = 3600)]
    pub expires_in: u64,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// User id, the `sub` of the idToken.
    pub user_id: String,
}

/// Asks to end a session, by one of its tokens.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignOutRequest {
    /// An idToken of the session; this or `refreshToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The session's refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Whether all sessions of the user end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everywhere: Option<bool>,
}

/// Nothing to say.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EmptyReply {}

/// One page of sessions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionListReply {
    /// The sessions, in the order of their beginning.
    pub sessions: Vec<SessionReply>,
    /// What the next page is asked for with; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// One sign-in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionReply {
    /// Session id, the `sid` of its tokens.
    pub sid: String,
    /// When the user signed in: RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its tokens were last renewed: RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub last_refreshed_at: String,
    /// Browser or program, as it named itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Address that the sign-in came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How the user proved to be it (RFC 8176).
    #[schema(example = json!(["pwd"]))]
    pub amr: Vec<String>,
    /// Tenant that it speaks for; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

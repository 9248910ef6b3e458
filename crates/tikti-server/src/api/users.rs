//! The directory of users on the wire, for platform administrators.
//!
//! Spec: HTTP API, "Identity" (`/v1/users`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user, as stored now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserReply {
    /// User id.
    pub local_id: String,
    /// Address; absent where the user has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ann@corp.sys")]
    pub email: Option<String>,
    /// Whether the address was proven to be the user's.
    pub email_verified: bool,
    /// Global role: `ADMIN`, `COMPANY_ADMIN` or `COMPANY_EMPLOYEE`.
    #[schema(example = "COMPANY_EMPLOYEE")]
    pub role: String,
    /// `ACTIVE`, `INACTIVE` or `SUSPENDED`.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Tenant id of sign-ins that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_tenant_id: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339, UTC; absent where the user never signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub last_login_at: Option<String>,
}

/// One page of users.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserListReply {
    /// At most `pageSize` of them, in no order that means anything.
    pub users: Vec<UserReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// Asks to change a user; what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateUserRequest {
    /// Global role: `ADMIN`, `COMPANY_ADMIN` or `COMPANY_EMPLOYEE`. To and from `ADMIN` ends all sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "COMPANY_ADMIN")]
    pub role: Option<String>,
    /// `ACTIVE`, `INACTIVE` or `SUSPENDED`. A change ends all sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ACTIVE")]
    pub status: Option<String>,
    /// Name for people: 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether the address was proven to be the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Tenant, by id or slug, that the user is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub default_tenant_id: Option<String>,
}

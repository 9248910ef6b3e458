//! Members of a tenant on the wire.
//!
//! Spec: HTTP API, "Tenant administration", members.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a user to be added to a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateMemberRequest {
    /// Address of the user.
    #[schema(example = "ann@example.org", format = Email)]
    pub email: String,
    /// Roles of the tenant; at most 32.
    #[schema(max_items = 32, example = json!(["TENANT_USER"]))]
    pub roles: Vec<String>,
    /// Whether a user is made where nobody bears the address; he gets a mail to set a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<bool>,
}

/// Asks for other roles of a member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMemberRequest {
    /// All roles that the member is to have; at most 32.
    #[schema(max_items = 32, example = json!(["TENANT_USER"]))]
    pub roles: Vec<String>,
}

/// Asks for a member to be removed by his address.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoveMemberRequest {
    /// Address of the user.
    #[schema(example = "ann@example.org", format = Email)]
    pub email: String,
}

/// A member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberReply {
    /// What names the membership in this tenant: the id of its user.
    pub id: String,
    /// Tenant id.
    pub tenant_id: String,
    /// User id.
    pub user_id: String,
    /// Address of the user, where he has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Roles, in order.
    pub roles: Vec<String>,
    /// Of the user: `ACTIVE`, `INACTIVE` or `SUSPENDED`.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// When he was added: RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// One page of members.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberListReply {
    /// At most `pageSize` of them, in the order of their ids.
    pub users: Vec<MemberReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A member was removed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedMemberReply {
    /// Tenant id.
    pub tenant_id: String,
    /// User id.
    pub user_id: String,
    /// Address of the user, where he has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub removed_at: String,
}

/// What a member was given out in a tenant has ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedMemberReply {
    /// Tenant id.
    pub tenant_id: String,
    /// User id.
    pub user_id: String,
    /// Address of the user, where he has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Version of the membership that tokens must have from now on.
    pub token_version: u64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub revoked_at: String,
}

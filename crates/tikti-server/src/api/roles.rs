//! Roles on the wire.
//!
//! Spec: HTTP API, "Tenant administration", roles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a role.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateRoleRequest {
    /// Name, fixed for ever.
    #[schema(example = "BILLING", pattern = "^[A-Za-z][A-Za-z0-9_.:-]{0,127}$")]
    pub name: String,
    /// Scopes that the role expands into; at most 256.
    #[schema(max_items = 256)]
    pub permissions: Vec<String>,
}

/// Asks for a role whose name stands in the path.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PutRoleRequest {
    /// Name; where given, the one of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Scopes that the role expands into; at most 256.
    #[schema(max_items = 256)]
    pub permissions: Vec<String>,
}

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleReply {
    /// Name.
    #[schema(example = "BILLING")]
    pub name: String,
    /// Scopes that the role expands into.
    pub permissions: Vec<String>,
    /// Whether every tenant has it; such a role cannot be changed.
    pub built_in: bool,
    /// Whether it came from the template; such a role only a platform administrator changes.
    pub managed: bool,
}

/// One page of roles.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleListReply {
    /// At most `pageSize` of them, in the order of their names.
    pub roles: Vec<RoleReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

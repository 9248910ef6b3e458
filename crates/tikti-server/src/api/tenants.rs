//! Tenants on the wire.
//!
//! Spec: HTTP API, "Tenant administration".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a new tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateTenantRequest {
    /// Name in references, fixed for ever.
    #[schema(example = "codecompany", pattern = "^[a-z][a-z0-9-]{1,62}$")]
    pub slug: String,
    /// Name for people; the slug where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tenant id; made where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$")]
    pub id: Option<String>,
}

/// Asks for a change of a tenant; what is absent stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateTenantRequest {
    /// Name for people: 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether people may join by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_sign_up: Option<bool>,
    /// `ACTIVE` or `SUSPENDED`; only a platform administrator changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "SUSPENDED")]
    pub status: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantReply {
    /// Tenant id: the `tid` of tokens.
    #[schema(example = "t-01kah6t4zq8r5n2v7c3x9y1b0d")]
    pub id: String,
    /// Name in references.
    #[schema(example = "codecompany")]
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// `ACTIVE`, `SUSPENDED` or `DELETING`.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// Whether people may join by themselves.
    pub self_sign_up: bool,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// One page of tenants.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantListReply {
    /// At most `pageSize` of them.
    pub tenants: Vec<TenantReply>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

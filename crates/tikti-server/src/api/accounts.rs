//! Sign-in and lookup on the wire: the two calls that every old client knows.
//!
//! The first four members of a sign-in reply and the first of a lookup are a compatibility contract:
//! names, types and meaning never change, new members are only added.
//!
//! Spec: HTTP API, "Identity"; Real clients, codeQ rows 1 and 2.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `signIn` and `signInWithPassword` ask for.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInRequest {
    /// Address of the user; case and surrounding white space mean nothing.
    #[schema(example = "root@corp.sys")]
    pub email: String,
    /// 8 to 72 bytes of UTF-8.
    #[schema(format = Password)]
    pub password: String,
    /// Whether a refresh token is wanted as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_secure_token: Option<bool>,
    /// Tenant, by id or slug, that the session speaks for; without it the user's default tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub tenant_id: Option<String>,
    /// Client of type `APPLICATION` that becomes the `aud` of the idToken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A session that has begun.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInReply {
    /// Identity token (JWT, HS256, or RS256 where configured): good at Tikti itself, never at a resource server.
    pub id_token: String,
    /// Stored address of the user; absent where the user has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "root@corp.sys")]
    pub email: Option<String>,
    /// User id, the `sub` of the idToken.
    pub local_id: String,
    /// Life of the idToken from now on, in seconds: a number, never a string.
    #[schema(example = 3600)]
    pub expires_in: u64,
    /// Single-use token for the next idToken; only where `returnSecureToken` was true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Tenant that the session speaks for; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// Asks whose idToken this is and whether it is still good.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LookupRequest {
    /// The idToken to look up.
    pub id_token: String,
    /// Whether the user's memberships are wanted too (one more read).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memberships: Option<bool>,
}

/// The users that a lookup found: exactly one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LookupReply {
    /// A list of one, as Firebase has it.
    pub users: Vec<LookupUser>,
}

/// The user behind an idToken, as stored now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LookupUser {
    /// User id.
    pub local_id: String,
    /// Stored address; absent where the user has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "root@corp.sys")]
    pub email: Option<String>,
    /// Global role: `ADMIN`, `COMPANY_ADMIN` or `COMPANY_EMPLOYEE`. Grants nothing inside a tenant.
    #[schema(example = "COMPANY_EMPLOYEE")]
    pub role: String,
    /// Tenant that the token speaks for; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// `ACTIVE`, `INACTIVE` or `SUSPENDED`.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// Whether the address was proven to be the user's.
    pub email_verified: bool,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339, UTC; absent where the user never signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub last_login_at: Option<String>,
    /// At most 200; only where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memberships: Option<Vec<LookupMembership>>,
}

/// One tenant that the user belongs to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LookupMembership {
    /// Tenant id, never the slug.
    pub tenant_id: String,
    /// Names of the tenant's roles.
    pub roles: Vec<String>,
}

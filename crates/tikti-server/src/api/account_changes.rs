//! Changing and administering accounts on the wire: one's own, and somebody's by an administrator.
//!
//! Spec: HTTP API, "Identity" (`update` to `validate`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Asks to change one's own account; what is absent stays as it is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRequest {
    /// An idToken of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// New address. Needs a recent sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "root@corp.sys")]
    pub email: Option<String>,
    /// New password: 8 to 72 bytes of UTF-8. Needs a recent sign-in, and ends all other sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Name for people: 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Tenant, by id or slug, of sign-ins that name none; one that the user is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub default_tenant_id: Option<String>,
    /// A mailed code, alone: confirms an address, changes it, or brings an old one back. Means nothing
    /// beside an idToken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oob_code: Option<String>,
}

/// The account was changed, and its session goes on.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateReply {
    /// User id.
    pub local_id: String,
    /// Address now; absent where the user has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "root@corp.sys")]
    pub email: Option<String>,
    /// Fresh identity token of the same session; a code opens none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// Fresh refresh token, where the session had one and address or password changed: the one of before
    /// is good no more. Absent, the one of before goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Life of the idToken from now on, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 3600)]
    pub expires_in: Option<u64>,
}

/// Asks to delete one's own account.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeleteRequest {
    /// An idToken of the account, of a recent sign-in.
    pub id_token: String,
}

/// The account is deleted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeleteReply {
    /// `identitytoolkit#DeleteAccountResponse`, as Firebase has it.
    #[schema(example = "identitytoolkit#DeleteAccountResponse")]
    pub kind: String,
}

/// Asks for a new user.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignUpRequest {
    /// Address of the user.
    #[schema(example = "ann@corp.sys")]
    pub email: String,
    /// 8 to 72 bytes of UTF-8.
    #[schema(format = Password)]
    pub password: String,
    /// Global role; `COMPANY_EMPLOYEE` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "COMPANY_EMPLOYEE")]
    pub role: Option<String>,
    /// Tenant, by id or slug, that the user becomes a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub tenant_id: Option<String>,
    /// Roles in that tenant; `TENANT_USER` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["TENANT_USER"]))]
    pub roles: Option<Vec<String>>,
}

/// A user was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignUpReply {
    /// User id.
    pub local_id: String,
    /// Address of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ann@corp.sys")]
    pub email: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// Asks for another status of a user.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusRequest {
    /// Address of the user.
    #[schema(example = "ann@corp.sys")]
    pub email: String,
    /// `ACTIVE`, `INACTIVE` or `SUSPENDED`.
    #[schema(example = "SUSPENDED")]
    pub status: String,
}

/// A user's status now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReply {
    /// User id.
    pub local_id: String,
    /// Address of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ann@corp.sys")]
    pub email: Option<String>,
    /// `ACTIVE`, `INACTIVE` or `SUSPENDED`.
    #[schema(example = "SUSPENDED")]
    pub status: String,
}

/// Asks to end what was given out for a user.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeRequest {
    /// Address of the user.
    #[schema(example = "ann@corp.sys")]
    pub email: String,
    /// `global` for everything, `tenant` for what is good in one tenant.
    #[schema(example = "global")]
    pub scope: String,
    /// Tenant, by id or slug; with `tenant` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "codecompany")]
    pub tenant_id: Option<String>,
}

/// Everything of before is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeReply {
    /// User id.
    pub local_id: String,
    /// Address of the user.
    #[schema(example = "ann@corp.sys")]
    pub email: String,
    /// Version that tokens must have from now on: the user's (`ver`), or the membership's (`mver`).
    pub token_version: u64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub revoked_at: String,
}

/// Asks to deny one token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeJtiRequest {
    /// The token, of whichever class.
    pub token: String,
}

/// A token that is denied from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeJtiReply {
    /// Id of the token.
    pub jti: String,
    /// When it would have expired: RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// Asks whether a token is good.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidateRequest {
    /// The token, of whichever class.
    pub token: String,
    /// Whom it has to be for.
    #[schema(example = "tikti-identity")]
    pub audience: String,
}

/// The claims of a token that is good, by their names.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct ValidateReply(pub Map<String, Value>);

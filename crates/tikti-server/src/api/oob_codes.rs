//! Codes that leave by mail, on the wire: having one sent, and handing one in.
//!
//! Spec: HTTP API, "Identity" (`sendOobCode`, `resetPassword`, `signInWithOobCode`, `/action`), "Tenant
//! administration" (OOB).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a code to be sent.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendOobCodeRequest {
    /// `PASSWORD_RESET` or `EMAIL_SIGNIN` to an address; `VERIFY_EMAIL` or `VERIFY_AND_CHANGE_EMAIL`
    /// for the user of an idToken.
    #[schema(example = "PASSWORD_RESET")]
    pub request_type: String,
    /// Address, for `PASSWORD_RESET` and `EMAIL_SIGNIN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "root@corp.sys")]
    pub email: Option<String>,
    /// Whose address is to be confirmed or changed; for a change from a sign-in of the last 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The new address, for `VERIFY_AND_CHANGE_EMAIL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_email: Option<String>,
    /// Where the link goes on to, at an origin that the deployment allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_url: Option<String>,
}

/// A code was sent; or would have been, if the address were somebody's.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendOobCodeReply {
    /// `identitytoolkit#GetOobConfirmationCodeResponse`.
    #[schema(example = "identitytoolkit#GetOobConfirmationCodeResponse")]
    pub kind: String,
    /// The address that was asked for, or that of the token's user.
    #[schema(example = "root@corp.sys")]
    pub email: String,
    /// The code; only for a key of the deployment with `oob:return`. A stranger's opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oob_code: Option<String>,
}

/// Asks for a code to be sent on behalf of a tenant.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendTenantCodeRequest {
    /// `PASSWORD_RESET` to a member, or `EMAIL_SIGNIN`, which invites whoever is none.
    #[schema(example = "EMAIL_SIGNIN")]
    pub request_type: String,
    /// Address.
    #[schema(example = "ann@corp.sys")]
    pub email: String,
    /// Where the link goes on to, at an origin that the deployment allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_url: Option<String>,
}

/// A code of a tenant was sent; or would have been, if the address were a member's.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendTenantCodeReply {
    /// `tikti#SendOobResponse`.
    #[schema(example = "tikti#SendOobResponse")]
    pub kind: String,
    /// The address that was asked for.
    #[schema(example = "ann@corp.sys")]
    pub email: String,
    /// What the code is good for.
    #[schema(example = "EMAIL_SIGNIN")]
    pub request_type: String,
    /// For how long, in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// The code; only for a platform administrator who shows a key of the deployment with `oob:return` as well.
    /// A stranger's opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oob_code: Option<String>,
}

/// Sets a new password, or checks a code.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetPasswordRequest {
    /// The code of a `PASSWORD_RESET` mail.
    pub oob_code: String,
    /// 8 to 72 bytes of UTF-8; without it the code is only checked, and stays usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub new_password: Option<String>,
}

/// The code is good; it is used up if a password was set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetPasswordReply {
    /// `identitytoolkit#SetAccountPasswordResponse`.
    #[schema(example = "identitytoolkit#SetAccountPasswordResponse")]
    pub kind: String,
    /// The user's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "root@corp.sys")]
    pub email: Option<String>,
}

/// Signs in with a code.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInWithOobCodeRequest {
    /// The address that the code was sent to.
    #[schema(example = "root@corp.sys")]
    pub email: String,
    /// The code of an `EMAIL_SIGNIN` mail.
    pub oob_code: String,
    /// Whether a refresh token is wanted as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_secure_token: Option<bool>,
}

/// The form of the page that a mailed link opens.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionForm {
    /// `resetPassword`, `verifyEmail`, `verifyAndChangeEmail` or `recoverEmail`.
    #[schema(example = "resetPassword")]
    pub mode: String,
    /// The code of the link.
    pub oob_code: String,
    /// Where the page goes on to when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_url: Option<String>,
    /// The new password, with `resetPassword`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub new_password: Option<String>,
}

//! `POST /v1/accounts/resetPassword`: a new password, by a code that left by mail.

use axum::extract::State;
use tikti_domain::account::{self, ResetPassword};

use crate::api::{ResetPasswordReply, ResetPasswordRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker};
use crate::reply::Reply;
use crate::state::Shared;

const KIND: &str = "identitytoolkit#SetAccountPasswordResponse";

/// Sets a new password and ends all sessions of the user; without a password only checks the code.
///
/// A password that is refused leaves the code usable.
#[utoipa::path(
    post,
    path = "/v1/accounts/resetPassword",
    tag = "accounts",
    request_body = ResetPasswordRequest,
    responses((status = 200, description = "The code is good.", body = ResetPasswordReply)),
)]
pub(crate) async fn reset_password(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    JsonBody(request): JsonBody<ResetPasswordRequest>,
) -> Result<Reply<ResetPasswordReply>, ApiError> {
    let command = ResetPassword {
        code: request.oob_code.into(),
        new_password: request.new_password.map(Into::into),
    };
    let done = account::reset_password(&state.domain, &caller, &command).await?;
    let reply = ResetPasswordReply { kind: KIND.to_owned(), email: done.email.map(Into::into) };
    Ok(Reply::new(reply).by_user(done.user_id))
}

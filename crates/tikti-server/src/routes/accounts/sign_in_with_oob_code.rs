//! `POST /v1/accounts/signInWithOobCode`: sign-in with a code that left by mail.

use axum::extract::State;
use tikti_domain::account::{self, SignInWithOobCode};
use tikti_domain::email::Email;

use super::sign_in;
use crate::api::{SignInReply, SignInWithOobCodeRequest};
use crate::error::ApiError;
use crate::extract::{Asker, JsonBody};
use crate::reply::Reply;
use crate::state::Shared;

/// Signs in with the code of an `EMAIL_SIGNIN` mail, which is used up.
///
/// Whatever is wrong with a code, the answer is the same.
#[utoipa::path(
    post,
    path = "/v1/accounts/signInWithOobCode",
    tag = "accounts",
    request_body = SignInWithOobCodeRequest,
    responses((status = 200, description = "A session has begun.", body = SignInReply)),
)]
pub(crate) async fn sign_in_with_oob_code(
    State(state): State<Shared>,
    Asker(caller): Asker,
    JsonBody(request): JsonBody<SignInWithOobCodeRequest>,
) -> Result<Reply<SignInReply>, ApiError> {
    let command = SignInWithOobCode {
        email: Email::parse(&request.email)?,
        code: request.oob_code.into(),
        return_secure_token: request.return_secure_token.unwrap_or(false),
    };
    let session = account::sign_in_with_oob_code(&state.domain, &caller, &command).await?;
    Ok(sign_in::reply(session))
}

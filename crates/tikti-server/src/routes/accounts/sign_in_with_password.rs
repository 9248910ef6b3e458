//! `POST /v1/accounts/signInWithPassword`: password sign-in for applications, with an API key.

use axum::extract::State;
use tikti_domain::account::{self, SignInCall};

use super::sign_in;
use crate::api::{SignInReply, SignInRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Signs in with e-mail address and password, on behalf of an application.
#[utoipa::path(
    post,
    path = "/v1/accounts/signInWithPassword",
    tag = "accounts",
    request_body = SignInRequest,
    responses((status = 200, description = "A session has begun.", body = SignInReply)),
)]
pub(crate) async fn sign_in_with_password(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    JsonBody(request): JsonBody<SignInRequest>,
) -> Result<Reply<SignInReply>, ApiError> {
    let command = sign_in::command(request, SignInCall::Keyed)?;
    Ok(sign_in::reply(account::sign_in(&state.domain, &caller, &command).await?))
}

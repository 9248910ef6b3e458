//! `POST /v1/accounts/revokeJti`: an administrator denies one token.

use axum::extract::State;
use tikti_domain::account;
use tikti_domain::clock::rfc3339;

use crate::api::{RevokeJtiReply, RevokeJtiRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyBearerAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Denies one token of a user until it would have expired; his other ones stay good.
#[utoipa::path(
    post,
    path = "/v1/accounts/revokeJti",
    tag = "accounts",
    request_body = RevokeJtiRequest,
    responses((status = 200, description = "It is good no more.", body = RevokeJtiReply)),
)]
pub(crate) async fn revoke_jti(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    JsonBody(request): JsonBody<RevokeJtiRequest>,
) -> Result<Reply<RevokeJtiReply>, ApiError> {
    let denied = account::revoke_jti(&state.domain, &caller, &request.token.into()).await?;
    let expires_at = rfc3339(denied.expires_at);
    Ok(Reply::new(RevokeJtiReply { jti: denied.jti, expires_at }))
}

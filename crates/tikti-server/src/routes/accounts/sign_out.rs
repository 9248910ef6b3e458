//! `POST /v1/accounts/signOut`: a session ends, or all of them.

use axum::extract::State;
use tikti_domain::account::{self, SignOut, SignOutBy};
use tikti_domain::error::Refusal;

use crate::api::{EmptyReply, SignOutRequest};
use crate::error::ApiError;
use crate::extract::JsonBody;
use crate::reply::Reply;
use crate::state::Shared;

/// Ends the session of a token, or with `everywhere` all sessions of its user.
///
/// Effective on the next request at every server; services that verify access tokens offline see it when
/// these expire.
#[utoipa::path(
    post,
    path = "/v1/accounts/signOut",
    tag = "accounts",
    request_body = SignOutRequest,
    responses((status = 200, description = "It has ended.", body = EmptyReply)),
)]
pub(crate) async fn sign_out(
    State(state): State<Shared>,
    JsonBody(request): JsonBody<SignOutRequest>,
) -> Result<Reply<EmptyReply>, ApiError> {
    let by = match (request.id_token, request.refresh_token) {
        (Some(token), None) => SignOutBy::IdToken(token.into()),
        (None, Some(token)) => SignOutBy::RefreshToken(token.into()),
        _ => {
            return Err(
                Refusal::invalid("idToken", "give this or refreshToken, one of them").into()
            );
        }
    };
    let ask = SignOut { by, everywhere: request.everywhere.unwrap_or(false) };
    let user = account::sign_out(&state.domain, &ask).await?;
    Ok(Reply::new(EmptyReply {}).by_user(user))
}

//! `POST /v1/accounts/delete`: one's own account goes.

use axum::extract::State;
use tikti_domain::account;

use crate::api::{DeleteReply, DeleteRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Deletes the account of an idToken's holder, with its memberships and sessions.
///
/// Needs a sign-in of the last 15 minutes by password or mailed code. The last platform administrator
/// stays.
#[utoipa::path(
    post,
    path = "/v1/accounts/delete",
    tag = "accounts",
    request_body = DeleteRequest,
    responses((status = 200, description = "It is gone.", body = DeleteReply)),
)]
pub(crate) async fn delete(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    JsonBody(request): JsonBody<DeleteRequest>,
) -> Result<Reply<DeleteReply>, ApiError> {
    let user = account::delete_account(&state.domain, &caller, &request.id_token.into()).await?;
    let kind = "identitytoolkit#DeleteAccountResponse".to_owned();
    Ok(Reply::new(DeleteReply { kind }).by_user(user))
}

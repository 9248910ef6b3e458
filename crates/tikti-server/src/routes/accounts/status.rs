//! `POST /v1/accounts/status`: an administrator suspends a user, or makes him active again.

use axum::extract::State;
use tikti_domain::account::{self, SetStatus};
use tikti_domain::email::Email;
use tikti_domain::user::UserStatus;

use crate::api::{StatusReply, StatusRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyBearerAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Sets the status of a user. Whoever is not `ACTIVE` has no access from the next request on.
///
/// The last active platform administrator stays active, and so does the last active `TENANT_ADMIN` of a
/// tenant.
#[utoipa::path(
    post,
    path = "/v1/accounts/status",
    tag = "accounts",
    request_body = StatusRequest,
    responses((status = 200, description = "The status now.", body = StatusReply)),
)]
pub(crate) async fn status(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    JsonBody(request): JsonBody<StatusRequest>,
) -> Result<Reply<StatusReply>, ApiError> {
    let command = SetStatus {
        email: Email::parse(&request.email)?,
        status: UserStatus::parse(&request.status)?,
    };
    let user = account::set_status(&state.domain, &caller, &command).await?;
    Ok(Reply::new(StatusReply {
        local_id: user.id.into(),
        email: user.email.map(String::from),
        status: user.status.as_str().to_owned(),
    }))
}

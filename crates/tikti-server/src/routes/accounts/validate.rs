//! `POST /v1/accounts/validate`: an administrator asks what a token says, and whether it is good.

use axum::extract::State;
use tikti_domain::account::{self, Validate};

use crate::api::{ValidateReply, ValidateRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyBearerAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Shows the claims of a token, of whichever class, that is good now for this audience.
///
/// One that is not is refused, and `details.step` names the step of the verification that said no.
#[utoipa::path(
    post,
    path = "/v1/accounts/validate",
    tag = "accounts",
    request_body = ValidateRequest,
    responses((status = 200, description = "It is good.", body = ValidateReply)),
)]
pub(crate) async fn validate(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    JsonBody(request): JsonBody<ValidateRequest>,
) -> Result<Reply<ValidateReply>, ApiError> {
    let command = Validate { token: request.token.into(), audience: request.audience };
    let claims = account::validate(&state.domain, &caller, &command).await?;
    Ok(Reply::new(ValidateReply(claims)))
}

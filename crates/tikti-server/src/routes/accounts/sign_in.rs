//! `POST /v1/accounts/signIn`: password sign-in for people, without an API key.

use axum::extract::State;
use tikti_domain::account::{self, SignIn, SignInCall, SignedIn};
use tikti_domain::email::Email;
use tikti_domain::error::Refusal;
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::secret::{ExposeSecret, SecretString};

use crate::api::{SignInReply, SignInRequest};
use crate::error::ApiError;
use crate::extract::{Asker, JsonBody};
use crate::reply::Reply;
use crate::state::Shared;

/// Signs in with e-mail address and password.
///
/// Needs no API key, for command lines and people. Unknown address and wrong password are told
/// apart by nothing.
#[utoipa::path(
    post,
    path = "/v1/accounts/signIn",
    tag = "accounts",
    request_body = SignInRequest,
    responses((status = 200, description = "A session has begun.", body = SignInReply)),
)]
pub(crate) async fn sign_in(
    State(state): State<Shared>,
    Asker(caller): Asker,
    JsonBody(request): JsonBody<SignInRequest>,
) -> Result<Reply<SignInReply>, ApiError> {
    let command = command(request, SignInCall::Open)?;
    Ok(reply(account::sign_in(&state.domain, &caller, &command).await?))
}

/// Types the request of either sign-in call.
pub(super) fn command(request: SignInRequest, call: SignInCall) -> Result<SignIn, Refusal> {
    let client = request.client_id.as_deref().map(ClientId::parse).transpose();
    Ok(SignIn {
        call,
        email: Email::parse(&request.email)?,
        password: request.password.into(),
        tenant: request.tenant_id.as_deref().map(TenantRef::parse).transpose()?,
        client: client.map_err(|refusal| refusal.about("clientId"))?,
        return_secure_token: request.return_secure_token.unwrap_or(false),
    })
}

/// Shows the session that began.
pub(super) fn reply(session: SignedIn) -> Reply<SignInReply> {
    let tenant = session.tenant_id.clone();
    let user = session.user_id.clone();
    Reply::new(SignInReply {
        id_token: exposed(&session.id_token),
        email: session.email.map(|email| email.as_str().to_owned()),
        local_id: session.user_id.into(),
        expires_in: session.expires_in_seconds,
        refresh_token: session.refresh_token.as_ref().map(exposed),
        tenant_id: session.tenant_id.map(String::from),
    })
    .in_tenant(tenant)
    .by_user(user)
}

/// The one reply in which a token is shown to whom it was made for.
fn exposed(token: &SecretString) -> String {
    token.expose_secret().to_owned()
}

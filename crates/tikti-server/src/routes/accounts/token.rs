//! `POST /v1/token`: a session goes on.

use axum::extract::State;
use tikti_domain::account::{self, Refresh};
use tikti_domain::error::Code;
use tikti_domain::id::TenantRef;
use tikti_domain::secret::ExposeSecret;

use crate::api::{TokenReply, TokenRequest};
use crate::error::ApiError;
use crate::extract::FormOrJson;
use crate::reply::Reply;
use crate::state::Shared;

/// Exchanges a refresh token for a fresh idToken and the next refresh token.
///
/// Takes JSON or a form. A refresh token is good once; for ten seconds its answer is given again, since
/// it may have been lost. Later use of it ends the session, because somebody has copied it.
#[utoipa::path(
    post,
    path = "/v1/token",
    tag = "accounts",
    request_body(content(
        (TokenRequest = "application/json"),
        (TokenRequest = "application/x-www-form-urlencoded"),
    )),
    responses((status = 200, description = "The session goes on.", body = TokenReply)),
)]
pub(crate) async fn token(
    State(state): State<Shared>,
    FormOrJson(request): FormOrJson<TokenRequest>,
) -> Result<Reply<TokenReply>, ApiError> {
    if request.grant_type != "refresh_token" {
        return Err(Code::UnsupportedGrantType.into());
    }
    let ask = Refresh {
        token: request.refresh_token.into(),
        tenant: request.tenant_id.as_deref().map(TenantRef::parse).transpose()?,
    };
    let session = account::refresh(&state.domain, &ask).await?;
    let (tenant, user) = (session.tenant_id, session.user_id.clone());
    let reply = TokenReply {
        id_token: session.id_token.expose_secret().to_owned(),
        refresh_token: session.refresh_token.expose_secret().to_owned(),
        expires_in: session.expires_in_seconds,
        token_type: "Bearer".to_owned(),
        user_id: session.user_id.into(),
    };
    Ok(Reply::new(reply).in_tenant(tenant).by_user(user))
}

//! `POST /v1/accounts/update`: one's own address, password, name and default tenant.

use axum::extract::State;
use tikti_domain::Caller;
use tikti_domain::account::{self, UpdateAccount};
use tikti_domain::email::Email;
use tikti_domain::error::Refusal;
use tikti_domain::id::TenantRef;
use tikti_domain::secret::ExposeSecret;

use crate::api::{UpdateReply, UpdateRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Changes the account of an idToken's holder, and goes on with its session.
///
/// A new address or password needs a sign-in of the last 15 minutes by password or mailed code. A new
/// password ends all other sessions; a new address is not verified yet, and the old one is told. With
/// `oobCode` alone a mailed code is redeemed.
#[utoipa::path(
    post,
    path = "/v1/accounts/update",
    tag = "accounts",
    request_body = UpdateRequest,
    responses((status = 200, description = "The account as it is now.", body = UpdateReply)),
)]
pub(crate) async fn update(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    JsonBody(request): JsonBody<UpdateRequest>,
) -> Result<Reply<UpdateReply>, ApiError> {
    if let Some(code) = &request.oob_code {
        return redeem(&state, &caller, &request, code).await;
    }
    let command = command(request)?;
    let updated = account::update_account(&state.domain, &caller, &command).await?;
    let (tenant, user) = (updated.tenant_id, updated.user_id.clone());
    let reply = UpdateReply {
        local_id: updated.user_id.into(),
        email: updated.email.map(String::from),
        id_token: Some(updated.id_token.expose_secret().to_owned()),
        refresh_token: updated.refresh_token.map(|token| token.expose_secret().to_owned()),
        expires_in: Some(updated.expires_in_seconds),
    };
    Ok(Reply::new(reply).in_tenant(tenant).by_user(user))
}

/// A code comes alone: what it is good for is in it.
async fn redeem(
    state: &Shared,
    caller: &Caller,
    request: &UpdateRequest,
    code: &str,
) -> Result<Reply<UpdateReply>, ApiError> {
    let UpdateRequest { id_token, email, password, display_name, default_tenant_id, .. } = request;
    let others = [id_token, email, password, display_name, default_tenant_id];
    if others.iter().any(|other| other.is_some()) {
        return Err(Refusal::invalid("oobCode", "must come alone").into());
    }
    let redeemed = account::redeem_code(&state.domain, caller, &code.to_owned().into()).await?;
    let user = redeemed.user_id.clone();
    let reply = UpdateReply {
        local_id: redeemed.user_id.into(),
        email: redeemed.email.map(String::from),
        id_token: None,
        refresh_token: None,
        expires_in: None,
    };
    Ok(Reply::new(reply).by_user(user))
}

fn command(request: UpdateRequest) -> Result<UpdateAccount, Refusal> {
    let id_token = request.id_token.ok_or_else(|| Refusal::invalid("idToken", "is missing"))?;
    let tenant = request.default_tenant_id.as_deref().map(TenantRef::parse).transpose();
    Ok(UpdateAccount {
        id_token: id_token.into(),
        email: request.email.as_deref().map(Email::parse).transpose()?,
        password: request.password.map(Into::into),
        display_name: request.display_name,
        default_tenant: tenant.map_err(|refusal| refusal.about("defaultTenantId"))?,
    })
}

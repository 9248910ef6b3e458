//! `POST /v1/accounts/revoke`: an administrator ends what was given out for a user.

use axum::extract::State;
use tikti_domain::account::{self, Revoke, RevokeScope};
use tikti_domain::clock::rfc3339;
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Refusal};
use tikti_domain::id::TenantRef;

use crate::api::{RevokeReply, RevokeRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyBearerAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Ends all sessions and tokens of a user, or what is good in one tenant.
///
/// Effective on the next request at every server; services that verify access tokens offline see it when
/// these expire.
#[utoipa::path(
    post,
    path = "/v1/accounts/revoke",
    tag = "accounts",
    request_body = RevokeRequest,
    responses((status = 200, description = "Everything of before is over.", body = RevokeReply)),
)]
pub(crate) async fn revoke(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    JsonBody(request): JsonBody<RevokeRequest>,
) -> Result<Reply<RevokeReply>, ApiError> {
    let command = Revoke { email: Email::parse(&request.email)?, scope: scope(&request)? };
    let revoked = account::revoke(&state.domain, &caller, &command).await?;
    Ok(Reply::new(RevokeReply {
        local_id: revoked.user_id.into(),
        email: revoked.email.into(),
        token_version: revoked.token_version,
        revoked_at: rfc3339(revoked.revoked_at),
    }))
}

fn scope(request: &RevokeRequest) -> Result<RevokeScope, Refusal> {
    match (request.scope.as_str(), &request.tenant_id) {
        ("global", None) => Ok(RevokeScope::Global),
        // Two readers could take it for either.
        ("global", Some(_)) => Err(Refusal::invalid("tenantId", "belongs to the scope tenant")),
        ("tenant", Some(tenant)) => Ok(RevokeScope::Tenant(TenantRef::parse(tenant)?)),
        ("tenant", None) => Err(Refusal::of(Code::TenantRequired).detail("tenantId", "is missing")),
        _ => Err(Refusal::invalid("scope", "must be global or tenant")),
    }
}

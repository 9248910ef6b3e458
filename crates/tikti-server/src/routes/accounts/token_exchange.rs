//! `POST /v1/accounts/token/exchange`: an idToken becomes an access or worker token of one tenant,
//! for one audience.
//!
//! What is decided, and in which order, stands in `tikti_domain::token_exchange::decide`.

use axum::extract::State;
use tikti_domain::error::Refusal;
use tikti_domain::id::{ClientId, EventType, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::token_exchange::{self, Exchange};

use crate::api::{ExchangeReply, ExchangeRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker, TenantHeader};
use crate::reply::Reply;
use crate::state::Shared;

/// Exchanges an idToken for an access token, or for a worker token where the audience has event
/// types.
///
/// The tenant is that of the body, else of `X-Tenant-Id`, else of the idToken. Scopes left out are
/// the client's default ones.
#[utoipa::path(
    post,
    path = "/v1/accounts/token/exchange",
    tag = "accounts",
    params(
        ("X-Tenant-Id" = Option<String>, Header, description = "Tenant, by id or slug; must agree with `tenantId`"),
    ),
    request_body = ExchangeRequest,
    responses((status = 200, description = "A token was minted.", body = ExchangeReply)),
)]
pub(crate) async fn token_exchange(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    TenantHeader(tenant_header): TenantHeader,
    JsonBody(request): JsonBody<ExchangeRequest>,
) -> Result<Reply<ExchangeReply>, ApiError> {
    let command = command(request, tenant_header)?;
    let issued = token_exchange::exchange(&state.domain, &caller, &command).await?;
    let (tenant, user) = (issued.tenant_id.clone(), issued.user_id.clone());
    let reply = ExchangeReply {
        access_token: issued.token.expose_secret().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: issued.expires_in_seconds,
        scope: issued.scope.to_string(),
        tenant_id: issued.tenant_id.into(),
    };
    Ok(Reply::new(reply).in_tenant(Some(tenant)).by_user(user))
}

fn command(
    request: ExchangeRequest,
    tenant_header: Option<TenantRef>,
) -> Result<Exchange, Refusal> {
    let scopes = request.scopes.as_ref().map(|scopes| ScopeSet::from_list(scopes.iter()));
    let event_types = request
        .event_types
        .map(|types| types.iter().map(|text| EventType::parse(text)).collect::<Result<_, _>>());
    Ok(Exchange {
        id_token: request.id_token.into(),
        audience: ClientId::parse(&request.audience)?,
        scopes: scopes.transpose()?,
        event_types: event_types.transpose()?,
        ttl_seconds: request.ttl_seconds,
        subject: request.subject,
        tenant: request.tenant_id.as_deref().map(TenantRef::parse).transpose()?,
        tenant_header,
    })
}

//! `POST /v1/tenants`: a new tenant, with everything that the template gives it.

use axum::extract::State;
use tikti_domain::error::Refusal;
use tikti_domain::id::{Slug, TenantId};
use tikti_domain::tenancy::{self, CreateTenant};

use super::read::shown;
use crate::api::{CreateTenantRequest, TenantReply};
use crate::error::ApiError;
use crate::extract::{BearerAsker, JsonBody};
use crate::reply::Reply;
use crate::state::Shared;

/// Creates a tenant with the roles and clients of the template; the caller becomes its
/// administrator.
///
/// For platform administrators. Answers 200, as every creation does.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "tenants",
    request_body = CreateTenantRequest,
    responses((status = 200, description = "The tenant exists, durably.", body = TenantReply)),
)]
pub(crate) async fn create_tenant(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    JsonBody(request): JsonBody<CreateTenantRequest>,
) -> Result<Reply<TenantReply>, ApiError> {
    let command = CreateTenant::try_from(request)?;
    let tenant = tenancy::create_tenant(&state.domain, &caller, &command).await?;
    let id = tenant.id.clone();
    Ok(Reply::new(shown(tenant)).in_tenant(Some(id)))
}

impl TryFrom<CreateTenantRequest> for CreateTenant {
    type Error = Refusal;

    fn try_from(request: CreateTenantRequest) -> Result<Self, Refusal> {
        Ok(Self {
            slug: Slug::parse(&request.slug).map_err(|refusal| refusal.about("slug"))?,
            name: request.name,
            id: request
                .id
                .as_deref()
                .map(TenantId::parse)
                .transpose()
                .map_err(|refusal| refusal.about("id"))?,
        })
    }
}

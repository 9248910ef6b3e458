//! `PATCH DELETE /v1/tenants/{t}`: what a tenant is called, whether it is served, and its end.

use axum::extract::State;
use tikti_domain::error::Refusal;
use tikti_domain::tenancy::{self, UpdateTenant};
use tikti_domain::tenant::TenantStatus;

use super::read::shown;
use crate::api::{EmptyReply, TenantReply, UpdateTenantRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Renames a tenant, or says whether people may join it by themselves.
///
/// A platform administrator suspends and activates it too; while it is suspended nobody else gets in.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{t}",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    request_body = UpdateTenantRequest,
    responses((status = 200, description = "The tenant as it is now.", body = TenantReply)),
)]
pub(crate) async fn update_tenant(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    JsonBody(request): JsonBody<UpdateTenantRequest>,
) -> Result<Reply<TenantReply>, ApiError> {
    let ask = UpdateTenant::try_from(request)?;
    let tenant = tenancy::update_tenant(&state.domain, &caller, (&tenant, &ask)).await?;
    let id = tenant.id.clone();
    Ok(Reply::new(shown(tenant)).in_tenant(Some(id)))
}

impl TryFrom<UpdateTenantRequest> for UpdateTenant {
    type Error = Refusal;

    fn try_from(request: UpdateTenantRequest) -> Result<Self, Refusal> {
        let UpdateTenantRequest { name, self_sign_up, status } = request;
        let status = status.as_deref().map(TenantStatus::parse).transpose()?;
        Ok(Self { name, self_sign_up, status })
    }
}

/// Deletes a tenant with its roles, clients, workers, memberships and API keys. Its id is never used again.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    responses((status = 200, description = "The tenant is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_tenant(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
) -> Result<Reply<EmptyReply>, ApiError> {
    tenancy::remove_tenant(&state.domain, &caller, &tenant).await?;
    Ok(Reply::new(EmptyReply {}))
}

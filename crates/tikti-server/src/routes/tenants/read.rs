//! `GET /v1/tenants/{t}`: one tenant, by id or slug.

use axum::extract::State;
use tikti_domain::clock::rfc3339;
use tikti_domain::tenancy;
use tikti_domain::tenant::Tenant;

use crate::api::TenantReply;
use crate::error::ApiError;
use crate::extract::TenantAsker;
use crate::reply::Reply;
use crate::state::Shared;

/// Shows a tenant to its members and to platform administrators.
///
/// For everybody else a tenant that exists looks like one that does not.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    responses((status = 200, description = "The tenant.", body = TenantReply)),
)]
pub(crate) async fn read_tenant(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
) -> Result<Reply<TenantReply>, ApiError> {
    let tenant = tenancy::get_tenant(&state.domain, &caller, &tenant).await?;
    let id = tenant.id.clone();
    Ok(Reply::new(shown(tenant)).in_tenant(Some(id)))
}

/// Shows a tenant on the wire.
pub(super) fn shown(tenant: Tenant) -> TenantReply {
    TenantReply {
        id: tenant.id.into(),
        slug: tenant.slug.into(),
        name: tenant.name,
        status: tenant.status.as_str().to_owned(),
        self_sign_up: tenant.self_sign_up,
        created_at: rfc3339(tenant.created_at),
    }
}

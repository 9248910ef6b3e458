//! `/v1/tenants/{t}/roles`: what the members of a tenant may be given.

use axum::extract::State;
use tikti_domain::error::Refusal;
use tikti_domain::etag::Precondition;
use tikti_domain::id::RoleName;
use tikti_domain::scope::ScopeSet;
use tikti_domain::tenancy::{self, NamedRole, PutRole};

use crate::api::{CreateRoleRequest, EmptyReply, PutRoleRequest, RoleListReply, RoleReply};
use crate::error::ApiError;
use crate::extract::{IfMatch, JsonBody, Listed, Paging, PathId, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Makes a role.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/roles",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    request_body = CreateRoleRequest,
    responses((status = 200, description = "The role.", body = RoleReply)),
)]
pub(crate) async fn create_role(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    JsonBody(request): JsonBody<CreateRoleRequest>,
) -> Result<Reply<RoleReply>, ApiError> {
    let ask = PutRole {
        name: RoleName::parse(&request.name).map_err(|refusal| refusal.about("name"))?,
        permissions: permissions(&request.permissions)?,
        precondition: Precondition::None,
    };
    let role = tenancy::create_role(&state.domain, &caller, &tenant, &ask).await?;
    Ok(tagged(role))
}

/// Lists the roles of a tenant, page by page, in the order of their names.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/roles",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most roles in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = RoleListReply)),
)]
pub(crate) async fn list_roles(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Paging(page): Paging,
    listed: Listed,
) -> Result<Reply<serde_json::Value>, ApiError> {
    let page = tenancy::list_roles(&state.domain, &caller, (&tenant, &page)).await?;
    let roles = page.items.into_iter().map(shown).collect();
    listed.reply(RoleListReply { roles, next_page_token: page.next }, |list| &list.roles)
}

/// Shows a role.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/roles/{name}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("name" = String, Path, description = "Name of the role"),
    ),
    responses((status = 200, description = "The role.", body = RoleReply)),
)]
pub(crate) async fn read_role(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(name): PathId<RoleName>,
) -> Result<Reply<RoleReply>, ApiError> {
    let role = tenancy::get_role(&state.domain, &caller, (&tenant, &name)).await?;
    Ok(tagged(role))
}

/// Makes a role, or changes the one that `If-Match` names.
///
/// The same role once more is answered as a new one. Another one of this name is `ROLE_EXISTS`, unless
/// `If-Match` names it by its `ETag` or is `*`.
#[utoipa::path(
    put,
    path = "/v1/tenants/{t}/roles/{name}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("name" = String, Path, description = "Name of the role"),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the role that is to be changed, or `*`"),
    ),
    request_body = PutRoleRequest,
    responses((status = 200, description = "The role as it is now.", body = RoleReply)),
)]
pub(crate) async fn put_role(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(name): PathId<RoleName>,
    IfMatch(precondition): IfMatch,
    JsonBody(request): JsonBody<PutRoleRequest>,
) -> Result<Reply<RoleReply>, ApiError> {
    if request.name.as_deref().is_some_and(|given| given != name.as_str()) {
        return Err(Refusal::invalid("name", "is not the one of the path").into());
    }
    let ask = PutRole { name, permissions: permissions(&request.permissions)?, precondition };
    let role = tenancy::put_role(&state.domain, &caller, &tenant, &ask).await?;
    Ok(tagged(role))
}

/// Deletes a role: whoever holds it holds nothing by it from then on.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/roles/{name}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("name" = String, Path, description = "Name of the role"),
    ),
    responses((status = 200, description = "The role is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_role(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(name): PathId<RoleName>,
) -> Result<Reply<EmptyReply>, ApiError> {
    tenancy::delete_role(&state.domain, &caller, (&tenant, &name)).await?;
    Ok(Reply::new(EmptyReply {}))
}

fn permissions(list: &[String]) -> Result<ScopeSet, Refusal> {
    ScopeSet::from_list(list.iter().map(String::as_str))
        .map_err(|refusal| refusal.about("permissions"))
}

fn tagged(role: NamedRole) -> Reply<RoleReply> {
    let etag = role.etag();
    Reply::new(shown(role)).tagged(&etag)
}

fn shown(NamedRole { name, role }: NamedRole) -> RoleReply {
    RoleReply {
        name: name.into(),
        permissions: role.permissions.iter().map(str::to_owned).collect(),
        built_in: role.built_in,
        managed: role.managed,
    }
}

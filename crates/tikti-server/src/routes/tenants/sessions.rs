//! `/v1/tenants/{t}/users/{id}/sessions`: where a member is signed in, in this tenant.

use axum::extract::State;
use tikti_domain::id::UserId;
use tikti_domain::tenancy;

use crate::api::{EmptyReply, SessionListReply};
use crate::error::ApiError;
use crate::extract::{Paging, PathId, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Lists a member's sessions that speak for the tenant, page by page, in the order of their beginning.
///
/// Those of other tenants are not shown; a page may be short and still have a next one.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/users/{id}/sessions",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "User id"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most sessions in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = SessionListReply)),
)]
pub(crate) async fn list_member_sessions(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(user): PathId<UserId>,
    Paging(page): Paging,
) -> Result<Reply<SessionListReply>, ApiError> {
    let asked = (&tenant, &user, &page);
    let page = tenancy::list_member_sessions(&state.domain, &caller, asked).await?;
    Ok(Reply::new(page.into()))
}

/// Ends all of a member's sessions that speak for the tenant: their tokens are dead from then on.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/users/{id}/sessions",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "User id"),
    ),
    responses((status = 200, description = "None is left.", body = EmptyReply)),
)]
pub(crate) async fn end_member_sessions(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(user): PathId<UserId>,
) -> Result<Reply<EmptyReply>, ApiError> {
    tenancy::end_member_sessions(&state.domain, &caller, (&tenant, &user)).await?;
    Ok(Reply::new(EmptyReply {}))
}

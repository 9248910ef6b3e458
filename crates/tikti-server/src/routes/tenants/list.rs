//! `GET /v1/tenants`: every tenant for a platform administrator, one's own for everybody else.

use axum::extract::State;
use tikti_domain::tenancy;

use super::read::shown;
use crate::api::TenantListReply;
use crate::error::ApiError;
use crate::extract::{BearerAsker, Paging};
use crate::reply::Reply;
use crate::state::Shared;

/// Lists tenants, page by page, in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "tenants",
    params(
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most tenants in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = TenantListReply)),
)]
pub(crate) async fn list_tenants(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    Paging(page): Paging,
) -> Result<Reply<TenantListReply>, ApiError> {
    let page = tenancy::list_tenants(&state.domain, &caller, &page).await?;
    Ok(Reply::new(TenantListReply {
        tenants: page.items.into_iter().map(shown).collect(),
        next_page_token: page.next,
    }))
}

//! `POST /v1/accounts/lookup`: whose idToken is this, and is it still good?

use axum::extract::State;
use tikti_domain::account::{self, LookedUp, Lookup};
use tikti_domain::clock::rfc3339;

use crate::api::{LookupMembership, LookupReply, LookupRequest, LookupUser};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Looks up the user behind an idToken, as stored now.
///
/// Memberships are read only where `memberships` is true.
#[utoipa::path(
    post,
    path = "/v1/accounts/lookup",
    tag = "accounts",
    request_body = LookupRequest,
    responses((status = 200, description = "The token is good.", body = LookupReply)),
)]
pub(crate) async fn lookup(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    JsonBody(request): JsonBody<LookupRequest>,
) -> Result<Reply<LookupReply>, ApiError> {
    let command = Lookup {
        id_token: request.id_token.into(),
        memberships: request.memberships.unwrap_or(false),
    };
    let found = account::lookup(&state.domain, &caller, &command).await?;
    let (tenant, user) = (found.tenant_id.clone(), found.user_id.clone());
    Ok(Reply::new(LookupReply { users: vec![shown(found)] }).in_tenant(tenant).by_user(user))
}

fn shown(found: LookedUp) -> LookupUser {
    LookupUser {
        local_id: found.user_id.into(),
        email: found.email.map(|email| email.as_str().to_owned()),
        role: found.role.as_str().to_owned(),
        tenant_id: found.tenant_id.map(String::from),
        status: found.status.as_str().to_owned(),
        email_verified: found.email_verified,
        display_name: found.display_name,
        created_at: rfc3339(found.created_at),
        last_login_at: found.last_login_at.map(rfc3339),
        memberships: found.memberships.map(|memberships| {
            memberships
                .into_iter()
                .map(|(tenant, roles)| LookupMembership {
                    tenant_id: tenant.into(),
                    roles: roles.into_iter().map(String::from).collect(),
                })
                .collect()
        }),
    }
}

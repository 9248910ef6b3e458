//! `/v1/tenants/{t}/users`: who belongs to a tenant, and with which roles.

use std::collections::BTreeSet;

use axum::extract::State;
use tikti_domain::clock::rfc3339;
use tikti_domain::email::Email;
use tikti_domain::error::Refusal;
use tikti_domain::id::{RoleName, UserId};
use tikti_domain::tenancy::{self, CreateMember, Member, MemberName, RemovedMember};

use crate::api::{
    CreateMemberRequest, MemberListReply, MemberReply, RemoveMemberRequest, RemovedMemberReply,
    RevokedMemberReply, UpdateMemberRequest,
};
use crate::error::ApiError;
use crate::extract::{JsonBody, Paging, PathId, Reads, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Adds a user to the tenant, at once.
///
/// With `create` a user is made where nobody bears the address: without a password, which he sets by the
/// link of a mail.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/users",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    request_body = CreateMemberRequest,
    responses((status = 200, description = "The user is a member.", body = MemberReply)),
)]
pub(crate) async fn create_member(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Reads(language): Reads,
    JsonBody(request): JsonBody<CreateMemberRequest>,
) -> Result<Reply<MemberReply>, ApiError> {
    let ask = CreateMember {
        email: Email::parse(&request.email)?,
        roles: roles(&request.roles)?,
        create: request.create.unwrap_or(false),
        language,
    };
    let member = tenancy::create_member(&state.domain, &caller, (&tenant, &ask)).await?;
    Ok(Reply::new(shown(member)))
}

/// Lists the members of the tenant, page by page, in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/users",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most members in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = MemberListReply)),
)]
pub(crate) async fn list_members(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Paging(page): Paging,
) -> Result<Reply<MemberListReply>, ApiError> {
    let page = tenancy::list_members(&state.domain, &caller, (&tenant, &page)).await?;
    Ok(Reply::new(MemberListReply {
        users: page.items.into_iter().map(shown).collect(),
        next_page_token: page.next,
    }))
}

/// Shows a member.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/users/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "User id"),
    ),
    responses((status = 200, description = "The member.", body = MemberReply)),
)]
pub(crate) async fn read_member(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(user): PathId<UserId>,
) -> Result<Reply<MemberReply>, ApiError> {
    let member = tenancy::get_member(&state.domain, &caller, (&tenant, &user)).await?;
    Ok(Reply::new(shown(member)))
}

/// Gives a member other roles: those that are named and no more.
///
/// Nobody gives what he does not hold, and the last `TENANT_ADMIN` stays one.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{t}/users/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "User id"),
    ),
    request_body = UpdateMemberRequest,
    responses((status = 200, description = "The member as he is now.", body = MemberReply)),
)]
pub(crate) async fn update_member(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(user): PathId<UserId>,
    JsonBody(request): JsonBody<UpdateMemberRequest>,
) -> Result<Reply<MemberReply>, ApiError> {
    let roles = roles(&request.roles)?;
    let member = tenancy::update_member(&state.domain, &caller, (&tenant, &user, &roles)).await?;
    Ok(Reply::new(shown(member)))
}

/// Removes a member: his tokens of this tenant are dead from then on.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/users/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "User id"),
    ),
    responses((status = 200, description = "He is a member no more.", body = RemovedMemberReply)),
)]
pub(crate) async fn delete_member(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(user): PathId<UserId>,
) -> Result<Reply<RemovedMemberReply>, ApiError> {
    let name = MemberName::Id(user);
    let removed = tenancy::delete_member(&state.domain, &caller, (&tenant, &name)).await?;
    Ok(Reply::new(gone(removed)))
}

/// Removes a member by his address.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/users/remove",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    request_body = RemoveMemberRequest,
    responses((status = 200, description = "He is a member no more.", body = RemovedMemberReply)),
)]
pub(crate) async fn remove_member(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    JsonBody(request): JsonBody<RemoveMemberRequest>,
) -> Result<Reply<RemovedMemberReply>, ApiError> {
    let name = MemberName::Email(Email::parse(&request.email)?);
    let removed = tenancy::delete_member(&state.domain, &caller, (&tenant, &name)).await?;
    Ok(Reply::new(gone(removed)))
}

/// Ends what a member was given out in the tenant: tokens, and sessions of before. He stays a member.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/memberships/{id}/revoke",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Membership id: the user's"),
    ),
    responses((status = 200, description = "Everything of before is over.", body = RevokedMemberReply)),
)]
pub(crate) async fn revoke_member(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(user): PathId<UserId>,
) -> Result<Reply<RevokedMemberReply>, ApiError> {
    let Member { membership, email, .. } =
        tenancy::revoke_member(&state.domain, &caller, (&tenant, &user)).await?;
    Ok(Reply::new(RevokedMemberReply {
        tenant_id: membership.tenant_id.into(),
        user_id: membership.user_id.into(),
        email: email.map(String::from),
        token_version: membership.mver,
        revoked_at: rfc3339(membership.revoked_at.unwrap_or(membership.created_at)),
    }))
}

fn roles(names: &[String]) -> Result<BTreeSet<RoleName>, Refusal> {
    let parse = |name: &String| RoleName::parse(name).map_err(|refusal| refusal.about("roles"));
    names.iter().map(parse).collect()
}

fn shown(Member { membership, email, status }: Member) -> MemberReply {
    MemberReply {
        id: membership.user_id.to_string(),
        tenant_id: membership.tenant_id.into(),
        user_id: membership.user_id.into(),
        email: email.map(String::from),
        roles: membership.roles.into_iter().map(String::from).collect(),
        status: status.as_str().to_owned(),
        created_at: rfc3339(membership.created_at),
    }
}

fn gone(RemovedMember { member, removed_at }: RemovedMember) -> RemovedMemberReply {
    RemovedMemberReply {
        tenant_id: member.membership.tenant_id.into(),
        user_id: member.membership.user_id.into(),
        email: member.email.map(String::from),
        removed_at: rfc3339(removed_at),
    }
}

//! `/v1/users`: the directory of users, for platform administrators.

use axum::extract::State;
use tikti_domain::account::{self, UpdateUser};
use tikti_domain::clock::rfc3339;
use tikti_domain::error::Refusal;
use tikti_domain::id::{TenantRef, UserId};
use tikti_domain::user::{GlobalRole, User, UserStatus};

use crate::api::{EmptyReply, SendOobCodeReply, UpdateUserRequest, UserListReply, UserReply};
use crate::error::ApiError;
use crate::extract::{EmailFilter, JsonBody, KeyBearerAsker, Paging, PathId, Reads};
use crate::reply::Reply;
use crate::state::Shared;

/// Lists all users, page by page, or the one who bears an address.
#[utoipa::path(
    get,
    path = "/v1/users",
    tag = "users",
    params(
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most users in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
        ("email" = Option<String>, Query, description = "Address of the one who is wanted"),
    ),
    responses((status = 200, description = "One page.", body = UserListReply)),
)]
pub(crate) async fn list_users(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    Paging(page): Paging,
    EmailFilter(email): EmailFilter,
) -> Result<Reply<UserListReply>, ApiError> {
    let page = account::list_users(&state.domain, &caller, &page, email.as_ref()).await?;
    Ok(Reply::new(UserListReply {
        users: page.items.into_iter().map(shown).collect(),
        next_page_token: page.next,
    }))
}

/// Shows one user.
#[utoipa::path(
    get,
    path = "/v1/users/{id}",
    tag = "users",
    params(("id" = String, Path, description = "User id")),
    responses((status = 200, description = "The user.", body = UserReply)),
)]
pub(crate) async fn read_user(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    PathId(id): PathId<UserId>,
) -> Result<Reply<UserReply>, ApiError> {
    let user = account::get_user(&state.domain, &caller, &id).await?;
    Ok(Reply::new(shown(user)))
}

/// Changes role, status, name, verification or default tenant of a user.
///
/// Becoming or ceasing to be a platform administrator, and every change of status, ends all of the user's
/// sessions. The last active platform administrator stays one, and the last active `TENANT_ADMIN` of a
/// tenant stays active.
#[utoipa::path(
    patch,
    path = "/v1/users/{id}",
    tag = "users",
    params(("id" = String, Path, description = "User id")),
    request_body = UpdateUserRequest,
    responses((status = 200, description = "The user as he is now.", body = UserReply)),
)]
pub(crate) async fn update_user(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    PathId(id): PathId<UserId>,
    JsonBody(request): JsonBody<UpdateUserRequest>,
) -> Result<Reply<UserReply>, ApiError> {
    let command = UpdateUser::try_from(request)?;
    let user = account::update_user(&state.domain, &caller, (&id, &command)).await?;
    Ok(Reply::new(shown(user)))
}

/// Deletes a user with memberships and sessions. The last platform administrator stays.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}",
    tag = "users",
    params(("id" = String, Path, description = "User id")),
    responses((status = 200, description = "The user is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_user(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    PathId(id): PathId<UserId>,
) -> Result<Reply<EmptyReply>, ApiError> {
    account::remove_user(&state.domain, &caller, &id).await?;
    Ok(Reply::new(EmptyReply {}))
}

/// Mails a user a code to set a new password with.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/passwordReset",
    tag = "users",
    params(("id" = String, Path, description = "User id")),
    responses((status = 200, description = "It was sent.", body = SendOobCodeReply)),
)]
pub(crate) async fn reset_user_password(
    State(state): State<Shared>,
    KeyBearerAsker(caller): KeyBearerAsker,
    Reads(language): Reads,
    PathId(id): PathId<UserId>,
) -> Result<Reply<SendOobCodeReply>, ApiError> {
    let sent = account::reset_user_password(&state.domain, &caller, (&id, language)).await?;
    Ok(Reply::new(sent.into()))
}

impl TryFrom<UpdateUserRequest> for UpdateUser {
    type Error = Refusal;

    fn try_from(request: UpdateUserRequest) -> Result<Self, Refusal> {
        let tenant = request.default_tenant_id.as_deref().map(TenantRef::parse).transpose();
        Ok(Self {
            role: request.role.as_deref().map(GlobalRole::parse).transpose()?,
            status: request.status.as_deref().map(UserStatus::parse).transpose()?,
            display_name: request.display_name,
            email_verified: request.email_verified,
            default_tenant: tenant.map_err(|refusal| refusal.about("defaultTenantId"))?,
        })
    }
}

fn shown(user: User) -> UserReply {
    UserReply {
        local_id: user.id.into(),
        email: user.email.map(String::from),
        email_verified: user.email_verified,
        role: user.role.as_str().to_owned(),
        status: user.status.as_str().to_owned(),
        display_name: user.display_name,
        default_tenant_id: user.default_tenant.map(String::from),
        created_at: rfc3339(user.created_at),
        last_login_at: user.last_login_at.map(rfc3339),
    }
}

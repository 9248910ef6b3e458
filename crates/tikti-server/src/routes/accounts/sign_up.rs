//! `POST /v1/accounts/signUp`: an administrator makes a user.

use axum::extract::State;
use tikti_domain::account::{self, Joins, SignUp};
use tikti_domain::clock::rfc3339;
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Refusal};
use tikti_domain::id::{RoleName, TenantRef};
use tikti_domain::user::GlobalRole;

use crate::api::{SignUpReply, SignUpRequest};
use crate::error::ApiError;
use crate::extract::{BearerAsker, JsonBody};
use crate::reply::Reply;
use crate::state::Shared;

/// Makes a user with a password, and a member of a tenant where one is named.
#[utoipa::path(
    post,
    path = "/v1/accounts/signUp",
    tag = "accounts",
    request_body = SignUpRequest,
    responses((status = 200, description = "The user exists, durably.", body = SignUpReply)),
)]
pub(crate) async fn sign_up(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    JsonBody(request): JsonBody<SignUpRequest>,
) -> Result<Reply<SignUpReply>, ApiError> {
    let command = SignUp::try_from(request)?;
    let user = account::sign_up(&state.domain, &caller, &command).await?;
    Ok(Reply::new(SignUpReply {
        local_id: user.id.into(),
        email: user.email.map(String::from),
        created_at: rfc3339(user.created_at),
    }))
}

impl TryFrom<SignUpRequest> for SignUp {
    type Error = Refusal;

    fn try_from(request: SignUpRequest) -> Result<Self, Refusal> {
        let roles = request.roles.unwrap_or_default();
        let joins = match request.tenant_id {
            None if roles.is_empty() => None,
            None => {
                let about = "roles are a tenant's: name it";
                return Err(Refusal::new(Code::TenantRequired, about).detail("tenantId", about));
            }
            Some(tenant) => Some(Joins {
                tenant: TenantRef::parse(&tenant)?,
                roles: roles.iter().map(|role| RoleName::parse(role)).collect::<Result<_, _>>()?,
            }),
        };
        let role = request.role.as_deref().map(GlobalRole::parse).transpose()?;
        Ok(Self {
            email: Email::parse(&request.email)?,
            password: request.password.into(),
            role: role.unwrap_or(GlobalRole::CompanyEmployee),
            joins,
        })
    }
}

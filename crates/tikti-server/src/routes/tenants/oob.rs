//! `POST /v1/tenants/{t}/oob/send`: a tenant has a code sent by mail, or invites somebody.

use axum::extract::State;
use tikti_domain::email::Email;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::tenancy::{self, CodeSent, SendCode, TenantCode};

use crate::api::{SendTenantCodeReply, SendTenantCodeRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, Reads, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

const KIND: &str = "tikti#SendOobResponse";

/// Sends a code by mail that is good in this tenant alone: for a new password of a member, or a sign-in.
///
/// The answer is the same whether or not anybody bears the address. `EMAIL_SIGNIN` invites: it makes the user and
/// his membership, with the role `TENANT_USER`, where they are missing.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/oob/send",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    request_body = SendTenantCodeRequest,
    responses((status = 200, description = "It was sent, if there is such a user.", body = SendTenantCodeReply)),
)]
pub(crate) async fn send_code(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Reads(language): Reads,
    JsonBody(request): JsonBody<SendTenantCodeRequest>,
) -> Result<Reply<SendTenantCodeReply>, ApiError> {
    let ask = SendCode {
        kind: TenantCode::parse(&request.request_type)?,
        email: Email::parse(&request.email)?,
        continue_url: request.continue_url,
        language,
    };
    let sent = tenancy::send_code(&state.domain, &caller, (&tenant, &ask)).await?;
    Ok(Reply::new(sent.into()))
}

impl From<CodeSent> for SendTenantCodeReply {
    fn from(sent: CodeSent) -> Self {
        Self {
            kind: KIND.to_owned(),
            email: sent.email.into(),
            request_type: sent.kind.oob_type().as_str().to_owned(),
            expires_in: sent.expires_in_seconds,
            oob_code: sent.code.map(|code| code.expose_secret().to_owned()),
        }
    }
}

//! `POST /v1/accounts/sendOobCode`: a code leaves by mail.

use axum::extract::State;
use tikti_domain::account::{self, OobCodeSent, OobRequest, SendOobCode};
use tikti_domain::email::Email;
use tikti_domain::error::Refusal;
use tikti_domain::mail::Language;
use tikti_domain::secret::{ExposeSecret, SecretString};

use crate::api::{SendOobCodeReply, SendOobCodeRequest};
use crate::error::ApiError;
use crate::extract::{JsonBody, KeyAsker, Reads};
use crate::reply::Reply;
use crate::state::Shared;

const KIND: &str = "identitytoolkit#GetOobConfirmationCodeResponse";

/// Sends a code by mail: for a new password, a sign-in, or an address to be confirmed.
///
/// The answer is the same whether or not anybody bears the address.
#[utoipa::path(
    post,
    path = "/v1/accounts/sendOobCode",
    tag = "accounts",
    request_body = SendOobCodeRequest,
    responses((status = 200, description = "It was sent, if there is such a user.", body = SendOobCodeReply)),
)]
pub(crate) async fn send_oob_code(
    State(state): State<Shared>,
    KeyAsker(caller): KeyAsker,
    Reads(language): Reads,
    JsonBody(request): JsonBody<SendOobCodeRequest>,
) -> Result<Reply<SendOobCodeReply>, ApiError> {
    let command = command(request, language)?;
    let sent = account::send_oob_code(&state.domain, &caller, &command).await?;
    Ok(Reply::new(sent.into()))
}

impl From<OobCodeSent> for SendOobCodeReply {
    fn from(sent: OobCodeSent) -> Self {
        Self {
            kind: KIND.to_owned(),
            email: sent.email.into(),
            oob_code: sent.code.map(|code| code.expose_secret().to_owned()),
        }
    }
}

fn command(
    request: SendOobCodeRequest,
    language: Option<Language>,
) -> Result<SendOobCode, Refusal> {
    let SendOobCodeRequest { request_type, email, id_token, new_email, continue_url } = request;
    let request = match request_type.as_str() {
        "PASSWORD_RESET" => OobRequest::PasswordReset(address("email", email)?),
        "EMAIL_SIGNIN" => OobRequest::EmailSignIn(address("email", email)?),
        "VERIFY_EMAIL" => OobRequest::VerifyEmail(token(id_token)?),
        "VERIFY_AND_CHANGE_EMAIL" => {
            OobRequest::VerifyAndChangeEmail(token(id_token)?, address("newEmail", new_email)?)
        }
        _ => {
            let reason =
                "must be PASSWORD_RESET, EMAIL_SIGNIN, VERIFY_EMAIL or VERIFY_AND_CHANGE_EMAIL";
            return Err(Refusal::invalid("requestType", reason));
        }
    };
    Ok(SendOobCode { request, continue_url, language })
}

fn address(member: &str, text: Option<String>) -> Result<Email, Refusal> {
    let text = text.ok_or_else(|| Refusal::invalid(member, "is missing"))?;
    Email::parse(&text).map_err(|refusal| refusal.renamed("email", member))
}

fn token(text: Option<String>) -> Result<SecretString, Refusal> {
    Ok(text.ok_or_else(|| Refusal::invalid("idToken", "is missing"))?.into())
}

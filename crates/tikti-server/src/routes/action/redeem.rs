//! `POST /action`: the form of the page uses the code up.

use axum::extract::State;
use axum::response::Response;
use tikti_domain::Caller;
use tikti_domain::account;
use tikti_domain::action_link::ContinueUrl;
use tikti_domain::error::{Code, Refusal};
use tikti_domain::mail::Language;
use tikti_domain::oob_code::OobType;
use tikti_domain::secret::SecretString;

use crate::action_page::{self, Task};
use crate::api::ActionForm;
use crate::error::ApiError;
use crate::extract::{ActionLink, FormOrJson, OwnForm, Reads, Visitor};
use crate::state::Shared;

/// Does what the link of a mail is for: sets a password, confirms an address, or brings one back.
///
/// Takes the form of the page alone, from the page of this deployment.
#[utoipa::path(
    post,
    path = "/action",
    operation_id = "redeem_action",
    tag = "accounts",
    request_body(content(
        (ActionForm = "application/x-www-form-urlencoded"),
        (ActionForm = "application/json"),
    )),
    responses((status = 200, description = "A page: it is done.", content_type = "text/html", body = String)),
)]
pub(crate) async fn redeem(
    State(state): State<Shared>,
    Reads(language): Reads,
    Visitor(caller): Visitor,
    own: Result<OwnForm, ApiError>,
    form: Result<FormOrJson<ActionForm>, ApiError>,
) -> Response {
    let language = language.unwrap_or(Language::English);
    let read = own.and(form).and_then(|FormOrJson(form)| parse(form));
    let (link, password) = match read {
        Ok(read) => read,
        Err(error) => return action_page::refuse(language, error),
    };
    match answer(&state, &caller, language, (link, password)).await {
        Ok(page) => page,
        Err(error) => action_page::refuse(language, error),
    }
}

fn parse(form: ActionForm) -> Result<(ActionLink, Option<SecretString>), ApiError> {
    let link = ActionLink::parse(&form.mode, form.oob_code, form.continue_url)?;
    Ok((link, form.new_password.map(Into::into)))
}

async fn answer(
    state: &Shared,
    caller: &Caller,
    language: Language,
    (link, password): (ActionLink, Option<SecretString>),
) -> Result<Response, ApiError> {
    let on = on(state, &link)?;
    match act(state, caller, &link, password).await {
        Ok(()) => Ok(action_page::done(language, link.kind, on.as_ref())),
        // The code is still good: the page asks for another password.
        Err(error) if is_about_the_password(error.code()) => {
            let about = account::show_code(&state.domain, caller, (link.kind, &link.code)).await?;
            let task = Task { kind: link.kind, code: link.code, about, on };
            Ok(action_page::ask(language, &task, Some(error)))
        }
        Err(error) => Err(error),
    }
}

async fn act(
    state: &Shared,
    caller: &Caller,
    link: &ActionLink,
    password: Option<SecretString>,
) -> Result<(), ApiError> {
    match link.kind {
        OobType::PasswordReset => {
            let password = password.unwrap_or_default();
            account::reset_password_by_link(&state.domain, caller, &link.code, &password).await?;
        }
        OobType::VerifyEmail | OobType::VerifyAndChangeEmail | OobType::RecoverEmail => {
            account::redeem_link(&state.domain, caller, (link.kind, &link.code)).await?;
        }
        OobType::EmailSignIn => {
            let reason = "a sign-in goes on at the application, not here";
            return Err(Refusal::invalid("mode", reason).into());
        }
    }
    Ok(())
}

fn is_about_the_password(code: Code) -> bool {
    matches!(code, Code::WeakPassword | Code::PasswordTooLong)
}

/// Where the page goes on to. The query is anybody's: it is checked here as it was when the mail was
/// made.
pub(super) fn on(state: &Shared, link: &ActionLink) -> Result<Option<ContinueUrl>, Refusal> {
    let settings = state.domain.settings();
    link.continue_url.as_deref().map(|url| ContinueUrl::parse(settings, url)).transpose()
}

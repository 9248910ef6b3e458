//! `GET /action`: shows what a mailed link is for, and uses nothing up.
//!
//! Programs open links before people do, to look for harm: so the code is used by the page's form
//! alone. A sign-in has no form: the page hands the code on to the application, or shows it.

use axum::extract::State;
use axum::response::Response;
use tikti_domain::Caller;
use tikti_domain::account;
use tikti_domain::mail::Language;

use crate::action_page::{self, Task};
use crate::error::ApiError;
use crate::extract::{ActionLink, Reads, Visitor};
use crate::state::Shared;

/// Opens the link of a mail: a page for people, in English or Portuguese.
///
/// Shows what the link is for. Without script, without anything from elsewhere; a refusal is a page,
/// too.
#[utoipa::path(
    get,
    path = "/action",
    operation_id = "show_action",
    tag = "accounts",
    params(
        ("mode" = String, Query, description = "`resetPassword`, `signIn`, `verifyEmail`, `verifyAndChangeEmail` or `recoverEmail`"),
        ("oobCode" = String, Query, description = "The code"),
        ("continueUrl" = Option<String>, Query, description = "Where the page goes on to, at an origin that the deployment allows"),
    ),
    responses((status = 200, description = "A page.", content_type = "text/html", body = String)),
)]
pub(crate) async fn show(
    State(state): State<Shared>,
    Reads(language): Reads,
    Visitor(caller): Visitor,
    link: Result<ActionLink, ApiError>,
) -> Response {
    let language = language.unwrap_or(Language::English);
    match ask(&state, &caller, link).await {
        Ok(task) => action_page::ask(language, &task, None),
        Err(error) => action_page::refuse(language, error),
    }
}

async fn ask(
    state: &Shared,
    caller: &Caller,
    link: Result<ActionLink, ApiError>,
) -> Result<Task, ApiError> {
    let link = link?;
    let on = super::redeem::on(state, &link)?;
    let about = account::show_code(&state.domain, caller, (link.kind, &link.code)).await?;
    Ok(Task { kind: link.kind, code: link.code, about, on })
}

//! `GET /dev/mailbox` and `GET /dev/mailbox.json`: the mails that `tikti dev` did not send, for people and for
//! programs. No server of a deployment has these routes, and the API document does not name them.
//!
//! A mail holds a link that signs somebody in: it is shown to this machine alone, whatever `dev` listens on
//! (docs/decisions/0048).
//!
//! Spec: Command line, `tikti dev`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tikti_domain::error::{Error, InternalError};

use crate::error::ApiError;
use crate::extract::ThisMachine;
use crate::mail::{KeptMail, kept_mails};
use crate::mailbox_page;
use crate::state::Shared;

/// The routes that show the mails of `directory`.
pub(crate) fn routes(directory: PathBuf) -> Router<Shared> {
    Router::new()
        .route("/dev/mailbox", get(page))
        .route("/dev/mailbox.json", get(json))
        .with_state(Mailbox(directory.into()))
}

/// Where the mails lie.
#[derive(Clone)]
struct Mailbox(Arc<Path>);

impl Mailbox {
    /// The mails, the oldest first.
    fn mails(&self) -> Result<Vec<KeptMail>, ApiError> {
        kept_mails(&self.0).map_err(|cause| {
            let (key, reason) = (self.0.display().to_string(), cause.to_string());
            Error::from(InternalError::Record { key, reason }).into()
        })
    }
}

/// A page with the newest mail first.
async fn page(_: ThisMachine, State(mailbox): State<Mailbox>) -> Result<Response, ApiError> {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, mailbox_page::POLICY),
    ];
    Ok((headers, mailbox_page::render(&mailbox.mails()?)).into_response())
}

/// The same as JSON, the oldest first: what a test waits for comes last.
async fn json(_: ThisMachine, State(mailbox): State<Mailbox>) -> Result<Response, ApiError> {
    Ok(Json(mailbox.mails()?).into_response())
}

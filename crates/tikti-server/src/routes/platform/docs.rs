//! `GET /docs`: the API as a page for people.
//!
//! The page is made by [`crate::docs_page`] at start; it loads nothing from anywhere and runs no
//! script, which its content security policy holds it to.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::docs_page;
use crate::state::Shared;

/// Shows the API to people.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "platform",
    responses((status = 200, description = "A page.", content_type = "text/html", body = String)),
)]
pub(crate) async fn docs(State(state): State<Shared>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=300"),
        (CONTENT_SECURITY_POLICY, docs_page::CONTENT_SECURITY_POLICY),
    ];
    (headers, state.pages.docs.clone()).into_response()
}

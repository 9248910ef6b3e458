//! `GET /openapi.json`: the API as a document for programs.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::state::Shared;

/// Gives this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "platform",
    responses((
        status = 200,
        description = "An OpenAPI 3.1 document.",
        body = serde_json::Value,
    )),
)]
pub(crate) async fn openapi(State(state): State<Shared>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, state.pages.openapi.clone()).into_response()
}

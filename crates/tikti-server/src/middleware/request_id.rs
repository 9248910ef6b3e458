//! Gives each request its id, and each refusal its body, which shows the id.
//!
//! The outermost layer: whatever happens further in, the reply has `X-Request-Id`.
//!
//! Spec: HTTP API, first paragraph and "Errors".

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tikti_domain::error::Error;
use tracing::Instrument;

use crate::error::{self, ApiError};
use crate::extract::request_id::{HEADER, RequestId};
use crate::state::Shared;

/// Puts the id into the request, the log context and the response.
pub(crate) async fn request_id(
    State(state): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = match state.request_ids.of(request.headers()) {
        Ok(id) => id,
        Err(error) => return unnamed(error.into(), request.uri().path()),
    };
    request.extensions_mut().insert(id.clone());
    // The actor is filled in by whoever recognises him.
    let actor = tracing::field::Empty;
    let span = tracing::info_span!("request", request.id = id.as_str(), user.id = actor);
    let response = next.run(request).instrument(span).await;
    let mut response = error::write_body(response, id.as_str());
    show(response.headers_mut(), &id);
    response
}

/// Shows the id in a reply.
pub(crate) fn show(headers: &mut HeaderMap, id: &RequestId) {
    headers.insert(HEADER, id.to_header());
}

/// Without randomness nothing in this service works: says so in the one shape, without an id. The
/// access log never sees the request, so the failure is logged here.
fn unnamed(error: Error, path: &str) -> Response {
    let error = ApiError::from(error);
    tracing::error!(cause = error.cause(), "a request could be given no id");
    let response = error.into_response();
    let is_oauth = error::is_oauth_path(path);
    error::write_body(if is_oauth { error::at_oauth_endpoint(response) } else { response }, "")
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use tikti_domain::error::InternalError;

    use super::*;

    #[tokio::test]
    async fn without_an_id_the_refusal_has_its_shape_all_the_same() {
        let broken = || InternalError::Crypto("making a request id").into();
        let response = unnamed(broken(), "/v1/token");
        assert_eq!(response.status().as_u16(), 500);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        insta::assert_snapshot!(String::from_utf8_lossy(&body), @r#"{"error":"Something broke inside the server.","code":"INTERNAL","details":{},"requestId":""}"#);
        let body = to_bytes(unnamed(broken(), "/oauth2/token").into_body(), usize::MAX).await;
        insta::assert_snapshot!(String::from_utf8_lossy(&body.unwrap()), @r#"{"error":"server_error","error_description":"Something broke inside the server.","code":"INTERNAL","requestId":""}"#);
    }
}

//! Gives what the OAuth endpoints answer the form that stock clients read: whatever refused the request,
//! the handler or a layer around it, the refusal has the shape of RFC 6749, and nobody keeps an answer.
//!
//! Spec: HTTP API, "Codes"; RFC 6749 sections 5.1 and 5.2.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::error;

/// Gives the answers at OAuth endpoints their form; leaves every other as it is.
pub(crate) async fn oauth_errors(request: Request, next: Next) -> Response {
    let is_oauth = error::is_oauth_path(request.uri().path());
    let response = next.run(request).await;
    if is_oauth { error::at_oauth_endpoint(response) } else { response }
}

//! Gives each request its id, and each refusal its body, which shows the id.
//!
//! The outermost layer: whatever happens further in, the reply has `X-Request-Id`.
//!
//! Spec: HTTP API, first paragraph and "Errors".

use axum::extract::{Request, State};
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
    let id = match RequestId::of(request.headers(), &state.random) {
        Ok(id) => id,
        // Without randomness nothing in this service works; say so without an id.
        Err(error) => return ApiError::from(Error::from(error)).into_response(),
    };
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request.id = id.as_str());
    let response = next.run(request).instrument(span).await;
    let mut response = error::write_body(response, &id);
    response.headers_mut().insert(HEADER, id.to_header());
    response
}

//! What becomes of a request whose client is gone? What changes something is carried through.
//!
//! A connection that ends drops the handler that it was waiting for, at whichever step it is. An
//! operation of several steps would be left half done, and a failed sign-in that was not waited for
//! would not be counted. So the handler has a task of its own, which the connection merely waits for;
//! a stop waits for it too. What only reads is not worth a task.
//!
//! Spec: Operations, "Behaviour"; attacks, row E2. Why: docs/decisions/0026.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tikti_domain::error::Code;
use tracing::{Instrument, Span};

use crate::error::ApiError;
use crate::router;
use crate::state::Shared;

/// Runs what may change something to its end.
pub(crate) async fn carry_through(
    State(state): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if request.method().is_safe() || path.is_none_or(router::only_reads) {
        return next.run(request).await;
    }
    let ended = state.carried.start(next.run(request).instrument(Span::current())).await;
    match ended {
        Ok(response) => response,
        // On to the layer around this one, as if there were no task.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => ApiError::from(Code::Internal).into_response(),
        },
    }
}

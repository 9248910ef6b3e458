//! Writes one log line a request: what was asked, how it ended, how long it took.
//!
//! A path can name a user and a query can hold an API key, so neither is written: the line has the
//! route's template. A failure is logged here, once, with everything that caused it.
//!
//! Spec: Operations, "Seeing what happens".

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;
use crate::extract::request_id::RequestId;
use crate::reply::About;

/// Stands for the template of a path that no route has.
const NO_ROUTE: &str = "(none)";

/// Logs the request after it was answered.
pub(crate) async fn access_log(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request.extensions().get::<RequestId>().cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;

    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    Line { id: id.as_ref(), method: &method, route, began }.write(&response);
    response
}

/// What the line says of the request.
pub(crate) struct Line<'a> {
    pub(crate) id: Option<&'a RequestId>,
    pub(crate) method: &'a Method,
    /// The route's template.
    pub(crate) route: &'a str,
    pub(crate) began: Instant,
}

impl Line<'_> {
    /// Writes the line of a request that was answered so.
    pub(crate) fn write(&self, response: &Response) {
        let Self { id, method, route, began } = *self;
        let error = response.extensions().get::<ApiError>();
        if response.status().is_server_error() {
            report_failure(route, response.status(), error);
        } else if let Some(error) = error {
            let reason = error.message();
            tracing::debug!(http.route = route, code = %error.code(), reason, "request refused");
        }
        let about = response.extensions().get::<About>();
        tracing::info!(
            request.id = id.map(RequestId::as_str),
            http.method = method.as_str(),
            http.route = route,
            http.status = response.status().as_u16(),
            duration_ms = began.elapsed().as_micros() as f64 / 1000.0,
            code = error.map(|error| error.code().as_str()),
            tenant.id = about.and_then(|about| about.tenant.as_ref()).map(|id| id.as_str()),
            user.id = about.and_then(|about| about.user.as_ref()).map(|id| id.as_str()),
            "request",
        );
    }
}

/// Reports what broke. An overload or an absent store is a degraded service; the rest needs a
/// person.
fn report_failure(route: &str, status: StatusCode, error: Option<&ApiError>) {
    let code = error.map(|error| error.code().as_str());
    let cause = error.and_then(ApiError::cause);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(http.route = route, code, cause, "request could not be served");
    } else {
        tracing::error!(http.route = route, code, cause, "request failed");
    }
}

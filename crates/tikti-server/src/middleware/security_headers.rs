//! Tells browsers what they may do with a reply: nothing, unless its handler said otherwise.
//!
//! `no-store` is the rule and caching the exception, so that no reply with a token, and no refusal,
//! is ever kept because somebody forgot a header.
//!
//! Spec: HTTP API, first paragraph; operations, "Security headers on every reply".

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::state::Shared;

const SHUT: &str = "default-src 'none'; frame-ancestors 'none'";

/// Adds the headers to every reply.
pub(crate) async fn security_headers(
    State(state): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    add(response.headers_mut(), state.is_https);
    response
}

/// Adds what every reply has, and what one has whose handler said nothing else.
pub(crate) fn add(headers: &mut HeaderMap, is_https: bool) {
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, REFERRER_POLICY, "no-referrer");
    set(headers, X_FRAME_OPTIONS, "DENY");
    set_default(headers, CONTENT_SECURITY_POLICY, SHUT);
    set_default(headers, CACHE_CONTROL, "no-store");
    if is_https {
        set(headers, STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

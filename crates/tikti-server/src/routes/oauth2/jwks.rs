//! `GET /.well-known/jwks.json`: the public keys that verify access and worker tokens.
//!
//! Served from memory, whatever the store does, so that tokens in circulation stay verifiable. What could not be
//! read again is to be held for less: a cache must not keep it until a key signs that is not in it.
//!
//! Spec: Tokens and keys, "Signing keys"; RFC 7517 section 5; RFC 9110 sections 8.8.3 and 13.1.2.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use tikti_domain::JwksDocument;

use crate::api::JwksReply;
use crate::state::Shared;

/// Gives the public signing keys, newest first.
///
/// Keep them for as long as `Cache-Control` says and ask again with `If-None-Match`; fetch at once when a token names
/// a `kid` that is not among them.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "discovery",
    params(
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the keys that the caller has"),
    ),
    responses(
        (status = 200, description = "The keys.", body = JwksReply),
        (status = 304, description = "The caller has these keys already."),
    ),
)]
pub(crate) async fn jwks(State(state): State<Shared>, headers: HeaderMap) -> Response {
    // Before the keys: those that are read in between may be held for longer, and not for less.
    let held_for = state.domain.keys_may_be_held();
    served(held_for, &state.domain.jwks(), &headers)
}

/// Gives a set of keys, unless the caller has it; to be kept for as long as the life of a key allows for.
pub(crate) fn served(held_for: Duration, document: &JwksDocument, asked: &HeaderMap) -> Response {
    let whole = (head(held_for, document), Bytes::from(document.body.clone()));
    unless_known(whole, &document.etag, asked)
}

/// What is said of a set of keys.
pub(crate) fn head(held_for: Duration, document: &JwksDocument) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, text) in [(ETAG, &document.etag), (CACHE_CONTROL, &cache_control(held_for))] {
        // Both are of characters that a header takes.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Gives what there is, or where the caller names its tag, what is said of it and no more.
pub(crate) fn unless_known(
    (headers, body): (HeaderMap, Bytes),
    etag: &str,
    asked: &HeaderMap,
) -> Response {
    let is_known = is_known(asked, etag);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(body) });
    *response.headers_mut() = headers;
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// In whole seconds, never more. What is not to be held is asked for anew each time.
fn cache_control(held_for: Duration) -> String {
    match held_for.as_secs() {
        0 => "no-cache".to_owned(),
        seconds => format!("public, max-age={seconds}"),
    }
}

/// Whether the caller names `etag` among those that it has. `If-None-Match` compares weakly.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_held_for_whole_seconds_or_not_at_all() {
        for (millis, header) in [
            (300_000, "public, max-age=300"),
            (299_999, "public, max-age=299"),
            (1_000, "public, max-age=1"),
            (999, "no-cache"),
            (0, "no-cache"),
        ] {
            assert_eq!(cache_control(Duration::from_millis(millis)), header);
        }
    }
}

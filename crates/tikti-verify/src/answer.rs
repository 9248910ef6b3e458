//! What does a request get that is refused?
//!
//! The status, the challenge of RFC 6750 and a small JSON object in the form of RFC 6749 section
//! 5.2. Nothing of the request is repeated.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::error::Refusal;

/// Seconds after which the issuer may be back.
const RETRY_AFTER_SECONDS: &str = "5";

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

pub(crate) fn answer<R: From<String>>(
    refusal: Refusal,
    realm: &str,
    scopes: &[String],
) -> Response<R> {
    let description = refusal.to_string();
    let body = Body { error: refusal.code(), error_description: &description };
    // Two strings have a JSON form; an empty body would be no harm.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let mut response = Response::new(R::from(body));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if refusal == Refusal::KeysUnavailable {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    let challenge = refusal.challenge(realm, scopes);
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

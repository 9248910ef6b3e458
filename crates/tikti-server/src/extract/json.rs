//! What is asked, from a JSON body of at most 64 KiB?
//!
//! Everything that can be wrong with a body is refused here with its own code, before any type of
//! ours sees it: size (with and without `Content-Length`), media type, UTF-8, depth, grammar,
//! member types, members given twice. A refusal names the member and never repeats its value.
//!
//! Spec: HTTP API, first paragraph and "Errors"; attacks, row E7.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tikti_domain::error::{Code, Refusal};

use super::json_error;
use crate::error::ApiError;
use crate::state::Shared;

/// The largest body that is taken, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// How much of a body that is too large is still read and thrown away: closing a connection over
/// unread bytes resets it, and the client would never see the 413.
const MAX_DISCARDED_BYTES: usize = 1024 * 1024;
/// How long that may take: a client that announced much and sends little gets its answer.
const DISCARD_TIME: Duration = Duration::from_millis(500);
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Deeper than any request of the API, and far from what a recursive reader could choke on.
const MAX_DEPTH: usize = 32;

/// A JSON body, read into the wire type `T`.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers, "must be application/json")?;
        Ok(Self(parse(&read_in_time(&parts, body).await?)?))
    }
}

/// A body that nobody wants: read and thrown away, as far as one that is wanted would be read. Left unread,
/// it would cut the connection off under the client's next request.
pub(crate) struct UnusedBody;

impl FromRequest<Shared> for UnusedBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        let _ = read_in_time(&parts, body).await;
        Ok(Self)
    }
}

/// Reads a whole body of at most 64 KiB, which has to arrive within 10 seconds.
pub(super) async fn read_in_time(parts: &Parts, body: Body) -> Result<Vec<u8>, Refusal> {
    let reading = read(body, Waits::of(&parts.headers));
    let late = |_| Refusal::invalid("body", "did not arrive within 10 seconds");
    tokio::time::timeout(BODY_TIME, reading).await.map_err(late)?
}

/// Takes `application/json`, and a body without a type; refuses every other type with `advice`.
pub(super) fn check_media_type(headers: &HeaderMap, advice: &str) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    if essence(value).eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::of(Code::UnsupportedMediaType).detail("Content-Type", advice))
    }
}

/// The media type without its parameters.
pub(super) fn essence(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

/// Reads a body of at most 64 KiB; one that says or shows that it is larger is refused at once.
async fn read(mut body: Body, waits: Waits) -> Result<Vec<u8>, Refusal> {
    if body.size_hint().lower() <= MAX_BODY_BYTES as u64
        && let Some(bytes) = read_within_limit(&mut body).await?
    {
        return Ok(bytes);
    }
    // Who waits for `100 Continue` has sent nothing yet that would have to be thrown away.
    if waits == Waits::No {
        let _ = tokio::time::timeout(DISCARD_TIME, discard(body)).await;
    }
    Err(Refusal::of(Code::BodyTooLarge))
}

/// The whole body, or `None` as soon as it passes the limit.
async fn read_within_limit(body: &mut Body) -> Result<Option<Vec<u8>>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Refusal::invalid("body", "broke off or is not framed as announced"));
        };
        // Trailers mean nothing here.
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY_BYTES {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// Whether the client waits for a word before it sends its body (RFC 9110, section 10.1.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    No,
}

impl Waits {
    fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(EXPECT) { Self::Yes } else { Self::No }
    }
}

/// Throws a body away, as far as that is worth it.
async fn discard(mut body: Body) {
    let mut total = 0;
    while total <= MAX_DISCARDED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        total += frame.data_ref().map_or(0, |data| data.len());
    }
}

/// Parses one JSON object and nothing after it.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Refusal::invalid("body", "is not UTF-8"));
    };
    // A derived reader would take an array as the members in order.
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(Refusal::invalid("body", "must be a JSON object"));
    }
    if is_deeper_than(text, MAX_DEPTH) {
        return Err(Refusal::invalid("body", "is nested deeper than 32 levels"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        json_error::explain(&path, error.inner())
    })?;
    json.end().map_err(|error| json_error::explain(".", &error))?;
    Ok(value)
}

/// Whether brackets outside strings nest deeper than `limit`. The reader skips unknown members
/// without counting their depth, so they are counted here.
fn is_deeper_than(text: &str, limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ExchangeRequest, SignInRequest};

    fn refuse(text: &str) -> String {
        let refusal = parse::<SignInRequest>(text.as_bytes()).err().unwrap();
        assert_eq!(refusal.code, Code::InvalidArgument);
        assert_eq!(refusal.details.len(), 1);
        refusal.message.into_owned()
    }

    #[test]
    fn a_wrong_type_is_named_by_its_member_without_its_value() {
        for (text, message) in [
            (r#"{"email":7,"password":"hunter22"}"#, "email: must be a string"),
            (r#"{"email":null,"password":"hunter22"}"#, "email: must be a string"),
            (r#"{"email":"a@b","password":{"a":"hunter22"}}"#, "password: must be a string"),
            (
                r#"{"email":"a@b","password":"p","returnSecureToken":"hunter22, expected y"}"#,
                "returnSecureToken: must be a boolean",
            ),
            (r#"{"password":"hunter22"}"#, "email: is missing"),
            (r#"{"email":"a@b","email":"c@d","password":"p"}"#, "email: is given twice"),
        ] {
            assert_eq!(refuse(text), message, "{text}");
        }
    }

    #[test]
    fn a_wrong_type_deep_inside_is_named_by_its_path() {
        let text = r#"{"idToken":"t","audience":"a","eventTypes":["x",7]}"#;
        let refusal = parse::<ExchangeRequest>(text.as_bytes()).err().unwrap();
        assert_eq!(refusal.message, "eventTypes[1]: must be a string");
        let text = r#"{"idToken":"t","audience":"a","ttlSeconds":9223372036854775808}"#;
        let refusal = parse::<ExchangeRequest>(text.as_bytes()).err().unwrap();
        assert_eq!(refusal.message, "ttlSeconds: must be an integer");
    }

    #[test]
    fn what_is_no_json_object_is_refused_with_its_place() {
        for (text, message) in [
            ("", "body: must be a JSON object"),
            (r#"["a@b","p"]"#, "body: must be a JSON object"),
            ("null", "body: must be a JSON object"),
            ("{", "body: is not valid JSON (line 1, column 1)"),
            (r#"{"email":"a@b""#, "body: is not valid JSON (line 1, column 14)"),
            ("{\"email\":\"a\u{1}b\"}", "body: is not valid JSON (line 1, column 12)"),
            (r#"{"email":"a@b","password":"p"} x"#, "body: is not valid JSON (line 1, column 32)"),
        ] {
            assert_eq!(refuse(text), message, "{text}");
        }
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let text = format!(r#"{{"email":"a@b","password":"p","extra":{deep}}}"#);
        assert_eq!(refuse(&text), "body: is nested deeper than 32 levels");
        let text = r#"{"email":"a@b","password":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"["}"#;
        assert!(parse::<SignInRequest>(text.as_bytes()).is_ok());
    }
}

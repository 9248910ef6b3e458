//! What each code is on the wire, at Tikti's own endpoints and at OAuth's.

use tikti_domain::error::InternalError;

use super::*;

async fn answer(error: ApiError) -> (Response<()>, String) {
    let (parts, body) = write_body(error.into_response(), "request-7").into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn what_broke_is_for_the_log_only() {
    let reason = "trailing characters".to_owned();
    let error = InternalError::Record { key: "u:1/user/1".to_owned(), reason };
    let error = ApiError::from(Error::from(error));
    let cause = error.cause().unwrap();
    assert!(cause.contains("u:1/user/1") && cause.contains("trailing characters"), "{cause}");
    let (response, body) = answer(error).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    insta::assert_snapshot!(body, @r#"{"error":"Something broke inside the server.","code":"INTERNAL","details":{},"requestId":"request-7"}"#);
}

#[test]
fn every_401_says_by_which_scheme_more_can_be_shown() {
    for &code in Code::ALL {
        let response = ApiError::from(code).into_response();
        let scheme = response.headers().get(header::WWW_AUTHENTICATE);
        let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
        assert_eq!(scheme.is_some(), is_unauthorized, "{code}");
    }
    let of = |code| ApiError::from(code).into_response().headers()["www-authenticate"].clone();
    assert_eq!(of(Code::InvalidApiKey), "ApiKey");
    assert_eq!(of(Code::TokenExpired), "Bearer");
}

#[test]
fn at_an_oauth_endpoint_every_code_has_the_status_that_stock_clients_know() {
    for &code in Code::ALL {
        let (own, error) = (oauth_status(code), at_oauth(code).name());
        // RFC 6749, section 5.2 and 4.1.2.1; RFC 7009, section 2.2.1; RFC 8628, section 3.5; RFC 8707.
        let known: &[&str] = match own.as_u16() {
            400 => &[
                "invalid_request",
                "invalid_grant",
                "unauthorized_client",
                "access_denied",
                "unsupported_grant_type",
                "invalid_scope",
                "invalid_target",
            ],
            401 => &["invalid_client"],
            429 => &["slow_down"],
            500 => &["server_error"],
            503 => &["temporarily_unavailable"],
            // These two alone: nothing of OAuth is at that path, or by that method.
            404 if code == Code::NotFound => &["invalid_request"],
            405 if code == Code::MethodNotAllowed => &["invalid_request"],
            _ => &[],
        };
        assert!(known.contains(&error), "{code}: {own} {error}");
        let response = at_oauth_endpoint(ApiError::from(code).into_response());
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let is_unauthorized = own == StatusCode::UNAUTHORIZED;
        assert_eq!(challenge, is_unauthorized.then_some(&OAUTH_CHALLENGE), "{code}");
        let is_told_when = response.headers().contains_key(header::RETRY_AFTER);
        assert_eq!(is_told_when, matches!(own.as_u16(), 429 | 503), "{code}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[header::PRAGMA], "no-cache");
    }
}

#[tokio::test]
async fn at_an_oauth_endpoint_a_refusal_has_the_shape_of_rfc_6749() {
    let refusal = Refusal::invalid("scopes", "\"\\\u{e4}\u{1f600}\n\u{7f}~ ");
    let response = at_oauth_endpoint(ApiError::from(refusal).into_response());
    let (parts, body) = write_body(response, "request-7").into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let expected = serde_json::json!({
        "error": "invalid_request",
        "error_description": "scopes: '/????~ ",
        "code": "INVALID_ARGUMENT",
        "details": {"scopes": "\"\\\u{e4}\u{1f600}\n\u{7f}~ "},
        "requestId": "request-7",
    });
    assert_eq!(body, expected);
    assert_eq!(parts.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn whoever_is_turned_away_is_told_when_to_come_back() {
    let overload = Refusal::of(Code::Overloaded).retry_after(3);
    for (refusal, seconds) in [(overload, "3"), (Refusal::of(Code::StoreUnavailable), "1")] {
        let (response, _) = answer(refusal.into()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
    }
}

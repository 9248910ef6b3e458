//! That nobody can tell an answer of here from one of the route.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::response::Response;
use serde_json::Value;
use tikti_domain::testing::Fixture;
use tower::util::ServiceExt as _;

use super::*;
use crate::config::{LogConfig, LogFormat};
use crate::router::{ROUTES, routes, with_middleware};
use crate::state::AppState;
use crate::telemetry;
use crate::telemetry::testing::Lines;

/// Status, headers and body; an id that was made is any.
async fn shown(response: Response) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let (parts, body) = response.into_parts();
    // The router writes the length that hyper would, and over a connection both replies have it once.
    let said = parts.headers.iter().filter(|(name, _)| *name != "content-length");
    let headers = said.map(|(name, value)| {
        let value = value.to_str().unwrap();
        let is_made = name == "x-request-id" && value.len() == 26;
        (name.to_string(), if is_made { "made".to_owned() } else { value.to_owned() })
    });
    let headers: Vec<_> = headers.collect();
    let count = headers.len();
    let headers = BTreeMap::from_iter(headers);
    assert_eq!(headers.len(), count, "a header twice");
    (parts.status.as_u16(), headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[test]
fn the_paths_are_those_of_the_route() {
    let row = ROUTES.iter().find(|route| route.path == PATHS[0]).unwrap();
    assert_eq!((row.method, row.aliases), ("GET", &PATHS[1..]));
}

#[tokio::test]
async fn an_answer_is_that_of_the_route() {
    for issuer in ["https://id.example.org", "http://127.0.0.1:8080"] {
        let fixture = Fixture::with(|settings| issuer.clone_into(&mut settings.issuer)).await;
        let clock = fixture.clock.clone();
        let (domain, _home) = fixture.into_parts();
        let state = AppState::over(domain);
        let router = with_middleware(routes().0, Arc::clone(&state));
        let etag = state.domain.jwks().etag.clone();
        let weak = format!("\"other\", W/{etag}");
        // Later the keys may be held for less, and at last not at all.
        for later_millis in [0, 0, 100_000, 400_000] {
            clock.advance(later_millis);
            for path in [PATHS[0], PATHS[1], "/.well-known/jwks.json?a=b"] {
                for headers in [
                    &[][..],
                    &[("if-none-match", etag.as_str())],
                    &[("if-none-match", "\"other\""), ("x-request-id", "a.B_9-z")],
                    &[("if-none-match", "\"other\""), ("if-none-match", weak.as_str())],
                    &[("if-none-match", "*"), ("x-request-id", "not sane")],
                    &[("x-request-id", "one"), ("x-request-id", "two")],
                    &[("origin", "https://app.example.org"), ("authorization", "Bearer x")],
                ] {
                    let ask = || request("GET", path, headers);
                    let here = shown(answer(&state, &ask()).unwrap()).await;
                    let routed = shown(router.clone().oneshot(ask()).await.unwrap()).await;
                    assert_eq!(here, routed, "{path} {headers:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_other_request_is_the_routers() {
    let (domain, _home) = Fixture::new().await.into_parts();
    let state = AppState::over(domain);
    for (method, path) in [
        ("HEAD", "/.well-known/jwks.json"),
        ("POST", "/.well-known/jwks.json"),
        ("OPTIONS", "/v1/.well-known/jwks.json"),
        ("GET", "/.well-known/jwks.json/"),
        ("GET", "//.well-known/jwks.json"),
        ("GET", "/.well-known/jwks%2Ejson"),
        ("GET", "/.WELL-KNOWN/jwks.json"),
        ("GET", "/v1/audit/keys"),
        ("GET", "/"),
    ] {
        assert!(answer(&state, &request(method, path, &[])).is_none(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_line_in_the_log_is_that_of_the_route_but_for_its_span() {
    let log = LogConfig { level: "info".to_owned(), format: LogFormat::Json };
    let lines = Lines::default();
    let writing_to = |lines| tracing::Dispatch::new(telemetry::subscriber(&log, lines));
    let (domain, _home) = Fixture::new().await.into_parts();
    let state = AppState::over(domain);
    let router = with_middleware(routes().0, Arc::clone(&state));
    // Its place in the program is known before anybody listens.
    answer(&state, &request("GET", PATHS[0], &[])).unwrap();
    // While there is only one subscriber, a line that another thread comes by first is off for all.
    let _second = writing_to(Lines::default());
    let subscriber = writing_to(lines.clone());
    let _guard = tracing::dispatcher::set_default(&subscriber);
    let line = || {
        let text = lines.take();
        let mut line: Value = serde_json::from_str(&text).unwrap();
        let members = line.as_object_mut().unwrap();
        assert!(members.remove("timestamp").is_some_and(|time| time.is_string()), "{text}");
        assert!(members.remove("duration_ms").is_some_and(|time| time.is_f64()), "{text}");
        line
    };
    for headers in
        [&[("x-request-id", "r-1")][..], &[("x-request-id", "r-1"), ("if-none-match", "*")]]
    {
        let ask = || request("GET", "/.well-known/jwks.json?key=hush", headers);
        answer(&state, &ask()).unwrap();
        let here = line();
        router.clone().oneshot(ask()).await.unwrap();
        let mut routed = line();
        let span = routed.as_object_mut().unwrap().remove("span").unwrap();
        assert_eq!(span["request.id"], "r-1");
        assert_eq!(here, routed);
        assert_eq!(here["request.id"], "r-1");
        assert_eq!(here["http.route"], "/.well-known/jwks.json");
    }
}

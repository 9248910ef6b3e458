//! What holds for every token, header and document?

use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Request};
use axum::routing::get;
use proptest::collection::vec;
use proptest::prelude::*;
use tikti_verify::BearerLayer;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::support::*;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }
}

#[test]
fn no_text_panics_or_passes() {
    let runtime = runtime();
    let issuer = runtime.block_on(Issuer::start(&[key(0)]));
    let verifier = issuer.verifier();
    proptest!(config(2_000), |(text in "(\\PC{0,60}|[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4})")| {
        let refused = runtime.block_on(verifier.verify_access(&text)).unwrap_err();
        prop_assert_eq!(refused.status(), 401);
        prop_assert!(runtime.block_on(verifier.verify_worker(&text)).is_err());
        prop_assert!(runtime.block_on(verifier.verify_either(&text)).is_err());
    });
    assert!(issuer.asked(JWKS) <= 1);
}

#[test]
fn no_header_and_claim_of_a_signed_token_panics() {
    let runtime = runtime();
    let issuer = runtime.block_on(Issuer::start(&[key(0)]));
    let verifier = issuer.verifier();
    proptest!(config(128), |(header in "\\PC{0,40}", payload in "\\PC{0,80}")| {
        for header in [header, crate::support::header().to_string()] {
            let token = forge(&header, &payload);
            prop_assert!(runtime.block_on(verifier.verify_access(&token)).is_err());
            prop_assert!(runtime.block_on(verifier.verify_either(&token)).is_err());
        }
    });
}

#[test]
fn no_authorization_header_panics_or_passes() {
    let runtime = runtime();
    let issuer = runtime.block_on(Issuer::start(&[key(0)]));
    let app: Router =
        Router::new().route("/", get(async || "in")).layer(BearerLayer::access(&issuer.verifier()));
    proptest!(config(500), |(values in vec(vec(any::<u8>(), 0..60), 0..3), prefix in "(|Bearer |bearer|Bearer)")| {
        let mut request = Request::new(Body::empty());
        for value in values {
            let value = [prefix.as_bytes(), &value].concat();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().append(AUTHORIZATION, value);
            }
        }
        let response = runtime.block_on(app.clone().oneshot(request)).unwrap();
        prop_assert!(matches!(response.status().as_u16(), 400 | 401), "{}", response.status());
    });
}

#[test]
fn no_document_panics_or_takes_keys_away() {
    let runtime = runtime();
    let issuer = runtime.block_on(Issuer::start(&[key(0)]));
    let verifier = issuer.verifier();
    runtime.block_on(verifier.refresh()).unwrap();
    let token = issuer.token(key(0));
    proptest!(config(64), |(document in "(\\PC{0,60}|\\{\"keys\":\\[\\{\"kty\":\"RSA\",\"kid\":\"key-0\",\"n\":\"[A-Za-z0-9_-]{0,400}\",\"e\":\"AQAB\"\\}\\]\\})")| {
        // A modulus that nobody knows the factors of is a key like any other, if it is large enough.
        prop_assume!(!document.contains("AQAB") || document.len() < 300);
        issuer.set(JWKS, Mood::Says(document));
        prop_assert!(runtime.block_on(verifier.refresh()).is_err());
        prop_assert!(runtime.block_on(verifier.verify_access(&token)).is_ok());
    });
}

//! Which requests get through a layer, and what do the others get?

use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::json;
use tikti_verify::{BearerLayer, BuildError, Caller, Claims, RequireScopes};
use tower::ServiceExt;

use crate::support::*;

async fn who(Extension(caller): Extension<Caller>) -> String {
    let class = match caller.claims() {
        Claims::Access(_) => "access",
        Claims::Worker(_) => "worker",
    };
    let events = caller.takes_events_of("render");
    format!("{class} {} {} {events}", caller.tenant(), caller.has_scope("jobs:read"))
}

fn scopes(scopes: &[&str]) -> RequireScopes {
    RequireScopes::all(scopes.iter().copied()).unwrap()
}

fn app(layer: BearerLayer) -> Router {
    Router::new()
        .route("/jobs", get(who).layer(scopes(&["jobs:read"])))
        .route("/both", get(who).layer(scopes(&["jobs:read", "jobs:write"])))
        .route("/tenants/{tenant}/jobs", get(who))
        .layer(layer)
}

/// Status, `WWW-Authenticate`, body.
async fn read(response: Response) -> (u16, Option<String>, String) {
    let text = |headers: &HeaderMap| {
        headers.get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned())
    };
    let (status, challenge) = (response.status().as_u16(), text(response.headers()));
    let body = to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    (status, challenge, String::from_utf8(body.to_vec()).unwrap())
}

async fn ask(app: &Router, path: &str, values: &[&str]) -> (u16, Option<String>, String) {
    let mut request = Request::get(path);
    for value in values {
        request = request.header(AUTHORIZATION, *value);
    }
    read(app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

#[tokio::test]
async fn a_good_token_gets_through_with_its_claims() {
    let issuer = Issuer::start(&[key(0)]).await;
    let app = app(BearerLayer::access(&issuer.verifier()));
    let bearer = format!("Bearer {}", issuer.token(key(0)));
    let ok = (200, None, "access acme true false".to_owned());
    assert_eq!(ask(&app, "/jobs", &[&bearer]).await, ok);
    assert_eq!(ask(&app, "/jobs", &[&bearer.replace("Bearer", "bearer")]).await, ok);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_challenge() {
    let issuer = Issuer::start(&[key(0)]).await;
    let app = app(BearerLayer::access(&issuer.verifier()));
    let good = format!("Bearer {}", issuer.token(key(0)));
    let expired = forge_claims(&with(issuer.claims(), "exp", json!(1)));
    let expired = format!("Bearer {expired}");

    let (status, challenge, body) = ask(&app, "/jobs", &[]).await;
    assert_eq!((status, challenge.as_deref()), (401, Some("Bearer realm=\"jobs\"")));
    assert_eq!(
        body,
        r#"{"error":"missing_token","error_description":"a bearer token is required"}"#
    );

    let (status, challenge, body) = ask(&app, "/jobs", &[&expired]).await;
    let expected =
        r#"Bearer realm="jobs", error="invalid_token", error_description="the token has expired""#;
    assert_eq!((status, challenge.as_deref()), (401, Some(expected)));
    assert_eq!(body, r#"{"error":"invalid_token","error_description":"the token has expired"}"#);

    let (status, challenge, _) = ask(&app, "/both", &[&good]).await;
    let expected = "Bearer realm=\"jobs\", error=\"insufficient_scope\", \
                    error_description=\"the token lacks a required scope\", \
                    scope=\"jobs:read jobs:write\"";
    assert_eq!((status, challenge.as_deref()), (403, Some(expected)));

    let (status, challenge, _) = ask(&app, "/jobs", &[&good, &good]).await;
    assert_eq!(status, 400);
    assert!(challenge.unwrap().contains("error=\"invalid_request\""));
}

#[tokio::test]
async fn a_token_is_read_from_the_header_alone() {
    let issuer = Issuer::start(&[key(0)]).await;
    let app = app(BearerLayer::access(&issuer.verifier()));
    let token = issuer.token(key(0));
    for path in ["access_token", "token", "key"] {
        let (status, ..) = ask(&app, &format!("/jobs?{path}={token}"), &[]).await;
        assert_eq!(status, 401, "{path}");
    }
    for value in [token.clone(), format!("Basic {token}"), format!("Bearer {token}, Bearer x")] {
        assert_eq!(ask(&app, "/jobs", &[&value]).await.0, 401);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_503() {
    let issuer = Issuer::start(&[key(0)]).await;
    issuer.set(DISCOVERY, Mood::Answers(500));
    let app = app(BearerLayer::access(&issuer.verifier()));
    let bearer = format!("Bearer {}", issuer.token(key(0)));
    let request = Request::get("/jobs").header(AUTHORIZATION, &bearer);
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[RETRY_AFTER], "5");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    let (status, challenge, _) = read(response).await;
    assert_eq!((status, challenge), (503, None));
}

#[tokio::test]
async fn a6_a_layer_takes_the_classes_that_it_names() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    let access = format!("Bearer {}", issuer.token(key(0)));
    let worker = format!("Bearer {}", issuer.worker_token(key(0)));
    for (layer, takes_access, takes_worker) in [
        (BearerLayer::access(&verifier), 200, 401),
        (BearerLayer::worker(&verifier), 401, 200),
        (BearerLayer::either(&verifier), 200, 200),
    ] {
        let app = app(layer);
        assert_eq!(ask(&app, "/jobs", &[&access]).await.0, takes_access);
        let (status, _, body) = ask(&app, "/jobs", &[&worker]).await;
        assert_eq!(status, takes_worker);
        assert_eq!(body == "worker acme true true", takes_worker == 200);
    }
}

fn tenant_of_path(parts: &Parts) -> Option<String> {
    parts.uri.path().split('/').nth(2).map(str::to_owned)
}

#[tokio::test]
async fn t1_the_token_is_for_the_tenant_of_the_path() {
    let issuer = Issuer::start(&[key(0)]).await;
    let app = app(BearerLayer::access(&issuer.verifier()).tenant_of(tenant_of_path));
    let bearer = format!("Bearer {}", issuer.token(key(0)));
    assert_eq!(ask(&app, "/tenants/acme/jobs", &[&bearer]).await.0, 200);
    for path in ["/tenants/other/jobs", "/tenants/ACME/jobs", "/tenants/acme%20/jobs", "/jobs"] {
        let (status, _, body) = ask(&app, path, &[&bearer]).await;
        assert_eq!(status, 403, "{path}");
        assert!(body.contains("not for the tenant of this request"), "{body}");
    }
}

#[tokio::test]
async fn a_caller_comes_from_a_token_and_from_nowhere_else() {
    let issuer = Issuer::start(&[key(0)]).await;
    let verifier = issuer.verifier();
    let unguarded: Router = Router::new().route("/jobs", get(who).layer(scopes(&["jobs:read"])));
    let (status, challenge, _) = ask(&unguarded, "/jobs", &[]).await;
    assert_eq!((status, challenge.as_deref()), (401, Some("Bearer realm=\"api\"")));

    let token = issuer.token(key(0));
    let other = Caller::from(verifier.verify_access(&token).await.unwrap());
    let mut request = Request::get("/jobs").body(Body::empty()).unwrap();
    request.extensions_mut().insert(other);
    let app = app(BearerLayer::access(&verifier));
    assert_eq!(read(app.oneshot(request).await.unwrap()).await.0, 401);
}

#[test]
fn scopes_that_no_token_can_hold_are_refused() {
    for wrong in [&[][..], &[""], &["a b"], &["ok", "\""]] {
        let refused = RequireScopes::all(wrong.iter().copied()).err();
        assert_eq!(refused, Some(BuildError::Scope), "{wrong:?}");
    }
}

//! The table itself, and what the middleware does that a real server only does on a bad day.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::routing::get;
use serde_json::{Value, json};
use tikti_domain::audit::{HeadsCursor, sign_heads};
use tikti_domain::secret::ExposeSecret;
use tikti_domain::testing::{API_KEY, FaultPlan, Fixture};
use tikti_domain::user::GlobalRole;
use tower::ServiceExt;

use super::*;
use crate::state::AppState;

mod audit;

#[test]
fn every_handler_is_documented_where_its_row_mounts_it() {
    for route in ROUTES {
        let (_, paths, _) = (route.handler)();
        let documented: Vec<_> = paths.paths.keys().map(String::as_str).collect();
        assert_eq!(documented, [route.path]);
        let item = &paths.paths[route.path];
        let is_documented = match route.method {
            "GET" => item.get.is_some(),
            "POST" => item.post.is_some(),
            "PUT" => item.put.is_some(),
            "PATCH" => item.patch.is_some(),
            "DELETE" => item.delete.is_some(),
            other => panic!("{other} is not documented by this test"),
        };
        assert!(is_documented, "{} {}", route.method, route.path);
    }
}

fn serve(fixture: Fixture, routes: Router<Shared>) -> Router {
    let (domain, home) = fixture.into_parts();
    with_middleware(routes, AppState::over(domain)).layer(Extension(Arc::new(home)))
}

async fn send(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    async fn panics() -> &'static str {
        panic!("hush")
    }
    let routes = Router::new().route("/boom", get(panics).post(panics));
    let router = serve(Fixture::new().await, routes);
    // By the connection's own task, and by one that is carried through.
    for method in ["GET", "POST"] {
        let request = Request::builder().method(method).uri("/boom");
        let request = request.header("X-Request-Id", "boom-1").body(Body::empty());
        let response = router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_broken(response).await;
    }
}

async fn assert_broken(response: axum::response::Response) {
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()["x-request-id"], "boom-1");
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let expected = r#"{"error":"Something broke inside the server.","code":"INTERNAL","details":{},"requestId":"boom-1"}"#;
    assert_eq!(String::from_utf8_lossy(&body), expected);
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_an_issuer_that_is_https() {
    for (issuer, expected) in
        [("https://id.example.org", Some("max-age=31536000")), ("http://127.0.0.1:8080", None)]
    {
        let fixture = Fixture::with(|settings| issuer.clone_into(&mut settings.issuer)).await;
        let router = serve(fixture, routes().0);
        let request = Request::get("/healthz").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let header = response.headers().get(header::STRICT_TRANSPORT_SECURITY);
        assert_eq!(header.map(|value| value.to_str().unwrap()), expected);
    }
}

#[tokio::test]
async fn who_is_no_administrator_makes_no_tenant_and_sees_only_his_own() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let user = fixture.user("anna@corp.sys", GlobalRole::CompanyEmployee).await;
    let own = fixture.tenant("root@corp.sys", "own-company").await;
    fixture.tenant("root@corp.sys", "other-company").await;
    fixture.member(&own.id, &user, &["TENANT_USER"]).await;
    let token = fixture.sign_in("anna@corp.sys").await.id_token;
    let bearer = format!("Bearer {}", token.expose_secret());
    let headers = [("Authorization", bearer.as_str())];
    let router = serve(fixture, routes().0);

    let ask = json!({"slug": "new-company"});
    let (status, body) = send(&router, "POST", "/v1/tenants", &headers, &ask).await;
    assert_eq!((status.as_u16(), &body["code"]), (403, &json!("ADMIN_REQUIRED")));
    let (_, list) = send(&router, "GET", "/v1/tenants", &headers, &json!(null)).await;
    let slugs: Vec<_> = list["tenants"].as_array().unwrap().iter().map(|t| &t["slug"]).collect();
    assert_eq!(slugs, ["own-company"]);
    let (status, other) =
        send(&router, "GET", "/v1/tenants/other-company", &headers, &json!(null)).await;
    let (_, none) = send(&router, "GET", "/v1/tenants/no-company", &headers, &json!(null)).await;
    assert_eq!((status.as_u16(), &other["code"]), (404, &json!("TENANT_NOT_FOUND")));
    assert_eq!((&other["code"], &other["error"]), (&none["code"], &none["error"]));
}

#[tokio::test]
async fn a_signed_head_is_published_alone_and_beside_the_events() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "own-company").await;
    let token = fixture.sign_in("root@corp.sys").await.id_token;
    let bearer = format!("Bearer {}", token.expose_secret());
    let headers = [("Authorization", bearer.as_str())];
    let (replica, now) = (fixture.replica(3, &FaultPlan::crash_after(1_000)).await, fixture.now());
    let router = serve(fixture, routes().0);
    let path = "/v1/tenants/own-company/roles";
    let ask = json!({"name": "R", "permissions": ["a:b"]});
    assert_eq!(send(&router, "POST", path, &headers, &ask).await.0, StatusCode::OK);
    // The tenant's, and the deployment's, which tells of its making.
    assert_eq!(sign_heads(&replica, &mut HeadsCursor::default(), now).await.unwrap().signed, 2);
    let path = "/v1/tenants/own-company/audit";
    let (_, list) = send(&router, "GET", path, &headers, &json!(null)).await;
    let (status, head) =
        send(&router, "GET", &format!("{path}/head"), &headers, &json!(null)).await;
    assert_eq!((status, &head["seq"]), (StatusCode::OK, &json!(1)));
    assert_eq!((&list["head"], head["head"].is_string()), (&head["head"], true));
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused_by_its_code() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let token = fixture.sign_in("root@corp.sys").await.id_token;
    fixture.clock.advance((3600 + 61) * 1000);
    let router = serve(fixture, routes().0);
    let ask = json!({"idToken": token.expose_secret()});
    let headers = [("X-API-Key", API_KEY)];
    let (status, body) = send(&router, "POST", "/v1/accounts/lookup", &headers, &ask).await;
    assert_eq!((status.as_u16(), &body["code"]), (401, &json!("TOKEN_EXPIRED")));
}

/// Enough of every request type to be well-formed for each route.
fn any_body(path: &str) -> Value {
    // A code comes alone there.
    let code = if path == "/v1/accounts/update" { Value::Null } else { json!("c") };
    json!({
        "email": "a@b", "password": "p", "idToken": "t", "audience": "a", "slug": "codecompany",
        "grant_type": "refresh_token", "refresh_token": "rt_u.s.0.x", "status": "ACTIVE",
        "scope": "global", "token": "t", "requestType": "PASSWORD_RESET", "oobCode": code,
        "scopes": ["introspect"],
    })
}

/// The path with something in place of each of its parameters.
fn filled(path: &str) -> String {
    path.replace("{id}", "somebody").replace("{t}", "codecompany").replace("{name}", "R")
}

#[tokio::test]
async fn every_route_with_an_api_key_refuses_one_that_lacks_just_its_scope() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let token = fixture.sign_in("root@corp.sys").await.id_token;
    let bearer = format!("Bearer {}", token.expose_secret());
    let mut keys = Vec::new();
    for (index, route) in ROUTES.iter().enumerate() {
        let (Needs::ApiKey(scope) | Needs::ApiKeyAndAdmin(scope)) = route.needs else { continue };
        let others: Vec<_> = KeyScope::ALL.into_iter().filter(|other| *other != scope).collect();
        let key = fixture.api_key(&format!("without{index}"), &others, |_| ()).await;
        keys.push((route, key));
    }
    assert!(!keys.is_empty());
    let router = serve(fixture, routes().0);
    for (route, key) in keys {
        let headers = [("X-API-Key", key.expose_secret()), ("Authorization", bearer.as_str())];
        let path = filled(route.path);
        let (status, body) =
            send(&router, route.method, &path, &headers, &any_body(route.path)).await;
        let expected = (403, &json!("API_KEY_FORBIDDEN"));
        assert_eq!((status.as_u16(), &body["code"]), expected, "{}", route.path);
    }
}

#[tokio::test]
async fn every_route_for_administrators_refuses_everybody_else() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let user = fixture.user("anna@corp.sys", GlobalRole::CompanyAdmin).await;
    let own = fixture.tenant("root@corp.sys", "own-company").await;
    fixture.member(&own.id, &user, &["TENANT_ADMIN"]).await;
    let token = fixture.sign_in("anna@corp.sys").await.id_token;
    let bearer = format!("Bearer {}", token.expose_secret());
    let router = serve(fixture, routes().0);
    let for_admins = |needs| matches!(needs, Needs::AdminBearer | Needs::ApiKeyAndAdmin(_));
    for route in ROUTES.iter().filter(|route| for_admins(route.needs)) {
        let headers = [("X-API-Key", API_KEY), ("Authorization", bearer.as_str())];
        let path = filled(route.path);
        let (status, body) =
            send(&router, route.method, &path, &headers, &any_body(route.path)).await;
        let expected = (403, &json!("ADMIN_REQUIRED"));
        assert_eq!((status.as_u16(), &body["code"]), expected, "{}", route.path);
    }
}

#[test]
fn what_only_reads_is_a_row_of_the_table() {
    let paths = ROUTES.iter().flat_map(|route| route.aliases.iter().chain([&route.path]));
    let paths: Vec<_> = paths.copied().collect();
    assert!(READING.iter().all(|path| paths.contains(path)));
}

//! The one shape of every refusal, whatever is wrong with a request, and a server that lives on.

use serde_json::json;

use crate::support::{Server, assert_reply};

const SIGN_IN: &str = "/v1/accounts/signIn";
const LIMIT: usize = 64 * 1024;

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let server = Server::start().await;
    assert_reply!(server.get("/v1/nowhere").send().await, @r#"
        404
        {
          "code": "NOT_FOUND",
          "details": {},
          "error": "There is nothing at this path.",
          "requestId": "[request id]"
        }
    "#);
    let long = format!("/{}", "a".repeat(20_000));
    for path in ["/", "/v1", "/v1/tenants/", "//v1/tenants", "/v1/tenants/../..", "/%ff", &long] {
        server.get(path).send().await.assert_refusal(404, "NOT_FOUND");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let server = Server::start().await;
    let reply = server.request("DELETE", "/v1/tenants").send().await;
    assert_reply!(reply, @r#"
        405
        allow: POST,GET,HEAD
        {
          "code": "METHOD_NOT_ALLOWED",
          "details": {},
          "error": "The path does not take this method.",
          "requestId": "[request id]"
        }
    "#);
    for (method, path, allow) in [
        ("GET", "/v1/accounts/signIn", "POST"),
        ("PUT", "/v1/accounts:lookup", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
        ("OPTIONS", "/v1/tenants/x", "GET,HEAD,PATCH,DELETE"),
        ("TRACE", "/docs", "GET,HEAD"),
    ] {
        let reply = server.request(method, path).send().await;
        reply.assert_refusal(405, "METHOD_NOT_ALLOWED");
        assert_eq!(reply.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = Server::start().await;
    let reply = server.request("HEAD", "/.well-known/jwks.json").send().await;
    assert_eq!((reply.status, reply.text()), (200, ""));
    assert!(reply.header("etag").is_some());
}

#[tokio::test]
async fn bad_json_is_refused_with_its_place() {
    let server = Server::start().await;
    let send =
        |body: &str| server.post(SIGN_IN).header("Content-Type", "application/json").body(body);
    assert_reply!(send(r#"{"email":"#).send().await, @r#"
        400
        {
          "code": "INVALID_ARGUMENT",
          "details": {
            "body": "is not valid JSON (line 1, column 9)"
          },
          "error": "body: is not valid JSON (line 1, column 9)",
          "requestId": "[request id]"
        }
    "#);
    for body in
        ["", " ", "null", "7", "\"x\"", "[]", "{]", "{'a':1}", "{\"a\":1}}", "\u{feff}{}", "NaN"]
    {
        send(body).send().await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn a_wrong_type_names_its_member_and_not_its_value() {
    let server = Server::start().await;
    let reply = server.post(SIGN_IN).json(json!({"email": "a@b", "password": 31_337})).send().await;
    assert_reply!(reply, @r#"
        400
        {
          "code": "INVALID_ARGUMENT",
          "details": {
            "password": "must be a string"
          },
          "error": "password: must be a string",
          "requestId": "[request id]"
        }
    "#);
    let wrong = [
        json!(31_337),
        json!(3.5),
        json!(true),
        json!(["31337"]),
        json!({"a": "31337"}),
        json!(null),
    ];
    for member in ["email", "password"] {
        for value in &wrong {
            let mut ask = json!({"email": "a@b", "password": "password"});
            ask[member] = value.clone();
            let reply = server.post(SIGN_IN).json(ask).send().await;
            reply.assert_refusal(400, "INVALID_ARGUMENT");
            assert_eq!(reply.json()["details"], json!({member: "must be a string"}));
            assert!(!reply.text().contains("31337"));
        }
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn optional_members_are_judged_as_strictly() {
    let server = Server::start().await;
    for (member, value, reason) in [
        ("scopes", json!(7), "must be an array of strings or one string"),
        ("eventTypes", json!("x"), "must be an array"),
        ("ttlSeconds", json!("900"), "must be an integer"),
        ("ttlSeconds", json!(900.5), "must be an integer"),
        ("ttlSeconds", json!(9_223_372_036_854_775_808_u64), "must be an integer"),
        ("subject", json!(7), "must be a string"),
        ("tenantId", json!([]), "must be a string"),
    ] {
        let mut ask = json!({"idToken": "t", "audience": "a"});
        ask[member] = value;
        let reply = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert_eq!(reply.json()["details"], json!({member: reason}));
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn a_missing_or_repeated_member_is_named() {
    let server = Server::start().await;
    assert_reply!(server.post(SIGN_IN).json(json!({"email": "a@b"})).send().await, @r#"
        400
        {
          "code": "INVALID_ARGUMENT",
          "details": {
            "password": "is missing"
          },
          "error": "password: is missing",
          "requestId": "[request id]"
        }
    "#);
    let twice = r#"{"email":"a@b","password":"one","password":"two"}"#;
    assert_reply!(server.post(SIGN_IN).body(twice).send().await, @r#"
        400
        {
          "code": "INVALID_ARGUMENT",
          "details": {
            "password": "is given twice"
          },
          "error": "password: is given twice",
          "requestId": "[request id]"
        }
    "#);
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_with_and_without_its_length() {
    let server = Server::start().await;
    let body = |length: usize| {
        let start = r#"{"email":"a@b","password":"password","padding":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    assert_eq!(body(LIMIT).len(), LIMIT);
    let fits = server.post(SIGN_IN).body(body(LIMIT)).send().await;
    fits.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    let fits = server.post(SIGN_IN).body(body(LIMIT)).chunked().send().await;
    fits.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    let over = server.post(SIGN_IN).body(body(LIMIT + 1)).send().await;
    assert_reply!(over, @r#"
        413
        {
          "code": "BODY_TOO_LARGE",
          "details": {},
          "error": "The request body is larger than 64 KiB.",
          "requestId": "[request id]"
        }
    "#);
    for length in [LIMIT + 1, 10 * LIMIT] {
        let over = server.post(SIGN_IN).body(body(length)).chunked().send().await;
        over.assert_refusal(413, "BODY_TOO_LARGE");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn another_media_type_is_refused_and_a_missing_one_taken_for_json() {
    let server = Server::start().await;
    let body = r#"{"email":"a@b","password":"password"}"#;
    let reply = server.post(SIGN_IN).header("Content-Type", "text/plain").body(body).send().await;
    assert_reply!(reply, @r#"
        415
        {
          "code": "UNSUPPORTED_MEDIA_TYPE",
          "details": {
            "Content-Type": "must be application/json"
          },
          "error": "The body is not of a type that the call takes.",
          "requestId": "[request id]"
        }
    "#);
    for media_type in
        ["application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""]
    {
        let reply = server.post(SIGN_IN).header("Content-Type", media_type).body(body).send().await;
        reply.assert_refusal(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    for media_type in ["application/json; charset=utf-8", "Application/JSON", " application/json;x"]
    {
        let reply = server.post(SIGN_IN).header("Content-Type", media_type).body(body).send().await;
        reply.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    }
    let reply = server.post(SIGN_IN).body(body).send().await;
    reply.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
}

#[tokio::test]
async fn a_sane_request_id_is_taken_over_and_any_other_replaced() {
    let server = Server::start().await;
    let reply = server.get("/v1/nowhere").header("X-Request-Id", "deploy-7.a_b").send().await;
    assert_eq!(reply.header("x-request-id"), Some("deploy-7.a_b"));
    reply.assert_refusal(404, "NOT_FOUND");
    for hostile in ["${jndi:ldap://x}", "a b", "<b>", &"x".repeat(129), "a\tb"] {
        let reply = server.get("/healthz").header("X-Request-Id", hostile).send().await;
        assert_eq!(reply.header("x-request-id").unwrap().len(), 26);
    }
}

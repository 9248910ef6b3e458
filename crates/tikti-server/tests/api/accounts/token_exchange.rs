//! `POST /v1/accounts/token/exchange`

use serde_json::json;

use crate::support::{JOBS, Server, assert_reply};

#[tokio::test]
async fn mints_the_access_token_of_the_landing_page() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.tenant(&token, "codecompany").await;
    let reply = server
        .post("/v1/accounts/token/exchange")
        .keyed()
        .json(json!({
            "idToken": token,
            "audience": "backend-worker",
            "scopes": JOBS,
            "tenantId": "codecompany",
            "subject": "worker-01",
        }))
        .send()
        .await;
    assert_reply!(reply, @r#"
        200
        {
          "accessToken": "[token]",
          "expiresIn": 900,
          "scope": "jobs:read jobs:write",
          "tenantId": "[tenant id]",
          "tokenType": "Bearer"
        }
    "#);
}

#[tokio::test]
async fn mints_a_worker_token_for_event_types() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.tenant(&token, "codecompany").await;
    let reply = server
        .post("/v1/accounts:token/exchange")
        .keyed()
        .header("X-Tenant-Id", "codecompany")
        .json(json!({
            "idToken": token,
            "audience": "codeq-worker",
            "scopes": ["codeq:claim", "codeq:heartbeat"],
            "eventTypes": ["order.placed"],
            "subject": "worker-01",
            "ttlSeconds": 900,
        }))
        .send()
        .await;
    assert_reply!(reply, @r#"
        200
        {
          "accessToken": "[token]",
          "expiresIn": 900,
          "scope": "codeq:claim codeq:heartbeat",
          "tenantId": "[tenant id]",
          "tokenType": "Bearer"
        }
    "#);
}

#[tokio::test]
async fn needs_a_key_that_may_exchange() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.tenant(&token, "codecompany").await;
    let ask = json!({"idToken": token, "audience": "backend-worker", "tenantId": "codecompany"});
    let nobody = server.post("/v1/accounts/token/exchange").json(ask.clone()).send().await;
    nobody.assert_refusal(401, "INVALID_API_KEY");
    let browser = server
        .post("/v1/accounts/token/exchange")
        .header("X-API-Key", &server.setup.web_api_key)
        .json(ask)
        .send()
        .await;
    assert_reply!(browser, @r#"
        403
        {
          "code": "API_KEY_FORBIDDEN",
          "details": {},
          "error": "The API key may not be used for this call.",
          "requestId": "[request id]"
        }
    "#);
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.tenant(&token, "codecompany").await;
    server.tenant(&token, "othercompany").await;
    let asks = [
        (json!({"idToken": "x"}), 401, "INVALID_ID_TOKEN"),
        (json!({"tenantId": null}), 400, "TENANT_REQUIRED"),
        (json!({"tenantId": "No Tenant"}), 400, "INVALID_ARGUMENT"),
        (json!({"tenantId": "unknown"}), 404, "TENANT_NOT_FOUND"),
        (json!({"audience": "Backend-Worker"}), 400, "UNKNOWN_AUDIENCE"),
        (json!({"audience": "a b"}), 400, "INVALID_ARGUMENT"),
        (json!({"scopes": "jobs:delete"}), 403, "SCOPE_NOT_PERMITTED"),
        (json!({"scopes": ["a b"]}), 400, "INVALID_ARGUMENT"),
        (json!({"eventTypes": ["order.placed"]}), 403, "EVENT_TYPE_NOT_PERMITTED"),
        (json!({"audience": "codeq-worker"}), 400, "EVENT_TYPES_REQUIRED"),
        (json!({"subject": "somebody@corp.sys"}), 403, "SUBJECT_NOT_PERMITTED"),
        (json!({"ttlSeconds": 899}), 400, "INVALID_TTL"),
        (json!({"ttlSeconds": -1}), 400, "INVALID_TTL"),
    ];
    for (change, status, code) in asks {
        let mut ask =
            json!({"idToken": token, "audience": "backend-worker", "tenantId": "codecompany"});
        ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
        reply.assert_refusal(status, code);
    }
}

#[tokio::test]
async fn header_and_body_that_name_different_tenants_are_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.tenant(&token, "codecompany").await;
    server.tenant(&token, "othercompany").await;
    let ask = json!({"idToken": token, "audience": "backend-worker", "tenantId": "codecompany"});
    for (header, status, code) in [
        ("othercompany", 400, "TENANT_CONFLICT"),
        ("Not A Tenant", 400, "INVALID_ARGUMENT"),
        ("", 400, "INVALID_ARGUMENT"),
    ] {
        let reply = server
            .post("/v1/accounts/token/exchange")
            .keyed()
            .header("X-Tenant-Id", header)
            .json(ask.clone())
            .send()
            .await;
        reply.assert_refusal(status, code);
    }
}

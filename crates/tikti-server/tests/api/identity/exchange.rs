//! `token/exchange`

use serde_json::{Value, json};

use super::{By, World};
use crate::support::JOBS;

#[tokio::test]
async fn exchange_answers_as_promised() {
    let world = World::new().await;
    let ask = |change: Value| {
        let mut ask = json!({
            "idToken": world.admin, "audience": "backend-worker", "tenantId": "codecompany",
        });
        ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ask
    };
    let mut cases = vec![
        ("minted", By::Key, ask(json!({ "scopes": JOBS }))),
        ("no member", By::Key, ask(json!({ "idToken": world.ann }))),
        ("no tenant", By::Key, ask(json!({"tenantId": "nowhere"}))),
        (
            "no tenant, and no member",
            By::Key,
            ask(json!({"idToken": world.ann, "tenantId": "nowhere"})),
        ),
        ("none named", By::Key, ask(json!({"idToken": world.ann, "tenantId": null}))),
        ("no name of a tenant", By::Key, ask(json!({"tenantId": "No Tenant"}))),
        ("no client", By::Key, ask(json!({"audience": "Backend-Worker"}))),
        ("no name of a client", By::Key, ask(json!({"audience": "a b"}))),
        ("no scope there", By::Key, ask(json!({"scopes": "jobs:delete"}))),
        ("no scope at all", By::Key, ask(json!({"scopes": ["a b"]}))),
        ("no events there", By::Key, ask(json!({"eventTypes": ["order.placed"]}))),
        ("no events named", By::Key, ask(json!({"audience": "codeq-worker"}))),
        ("somebody else", By::Key, ask(json!({"subject": "somebody@corp.sys"}))),
        ("too short", By::Key, ask(json!({"ttlSeconds": 899}))),
        ("too long", By::Key, ask(json!({"ttlSeconds": 3601}))),
        ("another type", By::Key, ask(json!({"ttlSeconds": "900"}))),
        ("no audience", By::Key, json!({ "idToken": world.admin })),
    ];
    cases.extend(World::key_cases(&ask(json!({}))));
    cases.extend(world.token_cases(ask(json!({}))).await);
    insta::assert_snapshot!(world.lines("token/exchange", &cases).await, @r#"
    minted: 200 {"accessToken":"[token]","expiresIn":900,"scope":"jobs:read jobs:write","tenantId":"[tenant id]","tokenType":"Bearer"}
    no member: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    no tenant: 404 {"code":"TENANT_NOT_FOUND","details":{},"error":"There is no such tenant, or the caller does not belong to it.","requestId":"[request id]"}
    no tenant, and no member: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    none named: 400 {"code":"TENANT_REQUIRED","details":{},"error":"No tenant was named and none follows from the token.","requestId":"[request id]"}
    no name of a tenant: 400 {"code":"INVALID_ARGUMENT","details":{"tenantId":"must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter"},"error":"tenantId: must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter","requestId":"[request id]"}
    no client: 400 {"code":"UNKNOWN_AUDIENCE","details":{},"error":"The audience is no registered client of this tenant.","requestId":"[request id]"}
    no name of a client: 400 {"code":"INVALID_ARGUMENT","details":{"audience":"must be 1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -"},"error":"audience: must be 1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -","requestId":"[request id]"}
    no scope there: 403 {"code":"SCOPE_NOT_PERMITTED","details":{"scopes":"jobs:delete"},"error":"A scope is outside what the roles and the client allow.","requestId":"[request id]"}
    no scope at all: 400 {"code":"INVALID_ARGUMENT","details":{"scopes":"a scope is 1 to 128 printable ASCII characters without spaces, quotes and backslashes"},"error":"scopes: a scope is 1 to 128 printable ASCII characters without spaces, quotes and backslashes","requestId":"[request id]"}
    no events there: 403 {"code":"EVENT_TYPE_NOT_PERMITTED","details":{"eventTypes":"order.placed"},"error":"An event type is outside what the client or the worker allows.","requestId":"[request id]"}
    no events named: 400 {"code":"EVENT_TYPES_REQUIRED","details":{"eventTypes":"is required"},"error":"The audience needs event types and none follow from the client or the worker.","requestId":"[request id]"}
    somebody else: 403 {"code":"SUBJECT_NOT_PERMITTED","details":{"subject":"is not one that a token may be made for"},"error":"The token may not be made for this subject.","requestId":"[request id]"}
    too short: 400 {"code":"INVALID_TTL","details":{"ttlSeconds":"must be 900 to 900 seconds"},"error":"The lifetime asked for is outside 900 to 3600 seconds or above the client's own bound.","requestId":"[request id]"}
    too long: 400 {"code":"INVALID_TTL","details":{"ttlSeconds":"must be 900 to 900 seconds"},"error":"The lifetime asked for is outside 900 to 3600 seconds or above the client's own bound.","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"ttlSeconds":"must be an integer"},"error":"ttlSeconds: must be an integer","requestId":"[request id]"}
    no audience: 400 {"code":"INVALID_ARGUMENT","details":{"audience":"is missing"},"error":"audience: is missing","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    a token of another type: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"must be a string"},"error":"idToken: must be a string","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn an_exchange_by_two_names_answers_as_promised() {
    let world = World::new().await;
    let ask = json!({
        "idToken": world.admin, "audience": "backend-worker", "tenantId": "codecompany",
    });
    let request = world.server.post("/v1/accounts/token/exchange").keyed();
    let request = request.header("X-Tenant-Id", "another").json(ask);
    insta::assert_snapshot!(request.send().await.line(), @r#"400 {"code":"TENANT_CONFLICT","details":{},"error":"body and header name different tenants","requestId":"[request id]"}"#);
}

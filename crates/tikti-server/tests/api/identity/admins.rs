//! `status`, `revoke`, `revokeJti`, `validate`: for administrators.

use serde_json::json;

use super::{ANN, By, World};
use crate::doors::forge;

#[tokio::test]
async fn status_answers_as_promised() {
    let world = World::new().await;
    let ask = |email: &str, status: &str| json!({"email": email, "status": status});
    let admin = By::KeyAndBearer(&world.admin);
    let me = world.server.setup.admin_email.clone();
    let mut cases = world.admin_cases(&ask("gone@corp.sys", "ACTIVE"));
    cases.extend([
        ("suspended", admin, ask(ANN, "SUSPENDED")),
        ("active again", admin, ask(ANN, "ACTIVE")),
        ("the last administrator", admin, ask(&me, "INACTIVE")),
        ("nobody", admin, ask("nobody@corp.sys", "ACTIVE")),
        ("no status", admin, ask(ANN, "DELETED")),
        ("no address", admin, ask("x", "ACTIVE")),
        ("nothing", admin, json!({})),
    ]);
    insta::assert_snapshot!(world.lines("status", &cases).await, @r#"
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no good token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"the token is not accepted here: sign in again","requestId":"[request id]"}
    no administrator: 403 {"code":"ADMIN_REQUIRED","details":{},"error":"The call needs a platform administrator.","requestId":"[request id]"}
    an old sign-in: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    suspended: 200 {"email":"ann@corp.sys","localId":"[user id]","status":"SUSPENDED"}
    active again: 200 {"email":"ann@corp.sys","localId":"[user id]","status":"ACTIVE"}
    the last administrator: 409 {"code":"LAST_ADMIN","details":{},"error":"The last administrator cannot be removed, demoted, suspended or deleted.","requestId":"[request id]"}
    nobody: 404 {"code":"USER_NOT_FOUND","details":{},"error":"There is no such user.","requestId":"[request id]"}
    no status: 400 {"code":"INVALID_ARGUMENT","details":{"status":"must be ACTIVE, INACTIVE or SUSPENDED"},"error":"status: must be ACTIVE, INACTIVE or SUSPENDED","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    nothing: 400 {"code":"INVALID_ARGUMENT","details":{"email":"is missing"},"error":"email: is missing","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn revoke_answers_as_promised() {
    let world = World::new().await;
    let admin = By::KeyAndBearer(&world.admin);
    let gone = "gone@corp.sys";
    let global = json!({"email": gone, "scope": "global"});
    let mut cases = vec![
        ("everything", admin, global.clone()),
        ("of nobody", admin, json!({"email": "nobody@corp.sys", "scope": "global"})),
        ("no scope", admin, json!({"email": gone, "scope": "all"})),
        ("two scopes", admin, json!({"email": gone, "scope": "global", "tenantId": "t-1"})),
        ("in no tenant", admin, json!({"email": gone, "scope": "tenant"})),
        (
            "in a tenant of nobody",
            admin,
            json!({"email": gone, "scope": "tenant", "tenantId": "t-1"}),
        ),
        (
            "of no member",
            admin,
            json!({"email": gone, "scope": "tenant", "tenantId": "codecompany"}),
        ),
        ("no address", admin, json!({"email": "x", "scope": "global"})),
    ];
    cases.extend(world.admin_cases(&global));
    insta::assert_snapshot!(world.lines("revoke", &cases).await, @r#"
    everything: 200 {"email":"gone@corp.sys","localId":"[user id]","revokedAt":"[time]","tokenVersion":"[version]"}
    of nobody: 404 {"code":"USER_NOT_FOUND","details":{},"error":"There is no such user.","requestId":"[request id]"}
    no scope: 400 {"code":"INVALID_ARGUMENT","details":{"scope":"must be global or tenant"},"error":"scope: must be global or tenant","requestId":"[request id]"}
    two scopes: 400 {"code":"INVALID_ARGUMENT","details":{"tenantId":"belongs to the scope tenant"},"error":"tenantId: belongs to the scope tenant","requestId":"[request id]"}
    in no tenant: 400 {"code":"TENANT_REQUIRED","details":{"tenantId":"is missing"},"error":"No tenant was named and none follows from the token.","requestId":"[request id]"}
    in a tenant of nobody: 404 {"code":"TENANT_NOT_FOUND","details":{},"error":"There is no such tenant, or the caller does not belong to it.","requestId":"[request id]"}
    of no member: 404 {"code":"USER_NOT_FOUND","details":{},"error":"There is no such user.","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no good token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"the token is not accepted here: sign in again","requestId":"[request id]"}
    no administrator: 403 {"code":"ADMIN_REQUIRED","details":{},"error":"The call needs a platform administrator.","requestId":"[request id]"}
    an old sign-in: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn revoke_jti_answers_as_promised() {
    let world = World::new().await;
    let admin = By::KeyAndBearer(&world.admin);
    let other = world.somebody("bob@corp.sys").await;
    let foreign = forge::sign(&forge::header(&other), &forge::claims(&other), b"another secret");
    let ask = json!({ "token": other });
    let mut cases = vec![
        ("denied", admin, ask.clone()),
        ("no token of ours", admin, json!({"token": "a.b.c"})),
        ("of another secret", admin, json!({ "token": foreign })),
        ("a token that has ended", admin, json!({"token": world.expired()})),
        ("another type", admin, json!({"token": 7})),
        ("nothing", admin, json!({})),
    ];
    cases.extend(world.admin_cases(&ask));
    insta::assert_snapshot!(world.lines("revokeJti", &cases).await, @r#"
    denied: 200 {"expiresAt":"[time]","jti":"[token id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{"step":"parse"},"error":"the payload is not canonical base64url without padding","requestId":"[request id]"}
    of another secret: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{"step":"signature"},"error":"the signature is not valid","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{"step":"expiry"},"error":"the token has expired","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"token":"must be a string"},"error":"token: must be a string","requestId":"[request id]"}
    nothing: 400 {"code":"INVALID_ARGUMENT","details":{"token":"is missing"},"error":"token: is missing","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no good token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"the token is not accepted here: sign in again","requestId":"[request id]"}
    no administrator: 403 {"code":"ADMIN_REQUIRED","details":{},"error":"The call needs a platform administrator.","requestId":"[request id]"}
    an old sign-in: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn validate_answers_as_promised() {
    let world = World::new().await;
    let admin = By::KeyAndBearer(&world.admin);
    let ask = |token: &str, audience: &str| json!({"token": token, "audience": audience});
    let own = "tikti-identity";
    let good = ask(&world.ann, own);
    let foreign =
        forge::sign(&forge::header(&world.ann), &forge::claims(&world.ann), b"another secret");
    let mut cases = vec![
        ("for another audience", admin, ask(&world.ann, "another")),
        ("no token", admin, ask("a.b", own)),
        ("no token of ours", admin, ask("a.b.c", own)),
        ("of another secret", admin, ask(&foreign, own)),
        ("a token that has ended", admin, ask(&world.expired(), own)),
        ("a token that was revoked", admin, ask(&world.revoked().await, own)),
        ("no audience", admin, json!({ "token": world.ann })),
    ];
    // Nothing changes: an old sign-in is as good as a new one.
    let gates = world.admin_cases(&good);
    cases.extend(gates.into_iter().filter(|(name, _, _)| *name != "an old sign-in"));
    insta::assert_snapshot!(world.lines("validate", &cases).await, @r#"
    for another audience: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{"step":"audience"},"error":"the token is for another audience","requestId":"[request id]"}
    no token: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{"step":"parse"},"error":"the token does not have three parts","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{"step":"parse"},"error":"the payload is not canonical base64url without padding","requestId":"[request id]"}
    of another secret: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{"step":"signature"},"error":"the signature is not valid","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{"step":"expiry"},"error":"the token has expired","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{"step":"revocation"},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    no audience: 400 {"code":"INVALID_ARGUMENT","details":{"audience":"is missing"},"error":"audience: is missing","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no good token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"the token is not accepted here: sign in again","requestId":"[request id]"}
    no administrator: 403 {"code":"ADMIN_REQUIRED","details":{},"error":"The call needs a platform administrator.","requestId":"[request id]"}
    "#);
    let good = [good.clone(), good];
    let by_old = world.twice("validate", By::KeyAndBearer(&world.old_admin), good.clone()).await;
    assert_eq!(by_old, world.twice("validate", admin, good).await);
}

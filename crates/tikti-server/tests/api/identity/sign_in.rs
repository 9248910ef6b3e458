//! `signIn`, `signInWithPassword`, `signInWithOobCode`, `signUp`

use serde_json::{Value, json};

use super::{ANN, By, World};
use crate::support::PASSWORD;

/// The cases of both calls that take a password.
fn password_cases(by: By<'_>) -> Vec<(&'static str, By<'_>, Value)> {
    let ask = |change: Value| {
        let mut ask = json!({"email": ANN, "password": PASSWORD});
        ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ask
    };
    let long = "x".repeat(73);
    vec![
        ("a session", by, ask(json!({}))),
        ("one that goes on", by, ask(json!({"returnSecureToken": true}))),
        ("a wrong password", by, ask(json!({"password": "wrong"}))),
        (
            "a wrong one, elsewhere",
            by,
            ask(json!({"password": "wrong", "tenantId": "codecompany"})),
        ),
        ("nobody", by, ask(json!({"email": "nobody@corp.sys"}))),
        ("suspended", by, ask(json!({"email": "gone@corp.sys"}))),
        ("no member", by, ask(json!({"tenantId": "codecompany"}))),
        ("no tenant", by, ask(json!({"tenantId": "nowhere"}))),
        ("an application of no tenant", by, ask(json!({"clientId": "backend-worker"}))),
        ("too long", by, ask(json!({"password": long}))),
        ("no address", by, ask(json!({"email": "x"}))),
        ("no name of a tenant", by, ask(json!({"tenantId": "No Tenant"}))),
        ("no name of a client", by, ask(json!({"clientId": "a b"}))),
        ("another type", by, ask(json!({"returnSecureToken": "yes"}))),
        ("no password", by, json!({"email": ANN})),
    ]
}

/// A member's sign-in, and one for what is no application.
fn member_cases<'a>(world: &World, by: By<'a>) -> Vec<(&'static str, By<'a>, Value)> {
    let setup = &world.server.setup;
    let ask = json!({
        "email": setup.admin_email, "password": setup.admin_password, "tenantId": "codecompany",
        "returnSecureToken": true,
    });
    let mut service = ask.clone();
    service["clientId"] = json!("backend-worker");
    vec![("a member", by, ask), ("no application", by, service)]
}

#[tokio::test]
async fn sign_in_answers_as_promised() {
    let world = World::new().await;
    let mut cases = password_cases(By::Nothing);
    cases.extend(member_cases(&world, By::Nothing));
    insta::assert_snapshot!(world.lines("signIn", &cases).await, @r#"
    a session: 200 {"email":"ann@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]"}
    one that goes on: 200 {"email":"ann@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]","refreshToken":"[token]"}
    a wrong password: 401 www-authenticate=Bearer {"code":"INVALID_LOGIN_CREDENTIALS","details":{},"error":"E-mail address and password do not belong together.","requestId":"[request id]"}
    a wrong one, elsewhere: 401 www-authenticate=Bearer {"code":"INVALID_LOGIN_CREDENTIALS","details":{},"error":"E-mail address and password do not belong together.","requestId":"[request id]"}
    nobody: 401 www-authenticate=Bearer {"code":"INVALID_LOGIN_CREDENTIALS","details":{},"error":"E-mail address and password do not belong together.","requestId":"[request id]"}
    suspended: 403 {"code":"USER_DISABLED","details":{},"error":"The user is not active.","requestId":"[request id]"}
    no member: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    no tenant: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    an application of no tenant: 400 {"code":"UNKNOWN_AUDIENCE","details":{},"error":"The audience is no registered client of this tenant.","requestId":"[request id]"}
    too long: 400 {"code":"PASSWORD_TOO_LONG","details":{"password":"must be at most 72 bytes of UTF-8"},"error":"The password is longer than 72 bytes; it is refused, never cut.","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    no name of a tenant: 400 {"code":"INVALID_ARGUMENT","details":{"tenantId":"must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter"},"error":"tenantId: must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter","requestId":"[request id]"}
    no name of a client: 400 {"code":"INVALID_ARGUMENT","details":{"clientId":"must be 1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -"},"error":"clientId: must be 1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"returnSecureToken":"must be a boolean"},"error":"returnSecureToken: must be a boolean","requestId":"[request id]"}
    no password: 400 {"code":"INVALID_ARGUMENT","details":{"password":"is missing"},"error":"password: is missing","requestId":"[request id]"}
    a member: 200 {"email":"root@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]","refreshToken":"[token]","tenantId":"[tenant id]"}
    no application: 400 {"code":"UNKNOWN_AUDIENCE","details":{},"error":"The audience is no registered client of this tenant.","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn sign_in_with_password_answers_as_promised() {
    let world = World::new().await;
    let mut cases = password_cases(By::Key);
    cases.extend(member_cases(&world, By::Key));
    let open = world.lines("signIn", &cases).await;
    // With the key it is the same call.
    assert_eq!(world.lines("signInWithPassword", &cases).await, open);
    let keys = World::key_cases(&json!({"email": ANN, "password": PASSWORD}));
    insta::assert_snapshot!(world.lines("signInWithPassword", &keys).await, @r#"
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn sign_in_with_oob_code_answers_as_promised() {
    let world = World::new().await;
    let mut asks = Vec::new();
    for _ in 0..2 {
        let code = world.server.oob_code("EMAIL_SIGNIN").await;
        let email = &world.server.setup.admin_email;
        asks.push(json!({"email": email, "oobCode": code, "returnSecureToken": true}));
    }
    let asks: [Value; 2] = asks.try_into().unwrap();
    let done = world.twice("signInWithOobCode", By::Nothing, asks.clone()).await;
    insta::assert_snapshot!(done, @r#"200 {"email":"root@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]","refreshToken":"[token]","tenantId":"[tenant id]"}"#);
    let [used, _] = asks;
    let cases = [
        ("used", By::Nothing, used),
        ("made up", By::Nothing, json!({"email": ANN, "oobCode": "A".repeat(32)})),
        ("nobody's", By::Nothing, json!({"email": "nobody@corp.sys", "oobCode": "A".repeat(32)})),
        ("no address", By::Nothing, json!({"email": "x", "oobCode": "A"})),
        ("no code", By::Nothing, json!({"email": ANN})),
    ];
    insta::assert_snapshot!(world.lines("signInWithOobCode", &cases).await, @r#"
    used: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    made up: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    nobody's: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    no code: 400 {"code":"INVALID_ARGUMENT","details":{"oobCode":"is missing"},"error":"oobCode: is missing","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn sign_up_answers_as_promised() {
    let world = World::new().await;
    let admin = By::Bearer(&world.admin);
    let ask = |change: Value| {
        let mut ask = json!({"email": "new@corp.sys", "password": PASSWORD});
        ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ask
    };
    let two = ["one@corp.sys", "two@corp.sys"].map(|email| ask(json!({ "email": email })));
    insta::assert_snapshot!(world.twice("signUp", admin, two).await, @r#"200 {"createdAt":"[time]","email":"x@corp.sys","localId":"[user id]"}"#);
    let cases = [
        ("taken", admin, ask(json!({"email": "ANN@corp.sys"}))),
        ("nobody asks", By::Nothing, ask(json!({}))),
        ("a key is no administrator", By::Key, ask(json!({}))),
        ("no good token", By::Bearer("a.b.c"), ask(json!({}))),
        ("no administrator", By::Bearer(&world.ann), ask(json!({}))),
        ("an old sign-in", By::Bearer(&world.old_admin), ask(json!({}))),
        ("no address", admin, ask(json!({"email": "x"}))),
        ("too short", admin, ask(json!({"password": "short"}))),
        ("too common", admin, ask(json!({"password": "password1"}))),
        ("too long", admin, ask(json!({"password": "x".repeat(73)}))),
        ("no role", admin, ask(json!({"role": "ROOT"}))),
        ("roles of no tenant", admin, ask(json!({"roles": ["TENANT_USER"]}))),
        ("no tenant", admin, ask(json!({"tenantId": "nowhere"}))),
        ("no role there", admin, ask(json!({"tenantId": "codecompany", "roles": ["GONE"]}))),
        ("another type", admin, ask(json!({"roles": "TENANT_USER"}))),
    ];
    insta::assert_snapshot!(world.lines("signUp", &cases).await, @r#"
    taken: 409 {"code":"EMAIL_EXISTS","details":{},"error":"The e-mail address belongs to a user already.","requestId":"[request id]"}
    nobody asks: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    a key is no administrator: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"No bearer token, or one that is not accepted here.","requestId":"[request id]"}
    no good token: 401 www-authenticate=Bearer {"code":"UNAUTHENTICATED","details":{},"error":"the token is not accepted here: sign in again","requestId":"[request id]"}
    no administrator: 403 {"code":"ADMIN_REQUIRED","details":{},"error":"The call needs a platform administrator.","requestId":"[request id]"}
    an old sign-in: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    too short: 400 {"code":"WEAK_PASSWORD","details":{"password":"must be at least 8 bytes"},"error":"the password is shorter than 8 bytes","requestId":"[request id]"}
    too common: 400 {"code":"WEAK_PASSWORD","details":{"password":"is too common"},"error":"the password is one that everybody tries first","requestId":"[request id]"}
    too long: 400 {"code":"PASSWORD_TOO_LONG","details":{"password":"must be at most 72 bytes of UTF-8"},"error":"The password is longer than 72 bytes; it is refused, never cut.","requestId":"[request id]"}
    no role: 400 {"code":"INVALID_ARGUMENT","details":{"role":"must be ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE"},"error":"role: must be ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE","requestId":"[request id]"}
    roles of no tenant: 400 {"code":"TENANT_REQUIRED","details":{"tenantId":"roles are a tenant's: name it"},"error":"roles are a tenant's: name it","requestId":"[request id]"}
    no tenant: 404 {"code":"TENANT_NOT_FOUND","details":{},"error":"There is no such tenant, or the caller does not belong to it.","requestId":"[request id]"}
    no role there: 404 {"code":"ROLE_NOT_FOUND","details":{"roles":"GONE"},"error":"There is no such role in this tenant.","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"roles":"must be an array"},"error":"roles: must be an array","requestId":"[request id]"}
    "#);
}

//! `lookup`, `update`, `delete`: of one's own account.

use serde_json::json;

use super::{ANN, By, World};

#[tokio::test]
async fn lookup_answers_as_promised() {
    let world = World::new().await;
    let plain = json!({ "idToken": world.ann });
    let mut cases = vec![
        ("a user", By::Key, plain.clone()),
        ("a member", By::Key, json!({ "idToken": world.admin })),
        ("with memberships", By::Key, json!({"idToken": world.admin, "memberships": true})),
        ("an old sign-in", By::Key, json!({ "idToken": world.old_ann })),
        ("another type", By::Key, json!({"idToken": world.ann, "memberships": "yes"})),
        ("nothing", By::Key, json!({})),
    ];
    cases.extend(World::key_cases(&plain));
    cases.extend(world.token_cases(json!({})).await);
    insta::assert_snapshot!(world.lines("lookup", &cases).await, @r#"
    a user: 200 {"users":[{"createdAt":"[time]","email":"ann@corp.sys","emailVerified":false,"lastLoginAt":"[time]","localId":"[user id]","role":"COMPANY_EMPLOYEE","status":"ACTIVE"}]}
    a member: 200 {"users":[{"createdAt":"[time]","email":"root@corp.sys","emailVerified":false,"lastLoginAt":"[time]","localId":"[user id]","role":"ADMIN","status":"ACTIVE","tenantId":"[tenant id]"}]}
    with memberships: 200 {"users":[{"createdAt":"[time]","email":"root@corp.sys","emailVerified":false,"lastLoginAt":"[time]","localId":"[user id]","memberships":[{"roles":["CODEQ_ADMIN","CODEQ_PRODUCER","CODEQ_WORKER","JOBS_OPERATOR","TENANT_ADMIN"],"tenantId":"[tenant id]"}],"role":"ADMIN","status":"ACTIVE","tenantId":"[tenant id]"}]}
    an old sign-in: 200 {"users":[{"createdAt":"[time]","email":"ann@corp.sys","emailVerified":false,"lastLoginAt":"[time]","localId":"[user id]","role":"COMPANY_EMPLOYEE","status":"ACTIVE"}]}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"memberships":"must be a boolean"},"error":"memberships: must be a boolean","requestId":"[request id]"}
    nothing: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"is missing"},"error":"idToken: is missing","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    a token of another type: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"must be a string"},"error":"idToken: must be a string","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn update_answers_as_promised() {
    let world = World::new().await;
    let ask = |token: &str, name: &str, value: &str| json!({"idToken": token, name: value});
    let (ann, old) = (world.ann.as_str(), world.old_ann.as_str());
    let (one, two) = (world.somebody("one@corp.sys").await, world.somebody("two@corp.sys").await);
    let passwords = [&one, &two].map(|token| ask(token, "password", "a staple that is correct"));
    let changed = world.twice("update", By::Key, passwords).await;
    insta::assert_snapshot!(changed, @r#"200 {"email":"x@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]","refreshToken":"[token]"}"#);
    let long = "x".repeat(73);
    let admin = world.server.setup.admin_email.clone();
    let mut cases = vec![
        ("a name", By::Key, ask(ann, "displayName", "Ann")),
        ("a name, after an old sign-in", By::Key, ask(old, "displayName", "Ann")),
        ("an address, after an old one", By::Key, ask(old, "email", "ann@new.example")),
        ("a password, after an old one", By::Key, ask(old, "password", "a staple that is correct")),
        ("taken", By::Key, ask(ann, "email", &admin)),
        ("no address", By::Key, ask(ann, "email", "x")),
        ("too short", By::Key, ask(ann, "password", "short")),
        ("too long", By::Key, ask(ann, "password", &long)),
        ("no member", By::Key, ask(ann, "defaultTenantId", "codecompany")),
        ("no tenant", By::Key, ask(ann, "defaultTenantId", "nowhere")),
        ("no name of a tenant", By::Key, ask(ann, "defaultTenantId", "No Tenant")),
        ("no name", By::Key, ask(ann, "displayName", "")),
        ("no change", By::Key, json!({ "idToken": ann })),
        ("nothing", By::Key, json!({})),
        ("no good code", By::Key, json!({"oobCode": "A".repeat(32)})),
        ("a code and more", By::Key, json!({"oobCode": "A", "displayName": "Ann"})),
    ];
    cases.extend(World::key_cases(&ask(ann, "displayName", "Ann")));
    cases.extend(world.token_cases(json!({"displayName": "Ann"})).await);
    insta::assert_snapshot!(world.lines("update", &cases).await, @r#"
    a name: 200 {"email":"ann@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]"}
    a name, after an old sign-in: 200 {"email":"ann@corp.sys","expiresIn":3600,"idToken":"[token]","localId":"[user id]"}
    an address, after an old one: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    a password, after an old one: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    taken: 409 {"code":"EMAIL_EXISTS","details":{},"error":"The e-mail address belongs to a user already.","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    too short: 400 {"code":"WEAK_PASSWORD","details":{"password":"must be at least 8 bytes"},"error":"the password is shorter than 8 bytes","requestId":"[request id]"}
    too long: 400 {"code":"PASSWORD_TOO_LONG","details":{"password":"must be at most 72 bytes of UTF-8"},"error":"The password is longer than 72 bytes; it is refused, never cut.","requestId":"[request id]"}
    no member: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    no tenant: 403 {"code":"MEMBERSHIP_REQUIRED","details":{},"error":"The user holds no active membership in this tenant.","requestId":"[request id]"}
    no name of a tenant: 400 {"code":"INVALID_ARGUMENT","details":{"defaultTenantId":"must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter"},"error":"defaultTenantId: must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, beginning with a letter","requestId":"[request id]"}
    no name: 400 {"code":"INVALID_ARGUMENT","details":{"displayName":"must be 1 to 256 bytes"},"error":"displayName: must be 1 to 256 bytes","requestId":"[request id]"}
    no change: 400 {"code":"INVALID_ARGUMENT","details":{"body":"give what is to change: email, password, displayName or defaultTenantId"},"error":"body: give what is to change: email, password, displayName or defaultTenantId","requestId":"[request id]"}
    nothing: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"is missing"},"error":"idToken: is missing","requestId":"[request id]"}
    no good code: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    a code and more: 400 {"code":"INVALID_ARGUMENT","details":{"oobCode":"must come alone"},"error":"oobCode: must come alone","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    a token of another type: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"must be a string"},"error":"idToken: must be a string","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn update_by_code_answers_as_promised() {
    let world = World::new().await;
    let mut asks = Vec::new();
    for token in [world.somebody("one@corp.sys").await, world.somebody("two@corp.sys").await] {
        let ask = json!({"requestType": "VERIFY_EMAIL", "idToken": token});
        let sent = world.send(("POST", "/v1/accounts/sendOobCode"), By::Key, &ask).await;
        asks.push(json!({"oobCode": sent.json()["oobCode"]}));
    }
    let asks = asks.try_into().unwrap();
    insta::assert_snapshot!(world.twice("update", By::Key, asks).await, @r#"200 {"email":"x@corp.sys","localId":"[user id]"}"#);
    // Somebody else took the address while the code was on its way.
    let ask = json!({
        "requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": world.ann, "newEmail": "late@corp.sys",
    });
    let sent = world.send(("POST", "/v1/accounts/sendOobCode"), By::Key, &ask).await;
    world.somebody("late@corp.sys").await;
    let cases = [("taken", By::Key, json!({"oobCode": sent.json()["oobCode"]}))];
    insta::assert_snapshot!(world.lines("update", &cases).await, @r#"taken: 409 {"code":"EMAIL_EXISTS","details":{},"error":"The e-mail address belongs to a user already.","requestId":"[request id]"}"#);
}

#[tokio::test]
async fn delete_answers_as_promised() {
    let world = World::new().await;
    let mut asks = Vec::new();
    for email in ["one@corp.sys", "two@corp.sys"] {
        asks.push(json!({"idToken": world.somebody(email).await}));
    }
    let asks = asks.try_into().unwrap();
    insta::assert_snapshot!(world.twice("delete", By::Key, asks).await, @r#"200 {"kind":"identitytoolkit#DeleteAccountResponse"}"#);
    let mut cases = vec![
        ("the last administrator", By::Key, json!({ "idToken": world.admin })),
        ("an old sign-in", By::Key, json!({ "idToken": world.old_ann })),
        ("nothing", By::Key, json!({})),
    ];
    cases.extend(World::key_cases(&json!({ "idToken": world.ann })));
    cases.extend(world.token_cases(json!({})).await);
    insta::assert_snapshot!(world.lines("delete", &cases).await, @r#"
    the last administrator: 409 {"code":"LAST_ADMIN","details":{},"error":"The last administrator cannot be removed, demoted, suspended or deleted.","requestId":"[request id]"}
    an old sign-in: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    nothing: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"is missing"},"error":"idToken: is missing","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    a token of another type: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"must be a string"},"error":"idToken: must be a string","requestId":"[request id]"}
    "#);
    assert_eq!(world.server.sign_in(ANN, crate::support::PASSWORD).await.status, 200);
}

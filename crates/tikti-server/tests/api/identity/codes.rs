//! `sendOobCode`, `resetPassword`

use serde_json::{Value, json};

use super::{ANN, By, World};

#[tokio::test]
async fn send_oob_code_answers_as_promised() {
    let world = World::new().await;
    let by_address = |kind: &str, email: &str| json!({"requestType": kind, "email": email});
    let by_token = |kind: &str, token: &str| json!({"requestType": kind, "idToken": token, "newEmail": "ann@new.example"});
    let mut cases = vec![
        ("a reset", By::Key, by_address("PASSWORD_RESET", " Ann@Corp.SYS")),
        ("a sign-in", By::Key, by_address("EMAIL_SIGNIN", ANN)),
        ("a stranger", By::Key, by_address("PASSWORD_RESET", "nobody@corp.sys")),
        ("suspended", By::Key, by_address("EMAIL_SIGNIN", "gone@corp.sys")),
        ("an address", By::Key, by_token("VERIFY_EMAIL", &world.ann)),
        ("an address, after an old sign-in", By::Key, by_token("VERIFY_EMAIL", &world.old_ann)),
        ("a new address", By::Key, by_token("VERIFY_AND_CHANGE_EMAIL", &world.ann)),
        (
            "a new one, after an old one",
            By::Key,
            by_token("VERIFY_AND_CHANGE_EMAIL", &world.old_ann),
        ),
        ("nobody asks for this", By::Key, by_address("RECOVER_EMAIL", ANN)),
        ("no type", By::Key, json!({ "email": ANN })),
        ("no address", By::Key, json!({"requestType": "PASSWORD_RESET"})),
        ("no good address", By::Key, by_address("PASSWORD_RESET", "ann")),
        ("no token", By::Key, json!({"requestType": "VERIFY_EMAIL"})),
        (
            "no new address",
            By::Key,
            json!({"requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": world.ann}),
        ),
        (
            "a link to elsewhere",
            By::Key,
            json!({
                "requestType": "EMAIL_SIGNIN", "email": ANN, "continueUrl": "https://evil.example/",
            }),
        ),
    ];
    cases.extend(World::key_cases(&by_address("PASSWORD_RESET", ANN)));
    cases.extend(world.token_cases(json!({"requestType": "VERIFY_EMAIL"})).await);
    insta::assert_snapshot!(world.lines("sendOobCode", &cases).await, @r#"
    a reset: 200 {"email":"ann@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    a sign-in: 200 {"email":"ann@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    a stranger: 200 {"email":"nobody@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    suspended: 200 {"email":"gone@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    an address: 200 {"email":"ann@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    an address, after an old sign-in: 200 {"email":"ann@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    a new address: 200 {"email":"ann@corp.sys","kind":"identitytoolkit#GetOobConfirmationCodeResponse","oobCode":"[code]"}
    a new one, after an old one: 401 www-authenticate=Bearer {"code":"CREDENTIAL_TOO_OLD","details":{},"error":"The sign-in is too long ago for this change.","requestId":"[request id]"}
    nobody asks for this: 400 {"code":"INVALID_ARGUMENT","details":{"requestType":"must be PASSWORD_RESET, EMAIL_SIGNIN, VERIFY_EMAIL or VERIFY_AND_CHANGE_EMAIL"},"error":"requestType: must be PASSWORD_RESET, EMAIL_SIGNIN, VERIFY_EMAIL or VERIFY_AND_CHANGE_EMAIL","requestId":"[request id]"}
    no type: 400 {"code":"INVALID_ARGUMENT","details":{"requestType":"is missing"},"error":"requestType: is missing","requestId":"[request id]"}
    no address: 400 {"code":"INVALID_ARGUMENT","details":{"email":"is missing"},"error":"email: is missing","requestId":"[request id]"}
    no good address: 400 {"code":"INVALID_EMAIL","details":{"email":"has no @"},"error":"the e-mail address has no @","requestId":"[request id]"}
    no token: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"is missing"},"error":"idToken: is missing","requestId":"[request id]"}
    no new address: 400 {"code":"INVALID_ARGUMENT","details":{"newEmail":"is missing"},"error":"newEmail: is missing","requestId":"[request id]"}
    a link to elsewhere: 400 {"code":"INVALID_ARGUMENT","details":{"continueUrl":"is not at an origin that this deployment allows"},"error":"continueUrl: is not at an origin that this deployment allows","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    no token of ours: 401 www-authenticate=Bearer {"code":"INVALID_ID_TOKEN","details":{},"error":"The idToken is not a valid one of this deployment.","requestId":"[request id]"}
    a token that has ended: 401 www-authenticate=Bearer {"code":"TOKEN_EXPIRED","details":{},"error":"The token has expired.","requestId":"[request id]"}
    a token that was revoked: 401 www-authenticate=Bearer {"code":"TOKEN_REVOKED","details":{},"error":"The token was revoked before it expired.","requestId":"[request id]"}
    a token of another type: 400 {"code":"INVALID_ARGUMENT","details":{"idToken":"must be a string"},"error":"idToken: must be a string","requestId":"[request id]"}
    "#);
}

#[tokio::test]
async fn reset_password_answers_as_promised() {
    let world = World::new().await;
    let mut codes = Vec::new();
    for _ in 0..2 {
        codes.push(world.server.oob_code("PASSWORD_RESET").await);
    }
    let set = |code: &str, password: &str| json!({"oobCode": code, "newPassword": password});
    let long = "x".repeat(73);
    let mut cases = vec![
        ("a check", By::Key, json!({"oobCode": codes[0]})),
        ("too short", By::Key, set(&codes[0], "short")),
        ("too common", By::Key, set(&codes[0], "password1")),
        ("too long", By::Key, set(&codes[0], &long)),
        ("made up", By::Key, set(&"A".repeat(32), "a staple that is correct")),
        ("a check of what is made up", By::Key, json!({"oobCode": "A".repeat(32)})),
        ("no code", By::Key, json!({"newPassword": "a staple that is correct"})),
        ("another type", By::Key, json!({"oobCode": codes[0], "newPassword": 7})),
    ];
    cases.extend(World::key_cases(&set(&codes[0], "a staple that is correct")));
    insta::assert_snapshot!(world.lines("resetPassword", &cases).await, @r#"
    a check: 200 {"email":"root@corp.sys","kind":"identitytoolkit#SetAccountPasswordResponse"}
    too short: 400 {"code":"WEAK_PASSWORD","details":{"newPassword":"must be at least 8 bytes"},"error":"the password is shorter than 8 bytes","requestId":"[request id]"}
    too common: 400 {"code":"WEAK_PASSWORD","details":{"newPassword":"is too common"},"error":"the password is one that everybody tries first","requestId":"[request id]"}
    too long: 400 {"code":"PASSWORD_TOO_LONG","details":{"newPassword":"must be at most 72 bytes of UTF-8"},"error":"The password is longer than 72 bytes; it is refused, never cut.","requestId":"[request id]"}
    made up: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    a check of what is made up: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    no code: 400 {"code":"INVALID_ARGUMENT","details":{"oobCode":"is missing"},"error":"oobCode: is missing","requestId":"[request id]"}
    another type: 400 {"code":"INVALID_ARGUMENT","details":{"newPassword":"must be a string"},"error":"newPassword: must be a string","requestId":"[request id]"}
    no key: 401 www-authenticate=ApiKey {"code":"INVALID_API_KEY","details":{},"error":"The API key is missing, unknown or disabled.","requestId":"[request id]"}
    a key without the scope: 403 {"code":"API_KEY_FORBIDDEN","details":{},"error":"The API key may not be used for this call.","requestId":"[request id]"}
    "#);
    let done: Vec<Value> =
        vec![set(&codes[0], "a staple that is correct"), set(&codes[0], "another that is")];
    let path = ("POST", "/v1/accounts:resetPassword");
    let first = world.send(path, By::Key, &done[0]).await.line();
    let again = world.send(path, By::Key, &done[1]).await.line();
    let other = world.send(path, By::Key, &json!({"oobCode": codes[1]})).await.line();
    let lines = [format!("set: {first}"), format!("used: {again}"), format!("outdated: {other}")];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    set: 200 {"email":"root@corp.sys","kind":"identitytoolkit#SetAccountPasswordResponse"}
    used: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    outdated: 401 www-authenticate=Bearer {"code":"INVALID_OOB_CODE","details":{},"error":"The code is unknown, expired, used, or meant for something else.","requestId":"[request id]"}
    "#);
}

//! `POST /v1/accounts/signInWithOobCode`

use serde_json::{Value, json};

use crate::support::{LOG, Reply, Server, assert_reply};

async fn enter(server: &Server, ask: Value) -> Reply {
    server.post("/v1/accounts/signInWithOobCode").json(ask).send().await
}

#[tokio::test]
async fn a_code_opens_a_session_without_a_key_and_once() {
    let server = Server::start().await;
    let code = server.oob_code("EMAIL_SIGNIN").await;
    let ask = json!({"email": "Root@Corp.SYS", "oobCode": code, "returnSecureToken": true});
    let reply = server.post("/v1/accounts:signInWithOobCode").json(ask.clone()).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "root@corp.sys",
          "expiresIn": 3600,
          "idToken": "[token]",
          "localId": "[user id]",
          "refreshToken": "[token]"
        }
    "#);
    let token = reply.json()["idToken"].as_str().unwrap().to_owned();
    let listed = server.get("/v1/accounts/sessions").bearer(&token).send().await.json();
    assert_eq!(listed["sessions"][0]["amr"], json!(["otp"]));
    let refused = enter(&server, ask).await;
    assert_reply!(refused, @r#"
        401
        www-authenticate: Bearer
        {
          "code": "INVALID_OOB_CODE",
          "details": {},
          "error": "The code is unknown, expired, used, or meant for something else.",
          "requestId": "[request id]"
        }
    "#);
    assert!(!LOG.contains(&code));
}

#[tokio::test]
async fn every_code_that_is_not_good_is_refused_in_one_way() {
    let server = Server::start().await;
    let good = server.oob_code("EMAIL_SIGNIN").await;
    let reset = server.oob_code("PASSWORD_RESET").await;
    let email = server.setup.admin_email.clone();
    for ask in [
        json!({"email": email, "oobCode": reset}),
        json!({"email": email, "oobCode": "A".repeat(32)}),
        json!({"email": email, "oobCode": ""}),
        json!({"email": "nobody@corp.sys", "oobCode": good}),
    ] {
        enter(&server, ask).await.assert_refusal(401, "INVALID_OOB_CODE");
    }
    let ask = json!({"email": email, "oobCode": 7});
    enter(&server, ask).await.assert_refusal(400, "INVALID_ARGUMENT");
    let reply = enter(&server, json!({"email": email, "oobCode": good})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json().get("refreshToken"), None);
}

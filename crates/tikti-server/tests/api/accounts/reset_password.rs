//! `POST /v1/accounts/resetPassword`

use serde_json::{Value, json};

use crate::support::{LOG, Reply, Server, assert_reply};

async fn reset(server: &Server, ask: Value) -> Reply {
    server.post("/v1/accounts/resetPassword").keyed().json(ask).send().await
}

#[tokio::test]
async fn a_code_is_checked_then_sets_the_password_once() {
    let server = Server::start().await;
    let session = server.session().await;
    let code = server.oob_code("PASSWORD_RESET").await;
    let checked = reset(&server, json!({ "oobCode": code })).await;
    let weak = reset(&server, json!({"oobCode": code, "newPassword": "password1"})).await;
    weak.assert_refusal(400, "WEAK_PASSWORD");
    let ask = json!({"oobCode": code, "newPassword": "hush, a new password"});
    let request = server.post("/v1/accounts:resetPassword");
    // A browser key is enough: the code is the proof.
    let request = request.header("X-API-Key", &server.setup.web_api_key);
    let done = request.json(ask.clone()).send().await;
    assert_eq!(checked.masked(), done.masked());
    assert_reply!(done, @r#"
        200
        {
          "email": "root@corp.sys",
          "kind": "identitytoolkit#SetAccountPasswordResponse"
        }
    "#);
    reset(&server, ask).await.assert_refusal(401, "INVALID_OOB_CODE");
    let ask = json!({ "idToken": session["idToken"] });
    let reply = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    reply.assert_refusal(401, "TOKEN_REVOKED");
    for (password, status) in [("hush, a new password", 200), (&server.setup.admin_password, 401)] {
        let ask = json!({"email": server.setup.admin_email, "password": password});
        assert_eq!(server.post("/v1/accounts/signIn").json(ask).send().await.status, status);
    }
    assert!(!LOG.contains(&code) && !LOG.contains("hush, a new"));
}

#[tokio::test]
async fn a_code_that_is_not_good_for_it_is_refused_in_one_way() {
    let server = Server::start().await;
    let other = server.oob_code("EMAIL_SIGNIN").await;
    let ask = json!({"requestType": "PASSWORD_RESET", "email": "nobody@corp.sys"});
    let strangers = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await.json();
    let strangers = strangers["oobCode"].as_str().unwrap().to_owned();
    let mut replies = Vec::new();
    for code in [other, strangers, String::new(), "A".repeat(32), server.admin().await] {
        for ask in
            [json!({ "oobCode": code }), json!({"oobCode": code, "newPassword": "a good password"})]
        {
            let reply = reset(&server, ask).await;
            reply.assert_refusal(401, "INVALID_OOB_CODE");
            replies.push(reply.masked());
        }
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    reset(&server, json!({"newPassword": "p"})).await.assert_refusal(400, "INVALID_ARGUMENT");
    reset(&server, json!({"oobCode": 7})).await.assert_refusal(400, "INVALID_ARGUMENT");
}

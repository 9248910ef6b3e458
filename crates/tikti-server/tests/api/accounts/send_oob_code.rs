//! `POST /v1/accounts/sendOobCode`

use serde_json::{Value, json};

use crate::support::{LOG, Reply, Server, assert_reply};

async fn send(server: &Server, ask: Value) -> Reply {
    server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await
}

#[tokio::test]
async fn a_key_that_may_have_it_gets_the_code_and_nobody_else() {
    let server = Server::start().await;
    let ask = json!({"requestType": "PASSWORD_RESET", "email": " Root@Corp.SYS"});
    let reply = send(&server, ask.clone()).await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "root@corp.sys",
          "kind": "identitytoolkit#GetOobConfirmationCodeResponse",
          "oobCode": "[code]"
        }
    "#);
    let code = reply.json()["oobCode"].as_str().unwrap().to_owned();
    assert!(!LOG.contains(&code));
    // E3: a browser key never does.
    let request = server.post("/v1/accounts:sendOobCode");
    let reply = request.header("X-API-Key", &server.setup.web_api_key).json(ask).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "root@corp.sys",
          "kind": "identitytoolkit#GetOobConfirmationCodeResponse"
        }
    "#);
}

#[tokio::test]
async fn e6_a_stranger_gets_the_very_same_answer() {
    let server = Server::start().await;
    for kind in ["PASSWORD_RESET", "EMAIL_SIGNIN"] {
        for key in [&server.setup.api_key, &server.setup.web_api_key] {
            let mut replies = Vec::new();
            for email in ["root@corp.sys", "nobody@corp.sys"] {
                let ask = json!({"requestType": kind, "email": email});
                let request = server.post("/v1/accounts/sendOobCode").header("X-API-Key", key);
                let mut reply = request.json(ask).send().await;
                reply.replace(email, "the address");
                replies.push(reply.masked());
            }
            assert_eq!(replies[0], replies[1], "{kind}");
        }
    }
}

#[tokio::test]
async fn a_token_has_an_address_confirmed_or_changed() {
    let server = Server::start().await;
    let token = server.admin().await;
    let verify = send(&server, json!({"requestType": "VERIFY_EMAIL", "idToken": token})).await;
    assert_reply!(verify, @r#"
        200
        {
          "email": "root@corp.sys",
          "kind": "identitytoolkit#GetOobConfirmationCodeResponse",
          "oobCode": "[code]"
        }
    "#);
    let ask = json!({
        "requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": token, "newEmail": "root@other.sys",
    });
    assert_eq!(send(&server, ask).await.masked(), verify.masked());
    let ask = json!({"requestType": "VERIFY_EMAIL", "idToken": "a.b.c"});
    send(&server, ask).await.assert_refusal(401, "INVALID_ID_TOKEN");
}

#[tokio::test]
async fn what_is_missing_or_of_no_known_type_is_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    for ask in [
        json!({"email": "root@corp.sys"}),
        json!({"requestType": "PASSWORD_RESET"}),
        json!({"requestType": "EMAIL_SIGNIN", "idToken": token}),
        json!({"requestType": "VERIFY_EMAIL", "email": "root@corp.sys"}),
        json!({"requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": token}),
        json!({"requestType": "RECOVER_EMAIL", "email": "root@corp.sys"}),
        json!({"requestType": "password_reset", "email": "root@corp.sys"}),
        json!({"requestType": 7, "email": "root@corp.sys"}),
    ] {
        send(&server, ask).await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let ask = json!({"requestType": "PASSWORD_RESET", "email": "root"});
    send(&server, ask).await.assert_refusal(400, "INVALID_EMAIL");
}

#[tokio::test]
async fn e1_the_link_goes_on_only_to_an_origin_that_is_allowed() {
    let server = Server::start().await;
    for url in ["https://evil.example/", "http://t/", "//evil.example"] {
        for email in ["root@corp.sys", "nobody@corp.sys"] {
            let ask = json!({"requestType": "EMAIL_SIGNIN", "email": email, "continueUrl": url});
            let reply = server
                .post("/v1/accounts/sendOobCode")
                .keyed()
                .header("X-Forwarded-Host", "evil.example")
                .header("Forwarded", "host=evil.example")
                .json(ask)
                .send()
                .await;
            reply.assert_refusal(400, "INVALID_ARGUMENT");
        }
    }
}

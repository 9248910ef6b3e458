//! `POST /v1/accounts/signInWithPassword`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn takes_what_codeq_sends_with_the_key_in_the_query() {
    let server = Server::start().await;
    let (email, password) = (&server.setup.admin_email, &server.setup.admin_password);
    let reply = server
        .post(&format!("/v1/accounts/signInWithPassword?key={}", server.setup.api_key))
        .header("Content-Type", "application/json")
        .body(format!(r#"{{"email":"{email}","password":"{password}"}}"#))
        .send()
        .await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "root@corp.sys",
          "expiresIn": 3600,
          "idToken": "[token]",
          "localId": "[user id]"
        }
    "#);
}

#[tokio::test]
async fn the_browser_key_may_sign_in_and_the_colon_form_is_the_same_call() {
    let server = Server::start().await;
    let reply = server
        .post("/v1/accounts:signInWithPassword")
        .header("x-api-key", &server.setup.web_api_key)
        .json(json!({"email": server.setup.admin_email, "password": server.setup.admin_password}))
        .send()
        .await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_missing_or_wrong_key_is_refused_whatever_the_password() {
    let server = Server::start().await;
    let wrong = format!("{}x", server.setup.api_key);
    for key in [None, Some(""), Some("tk_unknownkey_secret"), Some("ü"), Some(wrong.as_str())] {
        let mut request = server.post("/v1/accounts/signInWithPassword").json(
            json!({"email": server.setup.admin_email, "password": server.setup.admin_password}),
        );
        if let Some(key) = key {
            request = request.header("X-API-Key", key);
        }
        request.send().await.assert_refusal(401, "INVALID_API_KEY");
    }
}

#[tokio::test]
async fn two_keys_that_differ_are_refused() {
    let server = Server::start().await;
    let reply = server
        .post(&format!("/v1/accounts/signInWithPassword?key={}", server.setup.web_api_key))
        .keyed()
        .json(json!({"email": server.setup.admin_email, "password": server.setup.admin_password}))
        .send()
        .await;
    assert_reply!(reply, @r#"
        400
        {
          "code": "INVALID_ARGUMENT",
          "details": {
            "key": "the header and the query name different API keys"
          },
          "error": "key: the header and the query name different API keys",
          "requestId": "[request id]"
        }
    "#);
}

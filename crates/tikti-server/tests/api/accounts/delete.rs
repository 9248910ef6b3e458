//! `POST /v1/accounts/delete`

use serde_json::json;

use crate::support::{PASSWORD, Server, assert_reply};

#[tokio::test]
async fn an_account_goes_and_its_token_with_it() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let ask = json!({"idToken": session["idToken"]});
    let reply = server.post("/v1/accounts/delete").keyed().json(ask.clone()).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "kind": "identitytoolkit#DeleteAccountResponse"
        }
    "#);
    let again = server.post("/v1/accounts:delete").keyed().json(ask).send().await;
    again.assert_refusal(401, "TOKEN_REVOKED");
    let refused = server.sign_in("ann@corp.sys", PASSWORD).await;
    refused.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    // The address is free again.
    server.user("ann@corp.sys").await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let server = Server::start().await;
    let ask = json!({"idToken": server.admin().await});
    let refused = server.post("/v1/accounts/delete").keyed().json(ask).send().await;
    refused.assert_refusal(409, "LAST_ADMIN");
    server.admin().await;
}

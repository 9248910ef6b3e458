//! `POST /v1/accounts/revokeJti`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn one_token_is_denied_and_the_session_goes_on() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let session = server.user("ann@corp.sys").await;
    let ask = json!({"token": session["idToken"]});
    let request = server.post("/v1/accounts/revokeJti").keyed().bearer(&admin).json(ask.clone());
    let reply = request.send().await;
    assert_reply!(reply, @r#"
        200
        {
          "expiresAt": "[time]",
          "jti": "[token id]"
        }
    "#);
    let lookup = json!({"idToken": session["idToken"]});
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(lookup).send().await;
    looked_up.assert_refusal(401, "TOKEN_REVOKED");
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
    assert_eq!(server.post("/v1/token").json(refresh).send().await.status, 200);
    // Once more is the same.
    let again = server.post("/v1/accounts:revokeJti").keyed().bearer(&admin).json(ask);
    assert_eq!(again.send().await.json(), reply.json());
}

#[tokio::test]
async fn what_is_no_token_of_this_deployment_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let refresh_token = server.session().await["refreshToken"].clone();
    for token in [json!("a.b.c"), json!(""), refresh_token] {
        let ask = json!({ "token": token });
        let request = server.post("/v1/accounts/revokeJti").keyed().bearer(&admin).json(ask);
        let reply = request.send().await;
        reply.assert_refusal(401, "INVALID_ID_TOKEN");
        assert_eq!(reply.json()["details"]["step"], "parse");
    }
}

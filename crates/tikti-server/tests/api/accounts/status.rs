//! `POST /v1/accounts/status`

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, assert_reply};

async fn set(server: &Server, ask: Value) -> Reply {
    let admin = server.admin().await;
    server.post("/v1/accounts/status").keyed().bearer(&admin).json(ask).send().await
}

#[tokio::test]
async fn suspending_cuts_access_at_once_and_activating_gives_it_back_anew() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let reply = set(&server, json!({"email": "Ann@corp.sys", "status": "SUSPENDED"})).await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "ann@corp.sys",
          "localId": "[user id]",
          "status": "SUSPENDED"
        }
    "#);
    let ask = json!({"idToken": session["idToken"]});
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(ask.clone()).send().await;
    looked_up.assert_refusal(403, "USER_DISABLED");
    server.sign_in("ann@corp.sys", PASSWORD).await.assert_refusal(403, "USER_DISABLED");

    let admin = server.admin().await;
    let back = json!({"email": "ann@corp.sys", "status": "ACTIVE"});
    let reply = server.post("/v1/accounts:status").keyed().bearer(&admin).json(back).send().await;
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("ACTIVE")));
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    looked_up.assert_refusal(401, "TOKEN_REVOKED");
    assert_eq!(server.sign_in("ann@corp.sys", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_last_administrator_stays_active_and_what_is_no_status_is_refused() {
    let server = Server::start().await;
    let me = server.setup.admin_email.clone();
    let last = set(&server, json!({"email": me, "status": "INACTIVE"})).await;
    last.assert_refusal(409, "LAST_ADMIN");
    let nobody = set(&server, json!({"email": "no@corp.sys", "status": "ACTIVE"})).await;
    nobody.assert_refusal(404, "USER_NOT_FOUND");
    for status in ["active", "DELETED", ""] {
        let refused = set(&server, json!({"email": me, "status": status})).await;
        refused.assert_refusal(400, "INVALID_ARGUMENT");
    }
}

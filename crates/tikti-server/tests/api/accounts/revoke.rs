//! `POST /v1/accounts/revoke`

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, assert_reply};

async fn revoke(server: &Server, ask: Value) -> Reply {
    let admin = server.admin().await;
    server.post("/v1/accounts/revoke").keyed().bearer(&admin).json(ask).send().await
}

#[tokio::test]
async fn everything_of_a_user_is_over() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let reply = revoke(&server, json!({"email": "ann@corp.sys", "scope": "global"})).await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "ann@corp.sys",
          "localId": "[user id]",
          "revokedAt": "[time]",
          "tokenVersion": "[version]"
        }
    "#);
    let ask = json!({"idToken": session["idToken"]});
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    looked_up.assert_refusal(401, "TOKEN_REVOKED");
    let ask = json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
    let refreshed = server.post("/v1/token").json(ask).send().await;
    refreshed.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    assert_eq!(server.sign_in("ann@corp.sys", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn in_one_tenant_the_session_goes_on_elsewhere() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let ask = json!({"email": "ann@corp.sys", "password": PASSWORD, "tenantId": "codecompany"});
    let made = server.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await;
    assert_eq!(made.status, 200);
    let session = server.sign_in("ann@corp.sys", PASSWORD).await.json();
    let ask = json!({"email": "ann@corp.sys", "scope": "tenant", "tenantId": "codecompany"});
    let request = server.post("/v1/accounts:revoke").keyed().bearer(&admin).json(ask);
    assert_eq!(request.send().await.status, 200);
    let ask = json!({"idToken": session["idToken"]});
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    looked_up.assert_refusal(401, "TOKEN_REVOKED");
    let ask = json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
    let refreshed = server.post("/v1/token").json(ask).send().await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());
    let ask = json!({"idToken": refreshed.json()["id_token"]});
    let found = server.post("/v1/accounts/lookup").keyed().json(ask).send().await.json();
    assert!(found["users"][0].get("tenantId").is_none(), "{found}");
}

#[tokio::test]
async fn what_does_not_fit_revokes_nothing() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let ann = "ann@corp.sys";
    for (ask, status, code) in [
        (json!({"email": ann, "scope": "all"}), 400, "INVALID_ARGUMENT"),
        (json!({"email": ann, "scope": "global", "tenantId": "t-1"}), 400, "INVALID_ARGUMENT"),
        (json!({"email": ann, "scope": "tenant"}), 400, "TENANT_REQUIRED"),
        (json!({"email": ann, "scope": "tenant", "tenantId": "t-1"}), 404, "TENANT_NOT_FOUND"),
        (json!({"email": "no@corp.sys", "scope": "global"}), 404, "USER_NOT_FOUND"),
    ] {
        revoke(&server, ask).await.assert_refusal(status, code);
    }
    let ask = json!({"idToken": session["idToken"]});
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    assert_eq!(looked_up.status, 200);
}

/// Attacks, row L2: a revocation is not forgotten at a restart.
#[tokio::test]
async fn l2_what_was_revoked_stays_so_after_a_restart() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let reply = revoke(&server, json!({"email": "ann@corp.sys", "scope": "global"})).await;
    assert_eq!(reply.status, 200);
    let other = server.session().await;
    let server = Server::start_over(server.stop().await).await;
    let refresh = async |session: &Value| {
        let token = &session["refreshToken"];
        let ask = json!({"grant_type": "refresh_token", "refresh_token": token});
        server.post("/v1/token").json(ask).send().await
    };
    refresh(&session).await.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    assert_eq!(refresh(&other).await.status, 200);
}

//! `POST /v1/accounts/update`

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, assert_reply};

const ANN: &str = "ann@corp.sys";

async fn update(server: &Server, ask: Value) -> Reply {
    server.post("/v1/accounts/update").keyed().json(ask).send().await
}

#[tokio::test]
async fn a_new_password_goes_on_with_this_session_alone() {
    let server = Server::start().await;
    let session = server.user(ANN).await;
    let ask = json!({"idToken": session["idToken"], "password": "a staple that is correct"});
    let reply = update(&server, ask).await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "ann@corp.sys",
          "expiresIn": 3600,
          "idToken": "[token]",
          "localId": "[user id]",
          "refreshToken": "[token]"
        }
    "#);
    let ask = json!({"idToken": session["idToken"]});
    let old = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    old.assert_refusal(401, "TOKEN_REVOKED");
    let ask = json!({"idToken": reply.json()["idToken"]});
    let new = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    assert_eq!(new.status, 200);
    server.sign_in(ANN, PASSWORD).await.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
    assert_eq!(server.sign_in(ANN, "a staple that is correct").await.status, 200);
}

#[tokio::test]
async fn the_colon_form_changes_name_and_address() {
    let server = Server::start().await;
    let session = server.user(ANN).await;
    let ask = json!({
        "idToken": session["idToken"], "displayName": "Ann", "email": " Ann@New.example ",
    });
    let request = server.post("/v1/accounts:update").keyed().json(ask);
    let reply = request.send().await;
    assert_eq!((reply.status, &reply.json()["email"]), (200, &json!("ann@new.example")));
    let ask = json!({"idToken": reply.json()["idToken"]});
    let found = server.post("/v1/accounts/lookup").keyed().json(ask).send().await.json();
    let user = &found["users"][0];
    assert_eq!((&user["displayName"], &user["emailVerified"]), (&json!("Ann"), &json!(false)));
}

/// The one that the session had is still good.
#[tokio::test]
async fn a_new_name_gives_no_refresh_token_and_ends_none() {
    let server = Server::start().await;
    let session = server.user(ANN).await;
    let ask = json!({"idToken": session["idToken"], "displayName": "Ann"});
    let reply = update(&server, ask).await;
    assert!(reply.json()["idToken"].is_string() && reply.json().get("refreshToken").is_none());
    let token = &session["refreshToken"];
    let ask = json!({"grant_type": "refresh_token", "refresh_token": token});
    let refreshed = server.post("/v1/token").json(ask).send().await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());
}

/// A session without a refresh token gets none.
#[tokio::test]
async fn who_asked_for_no_refresh_token_gets_none() {
    let server = Server::start().await;
    let ask = json!({"idToken": server.admin().await, "displayName": "Root"});
    let reply = update(&server, ask).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.json().get("refreshToken").is_none());
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let server = Server::start().await;
    let token = &server.user(ANN).await["idToken"];
    for (ask, member) in [
        (json!({}), "idToken"),
        (json!({"idToken": token}), "body"),
        (json!({"idToken": token, "password": 7}), "password"),
        (json!({"idToken": token, "displayName": ""}), "displayName"),
        (json!({"idToken": token, "defaultTenantId": "No Tenant"}), "defaultTenantId"),
    ] {
        let reply = update(&server, ask).await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"][member].is_string(), "{}", reply.text());
    }
    let admin = server.setup.admin_email.clone();
    for (ask, status, code) in [
        (json!({"idToken": token, "email": "x"}), 400, "INVALID_EMAIL"),
        (json!({"idToken": token, "email": admin}), 409, "EMAIL_EXISTS"),
        (json!({"idToken": token, "password": "short"}), 400, "WEAK_PASSWORD"),
        (json!({"idToken": token, "password": "x".repeat(73)}), 400, "PASSWORD_TOO_LONG"),
        (json!({"idToken": token, "defaultTenantId": "nowhere"}), 403, "MEMBERSHIP_REQUIRED"),
        (json!({"idToken": "a.b.c", "displayName": "A"}), 401, "INVALID_ID_TOKEN"),
    ] {
        update(&server, ask).await.assert_refusal(status, code);
    }
    assert_eq!(server.sign_in(ANN, PASSWORD).await.status, 200);
}

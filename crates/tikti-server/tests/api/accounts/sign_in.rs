//! `POST /v1/accounts/signIn`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn signs_the_administrator_in_without_an_api_key() {
    let server = Server::start().await;
    let reply = server
        .post("/v1/accounts/signIn")
        .json(json!({"email": " Root@Corp.SYS", "password": server.setup.admin_password}))
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
async fn gives_a_refresh_token_where_one_is_asked_for() {
    let server = Server::start().await;
    let reply = server
        .post("/v1/accounts/signIn")
        .json(json!({
            "email": server.setup.admin_email,
            "password": server.setup.admin_password,
            "returnSecureToken": true,
        }))
        .send()
        .await;
    assert!(reply.json()["refreshToken"].as_str().unwrap().starts_with("rt_"));
    assert!(reply.json()["expiresIn"].is_u64());
}

#[tokio::test]
async fn the_colon_form_is_the_same_call() {
    let server = Server::start().await;
    let reply = server
        .post("/v1/accounts:signIn")
        .json(json!({"email": server.setup.admin_email, "password": server.setup.admin_password}))
        .send()
        .await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_alike() {
    let server = Server::start().await;
    let mut replies = vec![];
    for email in ["root@corp.sys", "nobody@corp.sys"] {
        let ask = json!({"email": email, "password": "not the password"});
        replies.push(server.post("/v1/accounts/signIn").json(ask).send().await.masked());
    }
    assert_eq!(replies[0], replies[1]);
    insta::assert_snapshot!(replies[0], @r#"
        401
        www-authenticate: Bearer
        {
          "code": "INVALID_LOGIN_CREDENTIALS",
          "details": {},
          "error": "E-mail address and password do not belong together.",
          "requestId": "[request id]"
        }
    "#);
}

#[tokio::test]
async fn a_password_of_72_bytes_is_checked_and_one_of_73_refused() {
    let server = Server::start().await;
    for (length, status, code) in [
        (7, 401, "INVALID_LOGIN_CREDENTIALS"),
        (72, 401, "INVALID_LOGIN_CREDENTIALS"),
        (73, 400, "PASSWORD_TOO_LONG"),
    ] {
        let ask = json!({"email": server.setup.admin_email, "password": "p".repeat(length)});
        let reply = server.post("/v1/accounts/signIn").json(ask).send().await;
        reply.assert_refusal(status, code);
    }
}

#[tokio::test]
async fn a_tenant_is_named_by_id_or_slug_and_needs_a_membership() {
    let server = Server::start().await;
    let tenant = server.tenant(&server.admin().await, "codecompany").await;
    for reference in [tenant["id"].as_str().unwrap(), "codecompany"] {
        let reply = server
            .post("/v1/accounts/signIn")
            .json(json!({
                "email": server.setup.admin_email,
                "password": server.setup.admin_password,
                "tenantId": reference,
            }))
            .send()
            .await;
        assert_eq!(reply.json()["tenantId"], tenant["id"]);
    }
    let reply = server
        .post("/v1/accounts/signIn")
        .json(json!({
            "email": server.setup.admin_email,
            "password": server.setup.admin_password,
            "tenantId": "another",
        }))
        .send()
        .await;
    reply.assert_refusal(403, "MEMBERSHIP_REQUIRED");
}

#[tokio::test]
async fn members_that_nobody_asked_for_change_nothing() {
    let server = Server::start().await;
    let reply = server
        .post("/v1/accounts/signIn")
        .json(json!({
            "email": server.setup.admin_email, "password": server.setup.admin_password,
            "userId": "x", "role": "ADMIN", "tid": "t-x", "emailVerified": true, "isAdmin": true,
        }))
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json().get("tenantId"), None);
}

#[tokio::test]
async fn a_client_that_is_no_application_of_the_tenant_is_an_unknown_audience() {
    let server = Server::start().await;
    let ask = |client: &str| {
        let (email, password) = (&server.setup.admin_email, &server.setup.admin_password);
        json!({"email": email, "password": password, "clientId": client})
    };
    let sign_in = async |ask| server.post("/v1/accounts/signIn").json(ask).send().await;
    // In no tenant there is none.
    sign_in(ask("backend-worker")).await.assert_refusal(400, "UNKNOWN_AUDIENCE");
    server.tenant(&server.admin().await, "codecompany").await;
    sign_in(ask("backend-worker")).await.assert_refusal(400, "UNKNOWN_AUDIENCE");
    let reply = sign_in(ask("a b")).await;
    reply.assert_refusal(400, "INVALID_ARGUMENT");
    assert!(reply.json()["details"]["clientId"].is_string(), "{}", reply.text());
}

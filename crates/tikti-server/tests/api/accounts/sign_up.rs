//! `POST /v1/accounts/signUp`

use serde_json::json;

use crate::support::{PASSWORD, Server, assert_reply};

#[tokio::test]
async fn an_administrator_makes_a_user_with_and_without_the_scheme_before_his_token() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ask = json!({"email": " Ann@Corp.sys", "password": PASSWORD});
    let reply = server.post("/v1/accounts/signUp").bearer(&admin).json(ask.clone()).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "createdAt": "[time]",
          "email": "ann@corp.sys",
          "localId": "[user id]"
        }
    "#);
    let again = server.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await;
    again.assert_refusal(409, "EMAIL_EXISTS");
    // As older clients send it.
    let ask = json!({"email": "bob@corp.sys", "password": PASSWORD, "role": "COMPANY_ADMIN"});
    let raw = server.post("/v1/accounts:signUp").header("Authorization", &admin).json(ask);
    assert_eq!(raw.send().await.status, 200);
    assert_eq!(server.sign_in("bob@corp.sys", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_user_is_made_into_a_tenant() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tenant = server.tenant(&admin, "codecompany").await;
    let ask = json!({
        "email": "ann@corp.sys", "password": PASSWORD, "tenantId": "codecompany",
        "roles": ["JOBS_OPERATOR", "TENANT_USER"],
    });
    let made = server.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await;
    assert_eq!(made.status, 200, "{}", made.text());
    let session = server.sign_in("ann@corp.sys", PASSWORD).await.json();
    assert_eq!(session["tenantId"], tenant["id"]);
    let ask = json!({"idToken": session["idToken"], "memberships": true});
    let found = server.post("/v1/accounts/lookup").keyed().json(ask).send().await.json();
    let expected = json!([{"tenantId": tenant["id"], "roles": ["JOBS_OPERATOR", "TENANT_USER"]}]);
    assert_eq!(found["users"][0]["memberships"], expected);
}

#[tokio::test]
async fn what_does_not_fit_makes_nobody() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let with = |extra: serde_json::Value| {
        let mut ask = json!({"email": "ann@corp.sys", "password": PASSWORD});
        ask.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        ask
    };
    for (ask, status, code) in [
        (with(json!({"email": "x"})), 400, "INVALID_EMAIL"),
        (with(json!({"password": "short"})), 400, "WEAK_PASSWORD"),
        (with(json!({"role": "ROOT"})), 400, "INVALID_ARGUMENT"),
        (with(json!({"roles": "TENANT_USER"})), 400, "INVALID_ARGUMENT"),
        (with(json!({"roles": ["TENANT_USER"]})), 400, "TENANT_REQUIRED"),
        (with(json!({"tenantId": "nowhere"})), 404, "TENANT_NOT_FOUND"),
        (with(json!({"tenantId": "codecompany", "roles": ["GONE"]})), 404, "ROLE_NOT_FOUND"),
    ] {
        let reply = server.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await;
        reply.assert_refusal(status, code);
    }
    let ask = with(json!({}));
    let reply = server.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await;
    assert_eq!(reply.status, 200);
}

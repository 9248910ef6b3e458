//! `POST /v1/token`

use serde_json::{Value, json};

use crate::support::{Reply, Server, assert_reply};

async fn refresh(server: &Server, token: &Value) -> Reply {
    let ask = json!({"grant_type": "refresh_token", "refresh_token": token});
    server.post("/v1/token").json(ask).send().await
}

#[tokio::test]
async fn a_session_goes_on_by_json_and_by_form() {
    let server = Server::start().await;
    let session = server.session().await;
    let reply = refresh(&server, &session["refreshToken"]).await;
    assert_reply!(reply, @r#"
        200
        {
          "expires_in": 3600,
          "id_token": "[token]",
          "refresh_token": "[token]",
          "token_type": "Bearer",
          "user_id": "[user id]"
        }
    "#);
    let next = reply.json();
    let form = format!(
        "grant_type=refresh_token&refresh_token={}",
        next["refresh_token"].as_str().unwrap()
    );
    let reply = server
        .post("/v1/token")
        .header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
        .body(form)
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let ask = json!({"idToken": reply.json()["id_token"]});
    let reply = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn the_session_speaks_for_the_tenant_that_is_named_if_its_user_is_a_member() {
    let server = Server::start().await;
    let tenant = server.tenant(&server.admin().await, "codecompany").await;
    let session = server.session().await;
    assert_eq!(session["tenantId"], tenant["id"]);
    let ask = json!({
        "grant_type": "refresh_token", "refresh_token": session["refreshToken"],
        "tenantId": "codecompany",
    });
    let reply = server.post("/v1/token").json(ask.clone()).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut other = ask;
    other["tenantId"] = json!("other-company");
    other["refresh_token"] = reply.json()["refresh_token"].clone();
    let reply = server.post("/v1/token").json(other).send().await;
    reply.assert_refusal(403, "MEMBERSHIP_REQUIRED");
}

#[tokio::test]
async fn everything_else_is_refused() {
    let server = Server::start().await;
    let session = server.session().await;
    refresh(&server, &session["idToken"]).await.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    refresh(&server, &json!("")).await.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    refresh(&server, &json!(7)).await.assert_refusal(400, "INVALID_ARGUMENT");
    let ask = json!({"grant_type": "password", "refresh_token": session["refreshToken"]});
    let reply = server.post("/v1/token").json(ask).send().await;
    reply.assert_refusal(400, "UNSUPPORTED_GRANT_TYPE");
    for form in
        ["", "grant_type=refresh_token", "grant_type=refresh_token&refresh_token=a&refresh_token=b"]
    {
        let request =
            server.post("/v1/token").header("Content-Type", "application/x-www-form-urlencoded");
        request.body(form).send().await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let reply =
        server.post("/v1/token").header("Content-Type", "text/plain").body("{}").send().await;
    reply.assert_refusal(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(refresh(&server, &session["refreshToken"]).await.status, 200);
}

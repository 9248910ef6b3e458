//! `POST /v1/accounts/lookup`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn shows_the_user_as_stored_now() {
    let server = Server::start().await;
    let token = server.admin().await;
    let reply =
        server.post("/v1/accounts/lookup").keyed().json(json!({ "idToken": token })).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "users": [
            {
              "createdAt": "[time]",
              "email": "root@corp.sys",
              "emailVerified": false,
              "lastLoginAt": "[time]",
              "localId": "[user id]",
              "role": "ADMIN",
              "status": "ACTIVE"
            }
          ]
        }
    "#);
}

#[tokio::test]
async fn shows_memberships_only_where_they_are_asked_for() {
    let server = Server::start().await;
    server.tenant(&server.admin().await, "codecompany").await;
    let token = server.admin().await;
    let reply = server
        .post("/v1/accounts:lookup")
        .keyed()
        .json(json!({ "idToken": token, "memberships": true }))
        .send()
        .await;
    assert_reply!(reply, @r#"
        200
        {
          "users": [
            {
              "createdAt": "[time]",
              "email": "root@corp.sys",
              "emailVerified": false,
              "lastLoginAt": "[time]",
              "localId": "[user id]",
              "memberships": [
                {
                  "roles": [
                    "CODEQ_ADMIN",
                    "CODEQ_PRODUCER",
                    "CODEQ_WORKER",
                    "JOBS_OPERATOR",
                    "TENANT_ADMIN"
                  ],
                  "tenantId": "[tenant id]"
                }
              ],
              "role": "ADMIN",
              "status": "ACTIVE",
              "tenantId": "[tenant id]"
            }
          ]
        }
    "#);
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_a_token() {
    let server = Server::start().await;
    let token = server.admin().await;
    for token in [token.as_str(), "no token"] {
        let ask = json!({ "idToken": token });
        let reply = server.post("/v1/accounts/lookup").json(ask).send().await;
        reply.assert_refusal(401, "INVALID_API_KEY");
    }
}

#[tokio::test]
async fn what_is_no_id_token_is_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    let tenant = server.tenant(&token, "codecompany").await;
    let access = server
        .post("/v1/accounts/token/exchange")
        .keyed()
        .json(json!({"idToken": token, "audience": "backend-worker", "tenantId": tenant["id"]}))
        .send()
        .await
        .json();
    let access = access["accessToken"].as_str().unwrap();
    for other in ["", "a.b.c", access, &token[..token.len() - 1]] {
        let ask = json!({ "idToken": other });
        let reply = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
        reply.assert_refusal(401, "INVALID_ID_TOKEN");
    }
}

//! `POST /v1/accounts/validate`

use serde_json::{Value, json};

use crate::support::{Reply, Server, assert_reply};

async fn validate(server: &Server, token: &Value, audience: &str) -> Reply {
    let admin = server.admin().await;
    let ask = json!({"token": token, "audience": audience});
    server.post("/v1/accounts/validate").keyed().bearer(&admin).json(ask).send().await
}

#[tokio::test]
async fn shows_the_claims_of_an_id_token() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let mut reply = validate(&server, &session["idToken"], "tikti-identity").await;
    reply.replace(&server.url(), "[issuer]");
    assert_reply!(reply, @r#"
        200
        {
          "amr": [
            "pwd"
          ],
          "aud": "tikti-identity",
          "auth_time": "[seconds]",
          "email": "ann@corp.sys",
          "email_verified": false,
          "exp": "[seconds]",
          "firebase": {
            "identities": {
              "email": [
                "ann@corp.sys"
              ]
            },
            "sign_in_provider": "password"
          },
          "iat": "[seconds]",
          "iss": "[issuer]",
          "jti": "[token id]",
          "role": "COMPANY_EMPLOYEE",
          "sid": "[session id]",
          "sub": "[user id]",
          "token_use": "id",
          "user_id": "[user id]",
          "ver": "[version]"
        }
    "#);
}

#[tokio::test]
async fn shows_access_and_worker_tokens_by_the_colon_form_too() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    for (audience, token_use) in [("backend-worker", "access"), ("codeq-worker", "worker")] {
        let mut ask = json!({
            "idToken": admin, "audience": audience, "tenantId": "codecompany",
        });
        if token_use == "worker" {
            ask["eventTypes"] = json!(["build"]);
            ask["subject"] = json!("worker-01");
        }
        let exchanged = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
        assert_eq!(exchanged.status, 200, "{}", exchanged.text());
        let ask = json!({"token": exchanged.json()["accessToken"], "audience": audience});
        let request = server.post("/v1/accounts:validate").keyed().bearer(&admin).json(ask);
        let claims = request.send().await.json();
        assert_eq!((&claims["token_use"], &claims["aud"]), (&json!(token_use), &json!(audience)));
    }
}

#[tokio::test]
async fn names_the_step_that_says_no() {
    let server = Server::start().await;
    let session = server.user("ann@corp.sys").await;
    let token = session["idToken"].as_str().unwrap();
    let (head, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(43));
    for (token, audience, step) in [
        (token, "another", "audience"),
        (forged.as_str(), "tikti-identity", "signature"),
        ("a.b", "tikti-identity", "parse"),
        (&"x".repeat(9000), "tikti-identity", "size"),
    ] {
        let reply = validate(&server, &json!(token), audience).await;
        reply.assert_refusal(401, "INVALID_ID_TOKEN");
        assert_eq!(reply.json()["details"]["step"], step);
    }
    let ask = json!({"idToken": token});
    assert_eq!(server.post("/v1/accounts/signOut").json(ask).send().await.status, 200);
    let reply = validate(&server, &json!(token), "tikti-identity").await;
    reply.assert_refusal(401, "TOKEN_REVOKED");
    assert_eq!(reply.json()["details"]["step"], "revocation");
}

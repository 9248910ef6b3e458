//! `POST /v1/tenants`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn makes_a_tenant_and_answers_200() {
    let server = Server::start().await;
    let token = server.admin().await;
    let reply = server
        .post("/v1/tenants")
        .bearer(&token)
        .json(json!({"slug": "codecompany", "name": "Code Company"}))
        .send()
        .await;
    assert_reply!(reply, @r#"
        200
        {
          "createdAt": "[time]",
          "id": "[tenant id]",
          "name": "Code Company",
          "selfSignUp": false,
          "slug": "codecompany",
          "status": "ACTIVE"
        }
    "#);
}

#[tokio::test]
async fn an_administrator_may_choose_the_id() {
    let server = Server::start().await;
    let token = server.admin().await;
    let reply = server
        .post("/v1/tenants")
        // Older clients send the token without its scheme.
        .header("Authorization", &token)
        .json(json!({"slug": "codecompany", "id": "cc-1"}))
        .send()
        .await;
    assert_eq!(reply.json()["id"], "cc-1");
}

#[tokio::test]
async fn a_slug_or_id_that_is_taken_is_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    let tenant = server.tenant(&token, "codecompany").await;
    for ask in [
        json!({"slug": "codecompany"}),
        json!({"slug": tenant["id"]}),
        json!({"slug": "another", "id": tenant["id"]}),
        json!({"slug": "another", "id": "codecompany"}),
    ] {
        let reply = server.post("/v1/tenants").bearer(&token).json(ask).send().await;
        reply.assert_refusal(409, "TENANT_EXISTS");
    }
}

#[tokio::test]
async fn nobody_is_refused() {
    let server = Server::start().await;
    for authorization in [None, Some(""), Some("Bearer"), Some("Bearer a.b.c"), Some("Basic eDp5")]
    {
        let mut request = server.post("/v1/tenants").json(json!({"slug": "codecompany"}));
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let reply = request.send().await;
        reply.assert_refusal(401, "UNAUTHENTICATED");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn slugs_outside_the_grammar_are_named_and_nothing_is_made() {
    let server = Server::start().await;
    let token = server.admin().await;
    let long = "a".repeat(64);
    for slug in
        ["", "a", "A", "1a", "a_b", "a b", "ä1", "a\u{0}b", "a\u{202e}b", "${jndi:x}", &long]
    {
        let ask = json!({ "slug": slug });
        let reply = server.post("/v1/tenants").bearer(&token).json(ask).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"]["slug"].is_string(), "{slug:?}");
    }
    let reply = server
        .post("/v1/tenants")
        .bearer(&token)
        .json(json!({"slug": "codecompany", "id": "No Id"}))
        .send()
        .await;
    assert_reply!(reply, @r#"
        400
        {
          "code": "INVALID_ARGUMENT",
          "details": {
            "id": "must be 2 to 63 characters of a-z, 0-9 and -, beginning with a letter"
          },
          "error": "id: must be 2 to 63 characters of a-z, 0-9 and -, beginning with a letter",
          "requestId": "[request id]"
        }
    "#);
    let all = server.get("/v1/tenants").bearer(&token).send().await;
    assert_eq!(all.json(), json!({"tenants": []}));
}

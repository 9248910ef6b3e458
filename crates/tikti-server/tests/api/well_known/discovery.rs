//! `GET /.well-known/openid-configuration` and `GET /.well-known/oauth-authorization-server`

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn both_documents_lead_to_the_keys_of_the_configured_issuer() {
    let server = Server::start().await;
    let openid = server
        .get("/.well-known/openid-configuration")
        .header("X-Forwarded-Host", "evil.example")
        .send()
        .await;
    let oauth = server.get("/.well-known/oauth-authorization-server").send().await;
    assert_eq!(openid.text(), oauth.text());
    let document = openid.json();
    assert_eq!(document["issuer"].as_str(), Some(server.url().as_str()));
    let path = document["jwks_uri"].as_str().unwrap().strip_prefix(&server.url()).unwrap();
    assert_eq!(server.get(path).send().await.status, 200);
    assert!(!openid.text().contains("evil.example"));
}

#[tokio::test]
async fn claims_only_what_is_there() {
    let server = Server::start().await;
    let mut reply = server.get("/.well-known/openid-configuration").send().await;
    reply.replace(&server.url(), "https://id.example.org");
    assert_reply!(reply, @r#"
        200
        cache-control: public, max-age=300
        {
          "claims_supported": [
            "iss",
            "aud",
            "sub",
            "tid",
            "scope",
            "eventTypes",
            "email",
            "role",
            "auth_time",
            "amr",
            "client_id",
            "act",
            "token_use",
            "iat",
            "exp"
          ],
          "grant_types_supported": [],
          "id_token_signing_alg_values_supported": [
            "RS256",
            "HS256"
          ],
          "issuer": "https://id.example.org",
          "jwks_uri": "https://id.example.org/.well-known/jwks.json",
          "response_types_supported": [],
          "service_documentation": "https://id.example.org/docs",
          "subject_types_supported": [
            "public"
          ]
        }
    "#);
}

//! `GET /.well-known/openid-configuration` and `GET /.well-known/oauth-authorization-server`

use serde_json::json;
use tikti_domain::settings::IdTokenAlgorithm;

use crate::support::{Place, Server};

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

/// RFC 8414, section 3.1: the path of an issuer stands behind the well-known one.
#[tokio::test]
async fn an_issuer_with_a_path_is_found_where_rfc_8414_looks_for_it() {
    let well_known = "/.well-known/oauth-authorization-server";
    let issuer = "https://id.example.org/eu/acme";
    let server = Server::start_with(Place::new(), |config| {
        config.domain.settings.issuer = issuer.to_owned();
    })
    .await;
    let found = server.get(&format!("{well_known}/eu/acme")).send().await;
    assert_eq!(found.status, 200, "{}", found.text());
    assert_eq!(found.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(found.json()["issuer"], issuer);
    assert_eq!(found.json()["token_endpoint"], format!("{issuer}/oauth2/token"));
    assert_eq!(found.text(), server.get(well_known).send().await.text());
    for path in ["/", "/eu", "/eu/acme/", "/eu/acme/x", "/EU/acme", "/eu%2Facme", "//eu/acme"] {
        let reply = server.get(&format!("{well_known}{path}")).send().await;
        reply.assert_refusal(404, "NOT_FOUND");
    }
    server.get("/.well-known/eu/acme").send().await.assert_refusal(404, "NOT_FOUND");
    let posted = server.post(&format!("{well_known}/eu/acme")).send().await;
    posted.assert_refusal(404, "NOT_FOUND");
    // Without a path in the issuer there is one place.
    let server = Server::start().await;
    for path in ["/", "/eu/acme"] {
        let reply = server.get(&format!("{well_known}{path}")).send().await;
        reply.assert_refusal(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn every_grant_that_is_listed_is_known_to_the_token_endpoint_and_no_other() {
    let server = Server::start().await;
    let document = server.get("/.well-known/openid-configuration").send().await.json();
    let endpoint = document["token_endpoint"].as_str().unwrap();
    let path = endpoint.strip_prefix(&server.url()).unwrap();
    let ask = async |grant: &str| {
        server.post(path).form(&json!({ "grant_type": grant })).send().await.code()
    };
    for grant in document["grant_types_supported"].as_array().unwrap() {
        let code = ask(grant.as_str().unwrap()).await;
        assert_ne!(code, "UNSUPPORTED_GRANT_TYPE", "{grant}");
    }
    for other in ["authorization_code", "password", "implicit"] {
        assert_eq!(ask(other).await, "UNSUPPORTED_GRANT_TYPE", "{other}");
    }
    // RFC 8414, section 3.2: a list that is empty is left out.
    let lists = document.as_object().unwrap().values().filter_map(|member| member.as_array());
    assert!(lists.into_iter().all(|list| !list.is_empty()), "{document}");
    assert!(document.get("authorization_endpoint").is_none());
}

#[tokio::test]
async fn claims_only_what_is_there() {
    let server = Server::start_with(Place::new(), |config| {
        config.domain.settings.id_token_algorithm = IdTokenAlgorithm::Hs256;
    })
    .await;
    let mut reply = server.get("/.well-known/openid-configuration").send().await;
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    reply.replace(&server.url(), "https://id.example.org");
    let mut lines = String::new();
    for (name, member) in reply.json().as_object().unwrap() {
        let list = member.as_array().map(Vec::as_slice).unwrap_or_default();
        let list: Vec<_> = list.iter().map(|item| item.as_str().unwrap()).collect();
        let text = member.as_str().map_or_else(|| list.join(" "), str::to_owned);
        lines.push_str(&format!("{name}: {text}\n"));
    }
    insta::assert_snapshot!(lines, @r"
    claims_supported: iss aud sub tid scope eventTypes email role auth_time amr client_id act token_use iat exp
    grant_types_supported: urn:ietf:params:oauth:grant-type:token-exchange client_credentials refresh_token
    id_token_signing_alg_values_supported: HS256
    introspection_endpoint: https://id.example.org/oauth2/introspect
    introspection_endpoint_auth_methods_supported: client_secret_basic client_secret_post
    issuer: https://id.example.org
    jwks_uri: https://id.example.org/.well-known/jwks.json
    response_types_supported: none
    revocation_endpoint: https://id.example.org/oauth2/revoke
    revocation_endpoint_auth_methods_supported: client_secret_basic client_secret_post
    service_documentation: https://id.example.org/docs
    subject_types_supported: public
    token_endpoint: https://id.example.org/oauth2/token
    token_endpoint_auth_methods_supported: client_secret_basic client_secret_post private_key_jwt none
    token_endpoint_auth_signing_alg_values_supported: RS256 ES256 EdDSA Ed25519
    ");
}

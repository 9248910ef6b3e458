//! With which key is an idToken signed, and what stays good when that changes? A secret is replaced, or the
//! algorithm, over one store, and every place that takes an idToken is asked before and after.
//!
//! Spec: Tokens and keys, table of claims, "HS256 secrets"; attacks, row K1.

use serde_json::{Value, json};
use tikti_domain::DomainConfig;
use tikti_domain::secret::{NamedSecret, SecretBytes};
use tikti_domain::settings::IdTokenAlgorithm::{self, Hs256, Rs256};

use crate::doors::forge;
use crate::support::{COMPANY, PASSWORD, Place, Reply, Server, claims};

const ANN: &str = "ann@corp.sys";

/// A server whose issuer outlives it, as that of a deployment does.
async fn start(place: Place, change: impl FnOnce(&mut DomainConfig)) -> Server {
    let starting = Server::start_with(place, |config| {
        config.domain.settings.issuer = "https://id.example.org".to_owned();
        config.domain.settings.limits.enabled = false;
        change(&mut config.domain);
    });
    starting.await
}

async fn start_with_algorithm(place: Place, algorithm: IdTokenAlgorithm) -> Server {
    start(place, |config| config.settings.id_token_algorithm = algorithm).await
}

fn text(reply: &Value, name: &str) -> String {
    reply[name].as_str().unwrap().to_owned()
}

async fn lookup(server: &Server, token: &str) -> Reply {
    server.post("/v1/accounts/lookup").keyed().json(json!({ "idToken": token })).send().await
}

async fn refreshed(server: &Server, session: &Value) -> Value {
    let ask = json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
    let reply = server.post("/v1/token").json(ask).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// What says by which key a token is to be verified.
fn named(token: &str) -> (String, String) {
    let header = forge::header(token);
    assert_eq!(header["typ"], "JWT");
    (text(&header, "alg"), text(&header, "kid"))
}

/// Shows the administrator's token wherever one is taken that ends nothing, and what was made with it.
async fn assert_taken_everywhere(server: &Server, token: &str) {
    let taken = |what: &str, reply: Reply| {
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
        reply.json()
    };
    taken("lookup", lookup(server, token).await);
    let ask = json!({"idToken": token, "audience": "backend-worker"});
    let exchange = server.post("/v1/accounts/token/exchange").keyed().json(ask);
    let access = text(&taken("exchange", exchange.send().await), "accessToken");
    assert_eq!(claims(&access)["token_use"], "access");
    let form = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "audience": "backend-worker", "tenant": COMPANY,
    });
    taken("oauth2", server.post("/oauth2/token").keyed().form(&form).send().await);
    for path in ["/v1/users", "/v1/tenants", "/v1/accounts/sessions"] {
        taken(path, server.get(path).keyed().bearer(token).send().await);
    }
    taken("members", server.get("/v1/tenants/codecompany/users").bearer(token).send().await);
    let update = json!({"idToken": token, "displayName": "Root"});
    let update = server.post("/v1/accounts/update").keyed().json(update).send().await;
    let fresh = text(&taken("update", update), "idToken");
    taken("lookup of the fresh one", lookup(server, &fresh).await);
    for (token, audience, kind) in
        [(token, "tikti-identity", "id"), (access.as_str(), "backend-worker", "access")]
    {
        let ask = json!({ "token": token, "audience": audience });
        let validate = server.post("/v1/accounts/validate").keyed().bearer(&fresh).json(ask);
        let told = taken("validate", validate.send().await);
        assert_eq!(told["token_use"], kind, "{told}");
    }
    // No token is good where the other class is expected.
    assert_eq!(lookup(server, &access).await.code(), "INVALID_ID_TOKEN");
}

/// Shows tokens wherever one ends something.
async fn assert_ends(server: &Server, root: &str) {
    let ann = || async { text(&server.sign_in(ANN, PASSWORD).await.json(), "idToken") };
    let denied = ann().await;
    let ask = json!({ "token": denied });
    let deny = server.post("/v1/accounts/revokeJti").keyed().bearer(root).json(ask).send().await;
    assert_eq!(deny.status, 200, "{}", deny.text());
    assert_eq!(lookup(server, &denied).await.code(), "TOKEN_REVOKED");
    let token = ann().await;
    let ask = json!({ "idToken": token });
    let out = server.post("/v1/accounts/signOut").keyed().json(ask).send().await;
    assert!((200..300).contains(&out.status), "{}", out.text());
    assert_eq!(lookup(server, &token).await.code(), "TOKEN_REVOKED");
    let ask = json!({ "idToken": ann().await });
    let delete = server.post("/v1/accounts/delete").keyed().json(ask).send().await;
    assert!((200..300).contains(&delete.status), "{}", delete.text());
    assert_eq!(server.sign_in(ANN, PASSWORD).await.code(), "INVALID_LOGIN_CREDENTIALS");
}

/// The one between the two changes of the algorithm, and the whole life of an account with RS256.
#[tokio::test]
async fn a_change_of_the_algorithm_signs_nobody_out_in_either_direction() {
    for (before, after) in [(Hs256, Rs256), (Rs256, Hs256)] {
        let name = |algorithm| if algorithm == Rs256 { "RS256" } else { "HS256" };
        let server = start_with_algorithm(Place::new(), before).await;
        server.tenant(&server.admin().await, COMPANY).await;
        server.user(ANN).await;
        let session = server.session().await;
        let old = text(&session, "idToken");
        assert_eq!(named(&old).0, name(before));
        assert_taken_everywhere(&server, &old).await;

        let server = start_with_algorithm(server.stop().await, after).await;
        assert_taken_everywhere(&server, &old).await;
        let new = text(&refreshed(&server, &session).await, "id_token");
        assert_eq!(named(&new).0, name(after));
        assert_taken_everywhere(&server, &new).await;
        assert_taken_everywhere(&server, &server.admin().await).await;
        assert_ends(&server, &new).await;
        let document = server.get("/.well-known/openid-configuration").send().await.json();
        assert_eq!(document["id_token_signing_alg_values_supported"], json!([name(after)]));
    }
}

/// Whoever has the published keys verifies it, as any library would.
#[tokio::test]
async fn an_rs256_id_token_names_a_published_key() {
    let server = start_with_algorithm(Place::new(), Rs256).await;
    let (_, kid) = named(&server.admin().await);
    let keys = server.get("/.well-known/jwks.json").send().await.json();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid.as_str()));
}

#[tokio::test]
async fn a_secret_is_rotated_without_signing_anyone_out() {
    let secret = |kid: &str, byte| NamedSecret {
        kid: kid.to_owned(),
        secret: SecretBytes::new(vec![byte; 32]),
    };
    let start_with = async |place, secrets| {
        start(place, |config| {
            config.settings.id_token_algorithm = Hs256;
            config.secrets.hs256 = secrets;
        })
        .await
    };
    let server = start_with(Place::new(), vec![secret("a", 1)]).await;
    server.tenant(&server.admin().await, COMPANY).await;
    let session = server.session().await;
    let old = text(&session, "idToken");
    assert_eq!(named(&old), ("HS256".to_owned(), "a".to_owned()));

    let server = start_with(server.stop().await, vec![secret("b", 2), secret("a", 1)]).await;
    assert_taken_everywhere(&server, &old).await;
    let fresh = refreshed(&server, &session).await;
    for token in [text(&fresh, "id_token"), server.admin().await] {
        assert_eq!(named(&token).1, "b");
        assert_taken_everywhere(&server, &token).await;
    }

    let server = start_with(server.stop().await, vec![secret("b", 2)]).await;
    assert_eq!(lookup(&server, &old).await.code(), "INVALID_ID_TOKEN");
    let session = json!({ "refreshToken": fresh["refresh_token"] });
    let token = text(&refreshed(&server, &session).await, "id_token");
    assert_taken_everywhere(&server, &token).await;
}

//! What a worker does with `client_credentials`: it signs assertions, claims events, administers by a pipeline;
//! and what of it is logged and counted.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_domain::clock::Clock;
use tikti_domain::settings::Limits;

use crate::support::{COMPANY, LOG, Place, Reply, Server, claims};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A server with the company, its administrator's idToken, and a worker of it.
struct World {
    server: Server,
    admin: String,
    /// `<tenant id>.worker-01`
    client_id: String,
    secret: String,
}

impl World {
    async fn with(rights: Value) -> Self {
        Self::within(Server::start().await, rights).await
    }

    async fn within(server: Server, rights: Value) -> Self {
        let tenant = server.tenant(&server.admin().await, COMPANY).await;
        let admin = server.admin().await;
        let client_id = format!("{}.worker-01", tenant["id"].as_str().unwrap());
        let mut ask = json!({"id": "worker-01"});
        ask.as_object_mut().unwrap().extend(rights.as_object().unwrap().clone());
        let path = format!("/v1/tenants/{COMPANY}/workers");
        let made = server.post(&path).bearer(&admin).json(ask).send().await;
        assert_eq!(made.status, 200, "{}", made.text());
        let secret = made.json()["secret"].as_str().unwrap_or_default().to_owned();
        Self { server, admin, client_id, secret }
    }

    /// Asks by Basic, with these members more.
    async fn ask(&self, more: Value) -> Reply {
        self.send(form(more), Some((self.client_id.as_str(), self.secret.as_str()))).await
    }

    async fn send(&self, form: Value, basic: Option<(&str, &str)>) -> Reply {
        let request = self.server.post("/oauth2/token").form(&form);
        match basic {
            Some((id, secret)) => request.basic(id, secret).send().await,
            None => request.send().await,
        }
    }

    async fn assert(&self, claims: &Value) -> Reply {
        let more = json!({"client_assertion": sign(claims), "client_assertion_type": ASSERTION});
        self.send(form(more), None).await
    }

    fn claims(&self, jti: &str) -> Value {
        let now = Clock::system().now().as_millis() / 1000;
        json!({
            "iss": self.client_id, "sub": self.client_id, "iat": now, "exp": now + 60, "jti": jti,
            "aud": format!("{}/oauth2/token", self.server.url()),
        })
    }
}

fn form(more: Value) -> Value {
    let mut form = json!({"grant_type": "client_credentials"});
    form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    form
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn key() -> Value {
    let x = BASE64URL_NOPAD.encode(pair().public_key().as_ref());
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]})
}

/// An assertion as a stock library makes it, without a `kid`.
fn sign(claims: &Value) -> String {
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let input = format!("{}.{}", encode(&json!({"alg": "EdDSA"})), encode(claims));
    let signature = pair().sign(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

#[tokio::test]
async fn a_worker_token_has_the_event_types() {
    let world = World::with(json!({
        "clients": ["codeq-worker"], "scopes": ["codeq:claim"], "eventTypes": ["render", "build"],
    }))
    .await;
    let reply = world.ask(json!({"event_types": "build"})).await;
    let token = claims(reply.json()["access_token"].as_str().unwrap());
    assert_eq!((&token["token_use"], &token["eventTypes"]), (&json!("worker"), &json!(["build"])));
    let reply = world.ask(json!({"event_types": "deploy"})).await;
    reply.assert_oauth_refusal(400, "invalid_request", "EVENT_TYPE_NOT_PERMITTED");
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let world = World::with(json!({
        "clients": ["backend-worker"], "scopes": ["jobs:read"], "jwks": key(),
    }))
    .await;
    let claims = world.claims("j1");
    let reply = world.assert(&claims).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let again = world.assert(&claims).await;
    again.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
    assert_eq!(world.assert(&world.claims("j2")).await.status, 200);
    // A client_id beside it must be the same.
    let other = form(json!({
        "client_assertion": sign(&world.claims("j3")), "client_assertion_type": ASSERTION,
        "client_id": format!("{}2", world.client_id),
    }));
    let other = world.send(other, None).await;
    other.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
}

/// A pipeline signs in as its worker and administers the tenant, until the worker may no longer.
#[tokio::test]
async fn l3_a_pipeline_administers_by_its_own_token_until_it_is_disabled() {
    let world = World::with(json!({
        "clients": ["tikti"], "scopes": ["roles:read", "roles:write"],
    }))
    .await;
    let token = world.ask(json!({})).await.json()["access_token"].as_str().unwrap().to_owned();
    let make = async |name: &str| {
        let ask = json!({"name": name, "permissions": ["roles:read"]});
        let path = format!("/v1/tenants/{COMPANY}/roles");
        world.server.post(&path).bearer(&token).json(ask).send().await
    };
    let made = make("READER").await;
    assert_eq!(made.status, 200, "{}", made.text());
    let path = format!("/v1/tenants/{COMPANY}/users");
    let beyond = world.server.get(&path).bearer(&token).send().await;
    beyond.assert_refusal(403, "PERMISSION_DENIED");
    let path = format!("/v1/tenants/{COMPANY}/workers/worker-01/secrets/1");
    let removed = world.server.delete(&path).bearer(&world.admin).send().await;
    assert_eq!(removed.status, 200, "{}", removed.text());
    make("SECOND").await.assert_refusal(404, "TENANT_NOT_FOUND");
    let reply = world.ask(json!({})).await;
    reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
}

#[tokio::test]
async fn each_decision_is_logged_and_no_credential_is() {
    let world = World::with(json!({
        "clients": ["backend-worker"], "scopes": ["jobs:read"], "jwks": key(),
    }))
    .await;
    let assertion = sign(&world.claims("hush-jti"));
    let more = json!({"client_assertion": assertion, "client_assertion_type": ASSERTION});
    let send = async |id: &str| {
        let request = world.server.post("/oauth2/token").form(&form(more.clone()));
        request.header("X-Request-Id", id).send().await
    };
    assert_eq!(send("ccred-1").await.status, 200);
    assert_eq!(send("ccred-2").await.status, 401);
    let wrong = world.server.post("/oauth2/token").form(&form(json!({})));
    let wrong = wrong.basic(&world.client_id, "hush-secret").header("X-Request-Id", "ccred-3");
    assert_eq!(wrong.send().await.status, 401);
    for (id, outcome, method, reason) in [
        ("ccred-1", "allow", "assertion", Value::Null),
        ("ccred-2", "deny", "assertion", json!("the assertion was shown before")),
        ("ccred-3", "deny", "secret", json!("the secret is not a valid one of the worker")),
    ] {
        let lines = LOG.of_request(id);
        let [line] =
            &lines.iter().filter(|line| line["action"] == "client_credentials").collect::<Vec<_>>()
                [..]
        else {
            panic!("{lines:?}")
        };
        assert_eq!(line["target"], "tikti::audit");
        assert_eq!((&line["outcome"], &line["method"]), (&json!(outcome), &json!(method)));
        assert_eq!((&line["reason"], &line["worker.id"]), (&reason, &json!("worker-01")));
    }
    let (_, signature) = assertion.rsplit_once('.').unwrap();
    assert!(!LOG.contains(signature) && !LOG.contains("hush-secret") && !LOG.contains("hush-jti"));
}

#[tokio::test]
async fn e10_wrong_secrets_are_told_to_slow_down_and_the_worker_is_not() {
    let server = Server::start_with(Place::new(), |config| {
        let limits = &mut config.domain.settings.limits;
        *limits = Limits::shipped();
        limits.failed_sign_ins_per_network.most = 2;
    });
    let world = World::within(
        server.await,
        json!({"clients": ["backend-worker"], "scopes": ["jobs:read"]}),
    )
    .await;
    let wrong =
        async || world.send(form(json!({})), Some((world.client_id.as_str(), "ws_wrong"))).await;
    for _ in 0..2 {
        let reply = wrong().await;
        reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
    }
    let reply = wrong().await;
    reply.assert_oauth_refusal(429, "slow_down", "RATE_LIMITED");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(world.ask(json!({})).await.status, 200);
}

//! Do tokens of an older Tikti open anything but lookup and exchange? Every route of the table is asked.
//!
//! Spec: Tokens and keys, "Tokens of an older Tikti".

use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use tikti_domain::clock::Clock;
use tikti_domain::secret::{LegacySecrets, SecretBytes, hmac_sha256_hex};
use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::{Place, Reply, Server};

const OLD: &str = "the secret of an older deployment";

async fn start() -> Server {
    Server::start_with(Place::new(), |config| {
        config.domain.secrets.hs256_legacy = Some(LegacySecrets {
            secrets: vec![SecretBytes::new(OLD.as_bytes().to_vec())],
            accept_until: Clock::system().now().plus_millis(3_600_000),
            issuers: Vec::new(),
        });
    })
    .await
}

/// A token that names this user, made a little after him: within the clocks' difference.
fn token(user: &Value) -> String {
    let now = Clock::system().now().as_millis() / 1000 + 30;
    let claims = json!({"sub": user["localId"], "iat": now, "exp": now + 3600});
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let input = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(&claims));
    let tag = hmac_sha256_hex(&OLD.to_owned().into(), &[input.as_bytes()]);
    format!("{input}.{}", BASE64URL_NOPAD.encode(&HEXLOWER.decode(tag.as_bytes()).unwrap()))
}

/// Enough of every request type to come as far as the token, which stands wherever one can.
fn body(route: &Route, token: &str) -> Value {
    let mut body = json!({
        "email": "ann@corp.sys", "password": "p", "idToken": token, "audience": "backend-worker",
        "slug": "codecompany", "status": "ACTIVE", "scope": "global", "token": token,
        "requestType": "VERIFY_EMAIL", "oobCode": token, "displayName": "Ann",
        "grant_type": "refresh_token", "refresh_token": token, "mode": "verifyEmail",
        "scopes": ["introspect"],
    });
    // A code comes alone there.
    if route.path == "/v1/accounts/update" {
        body.as_object_mut().unwrap().remove("oobCode");
    }
    if route.path == "/v1/accounts/signOut" {
        body = json!({ "idToken": token });
    }
    body
}

#[tokio::test]
async fn e9_a_token_of_an_older_tikti_is_good_for_lookup_and_exchange_alone() {
    let server = start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let ann = server.user("ann@corp.sys").await;
    // An administrator's opens no more than others do.
    for user in [&ann, &server.session().await] {
        let token = token(user);
        for route in ROUTES {
            let path = route.path.replace("{t}", "codecompany");
            let id = if path.contains("/apiKeys/") { "abcdefghij" } else { "u1" };
            let path = path.replace("{id}", id).replace("{sid}", "01JD0000000000000000000000");
            let request = server.request(route.method, &path);
            let request = match route.method {
                "POST" | "PATCH" => request.json(body(route, &token)),
                _ => request,
            };
            match (route.path, route.needs) {
                ("/v1/accounts/lookup", _) => {
                    let reply = request.keyed().send().await;
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    assert_eq!(reply.json()["users"][0]["localId"], user["localId"]);
                }
                ("/v1/accounts/token/exchange", _) => {
                    let reply = request.keyed().send().await;
                    let is_ann = user["localId"] == ann["localId"];
                    let expected =
                        if is_ann { (400, "TENANT_REQUIRED") } else { (401, "INVALID_ID_TOKEN") };
                    reply.assert_refusal(expected.0, expected.1);
                }
                (_, Needs::Scope(_) | Needs::ScopeOfBody(_)) => {
                    refuses_in_tenant(&server, route, &token).await
                }
                (_, Needs::Bearer | Needs::AdminBearer | Needs::ApiKeyAndAdmin(_)) => {
                    let reply = request.keyed().bearer(&token).send().await;
                    let own = route.path.starts_with("/v1/accounts/sessions");
                    let code = if own { "INVALID_ID_TOKEN" } else { "UNAUTHENTICATED" };
                    reply.assert_refusal(401, code);
                }
                (_, Needs::ApiKeyOrClient(_)) => is_of_no_use(route, &request.keyed().send().await),
                (_, Needs::ApiKey(_) | Needs::Nothing) if route.method == "POST" => {
                    let reply = request.keyed().send().await;
                    assert!((400..500).contains(&reply.status), "{path} {}", reply.text());
                }
                (_, Needs::ApiKey(_) | Needs::Nothing) => {}
            }
        }
        for path in ["update", "delete", "sendOobCode", "signOut"] {
            let route = ROUTES.iter().find(|route| route.path.ends_with(path)).unwrap();
            let request = server.post(route.path).keyed().json(body(route, &token));
            request.send().await.assert_refusal(401, "INVALID_ID_TOKEN");
        }
        for path in ["/v1/accounts/validate", "/v1/accounts/revokeJti"] {
            let request = server.post(path).keyed().bearer(&admin);
            let ask = json!({"token": token, "audience": "tikti-identity"});
            request.json(ask).send().await.assert_refusal(401, "INVALID_ID_TOKEN");
        }
    }
}

/// It is not active, and nothing that could be revoked: told to whoever might.
fn is_of_no_use(route: &Route, reply: &Reply) {
    if route.path == "/oauth2/introspect" {
        assert_eq!(reply.json(), json!({"active": false}));
    } else {
        reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    }
}

/// With all else as it must be.
async fn refuses_in_tenant(server: &Server, route: &Route, token: &str) {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let slug = format!("asked-{}", ASKED.fetch_add(1, Ordering::Relaxed));
    let path = server.good_path(route, &slug).await;
    let request = server.request(route.method, &path).bearer(token);
    let request = match route.method {
        "POST" | "PUT" | "PATCH" => request.json(server.good_body(route.path, token, &slug).await),
        _ => request,
    };
    request.send().await.assert_refusal(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn without_its_secret_no_token_of_an_older_tikti_is_looked_up() {
    let server = Server::start().await;
    let ann = server.user("ann@corp.sys").await;
    let ask = json!({ "idToken": token(&ann) });
    let request = server.post("/v1/accounts/lookup").keyed().json(ask);
    request.send().await.assert_refusal(401, "INVALID_ID_TOKEN");
}

//! `POST /oauth2/token` with `client_credentials`: a worker's own token.
//!
//! What is decided, and each way to be refused, is tested with the operation; here, what a stock client sends
//! and gets.

use serde_json::{Value, json};

use crate::support::{COMPANY, Reply, Server, assert_reply, claims};

/// A server with the company and a worker; the worker's `client_id` and its secret.
async fn start() -> (Server, String, String) {
    let server = Server::start().await;
    let root = server.admin().await;
    let tenant = server.tenant(&root, COMPANY).await["id"].as_str().unwrap().to_owned();
    let client = json!({
        "clientId": "api", "allowedGrantTypes": ["client_credentials"],
        "allowedScopes": ["jobs:read", "jobs:write"], "defaultScopes": ["jobs:read"],
    });
    let made = server.post(&format!("/v1/tenants/{COMPANY}/clients")).bearer(&root).json(client);
    assert_eq!(made.send().await.status, 200);
    let worker = json!({"id": "robot/1", "clients": ["api"], "scopes": ["jobs:read"]});
    let made = server.post(&format!("/v1/tenants/{COMPANY}/workers")).bearer(&root).json(worker);
    let made = made.send().await;
    assert_eq!(made.status, 200, "{}", made.text());
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    (server, format!("{tenant}.robot/1"), secret)
}

fn ask(change: Value) -> Value {
    let mut ask = json!({"grant_type": "client_credentials"});
    ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    ask
}

async fn by_basic(server: &Server, id: &str, secret: &str, change: Value) -> Reply {
    let escaped = id.replace('/', "%2F");
    server.post("/oauth2/token").basic(&escaped, secret).form(&ask(change)).send().await
}

#[tokio::test]
async fn a_worker_shows_its_secret_in_basic_or_in_the_form() {
    let (server, id, secret) = start().await;
    let basic = by_basic(&server, &id, &secret, json!({"audience": "api"})).await;
    assert_reply!(basic, @r#"
        200
        pragma: no-cache
        {
          "access_token": "[token]",
          "expires_in": 900,
          "scope": "jobs:read",
          "tenant_id": "[tenant id]",
          "token_type": "Bearer"
        }
    "#);
    let claims = claims(basic.json()["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("robot/1"), &json!("api")));
    assert_eq!(claims["token_use"], "access");
    for absent in ["act", "sid", "ver", "mver"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    let form = ask(json!({"client_id": id, "client_secret": secret, "scope": "jobs:read"}));
    let posted = server.post("/oauth2/token").form(&form).send().await;
    assert_eq!(posted.status, 200, "{}", posted.text());
}

#[tokio::test]
async fn whoever_does_not_prove_to_be_the_worker_gets_one_answer() {
    let (server, id, secret) = start().await;
    let (tenant, _) = id.split_once('.').unwrap();
    let unknown = format!("{tenant}.nobody");
    let mut answers = Vec::new();
    for (id, secret) in [
        (&id, "wrong"),
        (&id, ""),
        (&unknown, secret.as_str()),
        (&"t-nowhere.robot".to_owned(), secret.as_str()),
        (&"t-nowhere.".to_owned(), secret.as_str()),
    ] {
        let reply = by_basic(&server, id, secret, json!({})).await;
        reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
        answers.push(reply.masked());
    }
    // Nor does whoever shows nothing, a name alone, or another kind of credential.
    let post = |change| server.post("/oauth2/token").form(&ask(change));
    let assertion = json!({
        "client_assertion": "a.b.c",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    });
    for request in [
        post(json!({})),
        post(json!({ "client_id": id })),
        post(json!({})).keyed(),
        post(assertion),
    ] {
        let reply = request.send().await;
        reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
        answers.push(reply.masked());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn what_the_worker_may_not_have_is_told_to_it() {
    let (server, id, secret) = start().await;
    let root = server.admin().await;
    for (change, error, code) in [
        (json!({"scope": "jobs:write"}), "invalid_scope", "SCOPE_NOT_PERMITTED"),
        (json!({"audience": "nothing"}), "invalid_target", "UNKNOWN_AUDIENCE"),
        (json!({"audience": ["api", "other"]}), "invalid_target", "UNKNOWN_AUDIENCE"),
        (json!({"tenant": "othercorp"}), "invalid_request", "TENANT_CONFLICT"),
        (json!({"subject": "robot/2"}), "invalid_request", "INVALID_ARGUMENT"),
    ] {
        let reply = by_basic(&server, &id, &secret, change).await;
        reply.assert_oauth_refusal(400, error, code);
    }
    let path = format!("/v1/tenants/{COMPANY}/workers/robot%2F1");
    let off = server.patch(&path).bearer(&root).json(json!({"status": "DISABLED"})).send().await;
    assert_eq!(off.status, 200, "{}", off.text());
    let reply = by_basic(&server, &id, &secret, json!({})).await;
    reply.assert_oauth_refusal(400, "unauthorized_client", "WORKER_DISABLED");
}

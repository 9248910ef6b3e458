//! `Idempotency-Key`, on every call whose reply shows a secret.
//!
//! Spec: HTTP API, "Tenant administration" (`Idempotency-Key`). Why: docs/decisions/0033.

use serde_json::{Value, json};

use crate::support::{COMPANY, PASSWORD, Reply, Server, public_key};

/// A call that shows a secret once.
struct Call {
    path: String,
    /// What is asked for, by the name of each request that is made of it.
    ask: fn(&str) -> Value,
    /// The member with the secret.
    secret: &'static str,
    /// Where what was made is listed, and the member with the list.
    list: (String, &'static str),
    /// What the same ask is told where it has no name; nothing where it makes another one.
    unnamed: Option<&'static str>,
}

fn calls() -> Vec<Call> {
    let tenant = format!("/v1/tenants/{COMPANY}");
    let at = |path: &str| format!("{tenant}/{path}");
    let key = |name: &str| json!({"name": name, "scopes": ["introspect"]});
    vec![
        Call {
            path: at("clients"),
            ask: |name| json!({"clientId": name, "defaultScopes": ["bills:read"]}),
            secret: "secret",
            list: (at("clients"), "clients"),
            unnamed: Some("CLIENT_EXISTS"),
        },
        Call {
            path: at("workers"),
            ask: |name| json!({"id": name, "scopes": ["jobs:read"]}),
            secret: "secret",
            list: (at("workers"), "workers"),
            unnamed: Some("WORKER_EXISTS"),
        },
        Call {
            path: at("workers/rotated/secrets"),
            ask: |name| json!({"expiresAt": "2999-01-01T00:00:00.000Z", "note": name}),
            secret: "secret",
            list: (at("workers/rotated"), "secrets"),
            unnamed: Some("LIMIT_EXCEEDED"),
        },
        Call {
            path: at("apiKeys"),
            ask: key,
            secret: "key",
            list: (at("apiKeys"), "apiKeys"),
            unnamed: None,
        },
        Call {
            path: "/v1/apiKeys".to_owned(),
            ask: key,
            secret: "key",
            list: ("/v1/apiKeys".to_owned(), "apiKeys"),
            unnamed: None,
        },
    ]
}

/// A server with two administrators; its worker `rotated` has a key, and so no secret yet.
async fn start() -> (Server, String, String) {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, COMPANY).await;
    let id = server.user("eve@corp.sys").await["localId"].as_str().unwrap().to_owned();
    let promote = server.patch(&format!("/v1/users/{id}")).keyed().bearer(&admin);
    assert_eq!(promote.json(json!({"role": "ADMIN"})).send().await.status, 200);
    let session = server.sign_in("eve@corp.sys", PASSWORD).await.json();
    let eve = session["idToken"].as_str().unwrap().to_owned();
    let ask = json!({"id": "rotated", "jwks": {"keys": [public_key("k")]}});
    let made = server.post(&format!("/v1/tenants/{COMPANY}/workers")).bearer(&admin).json(ask);
    assert_eq!(made.send().await.status, 200);
    (server, admin, eve)
}

impl Server {
    /// Sends one ask, under a name if it has one.
    async fn ask(&self, call: &Call, (bearer, name): (&str, Option<&str>), ask: &str) -> Reply {
        let request = self.request("POST", &call.path).bearer(bearer).json((call.ask)(ask));
        match name {
            Some(name) => request.header("Idempotency-Key", name).send().await,
            None => request.send().await,
        }
    }

    /// How many there are.
    async fn count(&self, call: &Call, bearer: &str) -> usize {
        let (path, member) = &call.list;
        let list = self.request("GET", path).bearer(bearer).send().await.json();
        list[member].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_named_request_makes_one_thing_and_its_secret_is_shown_once() {
    let (server, admin, _) = start().await;
    for call in calls() {
        let (path, before) = (&call.path, server.count(&call, &admin).await);
        let first = server.ask(&call, (&admin, Some("n1")), "first").await;
        assert_eq!(first.status, 200, "{path}: {}", first.text());
        let mut expected = first.json();
        assert!(expected.as_object_mut().unwrap().remove(call.secret).unwrap().is_string());
        // By another token of the same user too.
        for bearer in [&admin, &server.admin().await] {
            let again = server.ask(&call, (bearer, Some("n1")), "first").await;
            assert_eq!((again.status, again.json()), (200, expected.clone()), "{path}");
            assert_eq!(again.header("cache-control"), Some("no-store"), "{path}");
        }
        let other = server.ask(&call, (&admin, Some("n1")), "other").await;
        other.assert_refusal(409, "CONFLICT");
        assert_eq!(server.count(&call, &admin).await, before + 1, "{path}");
    }
}

#[tokio::test]
async fn the_name_that_another_caller_gave_means_nothing() {
    let (server, admin, eve) = start().await;
    for call in calls() {
        let (path, before) = (&call.path, server.count(&call, &admin).await);
        for (bearer, ask) in [(&admin, "his"), (&eve, "hers")] {
            let made = server.ask(&call, (bearer, Some("n1")), ask).await;
            assert_eq!(made.status, 200, "{path}: {}", made.text());
            assert!(made.json()[call.secret].is_string(), "{path}");
        }
        assert_eq!(server.count(&call, &admin).await, before + 2, "{path}");
        // What he was answered is not told to her.
        server.ask(&call, (&eve, Some("n1")), "his").await.assert_refusal(409, "CONFLICT");
    }
}

#[tokio::test]
async fn refuses_a_name_that_is_too_long_and_makes_nothing() {
    let (server, admin, _) = start().await;
    let (longest, too_long) = ("x".repeat(255), "x".repeat(256));
    for call in calls() {
        let before = server.count(&call, &admin).await;
        let refused = server.ask(&call, (&admin, Some(&too_long)), "first").await;
        refused.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(refused.json()["details"]["Idempotency-Key"].is_string(), "{}", refused.text());
        assert_eq!(server.count(&call, &admin).await, before, "{}", call.path);
        assert_eq!(server.ask(&call, (&admin, Some(&longest)), "first").await.status, 200);
    }
}

#[tokio::test]
async fn a_request_without_a_name_is_one_of_its_own_each_time() {
    let (server, admin, _) = start().await;
    for call in calls() {
        let path = &call.path;
        assert!(server.ask(&call, (&admin, None), "first").await.json()[call.secret].is_string());
        // There is room for two.
        if path.ends_with("/secrets") {
            let second = server.ask(&call, (&admin, None), "first").await;
            assert!(second.json()[call.secret].is_string(), "{path}");
        }
        let again = server.ask(&call, (&admin, None), "first").await;
        match call.unnamed {
            Some(code) => again.assert_refusal(409, code),
            None => assert!(again.json()[call.secret].is_string(), "{path}"),
        }
    }
}

/// The body of this call may be left out, under a name too.
#[tokio::test]
async fn a_secret_that_is_asked_for_without_a_body_is_made_once() {
    let (server, admin, _) = start().await;
    let ask = async || {
        let request = server.post(&format!("/v1/tenants/{COMPANY}/workers/rotated/secrets"));
        request.bearer(&admin).header("Idempotency-Key", "n1").send().await
    };
    assert!(ask().await.json()["secret"].is_string());
    let again = ask().await;
    assert_eq!((again.status, again.json()), (200, json!({"n": 1})));
}

//! `/v1/tenants/{t}/workers`

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, assert_reply, claims, public_key};

/// The tenant of these tests.
const T: &str = "codecompany";

async fn start() -> (Server, String) {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, T).await;
    // A session of this tenant.
    let admin = server.admin().await;
    (server, admin)
}

/// Registers a worker and gives its secret.
async fn create(server: &Server, admin: &str, ask: Value) -> String {
    let made = server.post("/v1/tenants/codecompany/workers").bearer(admin).json(ask).send().await;
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()["secret"].as_str().unwrap().to_owned()
}

/// A worker that has something of everything.
fn full() -> Value {
    json!({
        "id": "worker-01", "clients": ["codeq-worker", "backend-worker"],
        "scopes": ["jobs:write", "jobs:read", "jobs:read"], "eventTypes": ["render"],
        "mintableBy": ["JOBS_OPERATOR"],
    })
}

#[tokio::test]
async fn a_worker_is_registered_listed_and_read() {
    let (server, admin) = start().await;
    let t = T;
    let create = async || {
        let request = server.post(&format!("/v1/tenants/{t}/workers")).bearer(&admin);
        request.json(full()).send().await
    };
    let mut made = create().await;
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("ws_"));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    made.replace(&secret, "[secret]");
    assert_reply!(made, @r#"
        200
        {
          "clients": [
            "backend-worker",
            "codeq-worker"
          ],
          "createdAt": "[time]",
          "customTokens": false,
          "eventTypes": [
            "render"
          ],
          "id": "worker-01",
          "jwks": {
            "keys": []
          },
          "lastSecret": 1,
          "mintableBy": [
            "JOBS_OPERATOR"
          ],
          "scopes": [
            "jobs:read",
            "jobs:write"
          ],
          "secret": "[secret]",
          "secrets": [
            {
              "createdAt": "[time]",
              "n": 1
            }
          ],
          "status": "ACTIVE"
        }
    "#);
    create().await.assert_refusal(409, "WORKER_EXISTS");

    let mut shown = made.json();
    shown.as_object_mut().unwrap().remove("secret");
    let id = "worker-01";
    let read = server.get(&format!("/v1/tenants/{t}/workers/{id}")).bearer(&admin).send().await;
    assert_eq!((read.status, read.json()), (200, shown.clone()));
    let list = server.get(&format!("/v1/tenants/{t}/workers")).bearer(&admin).send().await;
    assert_eq!((list.status, list.json()), (200, json!({"workers": [shown]})));
}

#[tokio::test]
async fn a_worker_is_changed_and_deleted_and_the_audit_tells_of_it() {
    let (server, admin) = start().await;
    create(&server, &admin, full()).await;
    let (t, id) = (T, "worker-01");
    let read =
        async || server.get(&format!("/v1/tenants/{t}/workers/{id}")).bearer(&admin).send().await;
    let mut shown = read().await.json();
    let ask = json!({"scopes": ["jobs:read"], "eventTypes": [], "status": "DISABLED"});
    let changed = server.patch(&format!("/v1/tenants/{t}/workers/{id}")).bearer(&admin);
    let changed = changed.json(ask.clone()).send().await;
    shown.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    assert_eq!((changed.status, changed.json()), (200, shown.clone()));
    assert_eq!(read().await.json(), shown);

    let delete = async || {
        server.delete(&format!("/v1/tenants/{t}/workers/{id}")).bearer(&admin).send().await
    };
    let gone = delete().await;
    assert_eq!((gone.status, gone.json()), (200, json!({})));
    delete().await.assert_refusal(404, "WORKER_NOT_FOUND");
    read().await.assert_refusal(404, "WORKER_NOT_FOUND");
    let list = server.get(&format!("/v1/tenants/{t}/workers")).bearer(&admin).send().await;
    assert_eq!(list.json(), json!({"workers": []}));

    let audit = server.get("/v1/tenants/codecompany/audit").bearer(&admin).send().await.json();
    let events: Vec<_> =
        audit["events"].as_array().unwrap().iter().map(|link| &link["event"]).collect();
    let told: Vec<_> = events.iter().map(|event| (&event["action"], &event["target"])).collect();
    let expected = ["worker.create", "worker.update", "worker.delete"].map(Value::from);
    let id = Value::from(id);
    assert_eq!(told, expected.iter().map(|action| (action, &id)).collect::<Vec<_>>());
    assert_eq!(events[1]["details"]["status"], "DISABLED");
}

#[tokio::test]
async fn a_worker_is_refused_that_could_be_somebody_else_or_names_nothing() {
    let (server, admin) = start().await;
    let ask = async |ask: Value| {
        let request = server.post("/v1/tenants/codecompany/workers").bearer(&admin);
        request.json(ask).send().await
    };
    let mut private = public_key("k");
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    for (bad, member) in [
        (json!({"id": "0193a5c8-1f6e-7000-8000-000000000000"}), "id"),
        (json!({"id": "0193a5c81f6e70008000000000000000"}), "id"),
        (json!({"id": "worker@corp.sys"}), "id"),
        (json!({"id": ""}), "id"),
        (json!({"id": "w", "clients": ["a b"]}), "clients"),
        (json!({"id": "w", "scopes": ["a b"]}), "scopes"),
        (json!({"id": "w", "eventTypes": [""]}), "eventTypes"),
        (json!({"id": "w", "mintableBy": ["1"]}), "mintableBy"),
        (json!({"id": "w", "jwks": {"keys": [private]}}), "jwks"),
        (json!({"id": "w", "jwks": {"keys": [{"kty": "oct", "kid": "k", "k": "AQ"}]}}), "jwks"),
    ] {
        let refused = ask(bad.clone()).await;
        refused.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(refused.json()["details"][member].is_string(), "{bad}: {}", refused.text());
    }
    ask(json!({"id": "w", "clients": ["nowhere"]})).await.assert_refusal(404, "CLIENT_NOT_FOUND");
    ask(json!({"id": "w", "mintableBy": ["NOBODY"]})).await.assert_refusal(404, "ROLE_NOT_FOUND");
}

#[tokio::test]
async fn secrets_and_keys_are_rotated_one_by_one() {
    let (server, admin) = start().await;
    let (t, id) = (T, "worker-01");
    let first = create(&server, &admin, json!({"id": id})).await;
    let add = async || {
        server.post(&format!("/v1/tenants/{t}/workers/{id}/secrets")).bearer(&admin).send().await
    };
    let second = add().await;
    assert_eq!((second.status, &second.json()["n"]), (200, &json!(2)));
    assert_ne!(second.json()["secret"], json!(first));
    add().await.assert_refusal(409, "LIMIT_EXCEEDED");
    let remove = async |n: &str| {
        let request = server.delete(&format!("/v1/tenants/{t}/workers/{id}/secrets/{n}"));
        request.bearer(&admin).send().await
    };
    let gone = remove("1").await;
    assert_eq!((gone.status, gone.json()), (200, json!({})));
    for none in ["1", "3", "0", "02", "two"] {
        remove(none).await.assert_refusal(404, "NOT_FOUND");
    }
    let ask = json!({"expiresAt": "2999-01-01T00:00:00+01:00"});
    let path = format!("/v1/tenants/{t}/workers/{id}/secrets");
    let third = server.post(&path).bearer(&admin).json(ask).send().await.json();
    assert_eq!((&third["n"], &third["expiresAt"]), (&json!(3), &json!("2998-12-31T23:00:00.000Z")));
    for bad in ["tomorrow", "2020-01-01T00:00:00Z"] {
        let ask = server.post(&path).bearer(&admin).json(json!({"expiresAt": bad}));
        ask.send().await.assert_refusal(400, "INVALID_ARGUMENT");
    }

    let put = async |keys: Value| {
        let request = server.put(&format!("/v1/tenants/{t}/workers/{id}/jwks")).bearer(&admin);
        request.json(json!({ "keys": keys })).send().await
    };
    let shown = put(json!([public_key("one"), public_key("two")])).await.json();
    let mut expected = public_key("one");
    (expected["use"], expected["alg"]) = (json!("sig"), json!("EdDSA"));
    assert_eq!(shown["jwks"]["keys"][0], expected);
    let numbers: Vec<_> = shown["secrets"].as_array().unwrap().iter().map(|it| &it["n"]).collect();
    assert_eq!(numbers, [2, 3]);
    let nine: Vec<_> = (0..9).map(|n| public_key(&format!("k{n}"))).collect();
    put(json!(nine)).await.assert_refusal(400, "INVALID_ARGUMENT");
    assert_eq!(put(json!([])).await.json()["jwks"], json!({"keys": []}));
}

/// Exchanges an idToken for a token of `subject`.
async fn mint(server: &Server, (id_token, subject): (&str, &str), more: Value) -> Reply {
    let mut ask = json!({
        "idToken": id_token, "audience": "backend-worker", "tenantId": T, "subject": subject,
    });
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await
}

/// Whether a token is good, as an administrator is told.
async fn is_good(server: &Server, admin: &str, token: &str) -> bool {
    let ask = json!({"token": token, "audience": "backend-worker"});
    let told = server.post("/v1/accounts/validate").keyed().bearer(admin).json(ask).send().await;
    if told.status != 200 {
        told.assert_refusal(401, "TOKEN_REVOKED");
    }
    told.status == 200
}

/// Disabled, robbed of a secret or a key, deleted, made again: each ends what was minted before.
#[tokio::test]
async fn a8_a10_what_was_minted_for_a_worker_dies_with_each_change_that_ends_it() {
    let (server, admin) = start().await;
    let (t, id) = (T, "worker-01");
    let ask = json!({
        "id": id, "clients": ["backend-worker"], "scopes": ["jobs:read"],
        "jwks": {"keys": [public_key("k")]},
    });
    let path = format!("/v1/tenants/{t}/workers");
    let register = async || server.post(&path).bearer(&admin).json(ask.clone()).send().await;
    let registered = register().await;
    assert_eq!((registered.status, &registered.json()["secret"]), (200, &Value::Null));
    let path = format!("{path}/{id}");
    server.post(&format!("{path}/secrets")).bearer(&admin).send().await;
    let patch = async |status: &str| {
        let request = server.patch(&path).bearer(&admin).json(json!({ "status": status }));
        assert_eq!(request.send().await.status, 200);
    };
    let minted = async || {
        let minted = mint(&server, (&admin, id), json!({})).await;
        assert_eq!(minted.status, 200, "{}", minted.text());
        let token = minted.json()["accessToken"].as_str().unwrap().to_owned();
        assert!(is_good(&server, &admin, &token).await);
        token
    };
    let refused = async || {
        mint(&server, (&admin, id), json!({})).await.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
    };
    let mut dead = Vec::new();
    dead.push(minted().await);
    patch("DISABLED").await;
    refused().await;
    patch("ACTIVE").await;
    dead.push(minted().await);
    server.delete(&format!("{path}/secrets/1")).bearer(&admin).send().await;
    dead.push(minted().await);
    let keys = json!({"keys": []});
    server.put(&format!("{path}/jwks")).bearer(&admin).json(keys).send().await;
    let last = minted().await;
    for token in &dead {
        assert!(!is_good(&server, &admin, token).await);
    }
    server.delete(&path).bearer(&admin).send().await;
    assert!(!is_good(&server, &admin, &last).await);
    // The client takes any name, but not this one again.
    refused().await;
    assert_eq!(mint(&server, (&admin, "worker-02"), json!({})).await.status, 200);
    assert_eq!(register().await.status, 200);
    assert!(!is_good(&server, &admin, &last).await);
    minted().await;
}

#[tokio::test]
async fn a4_a_token_for_a_worker_is_minted_by_who_may_and_holds_no_more_than_he() {
    let (server, admin) = start().await;
    let (t, id) = (T, "worker-01");
    let member = async |email: &str, roles: Value| {
        server.user(email).await;
        let ask = json!({"email": email, "roles": roles});
        server.post(&format!("/v1/tenants/{t}/users")).bearer(&admin).json(ask).send().await;
        let session = server.sign_in(email, PASSWORD).await.json();
        session["idToken"].as_str().unwrap().to_owned()
    };
    for (name, permissions) in [("READER", ["jobs:read"]), ("MINTER", ["jobs:read"])] {
        let ask = json!({"name": name, "permissions": permissions});
        server.post(&format!("/v1/tenants/{t}/roles")).bearer(&admin).json(ask).send().await;
    }
    let ask = json!({
        "id": id, "clients": ["backend-worker"], "scopes": ["jobs:read", "jobs:write"],
        "mintableBy": ["MINTER"],
    });
    create(&server, &admin, ask).await;
    let ann = member("ann@corp.sys", json!(["READER"])).await;
    let bob = member("bob@corp.sys", json!(["READER", "MINTER"])).await;
    mint(&server, (&ann, id), json!({})).await.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
    // The worker may do more than Bob; what he mints may not.
    let minted = mint(&server, (&bob, id), json!({})).await.json();
    let claims = claims(minted["accessToken"].as_str().unwrap());
    assert_eq!((&claims["scope"], &claims["sub"]), (&json!("jobs:read"), &json!(id)));
    assert_eq!(claims["act"]["sub"], claims_of(&bob, "sub"));
    let beyond = json!({"scopes": ["jobs:write"]});
    mint(&server, (&bob, id), beyond).await.assert_refusal(403, "SCOPE_NOT_PERMITTED");
    // And no more than the worker.
    let narrow = json!({"scopes": ["jobs:write"]});
    let path = format!("/v1/tenants/{t}/workers/{id}");
    server.patch(&path).bearer(&admin).json(narrow).send().await;
    mint(&server, (&bob, id), json!({})).await.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
    // A role that is gone mints nothing.
    let wide = json!({"scopes": ["jobs:read"]});
    server.patch(&path).bearer(&admin).json(wide).send().await;
    assert_eq!(mint(&server, (&bob, id), json!({})).await.status, 200);
    server.delete(&format!("/v1/tenants/{t}/roles/MINTER")).bearer(&admin).send().await;
    mint(&server, (&bob, id), json!({})).await.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
}

fn claims_of(token: &str, name: &str) -> Value {
    claims(token)[name].clone()
}

#[tokio::test]
async fn l6_a_hundred_rotations_at_once_make_as_many_secrets_as_there_is_room() {
    let server = Server::start_with(crate::support::Place::new(), |config| {
        config.domain.settings.limits.enabled = false;
    })
    .await;
    let admin = server.admin().await;
    server.tenant(&admin, T).await;
    let path = format!("/v1/tenants/{T}/workers/worker-01/secrets");
    create(&server, &admin, json!({"id": "worker-01"})).await;
    let asks = (0..100).map(|_| server.post(&path).bearer(&admin).send());
    let replies = tikti_domain::testing::all(asks).await;
    let made = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(made, 1);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        let code = reply.code();
        assert!(["LIMIT_EXCEEDED", "CONFLICT"].contains(&code.as_str()), "{code}");
    }
}

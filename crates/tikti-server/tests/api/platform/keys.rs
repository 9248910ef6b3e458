//! `/v1/keys` and `/v1/keys/rotate`

use std::collections::BTreeSet;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::support::{COMPANY, JOBS, PASSWORD, Place, Reply, Server};

async fn start() -> (Server, String) {
    let server = Server::start().await;
    let admin = server.admin().await;
    (server, admin)
}

async fn keys(server: &Server, admin: &str) -> Vec<Value> {
    let reply = server.get("/v1/keys").bearer(admin).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["keys"].as_array().unwrap().clone()
}

async fn rotate(server: &Server, admin: &str, ask: Value) -> Reply {
    server.post("/v1/keys/rotate").bearer(admin).json(ask).send().await
}

/// The ids that verifiers are told of, newest first.
async fn published(server: &Server) -> Vec<String> {
    let jwks = server.get("/.well-known/jwks.json").send().await.json();
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Exchanges an idToken for an access token; gives the reply.
async fn exchange(server: &Server, id_token: &str) -> Reply {
    let ask = json!({
        "idToken": id_token, "audience": "backend-worker", "tenantId": COMPANY, "scopes": JOBS,
    });
    server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await
}

/// Which key signed the token that an exchange gives.
async fn signer(server: &Server, id_token: &str) -> String {
    let reply = exchange(server, id_token).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = reply.json();
    let header = body["accessToken"].as_str().unwrap().split('.').next().unwrap();
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The reply with what differs from run to run replaced.
fn shown(mut reply: Reply, kids: &[&str]) -> String {
    for (number, kid) in kids.iter().enumerate() {
        reply.replace(kid, &format!("[kid {number}]"));
    }
    let mut body = reply.json();
    let keys = match body.get_mut("keys") {
        Some(Value::Array(keys)) => keys.iter_mut().collect(),
        _ => vec![&mut body],
    };
    for key in keys {
        for member in ["activatesAt", "changesAt", "tokensAliveUntil"] {
            if key.get(member).is_some() {
                key[member] = json!("[time]");
            }
        }
    }
    let before = reply.text().to_owned();
    reply.replace(&before, &body.to_string());
    reply.masked()
}

#[tokio::test]
async fn the_first_key_signs_and_the_next_one_is_published_before_it_does() {
    let (server, admin) = start().await;
    server.tenant(&admin, COMPANY).await;
    let admin = server.admin().await;
    let [first] = &keys(&server, &admin).await[..] else { panic!("one key") };
    let first = first["kid"].as_str().unwrap();
    assert_eq!(published(&server).await, [first]);

    let reply = rotate(&server, &admin, json!({})).await;
    let next = reply.json()["kid"].as_str().unwrap().to_owned();
    insta::assert_snapshot!(shown(reply, &[first, &next]), @r#"
    200
    {
      "activatesAt": "[time]",
      "kid": "[kid 1]",
      "state": "published"
    }
    "#);
    // At once, on the replica that made it; and it signs nothing yet.
    assert_eq!(published(&server).await, [next.as_str(), first]);
    assert_eq!(signer(&server, &admin).await, first);

    let list = server.get("/v1/keys").bearer(&admin).send().await;
    insta::assert_snapshot!(shown(list, &[first, &next]), @r#"
    200
    {
      "keys": [
        {
          "activatesAt": "[time]",
          "becomes": "active",
          "bits": 2048,
          "changesAt": "[time]",
          "createdAt": "[time]",
          "imported": false,
          "kid": "[kid 1]",
          "safeToRetire": false,
          "state": "published"
        },
        {
          "activatesAt": "[time]",
          "becomes": "retiring",
          "bits": 2048,
          "changesAt": "[time]",
          "createdAt": "[time]",
          "imported": false,
          "kid": "[kid 0]",
          "safeToRetire": false,
          "state": "active",
          "tokensAliveUntil": "[time]"
        }
      ]
    }
    "#);

    // Asked again, also with no body at all, it is the same one.
    for request in [
        server.post("/v1/keys/rotate").bearer(&admin),
        server.post("/v1/keys/rotate").bearer(&admin).json(json!({"emergency": false})),
    ] {
        assert_eq!(request.send().await.json()["kid"], next);
    }
    assert_eq!(keys(&server, &admin).await.len(), 2);
}

#[tokio::test]
async fn an_emergency_revokes_every_key_and_the_new_one_signs_at_once() {
    let (server, admin) = start().await;
    server.tenant(&admin, COMPANY).await;
    let admin = server.admin().await;
    let stolen = exchange(&server, &admin).await.json()["accessToken"].as_str().unwrap().to_owned();
    rotate(&server, &admin, json!({})).await;
    let before: BTreeSet<_> = published(&server).await.into_iter().collect();

    let reply = rotate(&server, &admin, json!({"emergency": true})).await;
    let made = reply.json();
    assert_eq!((reply.status, &made["state"]), (200, &json!("active")));
    let kid = made["kid"].as_str().unwrap();
    assert_eq!(published(&server).await, [kid]);
    assert_eq!(signer(&server, &admin).await, kid);
    for key in keys(&server, &admin).await {
        let is_old = before.contains(key["kid"].as_str().unwrap());
        let state = if is_old { "revoked" } else { "active" };
        assert_eq!((&key["state"], key["revokedAt"].is_string()), (&json!(state), is_old), "{key}");
    }
    // A token of a revoked key is nobody's. One that the new key signs is.
    let read = |token: &str| server.get(&format!("/v1/tenants/{COMPANY}")).bearer(token).send();
    read(&stolen).await.assert_refusal(401, "UNAUTHENTICATED");
    // Sessions live on: their tokens have other keys.
    assert_eq!(server.get("/v1/keys").bearer(&admin).send().await.status, 200);
}

#[tokio::test]
async fn an_emergency_of_one_key_leaves_the_others() {
    let (server, admin) = start().await;
    let first = published(&server).await.remove(0);
    let next = rotate(&server, &admin, json!({})).await.json()["kid"].as_str().unwrap().to_owned();
    let reply = rotate(&server, &admin, json!({"emergency": true, "kid": next})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let left = published(&server).await;
    assert!(left.contains(&first) && !left.contains(&next), "{left:?}");
    let unknown = json!({"emergency": true, "kid": "tikti-1999-01-none"});
    rotate(&server, &admin, unknown).await.assert_refusal(404, "KEY_NOT_FOUND");
    for kid in [json!(first), json!(""), json!("a b")] {
        let ask = json!({ "kid": kid });
        rotate(&server, &admin, ask).await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    assert_eq!(published(&server).await, left);
}

#[tokio::test]
async fn an_emergency_that_comes_again_by_its_name_revokes_nothing_more() {
    let (server, admin) = start().await;
    let send = async |name: &str, ask: Value| {
        let request = server.post("/v1/keys/rotate").bearer(&admin).json(ask);
        request.header("Idempotency-Key", name).send().await
    };
    let first = send("once", json!({"emergency": true})).await;
    let again = send("once", json!({"emergency": true})).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    send("once", json!({})).await.assert_refusal(409, "CONFLICT");
    assert_eq!(keys(&server, &admin).await.len(), 2);
    // Without that name it is another emergency.
    let other = send("twice", json!({"emergency": true})).await.json();
    assert_ne!(other["kid"], first.json()["kid"]);
    assert_eq!(published(&server).await, [other["kid"].as_str().unwrap()]);
}

#[tokio::test]
async fn keys_are_of_administrators_alone() {
    let server = Server::start().await;
    let anna = server.user("anna@corp.sys").await;
    let anna = anna["idToken"].as_str().unwrap();
    let before = published(&server).await;
    server.get("/v1/keys").send().await.assert_refusal(401, "UNAUTHENTICATED");
    server.get("/v1/keys").keyed().send().await.assert_refusal(401, "UNAUTHENTICATED");
    server.get("/v1/keys").bearer(anna).send().await.assert_refusal(403, "ADMIN_REQUIRED");
    let ask = json!({"emergency": true});
    rotate(&server, anna, ask.clone()).await.assert_refusal(403, "ADMIN_REQUIRED");
    let request = server.post("/v1/keys/rotate").keyed().json(ask);
    request.send().await.assert_refusal(401, "UNAUTHENTICATED");
    // What is no password is no way in either.
    assert_ne!(server.sign_in("anna@corp.sys", &PASSWORD[1..]).await.status, 200);
    assert_eq!(published(&server).await, before);
}

#[tokio::test]
async fn verifiers_hold_the_keys_for_as_long_as_is_set() {
    let server = Server::start_with(Place::new(), |config| {
        config.domain.settings.jwks_max_age = Duration::from_secs(77);
    })
    .await;
    for path in ["/.well-known/jwks.json", "/v1/.well-known/jwks.json", "/v1/audit/keys"] {
        let reply = server.get(path).send().await;
        assert_eq!(reply.header("cache-control"), Some("public, max-age=77"), "{path}");
    }
    // And a new key waits for that long, the refresh interval, and twice the skew.
    let made = rotate(&server, &server.admin().await, json!({})).await.json();
    let keys = keys(&server, &server.admin().await).await;
    let times = ["createdAt", "activatesAt"].map(|name| keys[0][name].as_str().unwrap().to_owned());
    let [created, active] = times.map(|text| tikti_domain::clock::parse_rfc3339(&text).unwrap());
    assert_eq!(active.as_millis() - created.as_millis(), (77 + 30 + 120) * 1000);
    assert_eq!(made["activatesAt"], keys[0]["activatesAt"]);
}

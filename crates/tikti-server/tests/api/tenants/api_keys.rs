//! `/v1/tenants/{t}/apiKeys`

use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn a8_a_key_is_made_used_disabled_and_deleted_and_each_is_effective_at_once() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let ask = json!({"name": "Till", "scopes": ["token:exchange", "accounts:lookup"]});
    let made = server.post(&format!("/v1/tenants/{t}/apiKeys")).bearer(&admin).json(ask);
    let made = made.send().await;
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")));
    let mut shown = made.json();
    let key = shown.as_object_mut().unwrap().remove("key").unwrap();
    let (key, id) = (key.as_str().unwrap(), shown["id"].as_str().unwrap().to_owned());
    assert!(key.starts_with(&format!("tk_{id}_")), "the key has its id in it");
    let expected = json!({
        "id": id, "prefix": format!("tk_{id}"), "name": "Till", "status": "ACTIVE",
        "scopes": ["accounts:lookup", "token:exchange"], "createdAt": shown["createdAt"],
    });
    assert_eq!(shown, expected);
    let read = server.get(&format!("/v1/tenants/{t}/apiKeys/{id}")).bearer(&admin).send().await;
    assert_eq!((read.status, read.json()), (200, expected.clone()));
    let list = server.get(&format!("/v1/tenants/{t}/apiKeys")).bearer(&admin).send().await;
    assert_eq!((list.status, list.json()), (200, json!({"apiKeys": [expected]})));

    // A session of this tenant: with its key no other is exchanged.
    let session = server.admin().await;
    let exchange = async || {
        let ask = json!({"idToken": session, "audience": "backend-worker", "tenantId": t});
        let request = server.post("/v1/accounts/token/exchange").header("X-API-Key", key);
        request.json(ask).send().await
    };
    let patch = async |ask: Value| {
        server.patch(&format!("/v1/tenants/{t}/apiKeys/{id}")).bearer(&admin).json(ask).send().await
    };
    assert_eq!(exchange().await.status, 200);
    let disabled = patch(json!({"status": "DISABLED"})).await;
    assert_eq!((disabled.status, &disabled.json()["status"]), (200, &json!("DISABLED")));
    exchange().await.assert_refusal(401, "INVALID_API_KEY");
    assert_eq!(patch(json!({"status": "ACTIVE"})).await.status, 200);
    assert_eq!(exchange().await.status, 200);
    assert_eq!(patch(json!({"scopes": ["introspect"]})).await.status, 200);
    exchange().await.assert_refusal(403, "API_KEY_FORBIDDEN");
    assert_eq!(patch(json!({"scopes": ["token:exchange"]})).await.status, 200);

    let path = format!("/v1/tenants/{t}/apiKeys/{id}");
    let gone = server.delete(&format!("/v1/tenants/{t}/apiKeys/{id}")).bearer(&admin).send().await;
    assert_eq!((gone.status, gone.json()), (200, json!({})));
    exchange().await.assert_refusal(401, "INVALID_API_KEY");
    let again = server.request("DELETE", &path).bearer(&admin).send().await;
    again.assert_refusal(404, "API_KEY_NOT_FOUND");
    let list = server.get("/v1/tenants/codecompany/apiKeys").bearer(&admin).send().await;
    assert_eq!(list.json(), json!({"apiKeys": []}));
    let audit = server.get("/v1/tenants/codecompany/audit").bearer(&admin).send().await;
    assert!(!audit.text().contains(key), "a key is in the audit");
    let audit = audit.json();
    let events = audit["events"].as_array().unwrap();
    let told: Vec<_> =
        events.iter().map(|link| link["event"]["action"].as_str().unwrap()).collect();
    let update = "api_key.update";
    assert_eq!(told, ["api_key.create", update, update, update, update, "api_key.delete"]);
}

#[tokio::test]
async fn e3_e8_a_key_of_a_tenant_holds_nothing_that_reaches_beyond_it() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let path = "/v1/tenants/codecompany/apiKeys";
    let create = async |ask: Value| server.post(path).bearer(&admin).json(ask).send().await;
    let made = create(json!({"scopes": ["introspect"]})).await.json();
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    for scope in
        ["oob:return", "accounts:admin", "accounts:signup", "accounts:update", "accounts:delete"]
    {
        let ask = json!({"scopes": ["introspect", scope]});
        create(ask.clone()).await.assert_refusal(403, "ESCALATION_DENIED");
        let request = server.patch(&path).bearer(&admin).json(ask);
        request.send().await.assert_refusal(403, "ESCALATION_DENIED");
    }
    for ask in [
        json!({"scopes": []}),
        json!({"scopes": ["roles:write"]}),
        json!({"scopes": ["introspect"], "expiresAt": "2020-01-01T00:00:00Z"}),
        json!({"scopes": ["introspect"], "expiresAt": "tomorrow"}),
        json!({"scopes": ["introspect"], "name": ""}),
    ] {
        create(ask).await.assert_refusal(400, "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn a_key_of_another_tenant_or_of_the_deployment_looks_like_none() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    server.tenant(&admin, "other-company").await;
    let ask = json!({"scopes": ["introspect"]});
    let made = server.post("/v1/tenants/other-company/apiKeys").bearer(&admin).json(ask);
    let other = made.send().await.json()["id"].as_str().unwrap().to_owned();
    for id in [other.as_str(), "nosuchkey"] {
        for (method, ask) in
            [("GET", Value::Null), ("PATCH", json!({"name": "N"})), ("DELETE", Value::Null)]
        {
            let path = format!("/v1/tenants/codecompany/apiKeys/{id}");
            let request = server.request(method, &path).bearer(&admin);
            let request = if ask.is_null() { request } else { request.json(ask) };
            request.send().await.assert_refusal(404, "API_KEY_NOT_FOUND");
        }
    }
}

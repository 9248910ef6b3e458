//! `PATCH` and `DELETE /v1/tenants/{t}`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn a_tenant_is_renamed_and_opened() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ask = json!({"slug": "codecompany", "id": "t-one"});
    let mut made = server.post("/v1/tenants").bearer(&admin).json(ask).send().await.json();
    let ask = json!({"name": " Code Company ", "selfSignUp": true});
    let t = "codecompany";
    let changed =
        server.patch(&format!("/v1/tenants/{t}")).bearer(&admin).json(ask.clone()).send().await;
    made["name"] = json!("Code Company");
    made["selfSignUp"] = json!(true);
    assert_eq!((changed.status, changed.json()), (200, made.clone()));
    // The same once more is no change.
    for _ in 0..2 {
        let request = server.patch("/v1/tenants/t-one").bearer(&admin);
        assert_eq!(request.json(ask.clone()).send().await.json(), made);
    }
    let read = server.get("/v1/tenants/t-one").bearer(&admin).send().await;
    assert_eq!(read.json(), made);
    let audit = server.get("/v1/tenants/t-one/audit").bearer(&admin).send().await.json();
    let events = audit["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0]["event"];
    assert_eq!((&event["action"], &event["target"]), (&json!("tenant.update"), &json!("t-one")));
    assert_eq!(event["details"], json!({"name": "Code Company", "selfSignUp": "true"}));
}

#[tokio::test]
async fn what_is_no_change_of_a_tenant_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    for ask in [
        json!({}),
        json!({"slug": "other"}),
        json!({"name": ""}),
        json!({"name": "a\u{202e}b"}),
        json!({"status": "DELETING"}),
        json!({"status": "INACTIVE"}),
    ] {
        let request = server.patch("/v1/tenants/codecompany").bearer(&admin).json(ask);
        request.send().await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let request = server.patch("/v1/tenants/nowhere").bearer(&admin).json(json!({"name": "N"}));
    request.send().await.assert_refusal(404, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn a8_a_suspended_tenant_is_not_served_until_it_is_activated() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let patch = async |ask: serde_json::Value| {
        server.patch("/v1/tenants/codecompany").bearer(&admin).json(ask).send().await
    };
    let exchange = async || {
        let ask =
            json!({"idToken": admin, "audience": "backend-worker", "tenantId": "codecompany"});
        server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await.status
    };
    assert_eq!(exchange().await, 200);
    let suspended = patch(json!({"status": "SUSPENDED"})).await;
    assert_eq!((suspended.status, &suspended.json()["status"]), (200, &json!("SUSPENDED")));
    assert_eq!(exchange().await, 403);
    patch(json!({"name": "Other"})).await.assert_refusal(403, "TENANT_DISABLED");
    let active = patch(json!({"status": "ACTIVE", "name": "Other"})).await;
    assert_eq!((active.status, &active.json()["name"]), (200, &json!("Other")));
    assert_eq!(exchange().await, 200);
}

#[tokio::test]
async fn a_tenant_is_deleted_and_the_deployment_remembers_by_whom() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ask = json!({"slug": "codecompany", "id": "t-one"});
    server.post("/v1/tenants").bearer(&admin).json(ask.clone()).send().await;
    let t = "codecompany";
    let gone = server.delete(&format!("/v1/tenants/{t}")).bearer(&admin).send().await;
    assert_reply!(gone, @r#"
        200
        {}
    "#);
    let again = server.delete("/v1/tenants/codecompany").bearer(&admin).send().await;
    again.assert_refusal(404, "TENANT_NOT_FOUND");
    let read = server.get("/v1/tenants/t-one").bearer(&admin).send().await;
    read.assert_refusal(404, "TENANT_NOT_FOUND");
    let made = server.post("/v1/tenants").bearer(&admin).json(ask).send().await;
    made.assert_refusal(409, "TENANT_EXISTS");
    let audit = server.get("/v1/audit").bearer(&admin).send().await.json();
    let events = audit["events"].as_array().unwrap();
    let deleted: Vec<_> =
        events.iter().filter(|link| link["event"]["action"] == json!("tenant.delete")).collect();
    assert_eq!(deleted.len(), 1, "{events:?}");
    let event = &deleted[0]["event"];
    assert_eq!((&event["target"], &event["tenantId"]), (&json!("t-one"), &json!("t-one")));
    assert_eq!(event["details"], json!({"slug": "codecompany"}));
}

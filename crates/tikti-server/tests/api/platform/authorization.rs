//! `POST /v1/authorization/explain`

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn why_an_exchange_is_allowed_and_why_no_more_after_a_role_is_gone() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let ann = server.user("ann@corp.sys").await;
    let id = ann["localId"].as_str().unwrap();
    let member = json!({"email": "ann@corp.sys", "roles": ["JOBS_OPERATOR"]});
    let added = server.post(&format!("/v1/tenants/{t}/users")).bearer(&admin).json(member);
    assert_eq!(added.send().await.status, 200);
    let ask =
        json!({"userId": id, "tenantId": t, "audience": "backend-worker", "scopes": ["jobs:read"]});
    let explain = async || {
        server.post("/v1/authorization/explain").bearer(&admin).json(ask.clone()).send().await
    };
    let exchange = async || {
        let ann = server.sign_in("ann@corp.sys", crate::support::PASSWORD).await.json();
        let ask = json!({"idToken": ann["idToken"], "audience": "backend-worker", "scopes": ["jobs:read"]});
        server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await
    };
    let allowed = explain().await;
    let told = allowed.json();
    assert_eq!(
        (allowed.status, &told["allow"], &told["scope"]),
        (200, &json!(true), &json!("jobs:read"))
    );
    assert_eq!(exchange().await.json()["scope"], told["scope"]);

    let patch = server.patch(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin);
    assert_eq!(patch.json(json!({"roles": []})).send().await.status, 200);
    let refused = explain().await.json();
    assert_eq!(refused["allow"], false);
    assert_eq!((&refused["step"], &refused["code"]), (&json!(8), &json!("SCOPE_NOT_PERMITTED")));
    let steps: Vec<_> = refused["trace"].as_array().unwrap().iter().collect();
    let shown =
        |name: &str| steps.iter().map(|step| step[name].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        shown("name"),
        [
            "api key",
            "id token",
            "session",
            "tenant context",
            "tenant",
            "membership",
            "audience",
            "scopes",
        ]
    );
    assert_eq!(
        shown("result"),
        ["assumed", "assumed", "pass", "pass", "pass", "pass", "pass", "SCOPE_NOT_PERMITTED"]
    );
    assert_eq!(steps[7]["input"], "jobs:read of none");
    exchange().await.assert_refusal(403, "SCOPE_NOT_PERMITTED");
}

#[tokio::test]
async fn who_is_asked_about_must_be_named_once_and_be_a_member() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let ask = async |who: serde_json::Value| {
        let mut ask = json!({"tenantId": "codecompany", "audience": "backend-worker"});
        ask.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        server.post("/v1/authorization/explain").bearer(&admin).json(ask).send().await
    };
    for who in [json!({}), json!({"userId": "u1", "email": "a@b"})] {
        ask(who).await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    for who in [json!({"userId": "u1"}), json!({"email": "no@corp.sys"})] {
        ask(who).await.assert_refusal(404, "USER_NOT_FOUND");
    }
}

//! What a request leaves in the log: one line, no secret. That no secret of the whole suite is
//! logged is checked when each test's server ends.

use serde_json::json;

use crate::support::{LOG, PASSWORD, Server};

#[tokio::test]
async fn each_request_is_one_line_with_its_route_and_without_its_path() {
    let server = Server::start().await;
    let token = server.admin().await;
    let tenant = server.tenant(&token, "codecompany").await;
    let path = format!("/v1/tenants/codecompany?key={}&secret=hush-hush", server.setup.api_key);
    let reply = server.get(&path).bearer(&token).header("X-Request-Id", "logs-1").send().await;
    assert_eq!(reply.status, 200);
    let lines: Vec<_> =
        LOG.of_request("logs-1").into_iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["http.method"], "GET");
    assert_eq!(line["http.route"], "/v1/tenants/{t}");
    assert_eq!(line["http.status"], 200);
    assert_eq!(line["tenant.id"], tenant["id"]);
    assert!(line["duration_ms"].is_f64());
    assert!(!LOG.contains("hush-hush"));
}

#[tokio::test]
async fn an_exchange_is_logged_with_the_user_who_asked() {
    let server = Server::start().await;
    let token = server.admin().await;
    let tenant = server.tenant(&token, "codecompany").await;
    let ask = json!({"idToken": token, "audience": "backend-worker", "tenantId": "codecompany"});
    let request = server.post("/v1/accounts/token/exchange").keyed().json(ask);
    assert_eq!(request.header("X-Request-Id", "logs-4").send().await.status, 200);
    let found =
        server.post("/v1/accounts/lookup").keyed().json(json!({"idToken": token})).send().await;
    let lines = LOG.of_request("logs-4");
    let line = lines.iter().find(|line| line["message"] == "request").unwrap();
    assert_eq!(line["user.id"], found.json()["users"][0]["localId"]);
    assert_eq!(line["tenant.id"], tenant["id"]);
}

#[tokio::test]
async fn who_administers_is_named_allowed_or_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    let found =
        server.post("/v1/accounts/lookup").keyed().json(json!({"idToken": token})).send().await;
    let request = server.post("/v1/tenants").bearer(&token).json(json!({"slug": "codecompany"}));
    assert_eq!(request.header("X-Request-Id", "logs-5").send().await.status, 200);
    let request = server.get("/v1/tenants/nowhere").bearer(&token);
    assert_eq!(request.header("X-Request-Id", "logs-6").send().await.status, 404);
    for id in ["logs-5", "logs-6"] {
        let lines = LOG.of_request(id);
        let line = lines.iter().find(|line| line["message"] == "request").unwrap();
        assert_eq!(line["span"]["user.id"], found.json()["users"][0]["localId"]);
    }
}

#[tokio::test]
async fn who_looks_into_a_tenant_from_outside_is_told_of_although_nothing_changes() {
    let server = Server::start().await;
    let root = server.admin().await;
    let tenant = server.tenant(&root, "codecompany").await;
    let ask = json!({"email": "other@corp.sys", "password": PASSWORD, "role": "ADMIN"});
    let made = server.post("/v1/accounts/signUp").bearer(&root).json(ask).send().await;
    assert_eq!(made.status, 200, "{}", made.text());
    let other = server.sign_in("other@corp.sys", PASSWORD).await.json();
    let other = other["idToken"].as_str().unwrap();
    for (id, token) in [("logs-7", root.as_str()), ("logs-8", other)] {
        let request = server.get("/v1/tenants/codecompany/users").bearer(token);
        assert_eq!(request.header("X-Request-Id", id).send().await.status, 200);
    }
    let visits = |id| {
        let lines = LOG.of_request(id).into_iter();
        lines.filter(|line| line["action"] == "tenant.visit").collect::<Vec<_>>()
    };
    assert!(visits("logs-7").is_empty());
    let [visit] = &visits("logs-8")[..] else { panic!("{:?}", visits("logs-8")) };
    assert_eq!(visit["target"], "tikti::audit");
    assert_eq!(visit["tenant.id"], tenant["id"]);
    assert_eq!(visit["user.id"], made.json()["localId"]);
    assert_eq!(visit["scopes.requested"], "memberships:read");
    assert_eq!(visit["ip"], "127.0.0.1");
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_code() {
    let server = Server::start().await;
    let ask = json!({"email": "a@b", "password": "hush-password"});
    let request = server.post("/v1/accounts/signIn").header("X-Request-Id", "logs-2").json(ask);
    assert_eq!(request.send().await.code(), "INVALID_LOGIN_CREDENTIALS");
    let lines = LOG.of_request("logs-2");
    assert!(lines.iter().any(|line| line["code"] == "INVALID_LOGIN_CREDENTIALS"
        && line["message"] == "request"
        && line["level"] == "INFO"));
    assert!(lines.iter().all(|line| line["level"] != "ERROR" && line["level"] != "WARN"));
    assert!(!LOG.contains("hush-password"));
}

#[tokio::test]
async fn a_path_without_a_route_is_not_written_down() {
    let server = Server::start().await;
    let request = server.get("/hush-path?hush-query").header("X-Request-Id", "logs-3");
    assert_eq!(request.send().await.status, 404);
    assert!(LOG.of_request("logs-3").iter().any(|line| line["http.route"] == "(none)"));
    assert!(!LOG.contains("hush-path") && !LOG.contains("hush-query"));
}

//! `GET /v1/tenants/{t}/audit` and `GET /v1/audit`, with `/v1/audit/keys`

use serde_json::json;
use tikti_server::audit_log::{read_line, verify};

use crate::support::{Server, claims};

/// Makes this many roles in the tenant `codecompany`.
async fn roles(server: &Server, admin: &str, count: usize) {
    for number in 0..count {
        let ask = json!({"name": format!("R{number}"), "permissions": ["a:b"]});
        let made =
            server.post("/v1/tenants/codecompany/roles").bearer(admin).json(ask).send().await;
        assert_eq!(made.status, 200, "{}", made.text());
    }
}

/// A server whose tenant `codecompany` has the events of this many roles, and its administrator.
async fn with_events(count: usize) -> (Server, String) {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    roles(&server, &admin, count).await;
    (server, admin)
}

#[tokio::test]
async fn every_change_is_an_event_that_says_who_did_what() {
    let (server, admin) = with_events(2).await;
    let gone = server.delete("/v1/tenants/codecompany/roles/R1").bearer(&admin).send().await;
    let request_id = gone.header("x-request-id").unwrap().to_owned();
    let t = "codecompany";
    let reply = server.get(&format!("/v1/tenants/{t}/audit")).bearer(&admin).send().await;
    assert_eq!(reply.status, 200);
    let body = reply.json();
    let events = body["events"].as_array().unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|link| {
            (link["seq"].as_u64().unwrap(), &link["event"]["action"], &link["event"]["target"])
        })
        .collect();
    let (create, delete) = (json!("role.create"), json!("role.delete"));
    assert_eq!(
        told,
        [(1, &create, &json!("R0")), (2, &create, &json!("R1")), (3, &delete, &json!("R1"))]
    );
    let last = &events[2]["event"];
    assert_eq!(last["requestId"], json!(request_id));
    assert_eq!(last["outcome"], json!("success"));
    assert_eq!(last["actor"]["type"], json!("user"));
    assert_eq!(last["actor"]["ip"], json!("127.0.0.1"));
    assert!(last["actor"]["sessionId"].is_string() && last["time"].is_string(), "{last}");
    assert_eq!(body.get("nextPageToken"), None);
}

#[tokio::test]
async fn what_is_done_to_users_is_in_the_deployments_own_chain() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let session = server.user("ann@corp.sys").await;
    let ann = session["localId"].as_str().unwrap();
    let path = format!("/v1/users/{ann}");
    let email = "ann@corp.sys";
    for (method, path, ask) in [
        ("PATCH", path.clone(), json!({"role": "ADMIN"})),
        ("POST", "/v1/accounts/revokeJti".to_owned(), json!({"token": session["idToken"]})),
        ("POST", "/v1/accounts/revoke".to_owned(), json!({"email": email, "scope": "global"})),
        ("POST", format!("{path}/passwordReset"), json!({})),
        ("POST", "/v1/accounts/status".to_owned(), json!({"email": email, "status": "SUSPENDED"})),
        // Once more changes nothing, and nobody may do this without a sign-in.
        ("POST", "/v1/accounts/status".to_owned(), json!({"email": email, "status": "SUSPENDED"})),
        ("DELETE", path.clone(), json!({})),
    ] {
        let request = server.request(method, &path).keyed().json(ask.clone()).send().await;
        request.assert_refusal(401, "UNAUTHENTICATED");
        let reply = server.request(method, &path).keyed().bearer(&admin).json(ask).send().await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
    }
    let bob = server.user("bob@corp.sys").await;
    let ask = json!({"idToken": bob["idToken"]});
    let gone = server.post("/v1/accounts/delete").keyed().json(ask).send().await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    let bob = bob["localId"].as_str().unwrap();

    let reply = server.get("/v1/audit").bearer(&admin).send().await;
    let jti = claims(session["idToken"].as_str().unwrap())["jti"].as_str().unwrap().to_owned();
    let body = reply.json();
    let events: Vec<_> = body["events"].as_array().unwrap().iter().map(|it| &it["event"]).collect();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["action"].as_str().unwrap(), event["target"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("user.create", ann),
            ("user.update", ann),
            ("token.revoke", &jti),
            ("user.revoke", ann),
            ("oob.send", ann),
            ("user.update", ann),
            ("user.delete", ann),
            ("user.create", bob),
            ("user.delete", bob),
        ]
    );
    let [.., by_himself] = &events[..] else { panic!("{body}") };
    assert_eq!(by_himself["actor"]["id"], json!(bob));
    assert_eq!(by_himself["requestId"], json!(gone.header("x-request-id").unwrap()));
    assert!(events.iter().all(|event| event["actor"]["ip"] == json!("127.0.0.1")), "{body}");
    assert!(events.iter().all(|event| event["actor"]["sessionId"].is_string()), "{body}");
    assert!(!reply.text().contains('@'), "{body}");
}

#[tokio::test]
async fn whom_a_tenant_makes_is_a_new_user_of_the_deployment() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let new = json!({"email": "new@corp.sys", "roles": [], "create": true});
    let invited = json!({"requestType": "EMAIL_SIGNIN", "email": "invited@corp.sys"});
    for (path, ask) in [("users", new), ("oob/send", invited)] {
        let path = format!("/v1/tenants/codecompany/{path}");
        let made = server.post(&path).bearer(&admin).json(ask).send().await;
        assert_eq!(made.status, 200, "{}", made.text());
    }
    let reply = server.get("/v1/audit?action=user.create").bearer(&admin).send().await;
    let body = reply.json();
    let events: Vec<_> = body["events"].as_array().unwrap().iter().map(|it| &it["event"]).collect();
    let tenants: Vec<_> = events.iter().map(|event| event["tenantId"].as_str()).collect();
    let tenant = server.get("/v1/tenants/codecompany").bearer(&admin).send().await;
    let id = tenant.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(tenants, [Some(id.as_str()); 2], "{body}");
    assert!(!reply.text().contains('@'), "{body}");
}

#[tokio::test]
async fn the_lines_of_all_pages_are_a_log_that_is_whole() {
    let (server, admin) = with_events(7).await;
    let (mut log, mut token, mut pages) = (String::new(), String::new(), 0);
    loop {
        let path = format!("/v1/tenants/codecompany/audit?pageSize=3&pageToken={token}");
        let request = server.request("GET", &path).bearer(&admin);
        let page = request.header("accept", "application/jsonl").send().await;
        assert_eq!(page.header("content-type"), Some("application/jsonl"));
        log.push_str(page.text());
        pages += 1;
        match page.header("x-next-page-token") {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    let end = verify(log.lines().map(read_line), None, None).unwrap();
    assert_eq!(end.seq, 7);
    let forged = log.replacen("\"R3\"", "\"R9\"", 1);
    assert_eq!(verify(forged.lines().map(read_line), None, None).unwrap_err().seq(), 4);
}

#[tokio::test]
async fn events_are_found_by_time_action_and_actor() {
    let (server, admin) = with_events(3).await;
    server.delete("/v1/tenants/codecompany/roles/R0").bearer(&admin).send().await;
    let ask = async |query: &str| {
        let path = format!("/v1/tenants/codecompany/audit?{query}");
        let body = server.request("GET", &path).bearer(&admin).send().await.json();
        let events = body["events"].as_array().unwrap_or_else(|| panic!("{body}"));
        events.iter().map(|link| link["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let all = server.get("/v1/tenants/codecompany/audit").bearer(&admin).send().await.json();
    let root = all["events"][0]["event"]["actor"]["id"].as_str().unwrap();
    let third = all["events"][2]["chainedAt"].as_str().unwrap();
    assert_eq!(ask("action=role.delete").await, [4]);
    assert_eq!(ask(&format!("actor={root}")).await, [1, 2, 3, 4]);
    assert_eq!(ask("actor=nobody").await, [0_u64; 0]);
    assert!(ask(&format!("from={third}")).await.ends_with(&[3, 4]));
    assert!(!ask(&format!("to={third}")).await.contains(&3));
    assert_eq!(ask("from=2026-01-01T00:00:00%2B02:00").await, [1, 2, 3, 4]);
    assert_eq!(ask("to=1999-01-01T00:00:00Z").await, [0_u64; 0]);
}

#[tokio::test]
async fn a_value_that_means_nothing_is_refused_by_its_name() {
    let (server, admin) = with_events(0).await;
    for path in ["/v1/tenants/codecompany/audit", "/v1/audit"] {
        for (query, named) in [
            ("from=yesterday", "from"),
            ("to=2026-13-01T00:00:00Z", "to"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
            ("action=role.burn", "action"),
            ("actor=a%40b", "actor"),
            ("pageSize=0", "pageSize"),
            ("pageToken=AAAA", "pageToken"),
            ("from=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z", "from"),
        ] {
            let path = format!("{path}?{query}");
            let refused = server.request("GET", &path).bearer(&admin).send().await;
            refused.assert_refusal(400, "INVALID_ARGUMENT");
            let details = refused.json()["details"].clone();
            assert!(details.get(named).is_some(), "{query}: {details}");
        }
    }
}

#[tokio::test]
async fn only_who_may_read_the_audit_of_this_very_tenant_reads_it() {
    let (server, admin) = with_events(1).await;
    let stranger = server.user("anna@corp.sys").await;
    let stranger = stranger["idToken"].as_str().unwrap();
    let refused = server.get("/v1/tenants/codecompany/audit").bearer(stranger).send().await;
    refused.assert_refusal(404, "TENANT_NOT_FOUND");
    let refused = server.get("/v1/audit").bearer(stranger).send().await;
    refused.assert_refusal(403, "ADMIN_REQUIRED");
    let own = server.get("/v1/audit").bearer(&admin).send().await;
    assert_eq!(own.status, 200);
    assert!(own.json()["events"].is_array());
    let t = "codecompany";
    let refused = server.get(&format!("/v1/tenants/{t}/audit/head")).bearer(stranger).send().await;
    refused.assert_refusal(404, "TENANT_NOT_FOUND");
    // The first one comes with the first round of the background.
    let none = server.get(&format!("/v1/tenants/{t}/audit/head")).bearer(&admin).send().await;
    none.assert_refusal(404, "NOT_FOUND");
    server.get("/v1/audit/head").bearer(&admin).send().await.assert_refusal(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_keys_of_heads_are_open_to_everybody_and_cached() {
    let server = Server::start().await;
    let of_heads = server.get("/v1/audit/keys").send().await;
    // No key has retired here: they are those of tokens.
    let of_tokens = server.get("/.well-known/jwks.json").send().await;
    assert_eq!((of_heads.status, of_heads.text()), (200, of_tokens.text()));
    assert_eq!(of_heads.header("cache-control"), Some("public, max-age=300"));
    let etag = of_heads.header("etag").unwrap();
    let again = server.get("/v1/audit/keys").header("If-None-Match", etag).send().await;
    assert_eq!((again.status, again.text()), (304, ""));
}

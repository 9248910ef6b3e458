//! `/v1/tenants/{t}/clients`

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, assert_reply};

const T: &str = "codecompany";
const BILLING: &str = "https://api.example/billing:v1";

/// An id as it stands in a path.
fn encoded(id: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    id.bytes().map(byte).collect()
}

async fn start() -> (Server, String) {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, T).await;
    (server, admin)
}

async fn make(server: &Server, bearer: &str, ask: Value) -> Reply {
    let t = T;
    server.post(&format!("/v1/tenants/{t}/clients")).bearer(bearer).json(ask).send().await
}

async fn change(server: &Server, bearer: &str, (id, ask): (&str, Value)) -> Reply {
    let (t, id) = (T, encoded(id));
    server.patch(&format!("/v1/tenants/{t}/clients/{id}")).bearer(bearer).json(ask).send().await
}

async fn read(server: &Server, bearer: &str, id: &str) -> Reply {
    let (t, id) = (T, encoded(id));
    server.get(&format!("/v1/tenants/{t}/clients/{id}")).bearer(bearer).send().await
}

async fn remove(server: &Server, bearer: &str, id: &str) -> Reply {
    let (t, id) = (T, encoded(id));
    server.delete(&format!("/v1/tenants/{t}/clients/{id}")).bearer(bearer).send().await
}

/// A list in one order: the order of what was asked for is not kept.
fn sorted(value: &Value) -> Value {
    let mut sorted = value.clone();
    if let Value::Array(items) = &mut sorted {
        items.sort_by_key(Value::to_string);
    }
    sorted
}

#[tokio::test]
async fn a_client_is_made_read_changed_and_deleted() {
    let (server, admin) = start().await;
    let ask = json!({"clientId": BILLING, "defaultScopes": ["bills:read"]});
    let mut made = make(&server, &admin, ask.clone()).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    made.replace(&secret, "the-secret");
    assert_reply!(made, @r#"
        200
        {
          "allowedGrantTypes": [
            "token_exchange"
          ],
          "allowedScopes": [
            "bills:read"
          ],
          "clientId": "https://api.example/billing:v1",
          "defaultScopes": [
            "bills:read"
          ],
          "eventTypes": [],
          "managed": false,
          "secret": "the-secret",
          "status": "ACTIVE",
          "subjectPolicy": "user",
          "tokenTtlSeconds": 900,
          "type": "SERVICE"
        }
    "#);
    make(&server, &admin, ask.clone()).await.assert_refusal(409, "CLIENT_EXISTS");

    let mut shown = made.json();
    shown.as_object_mut().unwrap().remove("secret");
    let found = read(&server, &admin, BILLING).await;
    assert_eq!((found.status, found.json()), (200, shown.clone()));

    let all = json!({
        "clientId": BILLING, "type": "SERVICE", "status": "DISABLED", "subjectPolicy": "registered",
        "allowedGrantTypes": ["client_credentials", "token_exchange"], "tokenTtlSeconds": 3600,
        "allowedScopes": ["bills:read", "bills:write"], "defaultScopes": ["bills:write"],
        "eventTypes": ["bill.paid"],
    });
    let changed = change(&server, &admin, (BILLING, all.clone())).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    for (name, value) in all.as_object().unwrap() {
        assert_eq!(sorted(&changed.json()[name]), sorted(value), "{name}");
    }
    assert_eq!(read(&server, &admin, BILLING).await.json(), changed.json());

    let gone = remove(&server, &admin, BILLING).await;
    assert_eq!((gone.status, gone.json()), (200, json!({})));
    for reply in [
        remove(&server, &admin, BILLING).await,
        read(&server, &admin, BILLING).await,
        change(&server, &admin, (BILLING, json!({"status": "ACTIVE"}))).await,
    ] {
        reply.assert_refusal(404, "CLIENT_NOT_FOUND");
    }
    assert_eq!(make(&server, &admin, ask).await.status, 200);
}

#[tokio::test]
async fn clients_are_listed_by_pages_and_for_older_clients_bare() {
    let (server, admin) = start().await;
    let t = T;
    make(&server, &admin, json!({"clientId": BILLING})).await;
    make(&server, &admin, json!({"clientId": "app", "type": "APPLICATION"})).await;
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/tenants/{t}/clients?pageSize=4&pageToken={token}");
        let page = server.request("GET", &path).bearer(&admin).send().await.json();
        let clients = page["clients"].as_array().unwrap().clone();
        assert!(clients.iter().all(|client| client.get("secret").is_none()), "{page}");
        found.extend(clients.iter().map(|one| one["clientId"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    let all = ["app", "backend-worker", "codeq-producer", "codeq-worker", BILLING, "tikti"];
    assert_eq!(found, all);
    let request = server.get(&format!("/v1/tenants/{t}/clients")).bearer(&admin);
    let bare = request.header("accept", "application/vnd.tikti.v0+json").send().await.json();
    let ids: Vec<_> = bare.as_array().unwrap().iter().map(|one| &one["clientId"]).collect();
    assert_eq!(ids, all);
    let forged = server.get(&format!("/v1/tenants/{t}/clients?pageToken=AAAA")).bearer(&admin);
    forged.send().await.assert_refusal(400, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_tenants_administrator_makes_clients_of_his_own_and_leaves_the_deployments_alone() {
    let (server, admin) = start().await;
    server.user("ann@corp.sys").await;
    let (t, ask) = (T, json!({"email": "ann@corp.sys", "roles": ["TENANT_ADMIN"]}));
    server.post(&format!("/v1/tenants/{t}/users")).bearer(&admin).json(ask).send().await;
    let ann = server.sign_in("ann@corp.sys", PASSWORD).await.json();
    let ann = ann["idToken"].as_str().unwrap();
    let own = json!({"clientId": "own", "defaultScopes": ["a:b"], "subjectPolicy": "any"});
    assert_eq!(make(&server, ann, own).await.status, 200);
    for (ask, status, code) in [
        (json!({"clientId": "codeq-producer"}), 403, "ESCALATION_DENIED"),
        (json!({"clientId": "x", "allowedScopes": ["codeq:admin"]}), 403, "ESCALATION_DENIED"),
        (json!({"clientId": "tikti"}), 409, "CLIENT_EXISTS"),
        (json!({"clientId": "tikti-identity"}), 409, "CLIENT_EXISTS"),
    ] {
        make(&server, ann, ask).await.assert_refusal(status, code);
    }
    let wider = json!({"allowedScopes": ["jobs:read", "jobs:write", "jobs:delete"]});
    let reply = change(&server, ann, ("backend-worker", wider.clone())).await;
    reply.assert_refusal(403, "ESCALATION_DENIED");
    remove(&server, ann, "codeq-worker").await.assert_refusal(403, "ESCALATION_DENIED");
    change(&server, ann, ("tikti", wider.clone())).await.assert_refusal(409, "CONFLICT");
    remove(&server, ann, "tikti").await.assert_refusal(409, "CONFLICT");
    assert_eq!(change(&server, &admin, ("backend-worker", wider)).await.status, 200);
    assert_eq!(remove(&server, &admin, "codeq-worker").await.status, 200);
    remove(&server, &admin, "tikti").await.assert_refusal(409, "CONFLICT");
}

#[tokio::test]
async fn client_ids_keep_to_the_bounds_of_their_grammar() {
    let (server, admin) = start().await;
    let long = |length| "c".repeat(length);
    let good = ["A", "z", "0", ".", "_", ":", "/", "-", "a//b", "..", "-1:", &long(128)];
    for id in good {
        assert_eq!(make(&server, &admin, json!({"clientId": id})).await.status, 200, "{id}");
        // A server may not resolve `..` before it decodes.
        assert_eq!(read(&server, &admin, id).await.json()["clientId"], json!(id));
        assert_eq!(remove(&server, &admin, id).await.status, 200, "{id}");
    }
    let refused = [
        "",
        " ",
        "a b",
        "a\t",
        "a\n",
        "a\0",
        "a\u{7f}",
        "a+b",
        "a%2Fb",
        "a*",
        "a@b",
        "a?b",
        "a#b",
        "a&b",
        "a=b",
        "a,b",
        "a;b",
        "a(b)",
        "a'b",
        "a\"b",
        "a\\b",
        "a~b",
        "a!b",
        "a$b",
        "[a]",
        "é",
        "\u{ff41}",
        "\u{200b}a",
        &long(129),
    ];
    for id in refused {
        let reply = make(&server, &admin, json!({"clientId": id})).await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"]["clientId"].is_string(), "{id:?} {}", reply.text());
        if !id.is_empty() {
            read(&server, &admin, id).await.assert_refusal(404, "CLIENT_NOT_FOUND");
            let ask = json!({"status": "ACTIVE"});
            change(&server, &admin, (id, ask)).await.assert_refusal(404, "CLIENT_NOT_FOUND");
            remove(&server, &admin, id).await.assert_refusal(404, "CLIENT_NOT_FOUND");
        }
    }
    for id in [json!(7), json!(null), json!(["a"]), json!({"id": "a"}), json!(true)] {
        let reply = make(&server, &admin, json!({"clientId": id})).await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn what_a_client_holds_keeps_to_its_bounds() {
    let (server, admin) = start().await;
    let texts = |count: usize| (0..count).map(|n| format!("a:{n}")).collect::<Vec<_>>();
    let many = json!({"clientId": "many", "allowedScopes": texts(256), "eventTypes": texts(64)});
    assert_eq!(make(&server, &admin, many).await.status, 200);
    let long = json!(["s".repeat(129)]);
    for (member, value) in [
        ("allowedScopes", json!(texts(257))),
        ("defaultScopes", json!(texts(257))),
        ("allowedScopes", json!(["a\u{1}b"])),
        ("defaultScopes", json!(["a\nb"])),
        ("allowedScopes", json!(["a b"])),
        ("allowedScopes", json!([""])),
        ("defaultScopes", long.clone()),
        ("defaultScopes", json!(["beyond:allowed"])),
        ("eventTypes", json!(texts(65))),
        ("eventTypes", json!(["a\u{7}"])),
        ("eventTypes", long),
        ("allowedGrantTypes", json!(["password"])),
        ("allowedGrantTypes", json!(["TOKEN_EXCHANGE"])),
        ("subjectPolicy", json!("ANY")),
        ("subjectPolicy", json!("")),
        ("type", json!("service")),
        ("tokenTtlSeconds", json!(900.5)),
        ("tokenTtlSeconds", json!("900")),
    ] {
        let mut ask = json!({"clientId": "bad", "allowedScopes": ["a:b"]});
        ask[member] = value.clone();
        let reply = make(&server, &admin, ask).await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"][member].is_string(), "{member} {}", reply.text());
        let reply = change(&server, &admin, ("many", json!({member: value}))).await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"][member].is_string(), "{member} {}", reply.text());
    }
    for seconds in [0, 899, 3601, -900, i64::MAX, i64::MIN] {
        let ask = json!({"clientId": "bad", "tokenTtlSeconds": seconds});
        make(&server, &admin, ask).await.assert_refusal(400, "INVALID_TTL");
        let ask = json!({"tokenTtlSeconds": seconds});
        change(&server, &admin, ("many", ask)).await.assert_refusal(400, "INVALID_TTL");
    }
    for ask in [
        json!({}),
        json!({"status": "SUSPENDED"}),
        json!({"clientId": "other", "status": "ACTIVE"}),
        json!({"type": "APPLICATION", "status": "ACTIVE"}),
    ] {
        change(&server, &admin, ("many", ask)).await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    read(&server, &admin, "bad").await.assert_refusal(404, "CLIENT_NOT_FOUND");
}

#[tokio::test]
async fn what_a_role_permits_keeps_to_its_bounds() {
    let (server, admin) = start().await;
    let t = T;
    let put = async |permissions: Value| {
        let ask = json!({"permissions": permissions});
        let request = server.put(&format!("/v1/tenants/{t}/roles/BILLING")).bearer(&admin);
        request.header("if-match", "*").json(ask).send().await
    };
    let post = async |permissions: Value| {
        let ask = json!({"name": "BILLING", "permissions": permissions});
        server.post(&format!("/v1/tenants/{t}/roles")).bearer(&admin).json(ask).send().await
    };
    let texts = |count: usize| json!((0..count).map(|n| format!("a:{n}")).collect::<Vec<_>>());
    let refused = [
        texts(257),
        json!(["a\u{0}"]),
        json!(["a\u{1f}b"]),
        json!(["a\u{7f}b"]),
        json!(["a\r\nb"]),
        json!(["a\u{85}b"]),
        json!(["a b"]),
        json!(["a\"b"]),
        json!(["a\\b"]),
        json!([""]),
        json!(["s".repeat(129)]),
    ];
    for permissions in &refused {
        let reply = post(permissions.clone()).await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"]["permissions"].is_string(), "{}", reply.text());
    }
    assert_eq!(post(texts(256)).await.status, 200);
    for permissions in &refused {
        put(permissions.clone()).await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let longest = put(json!(["!", "~", "s".repeat(128)])).await;
    assert_eq!(longest.status, 200, "{}", longest.text());
}

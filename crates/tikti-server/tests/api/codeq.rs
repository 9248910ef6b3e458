//! codeQ, a task queue in Go that nobody here wrote: its requests byte for byte, and what it reads of
//! the replies.
//!
//! What a token never carries, and which names a tenant can have, is tested where tokens and ids are
//! made; here stands what codeQ sees of it.
//!
//! Spec: Real clients, codeQ.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{COMPANY, Server, claims};

/// What codeQ's command line reads of a sign-in, by the rules of Go: anything else is passed over, and
/// a member of another type is an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedIn {
    id_token: String,
}

/// What it reads of an exchange.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exchanged {
    access_token: String,
}

/// The bytes of a `POST` by Go's `net/http`, header by header in its order.
fn go_post(server: &Server, target: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Go-http-client/1.1\r\n\
         Content-Length: {}\r\nContent-Type: application/json\r\n\
         Accept-Encoding: gzip\r\n\r\n{body}",
        server.address,
        body.len(),
    )
}

fn go_get(server: &Server, target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Go-http-client/1.1\r\n\
         Accept-Encoding: gzip\r\n\r\n",
        server.address,
    )
}

/// Sends these bytes and gives the body of the one reply, whose status line is exactly 200. As in Go, the
/// connection stays open, so that the reply ends where it says.
async fn ok(server: &Server, request: &str) -> Vec<u8> {
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{}", bytes.escape_ascii());
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", bytes.escape_ascii());
    assert!(!head.contains("content-encoding"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.unwrap().parse().unwrap();
    while bytes.len() < end + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the reply is cut short");
    }
    assert_eq!(bytes.len(), end + length);
    bytes.split_off(end)
}

/// The body of codeQ's sign-in: its two members, in its order, and nothing else.
fn sign_in_body(server: &Server) -> String {
    let (email, password) = (&server.setup.admin_email, &server.setup.admin_password);
    format!(r#"{{"email":"{email}","password":"{password}"}}"#)
}

async fn sign_in(server: &Server) -> String {
    let target = format!("/v1/accounts/signInWithPassword?key={}", server.setup.api_key);
    let body = ok(server, &go_post(server, &target, &sign_in_body(server))).await;
    serde_json::from_slice::<SignedIn>(&body).unwrap().id_token
}

async fn exchange(server: &Server, body: &str) -> String {
    let target = format!("/v1/accounts/token/exchange?key={}", server.setup.api_key);
    let body = ok(server, &go_post(server, &target, body)).await;
    serde_json::from_slice::<Exchanged>(&body).unwrap().access_token
}

/// A server with one tenant, of which the administrator is a member; gives the tenant's id too.
async fn with_tenant() -> (Server, String) {
    let server = Server::start().await;
    let tenant = server.tenant(&server.admin().await, COMPANY).await;
    let id = tenant["id"].as_str().unwrap().to_owned();
    (server, id)
}

#[tokio::test]
async fn codeq_row_1_signs_in_with_the_key_in_the_url_and_two_members() {
    let (server, tenant) = with_tenant().await;
    let claims = claims(&sign_in(&server).await);
    assert_eq!((&claims["tid"], &claims["iss"]), (&json!(tenant), &json!(server.url())));
}

#[tokio::test]
async fn codeq_row_2_exchanges_with_the_tenant_of_the_id_token_and_the_scopes_of_the_client() {
    let (server, tenant) = with_tenant().await;
    let id_token = sign_in(&server).await;
    let body = format!(r#"{{"idToken":"{id_token}","audience":"codeq-producer"}}"#);
    let claims = claims(&exchange(&server, &body).await);
    let read = (&claims["tid"], &claims["aud"], &claims["scope"]);
    assert_eq!(read, (&json!(tenant), &json!("codeq-producer"), &json!("codeq:publish")));
}

#[tokio::test]
async fn codeq_row_2_names_the_tenant_or_the_scopes_only_sometimes() {
    let (server, tenant) = with_tenant().await;
    // The same sign-in speaks for another tenant by itself.
    server.tenant(&server.admin().await, "othercompany").await;
    let id_token = sign_in(&server).await;
    let start = format!(r#"{{"idToken":"{id_token}","audience":"codeq-producer""#);
    for (rest, scope) in [
        (format!(r#","tenantId":"{tenant}"}}"#), "codeq:publish"),
        (format!(r#","tenantId":"{COMPANY}"}}"#), "codeq:publish"),
        (r#","scopes":["codeq:publish"]}"#.to_owned(), "codeq:publish"),
        (format!(r#","tenantId":"{tenant}","scopes":["codeq:admin"]}}"#), "codeq:admin"),
    ] {
        let claims = claims(&exchange(&server, &format!("{start}{rest}")).await);
        let read = (&claims["tid"], &claims["scope"]);
        assert_eq!(read, (&json!(tenant), &json!(scope)), "{rest}");
    }
}

#[tokio::test]
async fn codeq_row_3_the_key_needs_no_escape_and_is_good_in_the_query_and_in_the_header() {
    let server = Server::start().await;
    let key = &server.setup.api_key;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    for key in [key, &server.setup.web_api_key] {
        assert!(!key.is_empty() && key.bytes().all(is_plain));
    }
    let body = sign_in_body(&server);
    let path = "/v1/accounts/signInWithPassword";
    let in_query = go_post(&server, &format!("{path}?key={key}"), &body);
    // Go sorts the headers that a program has set.
    let in_header = go_post(&server, path, &body)
        .replace("Accept-Encoding", &format!("X-Api-Key: {key}\r\nAccept-Encoding"));
    let mut users = vec![];
    for request in [in_query, in_header] {
        let reply = ok(&server, &request).await;
        let id_token = serde_json::from_slice::<SignedIn>(&reply).unwrap().id_token;
        users.push(claims(&id_token)["sub"].clone());
    }
    assert_eq!(users[0], users[1]);
}

#[tokio::test]
async fn codeq_row_4_both_paths_of_the_keys_answer_200_at_once() {
    let server = Server::start().await;
    for path in ["/v1/.well-known/jwks.json", "/.well-known/jwks.json"] {
        let body = ok(&server, &go_get(&server, path)).await;
        let document: Value = serde_json::from_slice(&body).unwrap();
        let key = &document["keys"][0];
        assert_eq!(key["kty"], "RSA");
        assert!(!key["kid"].as_str().unwrap().is_empty());
        for number in ["n", "e"] {
            let decoded = BASE64URL_NOPAD.decode(key[number].as_str().unwrap().as_bytes());
            assert!(decoded.is_ok_and(|bytes| !bytes.is_empty()), "{path} {number}");
        }
    }
}

/// A producer's and a worker's token, as codeQ asks for them.
async fn tokens(server: &Server) -> [String; 2] {
    let id_token = sign_in(server).await;
    let producer = format!(r#"{{"idToken":"{id_token}","audience":"codeq-producer"}}"#);
    let worker = json!({
        "idToken": id_token, "audience": "codeq-worker", "eventTypes": ["order.placed"],
        "subject": "worker-01",
    });
    [exchange(server, &producer).await, exchange(server, &worker.to_string()).await]
}

#[tokio::test]
async fn codeq_rows_5_6_and_8_tokens_say_what_it_checks_and_nothing_that_misleads_it() {
    let (server, tenant) = with_tenant().await;
    for token in tokens(&server).await {
        let head = BASE64URL_NOPAD.decode(token.split('.').next().unwrap().as_bytes()).unwrap();
        let head: Value = serde_json::from_slice(&head).unwrap();
        assert_eq!(head["alg"], "RS256");
        assert!(!head["kid"].as_str().unwrap().is_empty());
        let claims = claims(&token);
        let issuer = claims["iss"].as_str().unwrap();
        assert!(issuer == server.url() && !issuer.ends_with('/'), "{issuer}");
        assert!(claims["aud"].is_string() && claims["exp"].is_u64());
        assert_eq!(claims["tid"], json!(tenant));
        let absent = ["nbf", "role", "tenantId", "tenant_id", "organizationId", "organization_id"];
        for name in absent {
            assert!(claims.get(name).is_none(), "{name} in {claims}");
        }
    }
}

#[tokio::test]
async fn codeq_row_6_a_tenant_that_its_grammar_refuses_cannot_be_made() {
    /// `^[a-z][a-z0-9-]{1,62}$`
    fn fits(name: &str) -> bool {
        let bytes = name.as_bytes();
        let rest = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        bytes.first().is_some_and(u8::is_ascii_lowercase)
            && (2..=63).contains(&bytes.len())
            && bytes.iter().all(rest)
    }

    let server = Server::start().await;
    let admin = server.admin().await;
    let longest = "a".repeat(63);
    let longer = "a".repeat(64);
    let ids = ["ab", "a-1", &longest, &longer, "a", "1a", "-a", "A1", "a_b", "a.b", "aé", ""];
    for (number, id) in ids.into_iter().enumerate() {
        let ask = json!({"slug": format!("company-{number}"), "id": id});
        let reply = server.post("/v1/tenants").bearer(&admin).json(ask).send().await;
        assert_eq!(reply.status == 200, fits(id), "{id}: {}", reply.text());
    }
    let made = server.tenant(&admin, COMPANY).await;
    assert!(fits(made["id"].as_str().unwrap()));
}

#[tokio::test]
async fn codeq_row_7_a_worker_has_one_scope_string_and_its_event_types() {
    let (server, _) = with_tenant().await;
    let [_, worker] = tokens(&server).await;
    let claims = claims(&worker);
    assert_eq!(claims["sub"], "worker-01");
    assert_eq!(claims["eventTypes"], json!(["order.placed"]));
    let scopes: Vec<_> = claims["scope"].as_str().unwrap().split(' ').collect();
    for verb in ["claim", "heartbeat", "abandon", "nack", "result", "subscribe"] {
        assert!(scopes.contains(&format!("codeq:{verb}").as_str()), "{verb} not in {scopes:?}");
    }
    // None follow from the worker or the client: they have to be named.
    let id_token = sign_in(&server).await;
    let ask = json!({"idToken": id_token, "audience": "codeq-worker", "subject": "worker-01"});
    let reply = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
    reply.assert_refusal(400, "EVENT_TYPES_REQUIRED");
}

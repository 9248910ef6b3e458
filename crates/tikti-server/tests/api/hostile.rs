//! Bytes that no decent client sends: a clear answer or a closed connection, nothing stored, a
//! server that lives on.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::Server;

const SIGN_IN: &str = "/v1/accounts/signIn";

#[tokio::test]
async fn e7_deep_json_is_refused() {
    let server = Server::start().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = if open == "[" { "" } else { "1" };
        let deep = format!("{}{value}{}", open.repeat(10_000), close.repeat(10_000));
        server
            .post(SIGN_IN)
            .body(deep.clone())
            .send()
            .await
            .assert_refusal(400, "INVALID_ARGUMENT");
        let inside = format!(r#"{{"email":"a@b","password":"p","extra":{deep}}}"#);
        let reply = server.post(SIGN_IN).body(inside).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn e7_invalid_utf8_is_refused() {
    let server = Server::start().await;
    for bytes in
        [&b"{\"email\":\"\xff\xfe\"}"[..], b"\xc3\x28", b"{\"email\":\"\xed\xa0\x80\"}", b"\xff"]
    {
        server.post(SIGN_IN).body(bytes).send().await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    // A lone half of a surrogate pair, escaped: valid JSON bytes, no text.
    let reply = server.post(SIGN_IN).body(r#"{"email":"\ud800","password":"p"}"#).send().await;
    reply.assert_refusal(400, "INVALID_ARGUMENT");
    server.assert_alive().await;
}

#[tokio::test]
async fn e7_control_characters_and_markup_reach_no_record() {
    let server = Server::start().await;
    let token = server.admin().await;
    for email in ["a\u{0}@b", "a\r\nBcc: x@y", "a\u{202e}@b", "a b@c", "\u{7f}@b"] {
        let ask = json!({"email": email, "password": "password"});
        server.post(SIGN_IN).json(ask).send().await.assert_refusal(400, "INVALID_EMAIL");
    }
    let raw = "{\"email\":\"a\u{1}@b\",\"password\":\"p\"}";
    server.post(SIGN_IN).body(raw).send().await.assert_refusal(400, "INVALID_ARGUMENT");
    for name in ["a\u{0}", "a\nb", "\u{1b}[31m"] {
        let ask = json!({"slug": "codecompany", "name": name});
        let reply = server.post("/v1/tenants").bearer(&token).json(ask).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let all = server.get("/v1/tenants").bearer(&token).send().await;
    assert_eq!(all.json(), json!({"tenants": []}));
}

#[tokio::test]
async fn e7_framing_that_contradicts_itself_is_refused() {
    let server = Server::start().await;
    let head = "POST /v1/accounts/signIn HTTP/1.1\r\nHost: t\r\nConnection: close\r\n";
    for request in [
        format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
        format!("{head}Content-Length: -1\r\n\r\n"),
        format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{head}Content-Length: 99999999999999999999\r\n\r\n"),
        "GET /healthz HTTP/1.1\r\nHost : t\r\n\r\n".to_owned(),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: t\r\n\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\nHost: t\r\nX: {}\r\n\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\nHost: t\r\n{}\r\n", "X: a\r\n".repeat(1000)),
    ] {
        let mut stream = server.connect().await;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let answer = String::from_utf8(server.read_raw(&mut stream).await).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn e7_a_body_that_breaks_off_is_no_request() {
    let server = Server::start().await;
    let token = server.admin().await;
    let mut stream = server.connect().await;
    let head = format!("POST /v1/tenants HTTP/1.1\r\nHost: t\r\nAuthorization: {token}\r\n");
    let partial = format!("{head}Content-Length: 1000\r\n\r\n{{\"slug\":\"codecompany\"}}");
    stream.write_all(partial.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = server.read_raw(&mut stream).await;
    assert!(!String::from_utf8(answer).unwrap().starts_with("HTTP/1.1 2"));
    let all = server.get("/v1/tenants").bearer(&token).send().await;
    assert_eq!(all.json(), json!({"tenants": []}));
}

/// The body comes after the answer could have been given: the connection is not cut off over it.
#[tokio::test]
async fn a_body_that_nobody_wants_does_not_cost_the_connection() {
    let server = Server::start().await;
    for (line, status) in [("POST /v1/no-such-call", "404"), ("POST /healthz", "405")] {
        let mut stream = server.connect().await;
        let head = format!("{line} HTTP/1.1\r\nHost: t\r\nContent-Length: 7\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        stream
            .write_all(b"{\"a\":1}GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let answers = String::from_utf8(server.read_raw(&mut stream).await).unwrap();
        let statuses: Vec<_> =
            answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
        assert_eq!(statuses, [status, "200"], "{line}");
    }
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    for (expect, length) in [
        ("Expect: 100-continue\r\n", 1_000_000_000),
        ("Expect: 100-continue\r\n", 64 * 1024 + 1),
        ("", 64 * 1024 + 1),
    ] {
        let mut stream = server.connect().await;
        let head = format!(
            "POST /v1/accounts/signIn HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
             {expect}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        server.read_reply(&mut stream).await.assert_refusal(413, "BODY_TOO_LARGE");
    }
}

#[tokio::test]
async fn a_header_given_twice_is_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    for header in ["X-API-Key", "Authorization", "X-Tenant-Id"] {
        let request = server
            .post("/v1/accounts/token/exchange")
            .header(header, "codecompany")
            .header(header, "othercompany")
            .json(json!({"idToken": token, "audience": "a"}));
        // Without a key nothing else of the request is looked at.
        let request = if header == "X-Tenant-Id" { request.keyed() } else { request };
        let reply = request.send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
        assert!(reply.json()["details"][header].is_string());
    }
}

// Time stands still in these and jumps when nothing else can happen: the server waits, the test does
// not.

#[tokio::test]
async fn e7_who_asks_and_never_reads_cannot_hold_a_connection_or_a_stop() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    // More than any two sockets hold: some 40 MB of answers.
    let request = "GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n".repeat(1000);
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::pause();
    // The clock moves only once nobody can go on: the server is stuck in a write.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    server.ask_to_stop();
    server.stopped().await;
    // Less than what a stop grants to requests that run.
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[tokio::test]
async fn e7_a_head_that_never_ends_is_cut_off() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /v1/tenants HTTP/1.1\r\nHost: t\r\nX-Slow: ").await.unwrap();
    tokio::time::pause();
    let answer = server.read_raw(&mut stream).await;
    assert!(!String::from_utf8(answer).unwrap().starts_with("HTTP/1.1 2"));
    tokio::time::resume();
    server.assert_alive().await;
}

#[tokio::test]
async fn e7_a_body_that_never_ends_is_refused() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let head = "POST /v1/accounts/signIn HTTP/1.1\r\nHost: t\r\nConnection: close\r\n";
    let partial = format!("{head}Content-Length: 100\r\n\r\n{{\"email\":");
    stream.write_all(partial.as_bytes()).await.unwrap();
    tokio::time::pause();
    let reply = server.read_reply(&mut stream).await;
    tokio::time::resume();
    reply.assert_refusal(400, "INVALID_ARGUMENT");
    assert_eq!(reply.json()["details"]["body"], "did not arrive within 10 seconds");
    server.assert_alive().await;
}

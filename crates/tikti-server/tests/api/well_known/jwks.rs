//! `GET /.well-known/jwks.json`

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{LOG, Server};

#[tokio::test]
async fn shows_public_members_and_nothing_else_on_both_paths() {
    let server = Server::start().await;
    let current = server.get("/.well-known/jwks.json").send().await;
    let old = server.get("/v1/.well-known/jwks.json").send().await;
    assert_eq!(current.text(), old.text());
    let document = current.json();
    assert_eq!(document.as_object().unwrap().len(), 1);
    let keys = document["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let members: Vec<_> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!((&keys[0]["alg"], &keys[0]["use"]), (&"RS256".into(), &"sig".into()));
    assert!(!keys[0]["n"].as_str().unwrap().contains('='));
}

#[tokio::test]
async fn is_cached_for_five_minutes_and_validated_by_its_etag() {
    let server = Server::start().await;
    let full = server.get("/.well-known/jwks.json").send().await;
    assert_eq!(full.status, 200);
    assert_eq!(full.header("cache-control"), Some("public, max-age=300"));
    let etag = full.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for (known, status) in [
        (etag.to_owned(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"other\", {etag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
        ("garbage".to_owned(), 200),
    ] {
        let reply =
            server.get("/.well-known/jwks.json").header("If-None-Match", &known).send().await;
        assert_eq!(reply.status, status, "{known}");
        assert_eq!(reply.header("etag"), Some(etag));
        assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(reply.text().is_empty(), status == 304);
    }
}

/// The headers of a reply in order of their names, but for the time of day, and for the length of nothing, which
/// only a 304 to `HEAD` has.
fn headers(reply: &str) -> Vec<&str> {
    let (head, _) = reply.split_once("\r\n\r\n").unwrap();
    let is_same = |line: &&str| !line.starts_with("date: ") && *line != "content-length: 0";
    let mut lines: Vec<_> = head.lines().filter(is_same).collect();
    lines.sort_unstable();
    lines
}

/// `HEAD` is answered by the route, and `GET` before it.
#[tokio::test]
async fn however_it_is_asked_for_over_a_connection_it_is_answered_as_by_the_route() {
    let server = Server::start().await;
    let ask = async |request: &str| {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    };
    let keys = server.get("/.well-known/jwks.json").send().await.text().to_owned();
    let rest = "X-Request-Id: keys-1\r\nConnection: close\r\n";
    let known = "If-None-Match: *\r\n";
    for (target, version, more, body) in [
        ("/.well-known/jwks.json", "1.1", "Host: t\r\n", ""),
        ("/.well-known/jwks.json?a=b", "1.1", "Host: t\r\n", ""),
        ("/v1/.well-known/jwks.json", "1.0", "", ""),
        ("http://t/.well-known/jwks.json", "1.1", "Host: t\r\n", ""),
        ("/.well-known/jwks.json", "1.1", "Host: t\r\nContent-Length: 4\r\n", "body"),
        ("/.well-known/jwks.json", "1.1", &format!("Host: t\r\n{known}"), ""),
    ] {
        let request =
            |method: &str| format!("{method} {target} HTTP/{version}\r\n{more}{rest}\r\n{body}");
        let (whole, head) = (ask(&request("GET")).await, ask(&request("HEAD")).await);
        assert_eq!(headers(&whole), headers(&head), "{target} {more}");
        let expected = if more.contains(known) { "" } else { keys.as_str() };
        assert_eq!(whole.split_once("\r\n\r\n").unwrap().1, expected, "{target} {more}");
        assert_eq!(head.split_once("\r\n\r\n").unwrap().1, "");
    }

    let first = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody";
    let second = format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: t\r\n{rest}\r\n");
    let replies = ask(&format!("{first}{second}")).await;
    assert_eq!(replies.matches("HTTP/1.1 200 OK").count(), 2, "{replies}");
    assert_eq!(replies.matches(&keys).count(), 2, "{replies}");
}

#[tokio::test]
async fn its_line_in_the_log_is_written_without_a_span() {
    let server = Server::start().await;
    let request = server.get("/.well-known/jwks.json").header("X-Request-Id", "keys-2");
    assert_eq!(request.send().await.status, 200);
    let lines = LOG.of_request("keys-2");
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line.get("span"), None);
    assert_eq!((&line["message"], &line["http.status"]), (&"request".into(), &200.into()));
    assert_eq!(line["http.route"], "/.well-known/jwks.json");
}

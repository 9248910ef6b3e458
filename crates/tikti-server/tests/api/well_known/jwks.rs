//! `GET /.well-known/jwks.json`

use crate::support::Server;

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

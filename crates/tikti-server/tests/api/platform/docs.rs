//! `GET /docs`

use tikti_server::router::ROUTES;

use crate::support::Server;

#[tokio::test]
async fn one_page_shows_every_route_and_loads_nothing() {
    let server = Server::start().await;
    let reply = server.get("/docs").send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let page = reply.text();
    for route in ROUTES {
        assert!(page.contains(&format!("<code>{}</code>", route.path)), "{}", route.path);
    }
    assert!(page.contains("TENANT_NOT_FOUND"));
    for foreign in ["<script", "<link", "<img", "<iframe", "src=", "@import", "url(", "http://"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
}

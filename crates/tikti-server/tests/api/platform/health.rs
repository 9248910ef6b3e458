//! `GET /healthz` and `GET /readyz`

use std::os::unix::fs::FileExt;

use serde_json::json;

use crate::support::{Place, Server, assert_reply};

#[tokio::test]
async fn a_server_that_is_up_is_healthy_and_ready() {
    let server = Server::start().await;
    assert_reply!(server.get("/healthz").send().await, @r#"
        200
        {
          "status": "ok"
        }
    "#);
    assert_reply!(server.get("/readyz").send().await, @r#"
        200
        {
          "status": "ok"
        }
    "#);
    for strict in ["1", "true", "0", "false", ""] {
        let reply = server.get(&format!("/readyz?strict={strict}")).send().await;
        assert_eq!((reply.status, reply.json()), (200, json!({"status": "ok"})), "{strict}");
    }
    for strict in ["yes", "2", "TRUE"] {
        let reply = server.get(&format!("/readyz?strict={strict}")).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn a_server_that_cannot_read_its_store_is_degraded_and_still_serves_its_keys() {
    let server = Server::start_over(Place::embedded()).await;
    let file = server.setup.data_dir.join("store/data.mdb");
    // Damages every copy of the one record that holds the issuer.
    let bytes = std::fs::read(&file).unwrap();
    let url = server.url();
    let file = std::fs::File::options().write(true).open(&file).unwrap();
    for at in (0..bytes.len()).filter(|&at| bytes[at..].starts_with(url.as_bytes())) {
        file.write_all_at(b"X", at as u64).unwrap();
    }
    assert_reply!(server.get("/readyz").send().await, @r#"
        200
        {
          "status": "degraded"
        }
    "#);
    assert_reply!(server.get("/readyz?strict=true").send().await, @r#"
        503
        {
          "status": "degraded"
        }
    "#);
    assert_eq!(server.get("/healthz").send().await.status, 200);
    assert_eq!(server.get("/.well-known/jwks.json").send().await.status, 200);
}

#[tokio::test]
async fn a_server_whose_store_is_away_is_degraded_and_recovers_by_itself() {
    let mut server = Server::start_over(Place::on_redis()).await;
    let token = server.admin().await;
    server.tenant(&token, "before").await;

    server.redis().kill();
    let away = server.get("/readyz").send().await;
    assert_eq!((away.status, away.json()), (200, json!({"status": "degraded"})));
    assert_eq!(server.get("/readyz?strict=1").send().await.status, 503);
    assert_eq!(server.get("/healthz").send().await.status, 200);
    assert_eq!(server.get("/.well-known/jwks.json").send().await.status, 200);
    let refused = server.get("/v1/tenants").bearer(&token).send().await;
    refused.assert_refusal(503, "STORE_UNAVAILABLE");

    server.redis().restart();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.get("/readyz?strict=1").send().await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "the server has not recovered");
    }
    let found = server.get("/v1/tenants/before").bearer(&token).send().await;
    assert_eq!((found.status, &found.json()["slug"]), (200, &json!("before")));
    server.tenant(&token, "after").await;
}

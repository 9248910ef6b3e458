//! `GET /healthz` and `GET /readyz`

use crate::support::{Server, assert_reply};

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
    assert_reply!(server.get("/readyz?strict=1").send().await, @r#"
        200
        {
          "status": "ok"
        }
    "#);
}

//! `GET /version`

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn names_program_and_version() {
    let server = Server::start().await;
    assert_reply!(server.get("/version").send().await, @r#"
        200
        {
          "name": "tikti",
          "version": "0.1.0"
        }
    "#);
}

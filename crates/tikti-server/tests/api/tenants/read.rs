//! `GET /v1/tenants/{t}`

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn shows_a_tenant_by_id_and_by_slug() {
    let server = Server::start().await;
    let token = server.admin().await;
    let tenant = server.tenant(&token, "codecompany").await;
    for reference in [tenant["id"].as_str().unwrap(), "codecompany"] {
        let new = server.get(&format!("/v1/tenants/{reference}")).bearer(&token).send().await;
        let old = server.get(&format!("/v1/tenants/id/{reference}")).bearer(&token).send().await;
        assert_eq!((new.status, new.json()), (200, tenant.clone()));
        assert_eq!((old.status, old.json()), (200, tenant.clone()));
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_not_found() {
    let server = Server::start().await;
    let token = server.admin().await;
    let reply = server.get("/v1/tenants/unknown").bearer(&token).send().await;
    assert_reply!(reply, @r#"
        404
        {
          "code": "TENANT_NOT_FOUND",
          "details": {},
          "error": "There is no such tenant, or the caller does not belong to it.",
          "requestId": "[request id]"
        }
    "#);
}

#[tokio::test]
async fn what_is_no_reference_is_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    for reference in ["A", "%00", "%ff", "a%2fb", "..%2f..", "a%20b"] {
        let reply = server.get(&format!("/v1/tenants/{reference}")).bearer(&token).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn nobody_cannot_tell_a_tenant_from_none() {
    let server = Server::start().await;
    server.tenant(&server.admin().await, "codecompany").await;
    for reference in ["codecompany", "unknown"] {
        let reply = server.get(&format!("/v1/tenants/{reference}")).send().await;
        reply.assert_refusal(401, "UNAUTHENTICATED");
    }
}

//! `GET /v1/tenants`

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn pages_through_all_tenants() {
    let server = Server::start().await;
    let token = server.admin().await;
    for slug in ["first", "second", "third"] {
        server.tenant(&token, slug).await;
    }
    let first = server.get("/v1/tenants?pageSize=2").bearer(&token).send().await;
    assert_reply!(first, @r#"
        200
        {
          "nextPageToken": "[page token]",
          "tenants": [
            {
              "createdAt": "[time]",
              "id": "[tenant id]",
              "name": "first",
              "selfSignUp": false,
              "slug": "first",
              "status": "ACTIVE"
            },
            {
              "createdAt": "[time]",
              "id": "[tenant id]",
              "name": "second",
              "selfSignUp": false,
              "slug": "second",
              "status": "ACTIVE"
            }
          ]
        }
    "#);
    let next = first.json()["nextPageToken"].as_str().unwrap().to_owned();
    let path = format!("/v1/tenants?pageSize=2&pageToken={next}");
    let last = server.get(&path).bearer(&token).send().await.json();
    assert_eq!(last["tenants"].as_array().unwrap().len(), 1);
    assert_eq!(last.get("nextPageToken"), None);
}

#[tokio::test]
async fn page_sizes_and_tokens_that_are_none_are_refused() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.tenant(&token, "codecompany").await;
    for query in [
        "pageSize=0",
        "pageSize=201",
        "pageSize=-1",
        "pageSize=x",
        "pageSize=99999999999999999999",
        "pageSize=1&pageSize=2",
        "pageToken=%00",
        "pageToken=AAAA",
        "pageToken=../../etc",
    ] {
        let reply = server.get(&format!("/v1/tenants?{query}")).bearer(&token).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn nobody_sees_no_tenant() {
    let server = Server::start().await;
    let reply = server.get("/v1/tenants").keyed().send().await;
    assert_reply!(reply, @r#"
        401
        www-authenticate: Bearer
        {
          "code": "UNAUTHENTICATED",
          "details": {},
          "error": "No bearer token, or one that is not accepted here.",
          "requestId": "[request id]"
        }
    "#);
}

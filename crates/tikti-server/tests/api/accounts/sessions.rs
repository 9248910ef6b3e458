//! `GET /v1/accounts/sessions` and `DELETE /v1/accounts/sessions/{sid}`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn shows_where_one_is_signed_in_and_ends_one_of_them() {
    let server = Server::start().await;
    let ask = json!({"email": server.setup.admin_email, "password": server.setup.admin_password});
    let request = server.post("/v1/accounts/signIn").header("User-Agent", "a browser");
    let first = request.json(ask).send().await.json();
    let second = server.admin().await;
    let listed = server.get("/v1/accounts/sessions?pageSize=1").bearer(&second).send().await;
    assert_reply!(listed, @r#"
        200
        {
          "nextPageToken": "[page token]",
          "sessions": [
            {
              "amr": [
                "pwd"
              ],
              "createdAt": "[time]",
              "ip": "127.0.0.1",
              "lastRefreshedAt": "[time]",
              "sid": "[session id]",
              "userAgent": "a browser"
            }
          ]
        }
    "#);
    let sid = listed.json()["sessions"][0]["sid"].as_str().unwrap().to_owned();
    let end = async || {
        server.delete(&format!("/v1/accounts/sessions/{sid}")).bearer(&second).send().await
    };
    let ended = end().await;
    assert_reply!(ended, @"
        200
        {}
    ");
    end().await.assert_refusal(404, "SESSION_NOT_FOUND");
    let first = first["idToken"].as_str().unwrap();
    let refused = server.get("/v1/accounts/sessions").bearer(first).send().await;
    refused.assert_refusal(401, "TOKEN_REVOKED");
    let listed = server.get("/v1/accounts/sessions").bearer(&second).send().await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_session_of_ones_own_is_not_found() {
    let server = Server::start().await;
    let token = server.admin().await;
    for sid in ["01JD0000000000000000000000", "x", "%00", "..%2f", "%ff"] {
        let path = format!("/v1/accounts/sessions/{sid}");
        let reply = server.delete(&path).bearer(&token).send().await;
        reply.assert_refusal(404, "SESSION_NOT_FOUND");
    }
}

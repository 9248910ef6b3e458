//! `/v1/tenants/{t}/roles`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn a_role_is_made_read_changed_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let ask =
        json!({"name": "BILLING", "permissions": ["bills:write", "bills:read", "bills:read"]});
    let made = server
        .post(&format!("/v1/tenants/{t}/roles"))
        .bearer(&admin)
        .json(ask.clone())
        .send()
        .await;
    assert_reply!(made, @r#"
        200
        {
          "builtIn": false,
          "managed": false,
          "name": "BILLING",
          "permissions": [
            "bills:read",
            "bills:write"
          ]
        }
    "#);
    let etag = made.header("etag").map(str::to_owned);
    let again = server
        .post(&format!("/v1/tenants/{t}/roles"))
        .bearer(&admin)
        .json(ask.clone())
        .send()
        .await;
    again.assert_refusal(409, "ROLE_EXISTS");

    let name = "BILLING";
    let read = server.get(&format!("/v1/tenants/{t}/roles/{name}")).bearer(&admin).send().await;
    assert_eq!(
        (read.status, read.json(), read.header("etag")),
        (200, made.json(), etag.as_deref())
    );

    let narrow = json!({"permissions": ["bills:read"]});
    let put = async |body: &serde_json::Value, if_match: Option<&str>| {
        let request =
            server.put(&format!("/v1/tenants/{t}/roles/{name}")).bearer(&admin).json(body.clone());
        let request = match if_match {
            Some(tag) => request.header("if-match", tag),
            None => request,
        };
        request.send().await
    };
    // The same once more is no change; another one needs to be meant.
    assert_eq!(put(&ask, None).await.json(), made.json());
    put(&narrow, None).await.assert_refusal(409, "ROLE_EXISTS");
    put(&narrow, Some("\"0\"")).await.assert_refusal(412, "PRECONDITION_FAILED");
    let changed = put(&narrow, etag.as_deref()).await;
    assert_eq!((changed.status, &changed.json()["permissions"]), (200, &json!(["bills:read"])));
    put(&narrow, etag.as_deref()).await.assert_refusal(412, "PRECONDITION_FAILED");
    assert_eq!(put(&ask, Some("*")).await.status, 200);

    let gone = server.delete(&format!("/v1/tenants/{t}/roles/{name}")).bearer(&admin).send().await;
    assert_eq!((gone.status, gone.json()), (200, json!({})));
    let gone = server.delete(&format!("/v1/tenants/{t}/roles/{name}")).bearer(&admin).send().await;
    gone.assert_refusal(404, "ROLE_NOT_FOUND");
    put(&ask, Some("*")).await.assert_refusal(412, "PRECONDITION_FAILED");
}

#[tokio::test]
async fn roles_are_listed_by_pages_and_for_older_clients_bare() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/v1/tenants/{t}/roles?pageSize=4&pageToken={token}");
        let page = server.request("GET", &path).bearer(&admin).send().await.json();
        let roles = page["roles"].as_array().unwrap().clone();
        found.extend(roles.iter().map(|role| role["name"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    let all = [
        "CODEQ_ADMIN",
        "CODEQ_PRODUCER",
        "CODEQ_WORKER",
        "JOBS_OPERATOR",
        "TENANT_ADMIN",
        "TENANT_USER",
    ];
    assert_eq!(found, all);
    let request = server.get(&format!("/v1/tenants/{t}/roles")).bearer(&admin);
    let bare = request.header("accept", "application/vnd.tikti.v0+json").send().await.json();
    let names: Vec<_> = bare.as_array().unwrap().iter().map(|role| &role["name"]).collect();
    assert_eq!(names, all);
    let forged = server.get(&format!("/v1/tenants/{t}/roles?pageToken=AAAA")).bearer(&admin);
    forged.send().await.assert_refusal(400, "INVALID_ARGUMENT");
}

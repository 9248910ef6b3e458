//! `/v1/tenants/{t}/users/{id}/sessions`

use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, assert_reply};

/// The company with Ann in it, who is in another tenant as well; gives her id.
async fn ann(server: &Server, admin: &str) -> String {
    let ann = server.user("ann@corp.sys").await["localId"].as_str().unwrap().to_owned();
    for slug in ["codecompany", "othercorp"] {
        server.tenant(admin, slug).await;
        let ask = json!({"email": "ann@corp.sys", "roles": ["TENANT_USER"]});
        let path = format!("/v1/tenants/{slug}/users");
        let added = server.post(&path).bearer(admin).json(ask).send().await;
        assert_eq!(added.status, 200, "{}", added.text());
    }
    ann
}

/// Ann signs in, in this tenant.
async fn signs_in(server: &Server, tenant: &str) -> Value {
    let ask = json!({
        "email": "ann@corp.sys", "password": PASSWORD, "tenantId": tenant,
        "returnSecureToken": true,
    });
    let request = server.post("/v1/accounts/signIn").header("User-Agent", "a browser");
    request.json(ask).send().await.json()
}

async fn is_alive(server: &Server, session: &Value) -> bool {
    let ask = json!({"idToken": session["idToken"]});
    let looked_up = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
    let ask =
        json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"].clone()});
    let refreshed = server.post("/v1/token").json(ask).send().await;
    if looked_up.status == 200 && refreshed.status == 200 {
        return true;
    }
    looked_up.assert_refusal(401, "TOKEN_REVOKED");
    refreshed.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    false
}

#[tokio::test]
async fn t7_the_sessions_of_a_member_in_the_tenant_are_shown_and_ended() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let id = ann(&server, &admin).await;
    let t = "codecompany";
    let ours = signs_in(&server, t).await;
    let theirs = signs_in(&server, "othercorp").await;

    let listed = server.get(&format!("/v1/tenants/{t}/users/{id}/sessions")).bearer(&admin);
    let listed = listed.send().await;
    assert_reply!(listed, @r#"
        200
        {
          "sessions": [
            {
              "amr": [
                "pwd"
              ],
              "createdAt": "[time]",
              "ip": "127.0.0.1",
              "lastRefreshedAt": "[time]",
              "sid": "[session id]",
              "tenantId": "[tenant id]",
              "userAgent": "a browser"
            }
          ]
        }
    "#);
    let end = async |t: &str| {
        server.delete(&format!("/v1/tenants/{t}/users/{id}/sessions")).bearer(&admin).send().await
    };
    let ended = end(t).await;
    assert_reply!(ended, @"
        200
        {}
    ");
    assert!(!is_alive(&server, &ours).await);
    assert!(is_alive(&server, &theirs).await);
    // Of none there is nothing to end, and nothing to tell.
    assert_eq!(end(t).await.json(), json!({}));
    let path = format!("/v1/tenants/{t}/audit?action=sessions.end");
    let events = server.get(&path).bearer(&admin).send().await.json();
    let events = events["events"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["event"]["target"], id.as_str());
    assert_eq!(events[0]["event"]["details"], json!({"sessions": "1"}));
}

#[tokio::test]
async fn sessions_of_a_member_are_listed_by_pages() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let id = ann(&server, &admin).await;
    let mut sids = Vec::new();
    for tenant in ["codecompany", "othercorp", "codecompany", "codecompany"] {
        let session = signs_in(&server, tenant).await;
        let claims = crate::support::claims(session["idToken"].as_str().unwrap());
        if tenant == "codecompany" {
            sids.push(claims["sid"].clone());
        }
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/tenants/codecompany/users/{id}/sessions");
        let path = format!("{path}?pageSize=2&pageToken={token}");
        let page = server.request("GET", &path).bearer(&admin).send().await.json();
        found.extend(page["sessions"].as_array().unwrap().iter().map(|one| one["sid"].clone()));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, sids);
}

#[tokio::test]
async fn t7_who_is_no_member_has_no_sessions_there_whoever_he_is() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let elsewhere = server.user("eve@corp.sys").await["localId"].as_str().unwrap().to_owned();
    let nobody = "019ac000-0000-7000-8000-000000000000".to_owned();
    for method in ["GET", "DELETE"] {
        let mut shapes = Vec::new();
        for id in [&elsewhere, &nobody, &"no id".to_owned()] {
            let path = format!("/v1/tenants/codecompany/users/{}/sessions", id.replace(' ', "%20"));
            let refused = server.request(method, &path).bearer(&admin).send().await;
            refused.assert_refusal(404, "USER_NOT_FOUND");
            shapes.push(refused.shape());
        }
        assert!(shapes.windows(2).all(|two| two[0] == two[1]), "{shapes:?}");
    }
}

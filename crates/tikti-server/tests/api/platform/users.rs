//! `/v1/users`

use serde_json::json;

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn users_are_listed_by_pages_and_found_by_address() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for name in ["ann", "bob", "cid"] {
        server.user(&format!("{name}@corp.sys")).await;
    }
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/v1/users?pageSize=3&pageToken={token}");
        let page = server.request("GET", &path).keyed().bearer(&admin).send().await.json();
        let users = page["users"].as_array().unwrap().clone();
        found.extend(users.iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    found.sort();
    let admin_email = &server.setup.admin_email;
    let mut expected = ["ann@corp.sys", "bob@corp.sys", "cid@corp.sys", admin_email].to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);

    let reply = server.get("/v1/users?email=Ann@corp.sys").keyed().bearer(&admin).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "users": [
            {
              "createdAt": "[time]",
              "email": "ann@corp.sys",
              "emailVerified": false,
              "lastLoginAt": "[time]",
              "localId": "[user id]",
              "role": "COMPANY_EMPLOYEE",
              "status": "ACTIVE"
            }
          ]
        }
    "#);
    let none = server.get("/v1/users?email=no@corp.sys").keyed().bearer(&admin).send().await;
    assert_eq!(none.json(), json!({"users": []}));
    for (query, code) in [
        ("pageSize=0", "INVALID_ARGUMENT"),
        ("pageSize=201", "INVALID_ARGUMENT"),
        ("pageToken=AAAA", "INVALID_ARGUMENT"),
        ("email=x", "INVALID_EMAIL"),
    ] {
        let path = format!("/v1/users?{query}");
        let reply = server.request("GET", &path).keyed().bearer(&admin).send().await;
        reply.assert_refusal(400, code);
    }
}

#[tokio::test]
async fn one_user_is_read_changed_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tenant = server.tenant(&admin, "codecompany").await;
    let ask = json!({
        "email": "ann@corp.sys", "password": crate::support::PASSWORD, "tenantId": "codecompany",
    });
    let made = server.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await.json();
    let id = made["localId"].as_str().unwrap().to_owned();
    let change = json!({
        "role": "COMPANY_ADMIN", "displayName": "Ann", "emailVerified": true,
        "defaultTenantId": "codecompany", "status": null,
    });
    let request = server.patch(&format!("/v1/users/{id}")).keyed().bearer(&admin);
    let changed = request.json(change).send().await;
    assert_reply!(changed, @r#"
        200
        {
          "createdAt": "[time]",
          "defaultTenantId": "[tenant id]",
          "displayName": "Ann",
          "email": "ann@corp.sys",
          "emailVerified": true,
          "localId": "[user id]",
          "role": "COMPANY_ADMIN",
          "status": "ACTIVE"
        }
    "#);
    assert_eq!(changed.json()["defaultTenantId"], tenant["id"]);
    let read = server.get(&format!("/v1/users/{id}")).keyed().bearer(&admin).send().await;
    assert_eq!(read.json(), changed.json());
    for (ask, status, code) in [
        (json!({}), 400, "INVALID_ARGUMENT"),
        (json!({"role": "ROOT"}), 400, "INVALID_ARGUMENT"),
        (json!({"emailVerified": "yes"}), 400, "INVALID_ARGUMENT"),
        (json!({"defaultTenantId": "nowhere"}), 403, "MEMBERSHIP_REQUIRED"),
    ] {
        let request = server.patch(&format!("/v1/users/{id}")).keyed().bearer(&admin);
        request.json(ask).send().await.assert_refusal(status, code);
    }
    let gone = server.delete(&format!("/v1/users/{id}")).keyed().bearer(&admin).send().await;
    assert_reply!(gone, @"
        200
        {}
    ");
    for method in ["GET", "DELETE"] {
        let path = format!("/v1/users/{id}");
        let reply = server.request(method, &path).keyed().bearer(&admin).send().await;
        reply.assert_refusal(404, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn what_is_no_id_names_no_user_and_the_last_administrator_stays() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for id in ["x", "%00", "..%2f", "%ff"] {
        let reply = server.get(&format!("/v1/users/{id}")).keyed().bearer(&admin).send().await;
        reply.assert_refusal(404, "USER_NOT_FOUND");
    }
    let me = server.session().await["localId"].as_str().unwrap().to_owned();
    let reply = server.delete(&format!("/v1/users/{me}")).keyed().bearer(&admin).send().await;
    reply.assert_refusal(409, "LAST_ADMIN");
    let demote = json!({"role": "COMPANY_ADMIN"});
    let request = server.patch(&format!("/v1/users/{me}")).keyed().bearer(&admin).json(demote);
    request.send().await.assert_refusal(409, "LAST_ADMIN");
}

/// Attacks, row E4: members that only records decide change nothing.
#[tokio::test]
async fn e4_what_is_no_member_of_a_change_changes_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let id = server.user("ann@corp.sys").await["localId"].as_str().unwrap().to_owned();
    let read =
        async || server.get(&format!("/v1/users/{id}")).keyed().bearer(&admin).send().await.json();
    let mut expected = read().await;
    expected["displayName"] = json!("Ann");
    let hostile = json!({
        "displayName": "Ann", "userId": "u-other", "localId": "u-other", "email": "other@corp.sys",
        "isAdmin": true, "admin": true, "roles": ["TENANT_ADMIN"], "tid": "t-other", "ver": 1,
        "passwordHash": "x", "createdAt": "1970-01-01T00:00:00Z", "email_verified": true,
    });
    let request = server.patch(&format!("/v1/users/{id}")).keyed().bearer(&admin);
    assert_eq!(request.json(hostile).send().await.json(), expected);
    assert_eq!(read().await, expected);
}

/// Attacks, rows E3 and E8: the code is shown with a key that may have it, and it sets a password.
#[tokio::test]
async fn e3_e8_a_user_is_mailed_a_code_for_a_new_password() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = server.user("ann@corp.sys").await;
    let (id, token) = (ann["localId"].as_str().unwrap(), ann["idToken"].as_str().unwrap());
    let ask = |id: &str| server.post(&format!("/v1/users/{id}/passwordReset")).keyed();
    let reply = ask(id).bearer(&admin).send().await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "ann@corp.sys",
          "kind": "identitytoolkit#GetOobConfirmationCodeResponse",
          "oobCode": "[code]"
        }
    "#);
    let reset = json!({"oobCode": reply.json()["oobCode"], "newPassword": "a new long password"});
    let request = server.post("/v1/accounts/resetPassword").keyed().json(reset);
    assert_eq!(request.send().await.status, 200);
    ask("nobody").bearer(&admin).send().await.assert_refusal(404, "USER_NOT_FOUND");
    ask(id).bearer(token).send().await.assert_refusal(401, "UNAUTHENTICATED");
    let bob = server.user("bob@corp.sys").await;
    let token = bob["idToken"].as_str().unwrap();
    ask(id).bearer(token).send().await.assert_refusal(403, "ADMIN_REQUIRED");
    // The web application's key has no part in administration.
    let path = format!("/v1/users/{id}/passwordReset");
    let request = server.post(&path).header("X-API-Key", &server.setup.web_api_key);
    request.bearer(&admin).send().await.assert_refusal(403, "API_KEY_FORBIDDEN");
}

//! `/v1/tenants/{t}/users`

use serde_json::{Value, json};

use crate::support::{Server, assert_reply};

#[tokio::test]
async fn a_member_is_added_listed_and_read() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let session = server.user("ann@corp.sys").await;
    let id = session["localId"].as_str().unwrap();
    let add = async |body: Value| {
        server.post(&format!("/v1/tenants/{t}/users")).bearer(&admin).json(body).send().await
    };
    let ask = json!({"email": "Ann@corp.sys", "roles": ["TENANT_USER", "JOBS_OPERATOR"]});
    let made = add(ask.clone()).await;
    assert_reply!(made, @r#"
        200
        {
          "createdAt": "[time]",
          "email": "ann@corp.sys",
          "id": "[user id]",
          "roles": [
            "JOBS_OPERATOR",
            "TENANT_USER"
          ],
          "status": "ACTIVE",
          "tenantId": "[tenant id]",
          "userId": "[user id]"
        }
    "#);
    add(ask).await.assert_refusal(409, "MEMBER_EXISTS");
    add(json!({"email": "no@corp.sys", "roles": []})).await.assert_refusal(404, "USER_NOT_FOUND");
    add(json!({"email": "ann@corp.sys", "roles": ["NONE"]}))
        .await
        .assert_refusal(404, "ROLE_NOT_FOUND");
    let many: Vec<_> = (0..33).map(|n| format!("R{n}")).collect();
    let many = add(json!({"email": "ann@corp.sys", "roles": many})).await;
    many.assert_refusal(400, "INVALID_ARGUMENT");

    let read = server.get(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin).send().await;
    assert_eq!((read.status, read.json()), (200, made.json()));
    let list = server.get(&format!("/v1/tenants/{t}/users")).bearer(&admin).send().await.json();
    assert_eq!(list["users"].as_array().unwrap().len(), 2, "{list}");
    assert!(list["users"].as_array().unwrap().contains(&made.json()));
}

#[tokio::test]
async fn a_member_is_given_roles_revoked_and_removed() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let session = server.user("ann@corp.sys").await;
    let id = session["localId"].as_str().unwrap();
    let ask = json!({"email": "ann@corp.sys", "roles": ["JOBS_OPERATOR"]});
    server.post(&format!("/v1/tenants/{t}/users")).bearer(&admin).json(ask).send().await;

    let change = json!({"roles": ["TENANT_USER"]});
    let patch = server.patch(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin);
    let changed = patch.json(change).send().await;
    assert_eq!((changed.status, &changed.json()["roles"]), (200, &json!(["TENANT_USER"])));

    let revoke = server.post(&format!("/v1/tenants/{t}/memberships/{id}/revoke"));
    let revoked = revoke.bearer(&admin).send().await;
    assert_reply!(revoked, @r#"
        200
        {
          "email": "ann@corp.sys",
          "revokedAt": "[time]",
          "tenantId": "[tenant id]",
          "tokenVersion": "[version]",
          "userId": "[user id]"
        }
    "#);

    let removed = server.delete(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin).send().await;
    assert_reply!(removed, @r#"
        200
        {
          "email": "ann@corp.sys",
          "removedAt": "[time]",
          "tenantId": "[tenant id]",
          "userId": "[user id]"
        }
    "#);
    let gone = server.delete(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin).send().await;
    gone.assert_refusal(404, "USER_NOT_FOUND");
    let by_address = json!({"email": "ann@corp.sys"});
    let gone = server.post(&format!("/v1/tenants/{t}/users/remove")).bearer(&admin);
    gone.json(by_address).send().await.assert_refusal(404, "USER_NOT_FOUND");
}

#[tokio::test]
async fn the_last_administrator_of_a_tenant_stays_one() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let list = server.get(&format!("/v1/tenants/{t}/users")).bearer(&admin).send().await.json();
    let id = list["users"][0]["userId"].as_str().unwrap();
    let patch = server.patch(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin);
    patch.json(json!({"roles": ["TENANT_USER"]})).send().await.assert_refusal(409, "LAST_ADMIN");
    let gone = server.delete(&format!("/v1/tenants/{t}/users/{id}")).bearer(&admin).send().await;
    gone.assert_refusal(409, "LAST_ADMIN");
}

#[tokio::test]
async fn a_user_who_is_made_with_his_membership_sets_a_password_by_mail() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let t = "codecompany";
    let ask = json!({"email": "new@corp.sys", "roles": ["TENANT_USER"], "create": true});
    let made = server.post(&format!("/v1/tenants/{t}/users")).bearer(&admin).json(ask).send().await;
    assert_eq!((made.status, &made.json()["email"]), (200, &json!("new@corp.sys")));
    assert!(!made.text().contains("assword"), "{}", made.text());
}

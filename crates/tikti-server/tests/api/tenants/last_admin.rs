//! The last one who administers a tenant is neither suspended nor deleted, by nobody and by no route.

use serde_json::json;

use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn the_last_one_who_administers_a_tenant_stays_whatever_the_route() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tenant = server.tenant(&admin, "codecompany").await;
    let members = "/v1/tenants/codecompany/users";
    let session = server.user("ann@corp.sys").await;
    let ann = session["localId"].as_str().unwrap();
    let ask = json!({"email": "ann@corp.sys", "roles": ["TENANT_ADMIN"]});
    server.post(members).bearer(&admin).json(ask).send().await;
    let me = server.session().await["localId"].as_str().unwrap().to_owned();
    let left = server.delete(&format!("{members}/{me}")).bearer(&admin).send().await;
    assert_eq!(left.status, 200, "{}", left.text());

    let own = server.sign_in("ann@corp.sys", PASSWORD).await.json()["idToken"].clone();
    let path = format!("/v1/users/{ann}");
    let suspend = json!({"email": "ann@corp.sys", "status": "SUSPENDED"});
    let suspend = server.post("/v1/accounts/status").keyed().bearer(&admin).json(suspend);
    let refused = suspend.send().await;
    refused.assert_refusal(409, "LAST_ADMIN");
    // Who is told this can make another one first: he learns where.
    assert_eq!(refused.json()["details"], json!({"tenantId": tenant["id"]}));
    let change = json!({"status": "INACTIVE"});
    let change = server.patch(&path).keyed().bearer(&admin).json(change).send().await;
    change.assert_refusal(409, "LAST_ADMIN");
    let gone = server.delete(&path).keyed().bearer(&admin).send().await;
    gone.assert_refusal(409, "LAST_ADMIN");
    let ask = json!({"idToken": own});
    let gone = server.post("/v1/accounts/delete").keyed().json(ask.clone()).send().await;
    gone.assert_refusal(409, "LAST_ADMIN");

    // Her token is good still, and she may go once there is somebody else.
    server.user("bob@corp.sys").await;
    let other = json!({"email": "bob@corp.sys", "roles": ["TENANT_ADMIN"]});
    let other = server.post(members).bearer(&admin).json(other).send().await;
    assert_eq!(other.status, 200, "{}", other.text());
    let gone = server.post("/v1/accounts/delete").keyed().json(ask).send().await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    let suspend = json!({"email": "bob@corp.sys", "status": "SUSPENDED"});
    let suspend = server.post("/v1/accounts/status").keyed().bearer(&admin).json(suspend);
    suspend.send().await.assert_refusal(409, "LAST_ADMIN");
}

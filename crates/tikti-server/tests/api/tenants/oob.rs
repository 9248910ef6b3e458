//! `POST /v1/tenants/{t}/oob/send`

use serde_json::{Value, json};
use tikti_domain::api_key::KeyScope;
use tikti_domain::id::TenantId;
use tikti_domain::testing::put_api_key;

use crate::support::{PASSWORD, Place, Reply, Request, Server, assert_reply};

const RETURNING: &str = "tk_returning_abcdefghijklmnopqrstuvwxyz012345";
const TENANTS: &str = "tk_tenants_abcdefghijklmnopqrstuvwxyz012345";

/// A request of the company's.
fn send<'a>(server: &'a Server, token: &str) -> Request<'a> {
    let t = "codecompany";
    server.post(&format!("/v1/tenants/{t}/oob/send")).bearer(token)
}

/// A member of the company with this role; gives an idToken.
async fn member(server: &Server, admin: &str, email: &str, role: &str) -> String {
    server.user(email).await;
    let ask = json!({"email": email, "roles": [role]});
    let added = server.post("/v1/tenants/codecompany/users").bearer(admin).json(ask).send().await;
    assert_eq!(added.status, 200, "{}", added.text());
    let session = server.sign_in(email, PASSWORD).await.json();
    session["idToken"].as_str().unwrap().to_owned()
}

/// Reply by reply, with the address masked.
async fn masked(request: Request<'_>, kind: &str, email: &str) -> String {
    let mut reply = request.json(json!({"requestType": kind, "email": email})).send().await;
    reply.replace(email, "the address");
    reply.masked()
}

#[tokio::test]
async fn e6_a_reset_is_answered_alike_for_members_and_strangers() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let bob = member(&server, &admin, "bob@corp.sys", "TENANT_ADMIN").await;
    server.user("eve@corp.sys").await;
    let reply = send(&server, &bob)
        .json(json!({"requestType": "PASSWORD_RESET", "email": " Bob@corp.sys"}))
        .send()
        .await;
    assert_reply!(reply, @r#"
        200
        {
          "email": "bob@corp.sys",
          "expiresIn": 900,
          "kind": "tikti#SendOobResponse",
          "requestType": "PASSWORD_RESET"
        }
    "#);
    let of_member = masked(send(&server, &bob), "PASSWORD_RESET", "bob@corp.sys").await;
    for email in ["eve@corp.sys", "no@corp.sys", "root@corp.sys"] {
        assert_eq!(masked(send(&server, &bob), "PASSWORD_RESET", email).await, of_member);
    }
    let members = server.get("/v1/tenants/codecompany/users").bearer(&admin).send().await.json();
    assert_eq!(members["users"].as_array().unwrap().len(), 2);
}

/// A server with the company, and with keys that may have codes: the deployment's, and one that no tenant ever
/// has.
async fn with_keys() -> Server {
    let server = Server::start().await;
    let tenant = server.tenant(&server.admin().await, "codecompany").await;
    let tenant = TenantId::parse(tenant["id"].as_str().unwrap()).unwrap();
    let place: Place = server.stop().await;
    place
        .prepare(async |domain| {
            let scopes = [KeyScope::OobSend, KeyScope::OobReturn];
            put_api_key(domain, RETURNING, &scopes, |_| ()).await;
            put_api_key(domain, TENANTS, &scopes, |key| key.tenant_id = Some(tenant)).await;
        })
        .await;
    Server::start_with(place, |config| {
        config.domain.settings.limits.enabled = false;
    })
    .await
}

/// An access token for `tikti`, with these scopes or those that it is given.
async fn access(server: &Server, token: &str, scopes: Option<&str>) -> String {
    let mut ask = json!({"idToken": token, "audience": "tikti", "tenantId": "codecompany"});
    if let Some(scopes) = scopes {
        ask["scopes"] = json!([scopes]);
    }
    let reply = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
    reply.json()["accessToken"].as_str().unwrap().to_owned()
}

fn has_code(reply: &Reply) -> bool {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().get("oobCode").is_some()
}

/// Whether the reply has the code, by the key in the header and in the query alike.
async fn shows(server: &Server, (token, key): (&str, &str), ask: &Value) -> bool {
    let by_header = send(server, token).header("X-API-Key", key).json(ask.clone()).send().await;
    let path = format!("/v1/tenants/codecompany/oob/send?key={key}");
    let by_query = server.post(&path).bearer(token).json(ask.clone()).send().await;
    assert_eq!(has_code(&by_header), has_code(&by_query), "{key}");
    has_code(&by_header)
}

#[tokio::test]
async fn e3_e8_a_code_is_in_the_reply_to_a_platform_administrator_with_a_deployment_key_alone() {
    let server = Box::pin(with_keys()).await;
    let admin = server.admin().await;
    let bob = member(&server, &admin, "bob@corp.sys", "TENANT_ADMIN").await;
    let (deployment, web) = (&server.setup.api_key, &server.setup.web_api_key);
    let keys = [
        (deployment.as_str(), true),
        (RETURNING, true),
        (web.as_str(), false),
        (TENANTS, false),
        ("tk_unknown_abcdefghijklmnopqrstuvwxyz012345", false),
    ];
    for (token, may_see) in [
        (admin.clone(), true),
        (access(&server, &admin, Some("users:write")).await, false),
        (bob.clone(), false),
        (access(&server, &bob, None).await, false),
    ] {
        for kind in ["PASSWORD_RESET", "EMAIL_SIGNIN"] {
            for email in ["bob@corp.sys", "no@corp.sys", "root@corp.sys"] {
                let ask = json!({"requestType": kind, "email": email});
                let plain = send(&server, &token).json(ask.clone()).send().await;
                assert!(!has_code(&plain), "{kind} {email}");
                for (key, gives) in keys {
                    let shown = shows(&server, (&token, key), &ask).await;
                    assert_eq!(shown, may_see && gives, "{kind} {email} {key}");
                }
            }
        }
    }
    let ask = json!({"requestType": "PASSWORD_RESET", "email": "bob@corp.sys"});
    let shown = send(&server, &admin).keyed().json(ask).send().await;
    assert_reply!(shown, @r#"
        200
        {
          "email": "bob@corp.sys",
          "expiresIn": 900,
          "kind": "tikti#SendOobResponse",
          "oobCode": "[code]",
          "requestType": "PASSWORD_RESET"
        }
    "#);
}

#[tokio::test]
async fn t6_an_invitation_opens_a_session_in_its_tenant_alone() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tenant = server.tenant(&admin, "codecompany").await["id"].clone();
    server.tenant(&admin, "othercorp").await;
    let ask = json!({"requestType": "EMAIL_SIGNIN", "email": "new@corp.sys"});
    let invited = send(&server, &admin).keyed().json(ask).send().await;
    assert_reply!(invited, @r#"
        200
        {
          "email": "new@corp.sys",
          "expiresIn": 900,
          "kind": "tikti#SendOobResponse",
          "oobCode": "[code]",
          "requestType": "EMAIL_SIGNIN"
        }
    "#);
    let members = server.get("/v1/tenants/codecompany/users").bearer(&admin).send().await.json();
    let is_new = |member: &&Value| member["email"] == "new@corp.sys";
    let member = members["users"].as_array().unwrap().iter().find(is_new).unwrap().clone();
    assert_eq!((&member["roles"], &member["status"]), (&json!(["TENANT_USER"]), &json!("ACTIVE")));

    let code = invited.json()["oobCode"].clone();
    let ask = json!({"email": "new@corp.sys", "oobCode": code});
    let signed_in = server.post("/v1/accounts/signInWithOobCode").json(ask.clone()).send().await;
    assert_eq!((signed_in.status, &signed_in.json()["tenantId"]), (200, &tenant));
    let again = server.post("/v1/accounts/signInWithOobCode").json(ask).send().await;
    again.assert_refusal(401, "INVALID_OOB_CODE");
    let token = signed_in.json()["idToken"].as_str().unwrap().to_owned();
    let administers = server.get("/v1/tenants/codecompany/users").bearer(&token).send().await;
    administers.assert_refusal(401, "UNAUTHENTICATED");
    let ask = json!({"idToken": token, "audience": "backend-worker", "tenantId": "othercorp"});
    let elsewhere = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
    elsewhere.assert_refusal(400, "TENANT_CONFLICT");

    let events = server.get("/v1/tenants/codecompany/audit").bearer(&admin).send().await.json();
    let events = events["events"].as_array().unwrap();
    let actions: Vec<_> = events.iter().map(|event| event["event"]["action"].clone()).collect();
    assert_eq!(actions, ["oob.send", "member.add"]);
    assert!(!events[0].to_string().contains("new@corp.sys"));
}

#[tokio::test]
async fn what_a_tenant_may_not_have_sent_is_refused_and_invites_nobody() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, "codecompany").await;
    let clerk = member(&server, &admin, "clerk@corp.sys", "TENANT_USER").await;
    let eve = server.user("eve@corp.sys").await["idToken"].as_str().unwrap().to_owned();
    let good = json!({"requestType": "EMAIL_SIGNIN", "email": "no@corp.sys"});
    let refused = send(&server, &clerk).json(good.clone()).send().await;
    refused.assert_refusal(403, "PERMISSION_DENIED");
    assert_eq!(refused.json()["details"]["scope"], "users:write");
    send(&server, &eve).json(good).send().await.assert_refusal(404, "TENANT_NOT_FOUND");
    for ask in [
        json!({"email": "no@corp.sys"}),
        json!({"requestType": "EMAIL_SIGNIN"}),
        json!({"requestType": "VERIFY_EMAIL", "email": "no@corp.sys"}),
        json!({"requestType": "VERIFY_EMAIL", "email": "no@corp.sys", "idToken": eve}),
        json!({"requestType": "VERIFY_AND_CHANGE_EMAIL", "email": "no@corp.sys"}),
        json!({"requestType": "RECOVER_EMAIL", "email": "no@corp.sys"}),
        json!({"requestType": "email_signin", "email": "no@corp.sys"}),
        json!({"requestType": 7, "email": "no@corp.sys"}),
        json!({
            "requestType": "EMAIL_SIGNIN", "email": "no@corp.sys",
            "continueUrl": "https://evil.example/",
        }),
    ] {
        send(&server, &admin).json(ask).send().await.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let ask = json!({"requestType": "EMAIL_SIGNIN", "email": "root"});
    send(&server, &admin).json(ask).send().await.assert_refusal(400, "INVALID_EMAIL");
    let members = server.get("/v1/tenants/codecompany/users").bearer(&admin).send().await.json();
    assert_eq!(members["users"].as_array().unwrap().len(), 2);
    let path = "/v1/tenants/codecompany/audit?action=oob.send";
    let events = server.request("GET", path).bearer(&admin).send().await.json();
    assert_eq!(events["events"], json!([]));
}

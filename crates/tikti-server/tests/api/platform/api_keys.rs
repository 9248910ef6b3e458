//! `/v1/apiKeys`, and what a tenant's key is told by the routes of the deployment.

use serde_json::{Value, json};
use tikti_domain::api_key::KeyScope;
use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::{COMPANY, PASSWORD, Place, Reply, Server};

#[tokio::test]
async fn a8_a_key_of_the_deployment_is_made_used_disabled_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ask = json!({
        "name": "Web", "scopes": ["oob:send", "oob:return"], "expiresAt": "2999-01-01T00:00:00Z",
    });
    let made = server.post("/v1/apiKeys").bearer(&admin).json(ask).send().await;
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")));
    let mut shown = made.json();
    let key = shown.as_object_mut().unwrap().remove("key").unwrap().as_str().unwrap().to_owned();
    let id = shown["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "id": id, "prefix": format!("tk_{id}"), "name": "Web", "status": "ACTIVE",
        "scopes": ["oob:send", "oob:return"], "createdAt": shown["createdAt"],
        "expiresAt": "2999-01-01T00:00:00.000Z",
    });
    assert_eq!(shown, expected);
    let read = server.get(&format!("/v1/apiKeys/{id}")).bearer(&admin).send().await;
    assert_eq!((read.status, read.json()), (200, expected.clone()));
    let list = server.get("/v1/apiKeys").bearer(&admin).send().await;
    assert!(list.json()["apiKeys"].as_array().unwrap().contains(&expected), "{}", list.text());

    let send = async || {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": "nobody@corp.sys"});
        server.post("/v1/accounts/sendOobCode").header("X-API-Key", &key).json(ask).send().await
    };
    let patch = async |ask: Value| {
        server.patch(&format!("/v1/apiKeys/{id}")).bearer(&admin).json(ask).send().await
    };
    assert!(send().await.json()["oobCode"].is_string());
    // Disabled and active again; what it may no longer do ends at once.
    assert_eq!(patch(json!({"status": "DISABLED"})).await.json()["status"], "DISABLED");
    send().await.assert_refusal(401, "INVALID_API_KEY");
    assert_eq!(patch(json!({"status": "ACTIVE", "scopes": ["oob:send"]})).await.status, 200);
    assert!(send().await.json()["oobCode"].is_null());
    let gone = server.delete(&format!("/v1/apiKeys/{id}")).bearer(&admin).send().await;
    assert_eq!((gone.status, gone.json()), (200, json!({})));
    send().await.assert_refusal(401, "INVALID_API_KEY");
    let again = server.request("DELETE", &format!("/v1/apiKeys/{id}")).bearer(&admin).send().await;
    again.assert_refusal(404, "API_KEY_NOT_FOUND");

    let audit = server.get("/v1/audit").bearer(&admin).send().await;
    assert!(!audit.text().contains(&key), "a key is in the audit");
    let audit = audit.json();
    let events = audit["events"].as_array().unwrap().iter().map(|link| &link["event"]);
    let of_key: Vec<_> = events.filter(|event| event["target"] == json!(id)).collect();
    let told: Vec<_> = of_key.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["api_key.create", "api_key.update", "api_key.update", "api_key.delete"]);
    assert!(of_key.iter().all(|event| event["tenantId"].is_null()));
}

#[tokio::test]
async fn keys_of_tenants_and_of_the_deployment_are_nothing_to_each_other() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.tenant(&admin, COMPANY).await;
    let of_company = format!("/v1/tenants/{COMPANY}/apiKeys");
    let lists = ["/v1/apiKeys", of_company.as_str()];
    for (list, other) in [(lists[0], lists[1]), (lists[1], lists[0])] {
        let ask = json!({"scopes": ["introspect"]});
        let made = server.post(list).bearer(&admin).json(ask).send().await.json();
        let id = made["id"].as_str().unwrap();
        for (method, ask) in
            [("GET", None), ("PATCH", Some(json!({"name": "N"}))), ("DELETE", None)]
        {
            let request = server.request(method, &format!("{other}/{id}")).bearer(&admin);
            let request = ask.into_iter().fold(request, |request, ask| request.json(ask));
            request.send().await.assert_refusal(404, "API_KEY_NOT_FOUND");
        }
        let seen = server.get(other).bearer(&admin).send().await;
        assert!(!seen.text().contains(id), "{other} lists {id}");
        let seen = server.get(list).bearer(&admin).send().await;
        assert!(seen.text().contains(id), "{list} does not list {id}");
    }
}

/// A server with a tenant, a key of it that may all that such a key may, and an administrator of the
/// deployment.
struct World {
    server: Server,
    admin: String,
    key: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::start_with(Place::new(), |config| {
            config.domain.settings.limits.enabled = false;
        })
        .await;
        let admin = server.admin().await;
        server.tenant(&admin, COMPANY).await;
        server.tenant(&admin, "othercorp").await;
        let scopes: Vec<_> = KeyScope::TENANT.iter().map(|scope| scope.as_str()).collect();
        let path = "/v1/tenants/othercorp/apiKeys";
        let made = server.post(path).bearer(&admin).json(json!({ "scopes": scopes })).send().await;
        let key = made.json()["key"].as_str().unwrap().to_owned();
        Self { admin: server.admin().await, server, key }
    }

    /// A good request of the company's, by the key of the other tenant; `bearer` beside it.
    async fn send(&self, route: &Route, slug: &str, bearer: Option<&str>) -> Reply {
        let good = self.server.good_request(route, &self.admin, slug).await;
        let mut path = route.path.to_owned();
        for (name, value) in &good.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let mut request = self.server.request(route.method, &path).header("X-API-Key", &self.key);
        if let Some(bearer) = bearer {
            request = request.bearer(bearer);
        }
        if !good.body.is_null() {
            request = request.json(good.body.clone());
        }
        request.send().await
    }

    async fn mails_code(&self, email: &str) -> bool {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
        let request = self.server.post("/v1/accounts/sendOobCode").header("X-API-Key", &self.key);
        let reply = request.json(ask).send().await;
        assert_eq!(reply.status, 200);
        reply.json()["oobCode"].is_string()
    }
}

/// Attacks, row T5: a tenant's key changed the deployment. Every row of the table is asked with it.
#[tokio::test]
async fn t5_a_key_of_a_tenant_opens_nothing_outside_of_it() {
    let world = Box::pin(World::new()).await;
    let mut asked = 0;
    for (number, route) in ROUTES.iter().enumerate() {
        let (slug, admin) = (format!("tenantkey-{number}"), world.admin.as_str());
        let what = format!("{} {}", route.method, route.path);
        let (reply, refusals): (_, &[(u16, &str)]) = match route.needs {
            // Of no key at all; a key is no bearer token either.
            Needs::Nothing => continue,
            Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                let refusals = &[(401, "UNAUTHENTICATED"), (401, "INVALID_ID_TOKEN")];
                let bare = world.send(route, &format!("{slug}-bare"), None).await;
                assert!(refusals.contains(&(bare.status, &*bare.code())), "{what} {}", bare.text());
                (world.send(route, &slug, Some(&world.key)).await, refusals)
            }
            // Whoever comes with it.
            Needs::ApiKeyAndAdmin(_) => {
                (world.send(route, &slug, Some(admin)).await, &[(403, "API_KEY_FORBIDDEN")])
            }
            Needs::ApiKey(scope) if !KeyScope::TENANT.contains(&scope) => {
                (world.send(route, &slug, None).await, &[(403, "API_KEY_FORBIDDEN")])
            }
            // What is of another tenant, or of none.
            Needs::ApiKey(KeyScope::OobSend) if route.path.ends_with("sendOobCode") => {
                let stranger = format!("{slug}@users.corp.sys");
                world.server.user(&stranger).await;
                assert!(!world.mails_code(&stranger).await);
                continue;
            }
            Needs::ApiKey(KeyScope::OobSend) => {
                (world.send(route, &slug, None).await, &[(401, "INVALID_OOB_CODE")])
            }
            Needs::ApiKey(KeyScope::SignIn) => {
                let stranger = format!("{slug}@users.corp.sys");
                world.server.user(&stranger).await;
                let ask = json!({"email": stranger, "password": PASSWORD});
                let request = world.server.post(route.path).header("X-API-Key", &world.key);
                (request.json(ask).send().await, &[(401, "INVALID_LOGIN_CREDENTIALS")])
            }
            Needs::ApiKeyOrClient(_) => {
                let reply = world.send(route, &slug, None).await;
                let nothing = [json!({}), json!({"active": false})];
                assert!(nothing.contains(&reply.json()), "{what}: {}", reply.text());
                continue;
            }
            Needs::ApiKey(_) => {
                (world.send(route, &slug, None).await, &[(403, "API_KEY_FORBIDDEN")])
            }
        };
        asked += 1;
        assert!(refusals.contains(&(reply.status, &*reply.code())), "{what}: {}", reply.text());
    }
    println!("{asked} routes asked with a tenant's key");
    assert!(asked >= 40, "{asked}");
}

/// What a tenant's key is shown is its tenant's only, of a user who is more elsewhere.
#[tokio::test]
async fn t5_a_key_of_a_tenant_is_shown_its_own_tenant_alone() {
    let world = Box::pin(World::new()).await;
    let server = &world.server;
    let other = server.get("/v1/tenants/othercorp").bearer(&world.admin).send().await.json();
    let ask = |tenant: &str| {
        json!({
            "email": server.setup.admin_email, "password": server.setup.admin_password,
            "tenantId": tenant,
        })
    };
    let sign_in = async |tenant: &str| {
        let signed_in = server.post("/v1/accounts/signIn").json(ask(tenant)).send().await.json();
        signed_in["idToken"].as_str().unwrap().to_owned()
    };
    let lookup = async |token: &str| {
        let ask = json!({"idToken": token, "memberships": true});
        let request = server.post("/v1/accounts/lookup").header("X-API-Key", &world.key);
        request.json(ask).send().await
    };
    let (own, foreign) = (sign_in("othercorp").await, sign_in(COMPANY).await);
    let seen = lookup(&own).await.json();
    let user = &seen["users"][0];
    assert_eq!((&user["role"], &user["tenantId"]), (&json!("COMPANY_EMPLOYEE"), &other["id"]));
    let memberships = user["memberships"].as_array().unwrap();
    let tenants: Vec<_> = memberships.iter().map(|held| &held["tenantId"]).collect();
    assert_eq!(tenants, [&other["id"]]);
    lookup(&foreign).await.assert_refusal(403, "API_KEY_FORBIDDEN");
    for (token, tenant, audience, refusal) in [
        (&own, json!(null), "backend-worker", None),
        (&own, json!(COMPANY), "backend-worker", Some("API_KEY_FORBIDDEN")),
        (&foreign, json!(null), "backend-worker", Some("API_KEY_FORBIDDEN")),
        (&foreign, json!("othercorp"), "backend-worker", Some("API_KEY_FORBIDDEN")),
    ] {
        let mut ask = json!({"idToken": token, "audience": audience});
        if !tenant.is_null() {
            ask["tenantId"] = tenant;
        }
        let request = server.post("/v1/accounts/token/exchange").header("X-API-Key", &world.key);
        let reply = request.json(ask).send().await;
        match refusal {
            None => assert_eq!((reply.status, &reply.json()["tenantId"]), (200, &other["id"])),
            Some(code) => reply.assert_refusal(403, code),
        }
    }
    // A session by the key is of its tenant, and administers nothing.
    let request = server.post("/v1/accounts/signInWithPassword").header("X-API-Key", &world.key);
    let ask = json!({
        "email": server.setup.admin_email, "password": server.setup.admin_password,
    });
    let session = request.json(ask).send().await.json();
    assert_eq!(session["tenantId"], other["id"]);
    let token = session["idToken"].as_str().unwrap();
    let refused = server.get("/v1/apiKeys").bearer(token).send().await;
    refused.assert_refusal(401, "UNAUTHENTICATED");
}

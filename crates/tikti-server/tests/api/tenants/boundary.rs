//! Does anything of one tenant open another? Every route that needs a management scope is asked, so that a
//! new one is as soon as it is in the table.
//!
//! Attacks, rows T1, T4, T5 and T7; Authorization, "Administrative endpoints".

use serde_json::{Value, json};
use tikti_domain::scope::management_scopes;
use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::{COMPANY, GoodRequest, PASSWORD, Reply, Server};

const OTHER: &str = "othercorp";

/// Two tenants; Eve administers the other one.
struct World {
    server: Server,
    admin: String,
    /// Eve's idToken, and her access token for `tikti`.
    eve: [String; 2],
}

/// The routes of one tenant.
fn scoped() -> impl Iterator<Item = (&'static Route, &'static str)> {
    ROUTES.iter().filter_map(|route| match route.needs {
        Needs::Scope(scope) => Some((route, scope)),
        _ => None,
    })
}

impl World {
    async fn new() -> Self {
        let server = Server::start_with(crate::support::Place::new(), |config| {
            config.domain.settings.limits.enabled = false;
        })
        .await;
        let admin = server.admin().await;
        server.tenant(&admin, COMPANY).await;
        server.tenant(&admin, OTHER).await;
        let mut world = Self { server, admin, eve: [String::new(), String::new()] };
        world.member(OTHER, "eve@other.sys", "TENANT_ADMIN").await;
        let id_token = world.signed_in("eve@other.sys").await;
        let ask = json!({"idToken": id_token, "audience": "tikti", "tenantId": OTHER});
        let exchanged = world.server.post("/v1/accounts/token/exchange").keyed().json(ask);
        let access = exchanged.send().await.json()["accessToken"].as_str().unwrap().to_owned();
        world.eve = [id_token, access];
        world
    }

    async fn member(&self, tenant: &str, email: &str, role: &str) {
        self.server.user(email).await;
        let ask = json!({"email": email, "roles": [role]});
        let path = format!("/v1/tenants/{tenant}/users");
        let added = self.server.post(&path).bearer(&self.admin).json(ask).send().await;
        assert_eq!(added.status, 200, "{}", added.text());
    }

    async fn signed_in(&self, email: &str) -> String {
        let session = self.server.sign_in(email, PASSWORD).await.json();
        session["idToken"].as_str().unwrap().to_owned()
    }

    /// What the company has, as its lists show it; the audit last, which counts every change.
    async fn company(&self) -> Vec<Value> {
        let mut lists = Vec::new();
        for list in ["users", "roles", "clients", "workers", "apiKeys", "audit"] {
            let path = format!("/v1/tenants/{COMPANY}/{list}?pageSize=200");
            lists.push(self.server.get(&path).bearer(&self.admin).send().await.json());
        }
        lists
    }

    /// Sends a good request of the company's to `tenant`, with these credentials.
    async fn send(
        &self,
        (route, good): (&Route, &GoodRequest),
        (tenant, bearer): (&str, &str),
        header: Option<&str>,
    ) -> Reply {
        let mut path = route.path.to_owned();
        for (name, value) in &good.path {
            let value = if *name == "t" { tenant } else { value };
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let mut request = self.server.request(route.method, &path).bearer(bearer);
        if let Some(header) = header {
            request = request.header("X-Tenant-Id", header);
        }
        if !good.body.is_null() {
            request = request.json(good.body.clone());
        }
        request.send().await
    }

    async fn good(&self, route: &Route, number: usize) -> GoodRequest {
        self.server.good_request(route, &self.admin, &format!("boundary-{number}")).await
    }
}

#[tokio::test]
async fn t7_an_administrator_of_another_tenant_is_answered_as_if_there_were_none() {
    let world = Box::pin(World::new()).await;
    let mut crossed = 0;
    for (number, (route, _)) in scoped().enumerate() {
        let good = world.good(route, number).await;
        let before = world.company().await;
        for bearer in &world.eve {
            let foreign = world.send((route, &good), (COMPANY, bearer), None).await;
            let nobodys = world.send((route, &good), ("nowhere", bearer), None).await;
            foreign.assert_refusal(404, "TENANT_NOT_FOUND");
            assert_eq!(foreign.shape(), nobodys.shape(), "{} {}", route.method, route.path);
            crossed += 1;
        }
        assert_eq!(world.company().await, before, "{} {}", route.method, route.path);
    }
    println!("{crossed} pairs of route and credential crossed");
    assert!(crossed >= 60, "{crossed}");
}

/// In his own tenant, with the ids of another's things.
#[tokio::test]
async fn t7_ids_of_another_tenant_name_nothing_in_ones_own() {
    let world = Box::pin(World::new()).await;
    let names_a_thing = |route: &Route| {
        (route.path.contains("{id}") || route.path.contains("{name}")) && route.method != "PUT"
    };
    for (number, (route, _)) in scoped().enumerate().filter(|(_, (route, _))| names_a_thing(route))
    {
        let good = world.good(route, number).await;
        let before = world.company().await;
        let mut unknown = world.good(route, number + 1000).await;
        for (name, value) in &mut unknown.path {
            if *name != "t" {
                "nobody".clone_into(value);
            }
        }
        for bearer in &world.eve {
            let foreign = world.send((route, &good), (OTHER, bearer), None).await;
            let nobodys = world.send((route, &unknown), (OTHER, bearer), None).await;
            assert_eq!(foreign.status, 404, "{} {}", route.path, foreign.text());
            assert_eq!(foreign.shape(), nobodys.shape(), "{} {}", route.method, route.path);
        }
        // The second request of the good ones has made things of its own.
        let after = world.company().await;
        assert!(
            after[3]["events"].as_array().unwrap().len()
                >= before[3]["events"].as_array().unwrap().len()
        );
    }
}

#[tokio::test]
async fn t1_a_header_that_names_another_tenant_than_the_path_is_refused() {
    let world = Box::pin(World::new()).await;
    for (number, (route, _)) in scoped().enumerate() {
        let good = world.good(route, number).await;
        let before = world.company().await;
        for header in [OTHER, "nowhere"] {
            let place = (COMPANY, world.admin.as_str());
            let refused = world.send((route, &good), place, Some(header)).await;
            refused.assert_refusal(400, "TENANT_CONFLICT");
        }
        assert_eq!(world.company().await, before, "{} {}", route.method, route.path);
    }
}

/// What the table says is what the operation asks for: all other scopes are no substitute.
#[tokio::test]
async fn every_route_of_a_tenant_needs_the_very_scope_of_its_row() {
    let world = Box::pin(World::new()).await;
    for (number, (route, scope)) in scoped().enumerate() {
        let role = format!("ALL_BUT_{number}");
        let others: Vec<_> =
            management_scopes().iter().filter(|other| *other != scope).map(str::to_owned).collect();
        let ask = json!({"name": role, "permissions": others});
        let path = format!("/v1/tenants/{COMPANY}/roles");
        let made = world.server.post(&path).bearer(&world.admin).json(ask).send().await;
        assert_eq!(made.status, 200, "{}", made.text());
        let email = format!("lacks-{number}@corp.sys");
        world.member(COMPANY, &email, &role).await;
        let bearer = world.signed_in(&email).await;
        let good = world.good(route, number).await;
        let refused = world.send((route, &good), (COMPANY, &bearer), None).await;
        refused.assert_refusal(403, "PERMISSION_DENIED");
        assert_eq!(refused.json()["details"]["scope"], scope, "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn t5_an_administrator_of_a_tenant_reaches_nothing_of_the_deployment() {
    let world = Box::pin(World::new()).await;
    let of_deployment =
        |route: &&Route| matches!(route.needs, Needs::AdminBearer | Needs::ApiKeyAndAdmin(_));
    for (number, route) in ROUTES.iter().filter(of_deployment).enumerate() {
        let good = world.good(route, number).await;
        let [id_token, access] = &world.eve;
        for (bearer, status, code) in
            [(id_token, 403, "ADMIN_REQUIRED"), (access, 401, "UNAUTHENTICATED")]
        {
            let mut path = route.path.to_owned();
            for (name, value) in &good.path {
                path = path.replace(&format!("{{{name}}}"), value);
            }
            let request = world.server.request(route.method, &path).keyed().bearer(bearer);
            let request =
                if good.body.is_null() { request } else { request.json(good.body.clone()) };
            request.send().await.assert_refusal(status, code);
        }
    }
}

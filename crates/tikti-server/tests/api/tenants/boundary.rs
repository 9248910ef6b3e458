//! Does every route of a tenant ask for the management scope that its row names? A new one is asked as soon
//! as it is in the table.
//!
//! That nothing of one tenant opens another is tried in `tests/attacks`, rows T1, T4, T5 and T7.
//! Spec: Authorization, "Administrative endpoints".

use serde_json::json;
use tikti_domain::scope::management_scopes;
use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::{COMPANY, GoodRequest, PASSWORD, Reply, Server};

/// A tenant, and the deployment's administrator.
struct World {
    server: Server,
    admin: String,
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
        Self { server, admin }
    }

    async fn member(&self, email: &str, role: &str) {
        self.server.user(email).await;
        let ask = json!({"email": email, "roles": [role]});
        let path = format!("/v1/tenants/{COMPANY}/users");
        let added = self.server.post(&path).bearer(&self.admin).json(ask).send().await;
        assert_eq!(added.status, 200, "{}", added.text());
    }

    async fn signed_in(&self, email: &str) -> String {
        let session = self.server.sign_in(email, PASSWORD).await.json();
        session["idToken"].as_str().unwrap().to_owned()
    }

    /// Sends a good request of the company's with this token.
    async fn send(&self, (route, good): (&Route, &GoodRequest), bearer: &str) -> Reply {
        let mut path = route.path.to_owned();
        for (name, value) in &good.path {
            let value = if *name == "t" { COMPANY } else { value };
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let request = self.server.request(route.method, &path).bearer(bearer);
        let request = if good.body.is_null() { request } else { request.json(good.body.clone()) };
        request.send().await
    }

    async fn good(&self, route: &Route, number: usize) -> GoodRequest {
        self.server.good_request(route, &self.admin, &format!("boundary-{number}")).await
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
        world.member(&email, &role).await;
        let bearer = world.signed_in(&email).await;
        let good = world.good(route, number).await;
        let refused = world.send((route, &good), &bearer).await;
        refused.assert_refusal(403, "PERMISSION_DENIED");
        assert_eq!(refused.json()["details"]["scope"], scope, "{} {}", route.method, route.path);
    }
}

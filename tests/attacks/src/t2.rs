//! Row T2: the same thing said in two places of a request, with two values: refused on every route, so that
//! nothing is judged by the one and done by the other.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tikti_server::router::Route;

use crate::call::good_requests;
use crate::fields::Place;
use crate::slots::{At, Slot};
use crate::support::{GoodRequest, PASSWORD, Reply, public_key};
use crate::world::World;

/// The parts of a good request that can be spoilt as text.
struct Written {
    path: String,
    query: Vec<String>,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Written {
    fn of(route: &Route, good: &GoodRequest) -> Self {
        let mut path = route.path.to_owned();
        for (name, value) in &good.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let query = good.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = (!good.body.is_null()).then(|| good.body.to_string());
        Self { path, query, headers: vec![], body }
    }

    async fn send(self, world: &World, route: &Route) -> Reply {
        let mut path = self.path;
        for (number, pair) in self.query.iter().enumerate() {
            let _ = write!(path, "{}{pair}", if number == 0 { '?' } else { '&' });
        }
        let mut request = world.server.request(route.method, &path);
        request = request.showing(route.needs, &world.root);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match self.body {
            Some(body) => request.header("Content-Type", "application/json").body(body),
            None => request,
        }
        .send()
        .await
    }
}

/// Two values of which the place could hold the one as well as the other.
fn two(world: &World, slot: &Slot) -> [Value; 2] {
    let (company, other) = (&world.company, &world.other);
    let path = slot.route.path;
    let pair = |one: &str, another: &str| [json!(one), json!(another)];
    match slot.member() {
        "email" | "newEmail" => pair(&company.member.email, &other.member.email),
        "tenantId" | "defaultTenantId" | "X-Tenant-Id" => pair(&company.id, &other.id),
        "actor" | "userId" => pair(&company.admin.id, &company.member.id),
        "idToken" | "token" => pair(&company.admin.id_token, &company.member.id_token),
        "refreshToken" | "refresh_token" => {
            pair(&company.admin.refresh_token, &company.member.refresh_token)
        }
        "audience" => pair("backend-worker", "codeq-worker"),
        "clientId" if path.starts_with("/v1/accounts") => {
            pair(&company.application, &other.application)
        }
        // What something new is called.
        "clientId" | "displayName" | "id" | "name" | "slug" => pair("said-once", "said-twice"),
        "subject" => pair("worker-01", "worker-02"),
        "kid" => pair("tikti-2026-01-aaaa", "tikti-2026-01-bbbb"),
        "oobCode" => pair(&"A".repeat(43), &"B".repeat(43)),
        "pageToken" => pair("QUFB", "QkJC"),
        "password" | "newPassword" => pair(PASSWORD, "a staple that is correct"),
        "continueUrl" => pair("https://one.example/", "https://another.example/"),
        "from" | "to" | "expiresAt" => pair("2999-01-01T00:00:00Z", "2999-01-02T00:00:00Z"),
        "action" => pair("member.add", "role.create"),
        "Idempotency-Key" => pair("first-try", "second-try"),
        "mode" => pair("resetPassword", "signIn"),
        "requestType" => pair("PASSWORD_RESET", "EMAIL_SIGNIN"),
        "role" => pair("COMPANY_EMPLOYEE", "SYSTEM_ADMIN"),
        "scope" => pair("global", "tenant"),
        "status" if path == "/v1/tenants/{t}" => pair("ACTIVE", "SUSPENDED"),
        "status" if path.contains("users") || path.contains("accounts") => {
            pair("ACTIVE", "INACTIVE")
        }
        "status" => pair("ACTIVE", "DISABLED"),
        "subjectPolicy" => pair("user", "any"),
        "type" => pair("SERVICE", "APPLICATION"),
        // There is one alone.
        "grant_type" => pair("refresh_token", "refresh_token"),
        "allowedGrantTypes" => [json!(["token_exchange"]), json!(["client_credentials"])],
        "clients" => [json!(["backend-worker"]), json!(["codeq-worker"])],
        "eventTypes" => [json!(["build"]), json!(["render"])],
        "roles" | "mintableBy" => [json!(["TENANT_USER"]), json!(["TENANT_ADMIN"])],
        "scopes" if path.contains("apiKeys") => [json!(["introspect"]), json!(["exchange"])],
        "allowedScopes" | "defaultScopes" | "permissions" | "scopes" => {
            [json!(["jobs:read"]), json!(["jobs:write"])]
        }
        "jwks" => ["one", "two"].map(|kid| json!({"keys": [public_key(kid)]})),
        "keys" => ["one", "two"].map(|kid| json!([public_key(kid)])),
        "create" | "customTokens" | "emailVerified" | "emergency" | "everywhere"
        | "memberships" | "returnSecureToken" | "selfSignUp" | "strict" => {
            [json!(true), json!(false)]
        }
        "pageSize" => [json!(1), json!(2)],
        "tokenTtlSeconds" | "ttlSeconds" => [json!(900), json!(1800)],
        _ => panic!("say two values of {}", slot.shown()),
    }
}

/// As it stands in a header or a query.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::test]
async fn t2_a_place_that_is_filled_twice_is_refused_on_every_route() {
    let world = Box::pin(World::new()).await;
    let mut tried = 0;
    for (route, slots, good) in &good_requests(&world, &world.document().await).await {
        let before = world.contents().await;
        for slot in slots {
            let mut written = Written::of(route, good);
            match &slot.place {
                // Whether a cached copy is still good is asked of a list of tags.
                At::Header if slot.name == "If-None-Match" || slot.name == "If-Match" => continue,
                At::Header => {
                    for value in two(&world, slot) {
                        written.headers.push((slot.name.clone(), bare(&value)));
                    }
                }
                At::Field(field) => match field.place {
                    Place::Path => continue,
                    Place::Query => {
                        written.query.retain(|pair| !pair.starts_with(&slot.name));
                        let pair = two(&world, slot);
                        let pair = pair.map(|value| format!("{}={}", slot.name, bare(&value)));
                        written.query.extend(pair);
                    }
                    Place::Json | Place::Form if slot.name != slot.member() => continue,
                    Place::Json | Place::Form => {
                        let [one, another] = two(&world, slot);
                        let mut rest = good.body.clone();
                        rest.as_object_mut().unwrap().remove(&slot.name);
                        let rest = rest.to_string();
                        let rest = rest.trim_start_matches('{').trim_end_matches('}');
                        let comma = if rest.is_empty() { "" } else { "," };
                        let name = &slot.name;
                        let body =
                            format!("{{\"{name}\":{one},\"{name}\":{another}{comma}{rest}}}");
                        written.body = Some(body);
                    }
                },
            }
            let reply = written.send(&world, route).await;
            assert_eq!(reply.status, 400, "{}: {}", slot.shown(), reply.text());
            tried += 1;
            // That answers people, by a page that does not tell them what is wrong with their link.
            if route.path == "/action" {
                continue;
            }
            let told = reply.json()["details"][&slot.name].clone();
            let told = told.as_str().unwrap_or_default();
            assert!(told.starts_with("is given twice"), "{}: {}", slot.shown(), reply.text());
        }
        assert_eq!(world.changed_since(&before).await, [""; 0], "{} {}", route.method, route.path);
    }
    println!("{tried} places filled twice");
    assert!(tried >= 210, "{tried}");
}

/// What one call takes in two places at once.
#[tokio::test]
async fn t2_two_places_for_one_thing_must_hold_the_same() {
    let world = Box::pin(World::new()).await;
    let (server, company) = (&world.server, &world.company);
    // A key in the header and in the query, on every route that takes one.
    for (route, _, good) in &good_requests(&world, &world.document().await).await {
        use tikti_server::router::Needs::{ApiKey, ApiKeyAndAdmin};
        if !matches!(route.needs, ApiKey(_) | ApiKeyAndAdmin(_)) {
            continue;
        }
        for other in [&company.key, &server.setup.web_api_key] {
            let mut written = Written::of(route, good);
            written.query.push(format!("key={other}"));
            let reply = written.send(&world, route).await;
            reply.assert_refusal(400, "INVALID_ARGUMENT");
        }
    }
    // The name of a role in the path and in the body.
    let before = world.contents().await;
    let path = format!("/v1/tenants/{}/roles/{}", company.slug, company.role);
    let ask = json!({"name": "TENANT_USER", "permissions": ["a:b"]});
    let reply = server.put(&path).bearer(&company.admin.id_token).json(ask).send().await;
    reply.assert_refusal(400, "INVALID_ARGUMENT");
    // Whom a question is about, by id and by address.
    let ask = json!({
        "tenantId": company.id, "audience": "backend-worker", "email": company.member.email,
        "userId": company.admin.id,
    });
    let explain = server.post("/v1/authorization/explain").bearer(&company.admin.id_token);
    explain.json(ask).send().await.assert_refusal(400, "INVALID_ARGUMENT");
    assert_eq!(world.changed_since(&before).await, [""; 0]);
}

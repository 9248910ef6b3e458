//! Row T2: the same thing said in two places of a request, with two values: refused on every route, so that
//! nothing is judged by the one and done by the other.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tikti_server::router::Route;

use crate::call::good_requests;
use crate::fields::Place;
use crate::slots::{At, Slot};
use crate::support::{GoodRequest, Reply};
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

/// Two values that the place could hold.
fn two(good: &Value, slot: &Slot, types: &[&str]) -> [Value; 2] {
    let one = good.get(slot.member()).filter(|value| !value.is_null()).cloned();
    let made = match types {
        ["boolean", ..] => json!(true),
        ["integer" | "number", ..] => json!(900),
        ["array", ..] => json!([]),
        ["object", ..] => json!({}),
        _ => json!("another"),
    };
    [one.unwrap_or_else(|| made.clone()), made]
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
                    for value in ["codecompany", "othercorp"] {
                        written.headers.push((slot.name.clone(), value.to_owned()));
                    }
                }
                At::Field(field) => match field.place {
                    Place::Path => continue,
                    Place::Query => {
                        written.query.retain(|pair| !pair.starts_with(&slot.name));
                        let values = ["1", "2"].map(|value| format!("{}={value}", slot.name));
                        written.query.extend(values);
                    }
                    Place::Json | Place::Form if slot.name != slot.member() => continue,
                    Place::Json | Place::Form => {
                        let types: Vec<_> = field.types.iter().map(String::as_str).collect();
                        let [one, another] = two(&good.body, slot, &types);
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
        }
        assert_eq!(world.changed_since(&before).await, [""; 0], "{} {}", route.method, route.path);
    }
    println!("{tried} places filled twice");
    assert!(tried >= 100, "{tried}");
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

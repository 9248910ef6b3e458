//! Row A9: a scope that the deployment keeps for itself is granted by no administrator of a tenant, by no
//! route that takes a scope or a role; nor is what came from the template widened.

use serde_json::{Value, json};
use tikti_server::router::{Needs, Route};

use crate::call::{Call, Credential, good_requests};
use crate::fields::Place;
use crate::slots::{At, Slot};
use crate::support::COMPANY;
use crate::world::World;

/// What a member of a body that sounds like rights is set to, where it grants any.
fn kept(slot: &Slot) -> Option<Value> {
    match slot.member() {
        // Of a key: what reaches beyond the tenant.
        "scopes" if slot.route.path.contains("/apiKeys") => Some(json!(["accounts:admin"])),
        "permissions" | "scopes" | "allowedScopes" | "defaultScopes" => {
            Some(json!(["codeq:admin"]))
        }
        "roles" | "mintableBy" => Some(json!(["CODEQ_ADMIN"])),
        "clients" => Some(json!(["codeq-producer"])),
        // It signs in whomever it names.
        "customTokens" => Some(json!(true)),
        _ => None,
    }
}

/// Whether a member could grant something and nobody has said what.
fn sounds_granting(slot: &Slot) -> bool {
    let name = slot.member().to_lowercase();
    ["scope", "role", "permission", "mintable", "right"].iter().any(|part| name.contains(part))
}

fn is_body(slot: &Slot) -> bool {
    matches!(&slot.place, At::Field(field) if field.place == Place::Json)
}

/// Who administers the company, by each of his credentials, and the worker who may all that a worker may.
fn administrators(world: &World) -> [Credential; 3] {
    let (company, key) = (&world.company, &world.server.setup.api_key);
    [
        Credential::pair("idToken", key, &company.admin.id_token),
        Credential::pair("access token", key, &company.access),
        Credential::pair("worker", key, &company.worker_token),
    ]
}

#[tokio::test]
async fn a9_what_the_deployment_keeps_is_granted_by_no_route() {
    let world = Box::pin(World::new()).await;
    let (mut tried, mut faults) = (0, vec![]);
    for (route, slots, good) in &good_requests(&world, &world.document().await).await {
        let before = world.contents().await;
        for slot in slots.iter().filter(|slot| is_body(slot) && slot.name == slot.member()) {
            let Some(kept) = kept(slot) else {
                // `role` is the deployment's own, and `scope` how far a revocation goes.
                let known = ["role", "scope"].contains(&slot.member());
                assert!(known || !sounds_granting(slot), "say what {} grants", slot.shown());
                continue;
            };
            // Whoever exchanges or asks is given nothing that he does not hold: row A4.
            if route.path.contains("exchange") || route.path.contains("explain") {
                continue;
            }
            for credential in administrators(&world) {
                let mut call = Call::as_it_is(route, good);
                if ["allowedScopes", "defaultScopes"].contains(&slot.member()) {
                    // What is given unasked is among what is allowed.
                    call.body["allowedScopes"] = kept.clone();
                    call.body["defaultScopes"] = json!([]);
                }
                call.body[slot.member()] = kept.clone();
                let reply = call.send(&world, &credential).await;
                let what = format!("{} by {}", slot.shown(), credential.name);
                let expected = match route.needs {
                    Needs::Scope(_) => ["ESCALATION_DENIED"; 2],
                    // A route of the deployment.
                    _ => ["ADMIN_REQUIRED", "UNAUTHENTICATED"],
                };
                if !(400..500).contains(&reply.status) || !expected.contains(&&*reply.code()) {
                    faults.push(format!("{what}: {}", reply.text()));
                }
                tried += 1;
            }
        }
        let changed = world.changed_since(&before).await;
        if !changed.is_empty() {
            faults.push(format!("{} {}: {changed:?}", route.method, route.path));
        }
    }
    println!("{tried} grants of what is kept");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 12, "{tried}");
}

/// The names of what every tenant is born with, at the routes of one role and of one client.
fn managed(route: &Route) -> &'static [&'static str] {
    if route.path.ends_with("/roles/{name}") {
        return &["CODEQ_ADMIN", "CODEQ_PRODUCER", "CODEQ_WORKER", "JOBS_OPERATOR", "TENANT_ADMIN"];
    }
    if route.path.ends_with("/clients/{id}") {
        return &["codeq-producer", "codeq-worker", "backend-worker", "tikti"];
    }
    &[]
}

/// What a change of this is refused with: the built-in ones are nobody's to change, the others the
/// deployment's.
fn refusal(name: &str) -> (u16, &'static str) {
    if ["TENANT_ADMIN", "tikti"].contains(&name) {
        (409, "CONFLICT")
    } else {
        (403, "ESCALATION_DENIED")
    }
}

#[tokio::test]
async fn a9_what_came_from_the_template_is_not_widened() {
    let world = Box::pin(World::new()).await;
    let server = &world.server;
    let mut tried = 0;
    for (route, slots, good) in &good_requests(&world, &world.document().await).await {
        let changes: Vec<&Slot> = slots.iter().filter(|slot| kept(slot).is_some()).collect();
        for name in managed(route).iter().filter(|_| route.method != "GET") {
            let baseline = world.contents().await;
            let both = [json!(["anything:else", "jobs:read"]), json!(["jobs:read"])];
            let people = administrators(&world);
            for (credential, rights) in
                people.iter().flat_map(|who| both.iter().map(move |it| (who, it)))
            {
                let mut call = Call::as_it_is(route, good);
                let parameter = if route.path.ends_with("{name}") { "name" } else { "id" };
                call.path.insert(parameter.to_owned(), (*name).to_owned());
                // Otherwise a role that is there already is not looked at.
                if route.method == "PUT" {
                    call.headers.push(("If-Match".to_owned(), "*".to_owned()));
                }
                for slot in changes.iter().filter(|slot| is_body(slot)) {
                    call.body[slot.member()] = rights.clone();
                }
                let reply = call.send(&world, credential).await;
                let what = format!("{} {} {name} by {}", route.method, route.path, credential.name);
                let told = (reply.status, &*reply.code());
                assert_eq!(told, refusal(name), "{what}: {}", reply.text());
                tried += 1;
            }
            assert_eq!(world.changed_since(&baseline).await, [""; 0], "{} {name}", route.path);
        }
    }
    println!("{tried} changes of what is managed");
    assert!(tried >= 100, "{tried}");
    // However it may have come about, the scope itself is nobody's who administers.
    for ask in [
        json!({"audience": "codeq-producer", "scopes": ["codeq:admin"]}),
        json!({"audience": "codeq-producer", "scopes": ["codeq:admin"], "subject": "worker-01"}),
        json!({"audience": "tikti", "scopes": ["codeq:admin"]}),
    ] {
        let reply = world.exchange(&world.company.admin.id_token, ask).await;
        assert_eq!(reply.status, 403, "{}", reply.text());
    }
    let role = server.get(&format!("/v1/tenants/{COMPANY}/roles/CODEQ_ADMIN"));
    let role = role.bearer(&world.company.admin.id_token).send().await.json();
    assert_eq!((&role["permissions"], &role["managed"]), (&json!(["codeq:admin"]), &json!(true)));
}

/// What the deployment has taken from a tenant is not the tenant's to bring back, whatever it is to hold.
#[tokio::test]
async fn a9_what_came_from_the_template_is_not_made_again() {
    let world = Box::pin(World::new()).await;
    let server = &world.server;
    let audiences = ["codeq-producer", "codeq-worker", "backend-worker"];
    let path = format!("/v1/tenants/{COMPANY}/clients");
    for name in audiences {
        let gone = server.delete(&format!("{path}/{name}")).bearer(&world.root).send().await;
        assert_eq!(gone.status, 200, "{name}: {}", gone.text());
    }
    let baseline = world.contents().await;
    for credential in administrators(&world) {
        let ask = async |ask: Value| {
            let token = credential.token.as_deref().unwrap();
            server.post(&path).bearer(token).json(ask).send().await
        };
        for name in audiences {
            for more in
                [json!({}), json!({"type": "APPLICATION"}), json!({"defaultScopes": ["jobs:read"]})]
            {
                let mut made = json!({"clientId": name});
                made.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                ask(made).await.assert_refusal(403, "ESCALATION_DENIED");
            }
        }
        // These are never gone.
        for name in ["tikti", "tikti-identity"] {
            ask(json!({"clientId": name})).await.assert_refusal(409, "CLIENT_EXISTS");
        }
    }
    assert_eq!(world.changed_since(&baseline).await, [""; 0]);
    // The deployment brings them back, and a tenant makes others.
    for (bearer, name) in
        [(&world.root, audiences[0]), (&world.company.admin.id_token, "own-producer")]
    {
        let made = server.post(&path).bearer(bearer).json(json!({"clientId": name}));
        let made = made.send().await;
        assert_eq!(made.status, 200, "{name}: {}", made.text());
    }
}

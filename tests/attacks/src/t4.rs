//! Row T4: a tenant that does not exist, is suspended, is being deleted or is deleted is refused on every
//! route, never another in its place; whoever is no member is told the same of all of them.

use serde_json::json;
use tikti_domain::clock::Clock;
use tikti_domain::tenancy::delete_tenant;
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing;
use tikti_server::router::{Needs, Route};

use crate::call::{Call, Credential, good_requests, pairs, tells_nothing};
use crate::slots::{Rule, Slot, Thing};
use crate::support::{GoodRequest, PASSWORD, claims};
use crate::world::{World, signed_in};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Suspended,
    Deleting,
    Deleted,
}

const STATES: [State; 3] = [State::Suspended, State::Deleting, State::Deleted];

impl State {
    /// Brings the company into this state.
    async fn come(self, world: &World) {
        let tenant = world.company.tenant();
        let status = match self {
            Self::Suspended => TenantStatus::Suspended,
            Self::Deleting => TenantStatus::Deleting,
            Self::Deleted => {
                let now = Clock::system().now();
                return delete_tenant(&world.domain, &tenant, now).await.unwrap();
            }
        };
        testing::set_tenant_status(&world.domain, &tenant, status).await;
    }
}

type Request = (&'static Route, Vec<Slot>, GoodRequest);

/// Every request that names a tenant, once for each place and each name of the company, and the same for
/// a tenant that nobody has.
fn naming(
    requests: &[Request],
    world: &World,
    home: &crate::world::Estate,
) -> Vec<(String, [Call; 2])> {
    let mut calls = Vec::new();
    for (route, slots, good) in requests {
        // A new tenant is named there, by administrators of the deployment alone.
        if route.path == "/v1/tenants" {
            continue;
        }
        for slot in slots.iter().filter(|slot| slot.rule == Rule::Names(Thing::Tenant)) {
            for (name, unknown) in pairs(&world.company, Thing::Tenant) {
                let pair = [name, unknown].map(|name| {
                    let mut call = Call::of(route, good, (slots, home));
                    call.accompany(slot);
                    call.put(slot, &name);
                    call
                });
                calls.push((slot.shown(), pair));
            }
        }
    }
    calls
}

#[tokio::test]
async fn t4_a_tenant_that_is_not_served_is_refused_on_every_route() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = Box::pin(World::new()).await;
    let document = world.document().await;
    let requests = good_requests(&world, &document).await;
    let by_strangers = naming(&requests, &world, &world.other);
    let by_members = naming(&requests, &world, &world.company);
    let (strangers, members) = (world.other.credentials(&world), world.company.credentials(&world));
    let (mut tried, mut faults) = (0, vec![]);
    for state in STATES {
        state.come(&world).await;
        let before = world.contents().await;
        for (what, [call, unknown]) in &by_strangers {
            for credential in &strangers {
                tried += 1;
                let one = call.send(&world, credential).await;
                let other = unknown.send(&world, credential).await;
                if one.status < 400 || one.shape() != other.shape() {
                    let (one, other) = (one.text(), other.text());
                    faults.push(format!(
                        "{state:?} {what}, {}: {one} against {other}",
                        credential.name
                    ));
                }
            }
        }
        for (what, [call, _]) in &by_members {
            for credential in &members {
                tried += 1;
                let reply = call.send(&world, credential).await;
                if !(400..500).contains(&reply.status) {
                    faults.push(format!("{state:?} {what}, {}: {}", credential.name, reply.text()));
                }
            }
        }
        let changed = world.changed_since(&before).await;
        if !changed.is_empty() {
            faults.push(format!("{state:?}: {changed:?}"));
        }
    }
    println!("{tried} combinations of state, route, place, name and credential");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 4000, "{tried}");
}

/// The key of a tenant opens nothing while its tenant is not served, whoever comes with it.
#[tokio::test]
async fn t4_the_key_of_a_tenant_that_is_not_served_opens_nothing() {
    let world = Box::pin(World::new()).await;
    let requests = good_requests(&world, &world.document().await).await;
    let company = &world.company;
    let people = [Some(&company.admin.id_token), Some(&company.bound), Some(&world.root), None];
    for state in STATES {
        state.come(&world).await;
        for (route, slots, good) in &requests {
            if !matches!(
                route.needs,
                Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) | Needs::ApiKeyAndAdmin(_)
            ) {
                continue;
            }
            for person in people {
                let credential = Credential {
                    name: "a key",
                    key: Some(company.key.clone()),
                    token: person.cloned(),
                    refresh_token: company.admin.refresh_token.clone(),
                };
                let before = world.contents().await;
                let reply = Call::of(route, good, (slots, company)).send(&world, &credential).await;
                let (method, path, text) = (route.method, route.path, reply.text());
                if (method, path, reply.status) == ("POST", "/v1/accounts/sendOobCode", 200) {
                    // The stranger's answer: no mail, and no code that anybody knows.
                    let changed = world.changed_since(&before).await;
                    let is_code = |key: &String| key.starts_with("o:");
                    assert!(changed.iter().all(is_code), "{state:?} {changed:?}");
                    assert!(reply.json().get("oobCode").is_none(), "{text}");
                    continue;
                }
                let is_refused = (400..500).contains(&reply.status) || tells_nothing(route, &reply);
                assert!(is_refused, "{state:?} {method} {path}: {text}");
            }
        }
    }
}

/// Dora is a member of both tenants, and the company is her default.
#[tokio::test]
async fn t4_no_other_tenant_is_taken_for_one_that_is_not_served() {
    let world = Box::pin(World::new()).await;
    let (server, company) = (&world.server, &world.company);
    let email = "dora@both.sys";
    let dora = world.of_both(email).await;
    assert_eq!(claims(&dora.id_token)["tid"], company.id.as_str());
    assert_eq!(world.exchange(&dora.id_token, json!({})).await.status, 200);
    for state in STATES {
        state.come(&world).await;
        for ask in [json!({}), json!({"tenantId": company.id}), json!({"tenantId": company.slug})] {
            let reply = world.exchange(&dora.id_token, ask.clone()).await;
            assert!(reply.status >= 400, "{state:?} {ask}: {}", reply.text());
        }
        for path in ["signIn", "signInWithPassword"] {
            let ask = json!({"email": email, "password": PASSWORD, "tenantId": company.id});
            let reply = server.post(&format!("/v1/accounts/{path}")).keyed().json(ask).send().await;
            assert!(reply.status >= 400, "{state:?} {path}: {}", reply.text());
        }
        let ask = json!({
            "grant_type": "refresh_token", "refresh_token": dora.refresh_token, "tenantId": company.id,
        });
        let reply = server.post("/v1/token").json(ask).send().await;
        assert!(reply.status >= 400, "{state:?}: {}", reply.text());
        // A sign-in that names no tenant goes on without this one.
        let fresh = signed_in(server, email).await;
        assert_ne!(claims(&fresh.id_token)["tid"], company.id.as_str(), "{state:?}");
    }
}

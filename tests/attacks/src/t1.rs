//! Row T1: path, header, body and credential that name different tenants, pairwise, by somebody who
//! administers both: refused, and nothing is done in either.

use serde_json::json;
use tikti_server::router::Needs;

use crate::call::{Call, Credential, good_requests};
use crate::fields::Place;
use crate::slots::{Rule, Slot, Thing};
use crate::support::PASSWORD;
use crate::world::{World, exchanged, signed_in};

fn names_tenant(slot: &&Slot) -> bool {
    slot.rule == Rule::Names(Thing::Tenant) && slot.route.path != "/v1/tenants"
}

#[tokio::test]
async fn t1_two_places_that_name_different_tenants_are_refused_on_every_route() {
    let world = Box::pin(World::new()).await;
    let dora = world.of_both("dora@both.sys").await;
    let key = &world.server.setup.api_key;
    let people = [("both tenants'", &dora.id_token), ("the deployment's", &world.root)];
    let (company, other) = (&world.company, &world.other);
    let mut pairs = 0;
    for (route, slots, good) in &good_requests(&world, &world.document().await).await {
        let places: Vec<_> = slots.iter().filter(names_tenant).collect();
        let before = world.contents().await;
        for (number, first) in places.iter().enumerate() {
            for second in &places[number + 1..] {
                for (one, another) in [(company, other), (other, company)] {
                    for (name, another) in [(&one.id, &another.slug), (&one.slug, &another.id)] {
                        let mut call = Call::of(route, good, (slots, one));
                        call.put(first, name);
                        call.put(second, another);
                        for (who, token) in people {
                            let credential = Credential::pair("an administrator", key, token);
                            let reply = call.send(&world, &credential).await;
                            let what = format!("{} and {} by {who}", first.shown(), second.shown());
                            let is_for_others =
                                route.needs == Needs::AdminBearer && token != &world.root;
                            let expected = if is_for_others {
                                (403, "ADMIN_REQUIRED")
                            } else {
                                (400, "TENANT_CONFLICT")
                            };
                            assert_eq!((reply.status, &*reply.code()), expected, "{what}");
                            pairs += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(world.changed_since(&before).await, [""; 0], "{} {}", route.method, route.path);
    }
    println!("{pairs} pairs of places that name two tenants");
    assert!(pairs >= 320, "{pairs}");
}

/// The credential is bound to the company, and the request names the other tenant.
#[tokio::test]
async fn t1_a_credential_of_one_tenant_does_nothing_in_another_that_its_owner_administers() {
    let world = Box::pin(World::new()).await;
    let dora = world.of_both("dora@both.sys").await;
    let (server, company, other) = (&world.server, &world.company, &world.other);
    let access = json!({"audience": "tikti", "tenantId": company.id});
    let access = exchanged(server, &dora.id_token, access).await;
    let ask = json!({"email": dora.email, "password": PASSWORD, "returnSecureToken": true});
    let bound = server.post("/v1/accounts/signInWithPassword").header("X-API-Key", &company.key);
    let bound = bound.json(ask).send().await.json();
    let text = |name: &str| bound[name].as_str().unwrap().to_owned();
    let (id_token, refresh_token) = (text("idToken"), text("refreshToken"));
    let key = &server.setup.api_key;
    let with =
        |credential: Credential| Credential { refresh_token: refresh_token.clone(), ..credential };
    let credentials = [
        with(Credential::pair("an access token", key, &access)),
        with(Credential::pair("the worker's token", key, &company.worker_token)),
        with(Credential::pair("a bound idToken", key, &id_token)),
        with(Credential::pair("the tenant's key, a plain idToken", &company.key, &dora.id_token)),
        with(Credential::pair("the tenant's key, a bound idToken", &company.key, &id_token)),
    ];
    let mut tried = 0;
    for (route, slots, good) in &good_requests(&world, &world.document().await).await {
        // Without key, token or session there is nothing that is bound.
        let opens = route.path != "/v1/token" && matches!(route.needs, Needs::Nothing);
        let before = world.contents().await;
        for slot in slots.iter().filter(names_tenant).filter(|_| !opens) {
            for credential in &credentials {
                // Whoever brings a password needs no token, and the deployment's key is for all tenants.
                let by_password = !good.body["password"].is_null();
                if by_password && credential.key.as_ref() == Some(key) {
                    continue;
                }
                // A plain token in the path or header of its own is no more than its owner.
                let is_plain = credential.name.ends_with("a plain idToken");
                if is_plain && matches!(route.needs, Needs::Scope(_) | Needs::ScopeOfBody(_)) {
                    continue;
                }
                for name in [&other.id, &other.slug] {
                    let mut call = Call::of(route, good, (slots, other));
                    if !slot.is(Place::Path) && !call.path.is_empty() {
                        call.path.insert("t".to_owned(), company.id.clone());
                    }
                    call.accompany(slot);
                    call.put(slot, name);
                    if call.body.get("email").is_some() {
                        call.body["email"] = json!(dora.email);
                    }
                    let reply = call.send(&world, credential).await;
                    let what = format!("{} by {}", slot.shown(), credential.name);
                    assert!((400..500).contains(&reply.status), "{what}: {}", reply.text());
                    tried += 1;
                }
            }
        }
        assert_eq!(world.changed_since(&before).await, [""; 0], "{} {}", route.method, route.path);
    }
    println!("{tried} requests for another tenant than the credential's");
    assert!(tried >= 690, "{tried}");
    // All that time the owner himself could.
    assert_eq!(world.exchange(&dora.id_token, json!({"tenantId": other.id})).await.status, 200);
    assert_eq!(signed_in(server, &dora.email).await.id, dora.id);
}

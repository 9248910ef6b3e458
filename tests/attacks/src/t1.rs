//! Row T1: path, header, body and credential that name different tenants, pairwise, by somebody who
//! administers both: refused, and nothing is done in either.

use serde_json::json;
use tikti_server::router::Needs;

use crate::call::{Call, Credential, good_requests};
use crate::fields::Place;
use crate::forms::{Form, HEADER, INTROSPECT, Programs, Proof, REVOKE};
use crate::slots::{Rule, Slot, Thing};
use crate::support::PASSWORD;
use crate::world::{Person, World, exchanged, signed_in};

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

/// Forms of stock programs that name both tenants, each with the code that refuses it; `one` proves itself.
fn of_two(
    world: &World,
    one: &Programs,
    another: &Programs,
    bound: &Person,
) -> Vec<(Form, &'static str)> {
    const CONFLICT: &str = "TENANT_CONFLICT";
    let deployment = || Proof::Key(world.server.setup.api_key.clone());
    let mut forms = Vec::new();
    for name in [&another.tenant, &another.slug] {
        let exchange = one.exchange(deployment());
        for own in [&one.tenant, &one.slug] {
            forms.push((exchange.with("tenant", own).with(HEADER, name), CONFLICT));
            forms.push((exchange.with("tenant", name).with(HEADER, own), CONFLICT));
        }
        // A key is its tenant's.
        let by_key = one.exchange(Proof::Key(one.key.clone()));
        forms.push((by_key.with(HEADER, name), CONFLICT));
        forms.push((by_key.with("tenant", name), "API_KEY_FORBIDDEN"));
        forms.push((by_key.without("tenant").with(HEADER, name), "API_KEY_FORBIDDEN"));
        for (_, proof) in one.workers() {
            let own_token = one.own_token(proof);
            forms.push((own_token.with(HEADER, name), CONFLICT));
            forms.push((own_token.with("tenant", name), CONFLICT));
            forms.push((own_token.without("tenant").with(HEADER, name), CONFLICT));
        }
        // A session that a tenant opened is good there alone.
        let subject = exchange.with("subject_token", &bound.id_token);
        forms.push((subject.with("tenant", name), CONFLICT));
        forms.push((subject.without("tenant").with(HEADER, name), CONFLICT));
        let refresh = one.refresh().with("refresh_token", &bound.refresh_token);
        forms.push((refresh.with("tenant", name), CONFLICT));
    }
    forms
}

/// The same of clients and audiences, which are of a tenant.
fn of_two_clients(world: &World, one: &Programs, another: &Programs) -> Vec<(Form, &'static str)> {
    const UNKNOWN: &str = "UNKNOWN_AUDIENCE";
    let deployment = Proof::Key(world.server.setup.api_key.clone());
    let beside = |form: &Form, client_id: &str| {
        let mut form = form.clone();
        form.members["client_id"] = json!(client_id);
        form
    };
    let exchange = one.exchange(deployment);
    let mut forms = vec![
        (exchange.with("audience", &another.service), UNKNOWN),
        (exchange.with("resource", &another.resource), UNKNOWN),
        (exchange.without("audience").with("resource", &another.resource), UNKNOWN),
    ];
    for (how, proof) in one.workers() {
        let own_token = one.own_token(proof);
        forms.push((own_token.with("audience", &another.service), UNKNOWN));
        forms.push((own_token.with("resource", &another.resource), UNKNOWN));
        let code = match how {
            "client_secret_basic" => "INVALID_ARGUMENT",
            "private_key_jwt" => "INVALID_CLIENT_CREDENTIALS",
            // There it is the only name.
            _ => continue,
        };
        forms.push((beside(&own_token, &another.client_id(&another.robot)), code));
    }
    for path in [INTROSPECT, REVOKE] {
        for (_, proof) in one.askers() {
            if matches!(proof, Proof::Basic(..)) {
                let form = one.question(path, proof);
                forms.push((
                    beside(&form, &another.client_id(&another.service)),
                    "INVALID_ARGUMENT",
                ));
            }
        }
    }
    forms
}

/// Whatever a stock program sends, by somebody who administers both tenants and by programs of one of them.
#[tokio::test]
async fn t1_a_form_that_names_different_tenants_is_refused_and_nothing_is_done_in_either() {
    let world = Box::pin(World::new()).await;
    let dora = world.of_both("dora@both.sys").await;
    let mut company = Box::pin(Programs::of(&world, &world.company, 7)).await;
    let mut other = Box::pin(Programs::of(&world, &world.other, 8)).await;
    let people = [company.user.clone(), other.user.clone()];
    company.user = dora.clone();
    other.user = signed_in(&world.server, &dora.email).await;
    let mut tried = 0;
    for (one, another) in [(&company, &other), (&other, &company)] {
        let ask = json!({"email": dora.email, "password": PASSWORD, "returnSecureToken": true});
        let bound =
            world.server.post("/v1/accounts/signInWithPassword").header("X-API-Key", &one.key);
        let bound = bound.json(ask).send().await.json();
        let text = |name: &str| bound[name].as_str().unwrap().to_owned();
        let (id_token, refresh_token) = (text("idToken"), text("refreshToken"));
        let bound = Person { id_token, refresh_token, ..dora.clone() };
        let before = world.contents().await;
        let mut faults = Vec::new();
        let forms = of_two(&world, one, another, &bound);
        for (form, code) in forms.iter().chain(&of_two_clients(&world, one, another)) {
            let reply = form.send(&world).await;
            if !(400..500).contains(&reply.status) || reply.json()["code"] != *code {
                faults.push(format!("{code}: {form:?}: {} {}", reply.status, reply.text()));
            }
            tried += 1;
        }
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        // A token of the other tenant's is none, for whom it is not.
        for (_, proof) in one.askers() {
            let ask = |path| one.question(path, proof.clone()).with("token", &another.access);
            assert_eq!(ask(INTROSPECT).send(&world).await.json(), json!({"active": false}));
            assert_eq!(ask(REVOKE).send(&world).await.json(), json!({}));
        }
        // Assertions are good once, whatever they are shown for.
        let shown = format!("t:{}/assertion/", one.tenant);
        let mut changed = world.changed_since(&before).await;
        changed.retain(|key| !key.starts_with(&shown));
        assert_eq!(changed, [""; 0]);
    }
    println!("{tried} forms that name two tenants");
    // All that time each form was good at home, of its own people.
    [company.user, other.user] = people;
    for (what, form) in [&company, &other].iter().flat_map(|of| of.forms(&world)) {
        let reply = form.send(&world).await;
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    }
}

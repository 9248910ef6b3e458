//! Row A6: every kind of token, code and key given to every place that takes one: refused but where it
//! belongs, with nothing changed.
//!
//! The pages of mailed links, which answer people, are tried by the tests of the API (`doors::kinds`).

use serde_json::{Value, json};
use tikti_server::router::{Needs, Route};

use crate::call::{Call, Credential, good_requests};
use crate::fields::Place;
use crate::slots::{Rule, Slot};
use crate::world::World;

/// Where something is shown.
enum Door<'a> {
    Bearer,
    Key,
    Slot(&'a Slot),
}

/// One good credential of every kind.
async fn kinds(world: &World) -> Vec<(&'static str, String)> {
    let (server, company) = (&world.server, &world.company);
    let sent = async |ask: Value| {
        let reply = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
        reply.json()["oobCode"].as_str().unwrap().to_owned()
    };
    let member = &company.member;
    let mut kinds = vec![
        ("idToken", company.admin.id_token.clone()),
        ("bound idToken", company.bound.clone()),
        ("access token", company.access.clone()),
        ("worker's token", company.worker_token.clone()),
        ("token for a worker", company.event_token.clone()),
        ("refresh token", company.admin.refresh_token.clone()),
        ("key", server.setup.api_key.clone()),
        ("tenant's key", company.key.clone()),
        ("browser's key", server.setup.web_api_key.clone()),
        ("password", crate::support::PASSWORD.to_owned()),
    ];
    for kind in ["PASSWORD_RESET", "EMAIL_SIGNIN"] {
        kinds.push((kind, sent(json!({"requestType": kind, "email": member.email})).await));
    }
    for kind in ["VERIFY_EMAIL", "VERIFY_AND_CHANGE_EMAIL"] {
        let ask = json!({
            "requestType": kind, "idToken": member.id_token, "newEmail": "new@company.sys",
        });
        kinds.push((kind, sent(ask).await));
    }
    let list = server.get("/v1/tenants?pageSize=1").bearer(&world.root).send().await.json();
    kinds.push(("page token", list["nextPageToken"].as_str().unwrap().to_owned()));
    kinds
}

/// What belongs there.
fn right(route: &Route, door: &Door<'_>) -> &'static [&'static str] {
    match (door, route.needs) {
        (Door::Bearer, Needs::Scope(_) | Needs::ScopeOfBody(_)) => {
            &["idToken", "access token", "worker's token"]
        }
        (Door::Bearer, Needs::Bearer) if route.path == "/v1/tenants" => &["idToken"],
        (Door::Bearer, Needs::Bearer) => &["idToken", "bound idToken"],
        // The deployment's administrator's only.
        (Door::Bearer, _) => &[],
        (Door::Key, Needs::ApiKey(_)) => &["key", "tenant's key", "browser's key"],
        (Door::Key, _) => &["key"],
        (Door::Slot(slot), _) => match (route.path, slot.member()) {
            (_, "idToken") => &["idToken", "bound idToken"],
            (_, "token") => &[
                "idToken",
                "bound idToken",
                "access token",
                "worker's token",
                "token for a worker",
            ],
            (_, "refreshToken" | "refresh_token") => &["refresh token"],
            ("/v1/accounts/resetPassword", "oobCode") => &["PASSWORD_RESET"],
            ("/v1/accounts/signInWithOobCode", "oobCode") => &["EMAIL_SIGNIN"],
            ("/v1/accounts/update", "oobCode") => &["VERIFY_EMAIL", "VERIFY_AND_CHANGE_EMAIL"],
            ("/v1/tenants", "pageToken") => &["page token"],
            (_, "pageToken") => &[],
            (path, name) => panic!("say what {name} of {path} takes"),
        },
    }
}

fn doors<'a>(route: &Route, slots: &'a [Slot]) -> Vec<Door<'a>> {
    let mut doors = match route.needs {
        Needs::Nothing => vec![],
        Needs::ApiKey(_) => vec![Door::Key],
        Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
            vec![Door::Bearer]
        }
        Needs::ApiKeyAndAdmin(_) => vec![Door::Key, Door::Bearer],
    };
    // A password is tried by hand, and what it may be is a matter of its own.
    let is_door = |slot: &&Slot| {
        slot.rule == Rule::Shows && !slot.member().to_lowercase().contains("password")
    };
    doors.extend(slots.iter().filter(is_door).map(Door::Slot));
    doors
}

/// The good request with `shown` at this door.
fn call(
    world: &World,
    (route, good): (&'static Route, &Call),
    door: &Door<'_>,
    shown: &str,
) -> (Call, Credential) {
    let mut call = good.clone();
    let mut credential = Credential::pair("root", &world.server.setup.api_key, &world.root);
    match door {
        Door::Bearer => credential.token = Some(shown.to_owned()),
        Door::Key => credential.key = Some(shown.to_owned()),
        Door::Slot(slot) if slot.is(Place::Query) => {
            call.put(slot, &shown.replace(' ', "+"));
        }
        Door::Slot(slot) => {
            // A code comes alone there; and a session ends by one of its tokens.
            let alone = (route.path, slot.member()) == ("/v1/accounts/update", "oobCode")
                || route.path == "/v1/accounts/signOut";
            if alone {
                call.body = json!({});
            }
            if route.path == "/v1/accounts/sendOobCode" {
                call.body = json!({"requestType": "VERIFY_EMAIL"});
            }
            call.shown = Some((slot.member().to_owned(), shown.to_owned()));
        }
    }
    (call, credential)
}

#[tokio::test]
async fn a6_no_kind_of_credential_is_taken_for_another_at_any_place() {
    let world = Box::pin(World::new()).await;
    let requests = good_requests(&world, &world.document().await).await;
    let kinds = kinds(&world).await;
    let (mut tried, mut faults) = (0, vec![]);
    for (route, slots, good) in requests.iter().filter(|(route, ..)| route.path != "/action") {
        let good = Call::as_it_is(route, good);
        let before = world.contents().await;
        for door in doors(route, slots) {
            let right = right(route, &door);
            for (kind, shown) in kinds.iter().filter(|(kind, _)| !right.contains(kind)) {
                let (call, credential) = call(&world, (route, &good), &door, shown);
                let reply = call.send(&world, &credential).await;
                tried += 1;
                if !(400..500).contains(&reply.status) {
                    let place = match &door {
                        Door::Bearer => "bearer".to_owned(),
                        Door::Key => "key".to_owned(),
                        Door::Slot(slot) => slot.name.clone(),
                    };
                    let (method, path, text) = (route.method, route.path, reply.text());
                    faults.push(format!(
                        "{kind} at {method} {path} {place}: {} {text}",
                        reply.status
                    ));
                }
            }
        }
        let changed = world.changed_since(&before).await;
        if !changed.is_empty() {
            faults.push(format!("{} {}: {changed:?}", route.method, route.path));
        }
    }
    println!("{tried} pairs of place and kind");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 800, "{tried}");
}

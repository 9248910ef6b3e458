//! Row A6: every kind of token, code and key given to every place that takes one: refused but where it
//! belongs, with nothing changed.
//!
//! The pages of mailed links, which answer people, are tried by the tests of the API (`doors::kinds`).

use serde_json::json;
use tikti_server::router::{Needs, Route};

use crate::call::{Call, Credential, good_requests, tells_nothing};
use crate::fields::Place;
use crate::slots::{Rule, Slot};
use crate::support::{COMPANY, GoodRequest, Reply};
use crate::world::{Person, World, member};

/// Where something is shown.
enum Door<'a> {
    Bearer,
    Key,
    Slot(&'a Slot),
}

impl Door<'_> {
    fn shown(&self, route: &Route) -> String {
        let place = match self {
            Self::Bearer => "bearer",
            Self::Key => "key",
            Self::Slot(slot) => &slot.name,
        };
        format!("{} {} {place}", route.method, route.path)
    }
}

/// One good credential of every kind.
async fn kinds(world: &World) -> Vec<(&'static str, String)> {
    let (server, company) = (&world.server, &world.company);
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
    for kind in ["PASSWORD_RESET", "EMAIL_SIGNIN", "VERIFY_EMAIL", "VERIFY_AND_CHANGE_EMAIL"] {
        kinds.push((kind, code(world, kind, member).await));
    }
    let list = server.get("/v1/tenants?pageSize=1").bearer(&world.root).send().await.json();
    kinds.push(("page token", list["nextPageToken"].as_str().unwrap().to_owned()));
    kinds
}

/// A code that is sent to this person.
async fn code(world: &World, kind: &str, person: &Person) -> String {
    let ask = if kind.starts_with("VERIFY") {
        json!({"requestType": kind, "idToken": person.id_token, "newEmail": "new@company.sys"})
    } else {
        json!({"requestType": kind, "email": person.email})
    };
    let reply = world.server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
    reply.json()["oobCode"].as_str().unwrap().to_owned()
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
        (Door::Key, Needs::ApiKey(_) | Needs::ApiKeyOrClient(_)) => {
            &["key", "tenant's key", "browser's key"]
        }
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
        Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) => vec![Door::Key],
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

/// The good request of a route; where a code comes with the address that it was sent to, this is `email`.
fn good_call(route: &'static Route, good: &GoodRequest, email: &str) -> Call {
    let mut call = Call::as_it_is(route, good);
    if route.path == "/v1/accounts/signInWithOobCode" {
        call.body["email"] = json!(email);
    }
    call
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

/// Somebody of whom nobody else knows.
async fn somebody(world: &World, number: usize) -> Person {
    let email = format!("control-{number}@company.sys");
    let rights = ["TENANT_ADMIN", "JOBS_OPERATOR"];
    member(&world.server, &world.root, (COMPANY, &email), &rights).await
}

/// What comes of the right thing of this person at a door, in a request that was never sent.
async fn control(
    world: &World,
    (route, door): (&'static Route, &Door<'_>),
    person: &Person,
    number: usize,
) -> Reply {
    let (server, root) = (&world.server, &world.root);
    let good = server.good_request(route, root, &format!("control-{number}")).await;
    let mut good = good_call(route, &good, &person.email);
    if matches!(route.needs, Needs::Scope(_)) {
        good.path.insert("t".to_owned(), COMPANY.to_owned());
    }
    if let Some(session) = good.path.get_mut("sid") {
        session.clone_from(&person.session);
    }
    if (route.method, route.path) == ("GET", "/v1/tenants/{t}/users/{id}/sessions") {
        good.path.insert("id".to_owned(), person.id.clone());
    }
    let own = match (right(route, door).first(), door) {
        (_, Door::Slot(slot)) if slot.member() == "pageToken" => {
            let mut first = good.clone();
            first.query.push(("pageSize".to_owned(), "1".to_owned()));
            let root = Credential::pair("root", &server.setup.api_key, root);
            let first = first.send(world, &root).await;
            let next = first.json()["nextPageToken"].as_str().map(str::to_owned);
            next.unwrap_or_else(|| panic!("{} has one page: {}", route.path, first.text()))
        }
        (Some(&"idToken"), _) => person.id_token.clone(),
        (Some(&"refresh token"), _) => person.refresh_token.clone(),
        (Some(&"key"), _) => server.setup.api_key.clone(),
        (Some(kind), _) => code(world, kind, person).await,
        (None, _) => root.clone(),
    };
    let (mut call, credential) = call(world, (route, &good), door, &own);
    // Whose token it is that stands in the body is not what is asked here; it may be the end of it.
    let tokens = ["idToken", "token"].into_iter();
    let mut tokens = tokens.filter(|name| call.body.get(name).is_some());
    if let (None, Some(name)) = (&call.shown, tokens.next()) {
        call.shown = Some((name.to_owned(), person.id_token.clone()));
    }
    call.send(world, &credential).await
}

#[tokio::test]
async fn a6_no_kind_of_credential_is_taken_for_another_at_any_place() {
    let world = Box::pin(World::new()).await;
    let requests = good_requests(&world, &world.document().await).await;
    let kinds = kinds(&world).await;
    let (mut tried, mut faults, mut controls) = (0, vec![], 0);
    for (route, slots, good) in requests.iter().filter(|(route, ..)| route.path != "/action") {
        let good = good_call(route, good, &world.company.member.email);
        let before = world.contents().await;
        for door in doors(route, slots) {
            let right = right(route, &door);
            for (kind, shown) in kinds.iter().filter(|(kind, _)| !right.contains(kind)) {
                let (call, credential) = call(&world, (route, &good), &door, shown);
                let reply = call.send(&world, &credential).await;
                tried += 1;
                if !(400..500).contains(&reply.status) && !tells_nothing(route, &reply) {
                    let at = door.shown(route);
                    faults.push(format!("{kind} at {at}: {} {}", reply.status, reply.text()));
                }
            }
        }
        let changed = world.changed_since(&before).await;
        if !changed.is_empty() {
            faults.push(format!("{} {}: {changed:?}", route.method, route.path));
        }
    }
    // All that time each door was one: what belongs there opens it.
    let mut person = somebody(&world, controls).await;
    for (route, slots, _) in requests.iter().filter(|(route, ..)| route.path != "/action") {
        for door in doors(route, slots) {
            let reply = control(&world, (route, &door), &person, controls).await;
            // There his session or he himself may have ended.
            if route.path.starts_with("/v1/accounts/") || route.path == "/v1/token" {
                person = somebody(&world, controls + 1).await;
            }
            // Heads are signed hourly: there is none yet.
            let is_none_yet = route.path.ends_with("/audit/head") && reply.status == 404;
            if reply.status >= 300 && !is_none_yet {
                let at = door.shown(route);
                faults.push(format!("right at {at}: {} {}", reply.status, reply.text()));
            }
            controls += 1;
        }
    }
    println!("{tried} pairs of place and kind, {controls} places");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 800, "{tried}");
}

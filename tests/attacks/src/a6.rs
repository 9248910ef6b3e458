//! Row A6: every kind of token, code and key given to every place that takes one: refused but where it
//! belongs, with nothing changed.
//!
//! The pages of mailed links, which answer people, are tried by the tests of the API (`doors::kinds`).

use serde_json::json;
use tikti_server::router::{Needs, Route};

use crate::call::{Call, Credential, good_requests, tells_nothing};
use crate::fields::Place;
use crate::forms::{Form, INTROSPECT, Programs, Proof, REVOKE, assertion};
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

/// A place of a form where something is shown.
struct Shown {
    name: String,
    /// What belongs there.
    right: Vec<&'static str>,
    put: Box<dyn Fn(&str) -> Form>,
}

impl Shown {
    fn new(name: &str, right: &[&'static str], put: impl Fn(&str) -> Form + 'static) -> Self {
        Self { name: name.to_owned(), right: right.to_vec(), put: Box::new(put) }
    }

    fn member(name: &str, right: &[&'static str], (form, member): (&Form, &'static str)) -> Self {
        let form = form.clone();
        Self::new(name, right, move |shown| form.with(member, shown))
    }

    /// The ways to show who asks, each with what belongs there.
    fn proofs(
        name: &str,
        form: &Form,
        client_id: &str,
        [key, secret, signed]: [&[&'static str]; 3],
    ) -> Vec<Self> {
        let put = |how: &str, right: &[&'static str], proof: fn(&str, &str) -> Proof| {
            let (form, id) = (form.clone(), client_id.to_owned());
            Self::new(&format!("{name}: {how}"), right, move |shown| form.by(proof(&id, shown)))
        };
        let with_type = form.by(Proof::Nothing).with(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        );
        vec![
            put("X-API-Key", key, |_, shown| Proof::Key(shown.to_owned())),
            put("the whole key in Basic", key, |_, shown| {
                Proof::Basic("deployment-key".to_owned(), shown.to_owned())
            }),
            put("client_secret_basic", secret, |id, shown| {
                Proof::Basic(id.to_owned(), shown.to_owned())
            }),
            put("client_secret_post", secret, |id, shown| {
                Proof::Posted(id.to_owned(), shown.to_owned())
            }),
            Self::member(
                &format!("{name}: client_assertion"),
                signed,
                (&with_type, "client_assertion"),
            ),
        ]
    }
}

const BEARER: [&str; 4] =
    ["access token", "worker's token", "token for a worker", "token for a client"];

/// Every place of a form where something is shown.
fn places(world: &World, company: &Programs) -> Vec<Shown> {
    let key = Proof::Key(world.server.setup.api_key.clone());
    let (exchange, own) = (company.exchange(key.clone()), company.own_token(Proof::Nothing));
    let (robot, service) = (company.client_id(&company.robot), company.client_id(&company.service));
    let keys = ["key", "tenant's key"];
    let as_access =
        exchange.with("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");
    let mut places = vec![
        Shown::member("subject_token", &["idToken", "bound idToken"], (&exchange, "subject_token")),
        Shown::member("subject_token, an access token", &[], (&as_access, "subject_token")),
        Shown::member("actor_token", &[], (&exchange, "actor_token")),
        Shown::member("refresh_token", &["refresh token"], (&company.refresh(), "refresh_token")),
    ];
    places.extend(Shown::proofs("exchange", &exchange, &robot, [&keys, &[], &[]]));
    let own_proofs: [&[&str]; 3] = [&[], &["worker's secret"], &["assertion"]];
    places.extend(Shown::proofs("client_credentials", &own, &robot, own_proofs));
    for path in [INTROSPECT, REVOKE] {
        let form = company.question(path, key.clone());
        let proofs: [&[&str]; 3] = [&keys, &["client's secret"], &[]];
        places.extend(Shown::proofs(path, &form, &service, proofs));
    }
    let question = company.question(INTROSPECT, key.clone());
    let id_tokens = ["idToken", "bound idToken"];
    for (hint, more) in [
        (None, &[][..]),
        (Some("access_token"), &[][..]),
        (Some("id_token"), &id_tokens[..]),
        (Some("refresh_token"), &["refresh token"][..]),
        (Some("client_secret"), &[][..]),
    ] {
        let form =
            hint.map_or_else(|| question.clone(), |hint| question.with("token_type_hint", hint));
        let right = [&BEARER[..], more].concat();
        places.push(Shown::member(&format!("{INTROSPECT} {hint:?}"), &right, (&form, "token")));
    }
    let all = [&id_tokens[..], &BEARER, &["refresh token"]].concat();
    places.push(Shown::member(REVOKE, &all, (&company.question(REVOKE, key), "token")));
    places
}

/// Whether a place is where the token stands that is asked about, which may be anything.
fn tells_nothing_there(place: &Shown, reply: &Reply) -> bool {
    let nothing = if place.name == REVOKE {
        json!({})
    } else if place.name.starts_with(&format!("{INTROSPECT} ")) {
        json!({"active": false})
    } else {
        return false;
    };
    reply.status == 200 && reply.json() == nothing
}

#[tokio::test]
async fn a6_no_kind_of_credential_is_taken_for_another_in_a_form() {
    let world = Box::pin(World::new()).await;
    let company = Box::pin(Programs::of(&world, &world.company, 7)).await;
    let signed = || assertion(&world, &company.client_id(&company.signer), 7);
    let mut kinds = kinds(&world).await;
    kinds.extend([
        ("token for a client", company.access.clone()),
        ("client's secret", company.service_secret.clone()),
        ("worker's secret", company.robot_secret.clone()),
        ("assertion", signed()),
    ]);
    let places = places(&world, &company);
    let before = world.contents().await;
    let (mut tried, mut faults) = (0, vec![]);
    for place in &places {
        for (kind, shown) in kinds.iter().filter(|(kind, _)| !place.right.contains(kind)) {
            let reply = (place.put)(shown).send(&world).await;
            tried += 1;
            let is_refused =
                (400..500).contains(&reply.status) && reply.json()["error"].is_string();
            if !is_refused && !tells_nothing_there(place, &reply) {
                faults.push(format!("{kind} at {}: {} {}", place.name, reply.status, reply.text()));
            }
        }
    }
    assert_eq!(world.changed_since(&before).await, [""; 0]);
    println!("{tried} pairs of place and kind in forms, {} places", places.len());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 510, "{tried}");
    // All that time what belongs there was good; the last of it is revoked.
    for place in &places {
        let shown = match place.right.first() {
            None => continue,
            Some(&"idToken") => company.user.id_token.clone(),
            Some(&"refresh token") => company.user.refresh_token.clone(),
            Some(&"assertion") => signed(),
            Some(right) => kinds.iter().find(|(kind, _)| kind == right).unwrap().1.clone(),
        };
        let reply = (place.put)(&shown).send(&world).await;
        assert_eq!(reply.status, 200, "{}: {}", place.name, reply.text());
        let is_question = place.name.starts_with(&format!("{INTROSPECT} "));
        assert!(!is_question || reply.json()["active"] == true, "{}: {}", place.name, reply.text());
    }
}

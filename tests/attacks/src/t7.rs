//! Row T7: two tenants, every id slot of every route crossed with every kind of credential of the other
//! tenant: the answer is the one for an id that nobody has, and nothing has changed.
//!
//! That both take as long is checked coarsely: medians that are grossly apart are refused. A small difference
//! passes, and is seen in the rank statistic alone, which is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;
use tikti_server::router::{Needs, Route};

use crate::call::{Call, Credential, good_requests, pairs};
use crate::forms::{self, INTROSPECT, Programs, REVOKE};
use crate::slots::{Rule, Slot, Thing, nobodys};
use crate::support::{GoodRequest, Reply, compare};
use crate::world::{OTHER, World};

/// The combinations of route, slot, id and credential that there were when this was last looked at,
/// rounded down.
const AT_LEAST: usize = 4400;

/// What comes back where an id is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// A refusal, the same as for nobody's.
    Refused,
    /// The same, and it may be a success: the name is looked for, or made, among one's own.
    Same,
    /// Users are of the deployment, and the call tells of them by design: a test of its own.
    Told,
}

/// The slots that are not refused, each with its reason.
fn answer(route: &Route, slot: &str) -> Answer {
    match (route.method, route.path, slot) {
        // Whoever has an address is added by it; `USER_NOT_FOUND` otherwise.
        ("POST", "/v1/tenants/{t}/users", "email")
        // Whoever has an address is invited.
        | ("POST", "/v1/tenants/{t}/oob/send", "email")
        // `EMAIL_EXISTS` to whoever has signed in and takes an address.
        | ("POST", "/v1/accounts/update", "email") => Answer::Told,
        // Asked among one's own events, roles, clients and workers.
        ("GET", "/v1/tenants/{t}/audit", "actor")
        | ("POST" | "PUT", "/v1/tenants/{t}/roles" | "/v1/tenants/{t}/roles/{name}", "name")
        | ("POST", "/v1/tenants/{t}/clients", "clientId")
        | ("POST", "/v1/tenants/{t}/workers", "id")
        | ("POST", "/v1/authorization/explain", "audience" | "subject")
        // A worker's name that is free here; a token that is made for it is one of this tenant.
        | ("POST", "/v1/accounts/token/exchange", "subject")
        // One reply to all, by design: row E6.
        | ("POST", "/v1/accounts/sendOobCode", "email" | "newEmail") => Answer::Same,
        _ => Answer::Refused,
    }
}

/// The reply without what names the case, or is made anew each time.
fn shape(reply: &Reply, names: &[(&str, &str)]) -> String {
    let mut shape = if reply.status < 300 { reply.masked() } else { reply.shape() };
    // A secret that is shown once.
    let is_same = |line: &&str| !line.trim_start().starts_with("\"secret\"");
    shape = shape.lines().filter(is_same).collect::<Vec<_>>().join("\n");
    for (name, what) in names {
        shape = shape.replace(name, what);
    }
    shape
}

/// What came of it.
#[derive(Default)]
struct Crossed {
    combinations: usize,
    successes: usize,
    faults: Vec<String>,
}

impl Crossed {
    /// Sends the two requests by every credential and compares what comes back.
    async fn cross(
        &mut self,
        world: &World,
        (what, answer): (&str, Answer),
        [foreign, nobodys]: [&Call; 2],
        names: &[[&str; 2]],
    ) {
        let before = world.contents().await;
        let mut succeeded = false;
        for credential in world.other.credentials(world) {
            let first = foreign.send(world, &credential).await;
            let second = nobodys.send(world, &credential).await;
            self.combinations += 1;
            let is_success = first.status < 300;
            succeeded |= is_success || second.status < 300;
            self.successes += usize::from(is_success);
            let by =
                |side: usize| names.iter().map(move |name| (name[side], "[the name]")).collect();
            let (by_first, by_second): (Vec<_>, Vec<_>) = (by(0), by(1));
            let same = shape(&first, &by_first) == shape(&second, &by_second);
            if is_success && answer != Answer::Same {
                self.fault(what, &credential, ("is not refused", &first, &second));
            } else if !same {
                self.fault(what, &credential, ("tells that it is there", &first, &second));
            } else if first.status >= 500 {
                self.fault(what, &credential, ("the server is at fault", &first, &second));
            }
        }
        let changed = world.changed_since(&before).await;
        let is_foreign = |key: &&String| !succeeded || belongs(world, key);
        let changed: Vec<_> = changed.iter().filter(is_foreign).collect();
        if !changed.is_empty() {
            self.faults.push(format!("{what}: has changed {changed:?}"));
        }
    }

    fn fault(&mut self, what: &str, by: &Credential, (fault, one, other): (&str, &Reply, &Reply)) {
        let (one, other) = ((one.status, one.text()), (other.status, other.text()));
        self.faults.push(format!("{what} by {}: {fault}: {one:?} against {other:?}", by.name));
    }
}

/// Whether a key is one of the company's records, or of its people's.
fn belongs(world: &World, key: &str) -> bool {
    let company = &world.company;
    let (tenant, people) = (&company.id, [&company.admin.id, &company.member.id]);
    let key = key.replace("\\", "");
    // Counters of limits (`l:`) are off; there is nothing else that a call by others may touch.
    key.contains(tenant)
        || people.iter().any(|id| key.contains(*id))
        || key.contains(&company.key_id)
}

/// One place of a request at a time, with all else as whoever asks has it at home; the places that give
/// this kind of answer.
async fn cross_slots(
    world: &World,
    crossed: &mut Crossed,
    (route, slots, good): &(&'static Route, Vec<Slot>, GoodRequest),
    expected: Answer,
) {
    let home = Call::of(route, good, (slots, &world.other));
    for slot in slots {
        let Rule::Names(thing) = slot.rule else { continue };
        let answer = answer(route, slot.member());
        if !slot.is_one() || answer != expected {
            continue;
        }
        for (name, unknown) in pairs(&world.company, thing) {
            let calls = [&name, &unknown].map(|name| {
                let mut call = home.clone();
                call.accompany(slot);
                call.put(slot, name);
                call
            });
            let names = [[name.as_str(), unknown.as_str()]];
            crossed.cross(world, (&slot.shown(), answer), [&calls[0], &calls[1]], &names).await;
        }
    }
}

/// The whole path of the company: what somebody sends who knows all of its ids.
async fn cross_paths(
    world: &World,
    crossed: &mut Crossed,
    (route, slots, good): &(&'static Route, Vec<Slot>, GoodRequest),
) {
    let home = Call::of(route, good, (slots, &world.other));
    let mut calls = [home.clone(), home];
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for slot in slots.iter().filter(|slot| slot.is(crate::fields::Place::Path)) {
        let Rule::Names(thing) = slot.rule else { continue };
        let (name, unknown) = pairs(&world.company, thing).swap_remove(0);
        calls[0].put(slot, &name);
        calls[1].put(slot, &unknown);
        names.insert(name, unknown);
    }
    if names.len() > 1 {
        let what = format!("{} {}: the whole path", route.method, route.path);
        let names: Vec<_> =
            names.iter().map(|(name, unknown)| [name.as_str(), unknown.as_str()]).collect();
        let [foreign, nobodys] = &calls;
        crossed.cross(world, (&what, Answer::Refused), [foreign, nobodys], &names).await;
    }
}

#[tokio::test]
async fn t7_nothing_of_another_tenant_is_told_from_what_nobody_has_nor_changed() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = Box::pin(World::new()).await;
    let document = world.document().await;
    let requests = good_requests(&world, &document).await;
    let mut crossed = Crossed::default();
    for request in &requests {
        cross_slots(&world, &mut crossed, request, Answer::Refused).await;
        cross_paths(&world, &mut crossed, request).await;
    }
    // What succeeds is done in the tenant of whoever asks, and not in the way of the others.
    for request in &requests {
        cross_slots(&world, &mut crossed, request, Answer::Same).await;
    }
    let Crossed { combinations, successes, faults } = &crossed;
    println!(
        "{combinations} combinations of route, slot, id and credential, {successes} successes"
    );
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(*combinations >= AT_LEAST, "only {combinations} combinations were crossed");
}

/// The combinations of form, place and name that there were when this was last looked at, rounded down.
const FORMS_AT_LEAST: usize = 170;

/// What stock programs send, place by place, as above: grants with each way to authenticate, introspection and
/// revocation.
#[tokio::test]
async fn t7_no_place_of_a_form_tells_what_is_anothers_from_what_is_nobodys() {
    let world = Box::pin(World::new()).await;
    forms::assert_all_are_known(&world.document().await);
    let company = Box::pin(Programs::of(&world, &world.company, 7)).await;
    let other = Box::pin(Programs::of(&world, &world.other, 8)).await;
    let before = world.contents().await;
    let (mut crossed, mut faults) = (0, vec![]);
    for (what, home) in other.forms(&world) {
        for pair in company.pairs(&world, &home) {
            let form = pair.beside.map_or_else(|| home.clone(), |beside| home.without(beside));
            let foreign = form.with(pair.name, &pair.foreign).send(&world).await;
            let nobodys = form.with(pair.name, &pair.nobodys).send(&world).await;
            crossed += 1;
            let shapes = [(&foreign, &pair.foreign), (&nobodys, &pair.nobodys)];
            let [one, another] =
                shapes.map(|(reply, name)| shape(reply, &[(name.as_str(), "[the name]")]));
            let tells_nothing = match home.path {
                INTROSPECT => foreign.json() == json!({"active": false}),
                REVOKE => foreign.json() == json!({}),
                // A name that is free here; the token is one of this tenant.
                _ => pair.name == "subject",
            };
            let fault = if foreign.status >= 500 {
                "the server is at fault"
            } else if foreign.status < 300 && !tells_nothing {
                "is not refused"
            } else if one != another {
                "tells that it is there"
            } else {
                continue;
            };
            let (one, another) = (foreign.text(), nobodys.text());
            faults
                .push(format!("{what}: {} {}: {fault}: {one} {another}", pair.name, pair.foreign));
        }
    }
    println!("{crossed} combinations of form, place and name");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(crossed >= FORMS_AT_LEAST, "only {crossed} combinations were crossed");
    // Its own assertions were shown; nothing else has happened, to whomever.
    let shown = format!("t:{}/assertion/", other.tenant);
    let mut changed = world.changed_since(&before).await;
    changed.retain(|key| !key.starts_with(&shown));
    assert_eq!(changed, [""; 0]);
    // All that time each form was good at home; what is revoked last was good before.
    for (what, form) in other.forms(&world) {
        let reply = form.send(&world).await;
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
        assert!(form.path != INTROSPECT || reply.json()["active"] == true, "{what}");
    }
}

/// Printed, to be looked at: nothing of it decides.
#[tokio::test]
async fn t7_the_ranks_of_the_times_that_forms_take_are_printed() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = Box::pin(World::new()).await;
    let company = Box::pin(Programs::of(&world, &world.company, 7)).await;
    let other = Box::pin(Programs::of(&world, &world.other, 8)).await;
    for (what, home) in other.forms(&world) {
        let mut seen = BTreeSet::new();
        let places = company.pairs(&world, &home).into_iter();
        // Once for each place: its first name.
        for pair in places.filter(|pair| pair.beside.is_none() && seen.insert(pair.name)) {
            let forms = [&pair.foreign, &pair.nobodys].map(|name| home.with(pair.name, name));
            let mut times = [vec![], vec![]];
            for round in 0..TRIES / 8 {
                for step in 0..2 {
                    let side = (round + step) % 2;
                    let began = Instant::now();
                    let reply = forms[side].send(&world).await;
                    times[side].push(began.elapsed());
                    assert!(reply.status < 500, "{what} {}: {}", pair.name, reply.text());
                }
            }
            let (z, ratio) = compare(&times[1], &times[0]);
            println!("{what}: {}: z {z:.2}, medians {ratio:.3}", pair.name);
        }
    }
}

/// Unless a credential opens its own tenant, it proves nothing that it does not open another.
#[tokio::test]
async fn t7_what_is_refused_abroad_is_good_at_home() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = Box::pin(World::new()).await;
    let company = &world.company;
    const WORKER: usize = 2;
    let tokens = [&company.admin.id_token, &company.access, &company.worker_token];
    for (round, token) in tokens.into_iter().enumerate() {
        for (number, route) in tikti_server::router::ROUTES.iter().enumerate() {
            if !matches!(route.needs, Needs::Scope(_) | Needs::ScopeOfBody(_)) {
                continue;
            }
            let slug = format!("home-{round}-{number}");
            let good = world.server.good_request(route, &world.root, &slug).await;
            let mut call = Call::as_it_is(route, &good);
            call.path.entry("t".to_owned()).and_modify(|tenant| company.slug.clone_into(tenant));
            let credential = Credential::bearing("somebody at home", token);
            let reply = call.send(&world, &credential).await;
            let allowed = if route.path.ends_with("/audit/head") {
                // Heads are signed hourly: there is none yet.
                Some("NOT_FOUND")
            } else if round == WORKER && ["POST", "PUT", "PATCH"].contains(&route.method) {
                // It gives nobody what it does not hold.
                Some("ESCALATION_DENIED")
            } else {
                None
            };
            let is_home = reply.status < 300 || Some(&*reply.code()) == allowed;
            assert!(is_home, "{} {} {round}: {}", route.method, route.path, reply.text());
        }
    }
}

/// Users are of the deployment: that there is one is told to whoever adds or invites him, by his address.
/// What he is elsewhere is not.
#[tokio::test]
async fn t7_whoever_adds_an_address_learns_and_changes_nothing_of_other_tenants() {
    let world = Box::pin(World::new()).await;
    let (server, company, other) = (&world.server, &world.company, &world.other);
    let before = world.contents().await;
    let admin = &other.admin.id_token;
    // A new password is sent to members alone, and to all the same is said.
    let mut shapes = Vec::new();
    for email in [company.member.email.clone(), nobodys(Thing::Email, &company.member.email)] {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
        let sent = server.post(&format!("/v1/tenants/{OTHER}/oob/send")).bearer(admin).json(ask);
        let sent = sent.send().await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        shapes.push(sent.shape().replace(&email, "[the name]"));
    }
    assert_eq!(shapes[0], shapes[1]);
    let changed = world.changed_since(&before).await;
    assert!(!changed.iter().any(|key| key.starts_with("m:")), "a mail leaves: {changed:?}");
    let ask = json!({"email": company.member.email, "roles": ["TENANT_USER"]});
    let added = server.post(&format!("/v1/tenants/{OTHER}/users")).bearer(admin).json(ask);
    let ask = json!({"requestType": "EMAIL_SIGNIN", "email": company.admin.email});
    let invited = server.post(&format!("/v1/tenants/{OTHER}/oob/send")).bearer(admin).json(ask);
    let ask = json!({"idToken": admin, "email": company.admin.email});
    let taken = server.post("/v1/accounts/update").keyed().json(ask).send().await;
    taken.assert_refusal(409, "EMAIL_EXISTS");
    for reply in [added.send().await, invited.send().await, taken] {
        assert!([200, 409].contains(&reply.status), "{}", reply.text());
        let told = [&company.id, &company.role, &company.worker_token];
        assert!(!told.into_iter().any(|part| reply.text().contains(part)), "{}", reply.text());
    }
    let changed = world.changed_since(&before).await;
    let of_company: Vec<_> = changed.iter().filter(|key| key.contains(&company.id)).collect();
    assert!(of_company.is_empty(), "{of_company:?}");
}

const TRIES: usize = 200;

/// How many times the median of one may be that of the other: a password that is hashed for one alone is far
/// beyond it; a read of the store that one of them is spared may not be.
const GROSSLY_APART: f64 = 3.0;

/// A coarse check, foreign against unknown, by routes that read and by routes that write: it fails for gross
/// ratios of the medians only, and proves no more than that there are none. The rank statistic is printed
/// and decides nothing: a small difference passes.
#[tokio::test]
async fn t7_what_is_anothers_takes_about_as_long_as_what_is_nobodys() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = Box::pin(World::new()).await;
    let (company, other) = (&world.company, &world.other);
    let exchange = |tenant: &str| {
        let ask = json!({
            "idToken": other.admin.id_token, "audience": "backend-worker", "tenantId": tenant,
        });
        world.server.post("/v1/accounts/token/exchange").keyed().json(ask)
    };
    let get = |path: String| world.server.get(&path).bearer(&other.admin.id_token);
    let nobody = nobodys(Thing::User, &company.member.id);
    let cases = ["a tenant", "a tenant's members", "an exchange", "a member", "a session"];
    for (number, case) in cases.into_iter().enumerate() {
        let mut times = [vec![], vec![]];
        for round in 0..TRIES {
            for step in 0..2 {
                let side = (round + step) % 2;
                let tenant = [company.slug.as_str(), "nowherecorp"][side];
                let user = [company.member.id.as_str(), &nobody][side];
                let request = match number {
                    0 => get(format!("/v1/tenants/{tenant}")),
                    1 => get(format!("/v1/tenants/{tenant}/users")),
                    2 => exchange(tenant),
                    3 => get(format!("/v1/tenants/{OTHER}/users/{user}")),
                    _ => {
                        let sid =
                            [company.member.session.as_str(), "01ARZ3NDEKTSV4RRFFQ69G5FAV"][side];
                        let path = format!("/v1/accounts/sessions/{sid}");
                        world.server.delete(&path).bearer(&other.admin.id_token)
                    }
                };
                let began = Instant::now();
                let reply = request.send().await;
                times[side].push(began.elapsed());
                assert!(reply.status >= 400, "{case}: {}", reply.text());
            }
        }
        let (z, ratio) = compare(&times[0], &times[1]);
        println!("{case}: nobody's against another's: z {z:.2}, medians {ratio:.3}");
        let is_alike = (1.0 / GROSSLY_APART..=GROSSLY_APART).contains(&ratio);
        assert!(is_alike, "{case}: medians differ {ratio} times");
    }
}

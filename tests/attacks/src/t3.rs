//! Row T3: every route of the router is in the authorization table, and there is no way around its gate by
//! another method, another spelling or an alias.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tikti_server::router::{Needs, ROUTES, Route};

use crate::call::good_requests;
use crate::support::{GoodRequest, Reply, Server};
use crate::world::World;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

fn spellings(route: &Route) -> impl Iterator<Item = &'static str> {
    std::iter::once(route.path).chain(route.aliases.iter().copied())
}

/// A spelling of the route's path with what its good request has in place of each of its parameters.
fn filled(path: &str, good: &GoodRequest) -> String {
    let mut filled = path.to_owned();
    for (name, value) in &good.path {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    assert!(!filled.contains('{'), "{filled}");
    filled
}

#[tokio::test]
async fn t3_every_call_that_is_served_is_in_the_authorization_table() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").send().await.json();
    let mut served = BTreeSet::new();
    for (path, calls) in document["paths"].as_object().unwrap() {
        for (method, call) in calls.as_object().unwrap() {
            let row = (method.to_ascii_uppercase(), path.clone());
            let is_open = call["security"].as_array().is_none_or(Vec::is_empty);
            served.insert((row, is_open));
        }
    }
    let rows: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| {
            let is_open = matches!(route.needs, Needs::Nothing);
            ((route.method.to_owned(), route.path.to_owned()), is_open)
        })
        .collect();
    assert_eq!(served, rows);

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/authorization.md");
    let page = std::fs::read_to_string(page).unwrap();
    for route in ROUTES {
        for path in spellings(route) {
            let row = format!("| {} | `{path}` |", route.method);
            assert_eq!(page.matches(&row).count(), 1, "{row} in docs/authorization.md");
        }
    }
}

/// How the path could be written so that it is the same one by its grammar (RFC 3986, RFC 9112): its gate is
/// asked, or there is no such path.
fn same(plain: &str, address: &str) -> [String; 3] {
    let (parent, last) = plain.rsplit_once('/').unwrap();
    let encoded = format!("%{:02x}{}", last.as_bytes()[0], &last[1..]);
    [format!("{parent}/{encoded}"), format!("{plain}?"), format!("http://{address}{plain}")]
}

/// How it could be written so that it is another one, which there is not.
fn others(plain: &str) -> [String; 6] {
    let (first, rest) = plain[1..].split_once('/').unwrap();
    [
        format!("{plain}/"),
        format!("/{plain}"),
        format!("/.{plain}"),
        format!("/x/..{plain}"),
        plain.to_ascii_uppercase(),
        format!("/{first}//{rest}"),
    ]
}

/// Whether the last part of this path, or what stands in its place, may be a parameter of some route.
fn ends_in_parameter(path: &str) -> bool {
    let parent =
        |path: &'static str| path.rsplit_once('/').filter(|(_, last)| last.starts_with('{'));
    let parents = ROUTES.iter().flat_map(spellings).filter_map(parent);
    let (own, _) = path.rsplit_once('/').unwrap();
    parents.into_iter().any(|(parent, _)| parent == own)
}

/// A good request with what opens its route, or with nothing.
async fn ask(world: &World, method: &str, path: &str, sent: (&Value, bool)) -> Reply {
    let (body, opens) = sent;
    let request = world.server.request(method, path);
    let request = if opens { request.keyed().bearer(&world.root) } else { request };
    let request = if body.is_null() { request } else { request.json(body.clone()) };
    request.send().await
}

/// A gate that a spelling or a method passes by is none: tried with the good request of each route and all
/// that opens it.
#[tokio::test]
async fn t3_no_other_method_or_spelling_of_a_path_passes_its_gate() {
    let world = Box::pin(World::new()).await;
    let address = world.server.address.to_string();
    let (mut tried, mut faults) = (0, vec![]);
    for (route, _, good) in &good_requests(&world, &world.document().await).await {
        let before = world.contents().await;
        for path in spellings(route) {
            let methods: Vec<_> = ROUTES
                .iter()
                .filter(|other| spellings(other).any(|other| other == path))
                .map(|other| other.method)
                .collect();
            let plain = filled(path, good);
            let mut all = vec![];
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                all.push((method, plain.clone(), true, &[404, 405][..]));
            }
            if !matches!(route.needs, Needs::Nothing) {
                all.extend(others(&plain).map(|path| (route.method, path, true, &[404][..])));
                // What follows a parameter is part of it: nobody's, or no name at all.
                let none: &[_] = if ends_in_parameter(path) { &[400, 404, 405] } else { &[404] };
                let more = ["%00", ";x=y", "%3Fx"].map(|more| format!("{plain}{more}"));
                all.extend(more.map(|path| (route.method, path, true, none)));
                let refused: &[_] =
                    if ends_in_parameter(path) { &[401, 404, 405] } else { &[401, 404] };
                all.extend(same(&plain, &address).map(|path| (route.method, path, false, refused)));
            }
            for (method, path, opens, expected) in all {
                let reply = ask(&world, method, &path, (&good.body, opens)).await;
                if !expected.contains(&reply.status) {
                    faults.push(format!("{method} {path}: {} {}", reply.status, reply.text()));
                }
                tried += 1;
            }
        }
        let changed = world.changed_since(&before).await;
        if !changed.is_empty() {
            faults.push(format!("{} {}: {changed:?}", route.method, route.path));
        }
        // As it is written in the table it is done.
        let plain = filled(route.path, good);
        let query = good.query.iter().map(|(name, value)| format!("{name}={value}"));
        let plain = format!("{plain}?{}", query.collect::<Vec<_>>().join("&"));
        let reply = ask(&world, route.method, &plain, (&good.body, true)).await;
        // Heads are signed hourly: there is none yet.
        let is_none_yet = route.path.ends_with("/audit/head") && reply.status == 404;
        if reply.status >= 300 && !is_none_yet {
            faults.push(format!("{} {plain}: {} {}", route.method, reply.status, reply.text()));
        }
    }
    println!("{tried} other methods and spellings");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 1200, "{tried}");
}

//! Row T3: every route of the router is in the authorization table, and there is no way around its gate by
//! another method, another spelling or an alias.

use std::collections::BTreeSet;
use std::path::Path;

use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::Server;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

fn spellings(route: &Route) -> impl Iterator<Item = &'static str> {
    std::iter::once(route.path).chain(route.aliases.iter().copied())
}

/// The path with something in place of each of its parameters.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    let mut parts = path.split('{');
    filled.push_str(parts.next().unwrap());
    for part in parts {
        let (_, rest) = part.split_once('}').unwrap();
        filled.push_str("somebody");
        filled.push_str(rest);
    }
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

/// A gate that a spelling or a method passes by is none.
#[tokio::test]
async fn t3_no_other_method_or_spelling_of_a_path_passes_its_gate() {
    let server = Server::start().await;
    let mut tried = 0;
    for route in ROUTES {
        for path in spellings(route) {
            let methods: Vec<_> = ROUTES
                .iter()
                .filter(|other| spellings(other).any(|other| other == path))
                .map(|other| other.method)
                .collect();
            let plain = filled(path);
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                let reply = server.request(method, &plain).send().await;
                assert!([404, 405].contains(&reply.status), "{method} {path}: {}", reply.status);
                tried += 1;
            }
            if matches!(route.needs, Needs::Nothing) {
                continue;
            }
            let last = plain.rsplit('/').next().unwrap();
            let encoded = format!("%{:02x}{}", last.as_bytes()[0], &last[1..]);
            for spelling in [
                format!("{plain}/"),
                format!("/{plain}"),
                format!("/.{plain}"),
                format!("/x/..{plain}"),
                plain.to_ascii_uppercase(),
                plain.replacen("/v1", "/v1/", 1),
                plain.replace(last, &encoded),
                format!("{plain}%00"),
                format!("{plain};x=y"),
                format!("{plain}?"),
                format!("{plain}%3Fx"),
                format!("http://{}{plain}", server.address),
            ] {
                let reply = server.request(route.method, &spelling).send().await;
                assert!(reply.status >= 400, "{} {spelling}: {}", route.method, reply.status);
                tried += 1;
            }
        }
    }
    println!("{tried} other methods and spellings");
    assert!(tried >= 700, "{tried}");
}

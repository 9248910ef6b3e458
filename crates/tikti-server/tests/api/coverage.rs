//! Is every route of the table tested, and does every one of them refuse whoever shows nothing?

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::Server;

/// The text of every test of this binary but this one.
fn tests() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let mut text = String::new();
    let mut pending = vec![root];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.file_name().is_some_and(|name| name != "coverage.rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// The path with every variable as `{}`, without its query.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.split('{');
    let mut shape = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').unwrap_or((part, ""));
        shape = shape + "{}" + rest;
    }
    shape
}

/// Every path that a test writes out in a request of this method.
fn called(tests: &str, method: &str) -> BTreeSet<String> {
    let method = method.to_ascii_lowercase();
    let openings = [format!(".{method}(\""), format!(".{method}(&format!(\"")];
    let calls = openings.iter().flat_map(|opening| tests.split(opening.as_str()).skip(1));
    calls.map(|call| shape(call.split('"').next().unwrap_or_default())).collect()
}

/// The path with something in place of each of its parameters.
fn filled(path: &str) -> String {
    path.replace("{t}", "codecompany")
        .replace("{id}", "u1")
        .replace("{name}", "R")
        .replace("{n}", "1")
}

fn has_body(route: &Route) -> bool {
    ["POST", "PUT", "PATCH"].contains(&route.method)
}

/// Enough of every request type to be well-formed for each route.
fn any_body() -> Value {
    json!({
        "email": "a@b", "password": "p", "idToken": "t", "audience": "a", "slug": "codecompany",
        "status": "ACTIVE", "scope": "global", "token": "t", "requestType": "PASSWORD_RESET",
        "oobCode": "c", "name": "R", "permissions": [], "id": "w", "keys": [], "clientId": "c",
    })
}

#[test]
fn every_route_and_every_alias_is_called_by_a_test() {
    let tests = tests();
    for Route { method, path, aliases, .. } in ROUTES {
        let called = called(&tests, method);
        for path in std::iter::once(path).chain(*aliases) {
            assert!(called.contains(&shape(path)), "no test calls {method} {path}");
        }
    }
}

#[tokio::test]
async fn every_route_that_needs_something_refuses_whoever_shows_nothing() {
    let server = Server::start().await;
    let body = any_body();
    for route in ROUTES {
        for path in std::iter::once(&route.path).chain(route.aliases) {
            let path = filled(path);
            let request = server.request(route.method, &path);
            let request = if has_body(route) { request.json(body.clone()) } else { request };
            match route.needs {
                Needs::Nothing => {}
                Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) | Needs::ApiKeyAndAdmin(_) => {
                    request.send().await.assert_refusal(401, "INVALID_API_KEY");
                }
                Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                    request.send().await.assert_refusal(401, "UNAUTHENTICATED");
                }
            }
        }
    }
}

#[tokio::test]
async fn whoever_shows_nothing_is_refused_before_the_body_is_read() {
    let server = Server::start().await;
    for route in ROUTES.iter().filter(|route| has_body(route)) {
        let code = match route.needs {
            // A client's secret may stand in the body.
            Needs::Nothing | Needs::ApiKeyOrClient(_) => continue,
            Needs::ApiKey(_) | Needs::ApiKeyAndAdmin(_) => "INVALID_API_KEY",
            Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                "UNAUTHENTICATED"
            }
        };
        let path = filled(route.path);
        let reply = server.request(route.method, &path).body("no JSON").send().await;
        reply.assert_refusal(401, code);
    }
}

#[tokio::test]
async fn an_api_key_opens_no_administration_and_a_token_no_key_gate() {
    let server = Server::start().await;
    let token = server.admin().await;
    let body = any_body();
    for route in ROUTES {
        let path = filled(route.path);
        let request = server.request(route.method, &path);
        let request = if has_body(route) { request.json(body.clone()) } else { request };
        match route.needs {
            Needs::Nothing => {}
            Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) => {
                request.bearer(&token).send().await.assert_refusal(401, "INVALID_API_KEY");
            }
            Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                request.keyed().send().await.assert_refusal(401, "UNAUTHENTICATED");
            }
            Needs::ApiKeyAndAdmin(_) => {
                request.bearer(&token).send().await.assert_refusal(401, "INVALID_API_KEY");
                let request = server.request(route.method, &path).keyed();
                request.send().await.assert_refusal(401, "UNAUTHENTICATED");
            }
        }
    }
}

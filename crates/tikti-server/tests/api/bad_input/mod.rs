//! Does bad input, in any field of any call, break, store or reveal anything?
//!
//! Every field that the served API document names is filled with every value of the table while the
//! rest of the request stays good. Whatever comes back is a success where the value was allowed, or a
//! refusal of the one shape; a value of the wrong type is refused by the name of its field; and a
//! refused request leaves the store as it was, byte for byte.
//!
//! Spec: HTTP API, first paragraph and "Errors".

mod bad;
mod contents;
mod fields;
mod request;
mod values;

use serde_json::{Value, json};
use tikti_domain::Store;
use tikti_domain::error::Code;
use tikti_server::router::{ROUTES, Route};

use self::bad::{Bad, Expected, bad_values};
use self::contents::Contents;
use self::fields::{Field, Place};
use self::request::Written;
use crate::support::{COMPANY, GoodRequest, Place as Home, Reply, Server};

/// The combinations of call, field and value that there were when this was last looked at, rounded
/// down: fewer mean that the document or this test has lost something.
const AT_LEAST: usize = 6850;

/// What a call needs beside its good request, so that it looks at a field at all.
fn companions(route: &Route, member: &str, token: &str) -> Value {
    match (route.path, member) {
        ("/v1/accounts/revoke", "tenantId") => json!({"scope": "tenant"}),
        ("/v1/accounts/sendOobCode", "idToken" | "newEmail") => json!({
            "requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": token, "newEmail": "new@corp.sys",
        }),
        ("/v1/accounts/update", "oobCode") => json!({"idToken": null, "displayName": null}),
        _ => json!({}),
    }
}

/// A server whose store is looked into from outside: the embedded one can be opened by one alone.
struct Stage {
    server: Server,
    store: Store,
    /// An administrator's token.
    admin: String,
    /// Numbers what was made for one request.
    made: usize,
    tried: usize,
    refused: usize,
    faults: Vec<String>,
}

impl Stage {
    async fn new() -> Self {
        let server = Server::start_with(Home::on_redis(), |config| {
            // Then a refused request has no reason at all to write: no counter, no block.
            config.domain.settings.limits.enabled = false;
            // And nobody takes mails out of the store meanwhile.
            config.mail.transport = None;
        })
        .await;
        let store = server.setup.store().open("a test").await.unwrap();
        server.tenant(&server.admin().await, COMPANY).await;
        let admin = server.admin().await;
        Self { server, store, admin, made: 0, tried: 0, refused: 0, faults: vec![] }
    }

    /// How many changes there have been in the store.
    fn changes(&mut self) -> u64 {
        let told = self.server.redis().call(&["INFO", "persistence"]).text();
        let line = told.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        line.unwrap().parse().unwrap()
    }

    async fn contents(&mut self) -> (u64, Contents) {
        let changes = self.changes();
        (changes, Contents::of(&self.store).await)
    }

    async fn good(&mut self, route: &Route) -> (GoodRequest, String) {
        self.made += 1;
        let slug = format!("made-{}", self.made);
        // What `update` changes by a bad value is nobody's whom a later request needs.
        let token = if route.path == "/v1/accounts/update" {
            let user = self.server.user(&format!("{slug}@update.corp.sys")).await;
            user["idToken"].as_str().unwrap().to_owned()
        } else {
            self.admin.clone()
        };
        (self.server.good_request(route, &token, &slug).await, token)
    }

    /// Tries every bad value of every field of one call.
    async fn try_call(&mut self, route: &Route, fields: &[Field]) {
        let (mut good, mut token) = self.good(route).await;
        let mut before = self.contents().await;
        let tries = fields
            .iter()
            .flat_map(|field| bad_values(field).into_iter().map(move |bad| (field, bad)));
        for (field, bad) in tries {
            let more = companions(route, field.member(), &token);
            let request = Written::with(route, &good, &more, Some((field, &bad)));
            let reply = request.send(&self.server, route, &self.admin).await;
            self.tried += 1;
            let what = shown(route, field, &bad);
            if let Err(fault) = judge(route, bad.expected(field), called(field, &bad), &reply) {
                self.faults.push(format!("{what}: {} {fault}: {}", reply.status, reply.text()));
            }
            if reply.status >= 300 {
                self.refused += 1;
                before = self.unchanged(before, &what).await;
            } else if route.method != "GET" {
                // It has used up what it was made of.
                (good, token) = self.good(route).await;
                before = self.contents().await;
            }
        }
        // The number of changes is to be believed: nothing has changed where it has not.
        let (_, contents) = &before;
        assert_eq!(contents.differences(&Contents::of(&self.store).await), [""; 0]);
        // All those refusals have used nothing up, and it was good indeed.
        let reply = Written::with(route, &good, &json!({}), None);
        let reply = reply.send(&self.server, route, &self.admin).await;
        // Heads are signed hourly, in the background: there is none yet.
        let is_to_come = route.path.ends_with("/audit/head") && reply.status == 404;
        if reply.status >= 300 && !is_to_come {
            let fault = "is not good, or was used up by what was refused";
            self.faults.push(format!("{} {}: {fault}: {}", route.method, route.path, reply.text()));
        }
    }

    /// Notes where a refused request has changed anything since `before`; gives what is there now.
    async fn unchanged(&mut self, before: (u64, Contents), what: &str) -> (u64, Contents) {
        if self.changes() == before.0 {
            return before;
        }
        let after = self.contents().await;
        let differences = before.1.differences(&after.1);
        if !differences.is_empty() {
            self.faults.push(format!("{what}: is refused and has changed {differences:?}"));
        }
        after
    }
}

/// What was tried, for a person.
fn shown(route: &Route, field: &Field, bad: &Bad) -> String {
    let (Route { method, path, .. }, Field { place, name, .. }) = (route, field);
    format!("{method} {path} {place:?} {name}: {}", bad.shown())
}

/// What a refusal calls the field.
fn called<'a>(field: &'a Field, bad: &Bad) -> &'a str {
    match (field.place, bad) {
        // The names in a form are whatever a caller wrote there, and are not repeated.
        (Place::Form, Bad::Twice) => "body",
        _ => &field.name,
    }
}

/// Checks that the reply is one that the call may give.
fn judge(route: &Route, expected: Expected, name: &str, reply: &Reply) -> Result<(), &'static str> {
    if reply.status >= 500 {
        return Err("the server is at fault");
    }
    let is_success = reply.status < 300;
    if route.path == "/action" {
        // A page in the browser of whoever followed a link.
        let is_page = reply.header("content-type") == Some("text/html; charset=utf-8");
        return match expected {
            _ if !is_page => Err("is no page"),
            Expected::Named if reply.status != 400 => Err("is not refused as an invalid argument"),
            Expected::Named | Expected::Either => Ok(()),
        };
    }
    if is_success {
        return if expected == Expected::Either { Ok(()) } else { Err("is not refused") };
    }
    let code = reply.code();
    if !Code::ALL.iter().any(|known| known.as_str() == code) {
        return Err("is a code that the list does not have");
    }
    reply.assert_refusal(reply.status, &code);
    if expected == Expected::Either {
        return Ok(());
    }
    let details = reply.json()["details"].as_object().unwrap().clone();
    // An item of an array is named as well as the array.
    let is_name = |known: &str| known.split('[').next() == Some(name) || known == name;
    let is_named = details.keys().any(|known| is_name(known));
    match (reply.status, code.as_str(), is_named) {
        (400, "INVALID_ARGUMENT", true) => Ok(()),
        _ => Err("does not name the field as an invalid argument"),
    }
}

/// Into how many shares the calls are dealt, each with a server of its own: one after the other they take longer
/// than all other tests together.
const SHARES: usize = 2;

/// Tries every call of one share; gives how many combinations that were.
async fn try_share(share: usize) -> usize {
    // Thousands of requests would make the log too long to look for secrets in.
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
    let mut stage = Stage::new().await;
    let document = stage.server.get("/openapi.json").send().await.json();
    let begun = std::time::Instant::now();
    let paths = document["paths"].as_object().unwrap().iter();
    let calls = paths.flat_map(|(path, operations)| {
        operations.as_object().unwrap().iter().map(move |(method, called)| (path, method, called))
    });
    for (path, method, operation) in calls.skip(share).step_by(SHARES) {
        let method = method.to_ascii_uppercase();
        let found = ROUTES.iter().find(|route| route.path == path && route.method == method);
        let route = found.unwrap_or_else(|| panic!("{method} {path} is in no row"));
        let fields = fields::of(&document, operation);
        stage.try_call(route, &fields).await;
    }
    let Stage { tried, refused, made, faults, .. } = &stage;
    println!("{tried} combinations, {refused} refused, {made} made in {:?}", begun.elapsed());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    *tried
}

#[test]
fn bad_input_in_any_field_of_any_call_is_refused_by_name_and_stores_nothing() {
    let in_a_runtime = |share| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(try_share(share))
    };
    let tried = std::thread::scope(|scope| {
        let shares =
            Vec::from_iter((0..SHARES).map(|share| scope.spawn(move || in_a_runtime(share))));
        shares.into_iter().map(|share| share.join().unwrap()).sum::<usize>()
    });
    assert!(tried >= AT_LEAST, "only {tried} combinations were tried");
}

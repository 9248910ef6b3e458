//! Lists of many pages: each is asked for once, none when nobody reads any more, and a list that has no end is
//! refused.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::foreign_server::{answer_json, ask_for, serve};
use crate::support::{Home, TIKTI, finish};

/// A server that answers each request with what `page` makes of its number, from 0; and the paths that it was
/// asked for.
fn pages(page: impl Fn(usize) -> Value + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let paths = Arc::clone(&asked);
    let url = serve(move |path| {
        let mut paths = paths.lock().unwrap();
        paths.push(path.to_owned());
        answer_json("200 OK", &page(paths.len() - 1))
    });
    (url, asked)
}

/// An event of a kilobyte.
fn event(seq: usize) -> Value {
    let event = json!({ "action": "role.create", "target": "x".repeat(1_000) });
    let hash = "0".repeat(64);
    let time = "2026-01-31T00:00:00.000Z";
    json!({ "seq": seq, "chainedAt": time, "prevHash": hash, "hash": hash, "event": event })
}

#[test]
fn nothing_more_is_asked_for_when_nobody_reads() {
    let (url, asked) = pages(|number| {
        let events = Vec::from_iter((0..200).map(|place| event(number * 200 + place + 1)));
        let more = (number < 40).then(|| format!("p{number}"));
        json!({ "events": events, "nextPageToken": more })
    });
    let home = Home::new();
    let script = format!("set -o pipefail; {TIKTI} audit export --deployment | head -n 1");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
    command.env("TIKTI_HOST", &url).env("TIKTI_TOKEN", "a.b.c");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let outcome = finish(&mut command, "");
    assert_eq!(outcome.stderr, "");
    assert!(outcome.done().starts_with("{\"seq\":1,"));
    // A pipe holds less than a page.
    assert!(asked.lock().unwrap().len() < 10, "{asked:?}");
}

#[test]
fn a_range_of_the_audit_is_read_once() {
    let (url, asked) = pages(|number| {
        let events = if number == 1 { vec![event(7)] } else { Vec::new() };
        json!({ "events": events })
    });
    let shown = ask_for("audit tail --deployment --quiet --lines 3", &url).done();
    assert_eq!(shown, "7\n");
    let asked = asked.lock().unwrap().clone();
    let time = |path: &String, name: &str| {
        let mut pairs = path.split(['?', '&']).filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, time)| time.to_owned())
    };
    // From now backwards, each beginning where the one before ends, and at last all that is older.
    let times = |name| Vec::from_iter(asked.iter().map(|path| time(path, name)));
    let (from, to) = (times("from"), times("to"));
    assert_eq!((from.len(), &from[..4], &to[0]), (5, &to[1..], &None), "{asked:?}");
    assert_eq!(from[4], None);
}

#[test]
fn a_list_without_an_end_is_refused() {
    let tenant = json!({ "id": "t-1", "slug": "s", "name": "n", "status": "ACTIVE",
        "selfSignUp": false, "createdAt": "c" });
    let again = tenant.clone();
    let in_a_circle = pages(
        move |number| json!({ "tenants": [again], "nextPageToken": format!("p{}", number % 3) }),
    );
    let ever_new = pages(|number| json!({ "tenants": [], "nextPageToken": format!("p{number}") }));
    let full_of_air = pages(|_| json!({ "events": [], "nextPageToken": "p" }));
    for ((url, asked), line, most, why) in [
        (in_a_circle, "tenant list", 10, "the server names a page of it again"),
        (ever_new, "tenant list", 100, "100 pages one after another are empty"),
        (full_of_air, "audit list --deployment", 2, "the server names a page of it again"),
    ] {
        let said = ask_for(line, &url).fails(1);
        assert!(said.starts_with(&format!("error: the list does not end: {why}\n")), "{said}");
        assert!(asked.lock().unwrap().len() <= most, "{asked:?}");
    }
}

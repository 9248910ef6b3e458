//! `tikti rs-check` against a server that is right, one that has every mistake, and some that are odd.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::support::{Dev, Home, Outcome};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/weak-server")
}

/// One of the example servers, ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts `weak` or `correct`; waits until it listens.
    pub(crate) fn start(name: &str, issuer: &str, tenant: &str) -> Self {
        let mut child = Command::new("bash")
            .arg(examples().join("run.sh"))
            .arg(name)
            .envs([("ISSUER", issuer), ("AUDIENCE", "backend-worker"), ("TENANT", tenant)])
            .envs([("SCOPE", "jobs:read"), ("LISTEN", "127.0.0.1:0")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "{name} does not start");
        Self { child, url: url.trim_end().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Politely, so that a temporary environment goes with it.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on now.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Checks an example server, with the check for its issuer.
fn check_as_issuer(name: &str, options: &str) -> Outcome {
    let address = free_address();
    let server = Server::start(name, &format!("http://{address}"), "t-one");
    Home::new().run(&format!(
        "rs-check {} --aud backend-worker --scope jobs:read --tenant t-one --issue-at {address} \
         {options}",
        server.url
    ))
}

fn names<'a>(report: &'a Value, result: &str) -> Vec<&'a str> {
    let tokens = report["tokens"].as_array().unwrap().iter();
    let with = tokens.filter(|token| token["result"] == result);
    with.map(|token| token["name"].as_str().unwrap()).collect()
}

#[test]
fn k1_a_correct_server_accepts_nothing_hostile_and_everything_good() {
    let report = check_as_issuer("correct", "--strict --output json").json();
    assert_eq!(report["signedBy"], "check");
    let (taken, refused) = (names(&report, "taken"), names(&report, "refused"));
    assert_eq!(taken.len(), 5, "{taken:?}");
    assert!(refused.len() > 100, "{refused:?}");
    assert_eq!(taken.len() + refused.len(), report["tokens"].as_array().unwrap().len());
    assert_eq!(report["needsIssuer"], 0);
}

#[test]
fn k1_the_weak_server_accepts_exactly_what_its_mistakes_let_through() {
    let outcome = check_as_issuer("weak", "--quiet");
    let accepted = std::fs::read_to_string(examples().join("accepted.txt")).unwrap();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout, accepted);
}

/// A deployment with the landing page's tenant; gives that tenant's id.
fn deployment(home: &Home) -> (Dev, String) {
    let dev = Dev::with_tenant(home);
    let exchanged = home.run(&format!("token exchange {SESSION}"));
    assert_eq!(exchanged.code, Some(0), "{exchanged:?}");
    let token = home.run("token inspect --output json");
    let said: Value = serde_json::from_str(&token.stdout).unwrap();
    let tenant = said["claims"]["tid"].as_str().unwrap().to_owned();
    (dev, tenant)
}

const SESSION: &str = "--aud backend-worker --scope jobs:read --tenant codecompany";

#[test]
fn with_one_good_token_of_a_deployment_fires_what_anybody_could_make_of_it() {
    let home = Home::new();
    let (dev, tenant) = deployment(&home);
    let correct = Server::start("correct", dev.text("url"), &tenant);
    let line = format!("rs-check {} {SESSION} --strict --output json", correct.url);
    let report = home.run(&line).json();
    assert_eq!(report["signedBy"], "deployment");
    assert_eq!(names(&report, "taken"), ["good-access"]);
    assert!(names(&report, "refused").len() > 35);
    assert!(report["needsIssuer"].as_u64().unwrap() > 60);

    // The token that was given, and no exchange: it is the last one of the profile.
    let weak = Server::start("weak", dev.text("url"), &tenant);
    let token = home.run("token show --type access").done();
    let outcome = home.run_with_input(&format!("rs-check {} --token - --quiet", weak.url), &token);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for name in ["alg-none", "hs256-with-public-pem", "jku", "jwk-embedded", "two-tokens"] {
        assert!(outcome.stdout.lines().any(|line| line == name), "{name}: {outcome:?}");
    }
}

/// A server that answers the requests in the order of `statuses`, the last one for ever.
fn answering(statuses: &'static [&'static str], headers: &'static str) -> String {
    let status = move |number: usize, _: &str| *statuses.get(number).or(statuses.last()).unwrap();
    serve(status, headers)
}

/// A server that answers each request by its number and its token.
fn serve(
    status: impl Fn(usize, &str) -> &'static str + Send + 'static,
    headers: &'static str,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jobs", listener.local_addr().unwrap());
    thread::spawn(move || {
        for number in 0.. {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head = lines.map(Result::unwrap).take_while(|line| !line.is_empty());
            let head = Vec::from_iter(head);
            let token = head.iter().find_map(|line| line.strip_prefix("authorization: Bearer "));
            let status = status(number, token.unwrap_or_default());
            let reply =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n");
            // Whoever has hung up reads nothing.
            let _ = stream.write_all(format!("{reply}{headers}\r\n").as_bytes());
        }
    });
    url
}

/// Asks the address in the header of a token, as somebody does who believes it.
fn fetch_the_key_of(token: &str) {
    let header = token.split('.').next().unwrap();
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let there = header["jku"].as_str().unwrap().strip_prefix("http://").unwrap();
    let (address, path) = there.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
}

fn check(url: &str, options: &str) -> Outcome {
    Home::new().run(&format!(
        "rs-check {url} --aud a --issue-at 127.0.0.1:0 --wait 0 --only alg-none {options}"
    ))
}

#[test]
fn a_route_that_wants_no_token_is_told_and_proves_nothing() {
    let stderr = check(&answering(&["200"], ""), "").fails(1);
    assert!(stderr.contains("wants no token: without one it answers HTTP 200"), "{stderr}");
}

#[test]
fn a_good_token_that_is_not_accepted_ends_the_check() {
    let stderr = check(&answering(&["401"], ""), "").fails(3);
    assert!(stderr.contains("the good token is not accepted: HTTP 401"), "{stderr}");
    let stderr = check(&format!("http://{}/jobs", free_address()), "").fails(1);
    assert!(stderr.contains("the server cannot be asked"), "{stderr}");
}

#[test]
fn a_status_that_was_named_means_accepted_as_well() {
    let url = answering(&["404", "401", "404"], "");
    let outcome = check(&url, "--accepted-status 404 --quiet");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), "alg-none\n"), "{outcome:?}");
}

#[test]
fn a_server_that_breaks_is_told_and_fails_only_a_strict_check() {
    let statuses = &["200", "401", "500"];
    let report = check(&answering(statuses, ""), "--output json").json();
    assert_eq!(names(&report, "broke"), ["alg-none"]);
    assert_eq!(check(&answering(statuses, ""), "--strict").code, Some(1));
}

#[test]
fn a_token_that_was_not_looked_at_is_no_refusal() {
    let outcome = check(&answering(&["200", "401", "429"], ""), "");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("THROTTLED"), "{outcome:?}");
}

#[test]
fn k1_whoever_asks_an_address_in_a_token_and_then_refuses_has_a_hole() {
    let status = |number, token: &str| match number {
        0 => "200",
        1 => "401",
        _ => {
            fetch_the_key_of(token);
            "401"
        }
    };
    let line = "--aud a --issue-at 127.0.0.1:0 --wait 0 --only jku";
    let outcome = Home::new().run(&format!("rs-check {} {line}", serve(status, "")));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("FETCHED A KEY "), "{outcome:?}");
    assert!(!outcome.stdout.contains("LATER"), "{outcome:?}");
}

/// One that has answered already is told from one that asks first, and whichever token is fired meanwhile is
/// not blamed for it.
#[test]
fn k1_whoever_asks_an_address_after_the_answer_has_a_hole_as_well() {
    let believed = Mutex::new(String::new());
    let status = move |number, token: &str| match number {
        0 => "200",
        1 => "401",
        // `jku` is answered, and asked for before `x5u` is.
        2 => {
            token.clone_into(&mut believed.lock().unwrap());
            "401"
        }
        _ => {
            fetch_the_key_of(&believed.lock().unwrap());
            "401"
        }
    };
    let line = "--aud a --issue-at 127.0.0.1:0 --wait 0 --only jku --only x5u";
    let url = serve(status, "");
    let outcome = Home::new().run(&format!("rs-check {url} {line} --output json"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(names(&report, "fetched-late"), ["jku"], "{report}");
    assert_eq!(names(&report, "refused"), ["x5u"], "{report}");
}

/// After the last token, too: there the check waits for it.
#[test]
fn k1_whoever_asks_an_address_after_the_last_answer_is_waited_for() {
    let status = |number, token: &str| match number {
        0 => "200",
        1 => "401",
        _ => {
            // It may ask before the answer is there, or after.
            let token = token.to_owned();
            thread::spawn(move || fetch_the_key_of(&token));
            "401"
        }
    };
    let line = "--aud a --issue-at 127.0.0.1:0 --wait 0 --only jku";
    let outcome = Home::new().run(&format!("rs-check {} {line}", serve(status, "")));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("FETCHED A KEY"), "{outcome:?}");
}

#[test]
fn a_redirect_is_a_refusal() {
    let url = answering(&["200", "401", "302"], "location: http://127.0.0.1:1/\r\n");
    assert_eq!(names(&check(&url, "--output json").json(), "refused"), ["alg-none"]);
}

#[test]
fn tokens_are_made_by_the_clock_of_the_server() {
    let url = answering(&["200", "401"], "date: Sun, 06 Nov 2044 08:49:37 GMT\r\n");
    let outcome = check(&url, "--output json");
    assert!(outcome.stderr.contains("s before this one's"), "{outcome:?}");
    assert!(outcome.json()["clockAheadSeconds"].as_i64().unwrap() > 3_600);
}

#[test]
fn a_server_that_is_elsewhere_is_asked_only_with_leave() {
    // An address for documentation: nobody is there.
    let stderr = check("http://192.0.2.1/jobs", "").fails(3);
    assert!(stderr.contains("nothing was sent to 192.0.2.1"), "{stderr}");
    assert!(stderr.contains("--yes"), "{stderr}");
}

#[test]
fn what_says_nothing_of_the_route_is_not_fired() {
    let url = answering(&["200", "401"], "");
    let report = Home::new()
        .run(&format!("rs-check {url} --aud a --issue-at 127.0.0.1:0 --wait 0 --output json"))
        .json();
    assert!(report["needsOptions"].as_u64().unwrap() > 10);
    let fired = names(&report, "refused");
    assert!(!fired.contains(&"tid-other") && !fired.contains(&"scope-missing"), "{fired:?}");
    assert!(fired.contains(&"tid-missing"), "{fired:?}");
}

#[test]
fn a_wrong_line_is_told_before_anything_is_sent() {
    let url = format!("http://{}/jobs", free_address());
    for (options, told) in [
        ("--issue-at 127.0.0.1:0", "--aud"),
        ("--aud a --issue-at 127.0.0.1:0 --only nobody", "no token `nobody`"),
        ("--aud a --issue-at 127.0.0.1:0 --header Authorization:x", "carries the tokens"),
        ("--aud a --issue-at 127.0.0.1:0 --host http://127.0.0.1:1", "asks no server"),
        ("--aud a --wait 1", "--issue-at"),
        ("--token x --issue-at 127.0.0.1:0 --aud a", "--token"),
    ] {
        let stderr = Home::new().run(&format!("rs-check {url} {options}")).fails(3);
        assert!(stderr.contains(told), "{options}: {stderr}");
    }
}

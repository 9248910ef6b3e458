//! `tikti bench` against a real server: every scenario, and servers that are not as they should be.
//!
//! Counts are exact, since so many requests are asked for; numbers of time are there, and that is all that is said
//! of them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::exact::exact;
use crate::rs_check::free_address;
use crate::support::{Dev, Home, Outcome};

const PERSON: &str = "--user root@corp.sys --password-file";
/// A baseline of sign-ins that costs nothing; what the server does is its own affair.
const CHEAP: &str = "--bcrypt-cost 4 --hash-threads 1";
/// No more than tests need.
const SMALL: &str = "--warm-up 0s --connections 2 --output json";

struct World {
    dev: Dev,
    home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let dev = Dev::with_tenant(&home);
        std::fs::write(home.path().join("password"), dev.text("adminPassword")).unwrap();
        Self { home, dev }
    }

    /// The person's options.
    fn person(&self) -> String {
        format!("{PERSON} {}", self.home.path().join("password").display())
    }

    fn sessions(&self) -> usize {
        self.home.run("session list --output json").json()["sessions"].as_array().unwrap().len()
    }
}

/// The report with `N` in the place of every number that is of one run alone. The numbers must be such.
fn shape(report: &Value) -> Value {
    let kept = ["good", "failed", "connections", "count", "status", "rate", "sessionsLeft"];
    match report {
        Value::Object(members) => {
            let shaped = members.iter().map(|(name, value)| match value {
                Value::Number(number) if !kept.contains(&name.as_str()) => {
                    let number = number.as_f64().unwrap();
                    // That nothing is late is possible.
                    assert!(number > 0.0 || name.starts_with("sentLate"), "{name}: {report}");
                    (name.clone(), json!("N"))
                }
                Value::String(text) if name == "server" => (name.clone(), json!(exact(text))),
                other => (name.clone(), shape(other)),
            });
            Value::Object(shaped.collect())
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        other => other.clone(),
    }
}

fn baseline(name: &str, of: &str) -> Value {
    json!({ "name": name, "of": of, "before": "N", "after": "N", "median": "N", "ratio": "N" })
}

/// What a scenario of a closed loop reports when all went well.
fn closed(scenario: &str, good: u64, connections: u64, baselines: &[&str]) -> Value {
    let baselines = baselines.iter().map(|name| baseline(name, "throughput"));
    json!({
        "scenario": scenario,
        "server": "http://HOST",
        "loop": "closed",
        "connections": connections,
        "good": good,
        "failed": 0,
        "durationSeconds": "N",
        "throughput": "N",
        "latencyMs": { "p50": "N", "p90": "N", "max": "N" },
        "failures": [],
        "baselines": baselines.collect::<Vec<_>>(),
        "interrupted": false,
    })
}

#[test]
fn each_scenario_does_as_many_calls_as_were_asked_for() {
    let world = World::new();
    let run = |line: &str| {
        let outcome = world.home.run(&format!("bench {line} {SMALL}"));
        assert_eq!(outcome.stderr, "", "{line}");
        shape(&outcome.json())
    };
    let reads = ["echo", "hmacSha256", "pointReads"];
    assert_eq!(run("lookup --requests 31"), closed("lookup", 31, 2, &reads));
    assert_eq!(run("jwks --requests 7"), closed("jwks", 7, 2, &["echo"]));
    let wanted = "--aud backend-worker --tenant codecompany --scope jobs:read";
    assert_eq!(
        run(&format!("exchange {wanted} --requests 5")),
        closed("exchange", 5, 2, &["echo", "rsa2048", "rsa2048AndEcho"])
    );
    let before = world.sessions();
    let person = world.person();
    assert_eq!(run(&format!("refresh {person} --requests 20")), closed("refresh", 20, 2, &reads));
    assert_eq!(
        run(&format!("mixed {person} {wanted} --requests 40")),
        closed("mixed", 40, 2, &["echo"])
    );
    // Its own sessions are signed out.
    assert_eq!(world.sessions(), before);
    let mut expected = closed("signin", 3, 2, &["bcrypt"]);
    expected["sessionsLeft"] = json!(3);
    assert_eq!(run(&format!("signin {person} {CHEAP} --requests 3")), expected);
    assert_eq!(world.sessions(), before + 3);
    let line =
        format!("bench sessions {person} {CHEAP} --sessions 4 --connections 2 --output json");
    let mut expected = closed("sessions", 4, 2, &["bcrypt"]);
    expected["sessionsLeft"] = json!(4);
    assert_eq!(shape(&world.home.run(&line).json()), expected);
    assert_eq!(world.sessions(), before + 7);
}

#[test]
fn an_open_loop_measures_latency_and_draws_it() {
    let world = World::new();
    let svg = world.home.path().join("lookup.svg");
    let options = format!("--rate 100/s --requests 25 --svg {}", svg.display());
    let report = world.home.run(&format!("bench lookup {options} {SMALL}")).json();
    assert_eq!((&report["loop"], &report["rate"]), (&json!("open"), &json!(100.0)));
    assert_eq!((&report["good"], &report["failed"]), (&json!(25), &json!(0)));
    // Of 25 requests at 100 a second the last is due at 240 ms: no clock goes faster.
    assert!(report["durationSeconds"].as_f64().unwrap() >= 0.24, "{report}");
    let shaped = shape(&report);
    assert_eq!(shaped["sentLateP99Ms"], "N");
    // Of so few calls there is no slowest hundredth.
    let names = ["echo", "hmacSha256", "pointReads"];
    let expected = Vec::from_iter(names.map(|name| baseline(name, "p50Ms")));
    assert_eq!(shaped["baselines"], json!(expected));
    let drawn = std::fs::read_to_string(svg).unwrap();
    assert!(drawn.contains("tikti bench lookup: open loop, 100 requests/s, 2 connections"));
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"), "{drawn}");

    let line = format!("bench isolation {} --rate 50 --requests 20 {SMALL}", world.person());
    let report = world.home.run(&line).json();
    assert_eq!((&report["good"], &report["failed"]), (&json!(20), &json!(0)));
    assert_eq!(shape(&report)["baselines"], json!([baseline("alone", "p50Ms")]));
    // What was begun stays, and was counted.
    assert_eq!(report["beside"]["failed"], 0);
    assert_eq!(report["beside"]["good"], report["sessionsLeft"]);
}

#[test]
fn a_person_and_a_script_are_told_the_same() {
    let world = World::new();
    let outcome = world.home.run("bench jwks --requests 9 --warm-up 0s --connections 3");
    assert_eq!(outcome.stderr, "");
    let told = outcome.done();
    let lines = Vec::from_iter(told.lines().map(|line| {
        let is_kept = ["server ", "how ", "calls "].iter().any(|name| line.starts_with(name));
        let line = if is_kept { exact(line) } else { numbered(&exact(line)) };
        line.split("in ").next().unwrap().to_owned()
    }));
    assert_eq!(
        lines,
        [
            "scenario  jwks",
            "server  http://HOST",
            "how  closed loop, 3 connections",
            "calls  9 good, 0 failed, ",
            "throughput  N/s",
            "latency  pN N  pN N  max N ms",
            "",
            "BASELINE  OF  BEFORE  AFTER  MEDIAN  RATIO",
            "bare HTTP echo  /s  N  N  N  N",
        ]
    );
    let bare = world.home.run("bench jwks --requests 9 --warm-up 0s --quiet").done();
    assert!(bare.trim_end().parse::<f64>().unwrap() > 0.0, "{bare}");
    let yaml = world.home.run("bench jwks --requests 9 --warm-up 0s --output yaml").done();
    assert!(yaml.contains("scenario: jwks\n") && yaml.contains("good: 9\n"), "{yaml}");
}

/// Every number as `N`.
fn numbered(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        match character {
            '0'..='9' | '.' if text.ends_with('N') => {}
            '0'..='9' => text.push('N'),
            other => text.push(other),
        }
    }
    text
}

#[test]
fn what_the_server_refuses_once_is_not_measured() {
    let world = World::new();
    let refused = |line: &str, code: i32, told: &str| {
        let stderr = world.home.run(line).fails(code);
        assert!(stderr.contains(told), "{line}: {stderr}");
    };
    refused("bench lookup --api-key tk_0000000000_nobody", 2, "(INVALID_API_KEY)");
    refused("bench exchange --aud nobody --tenant codecompany", 1, "(UNKNOWN_AUDIENCE)");
    std::fs::write(world.home.path().join("password"), "an umbrella in october").unwrap();
    let person = world.person();
    for scenario in ["signin", "refresh", "sessions", "isolation"] {
        refused(&format!("bench {scenario} {person}"), 2, "(INVALID_LOGIN_CREDENTIALS)");
    }
    refused("bench signin --user root@corp.sys", 3, "no terminal to ask for the password");
    refused("bench signin --user root@corp.sys --password-file /nowhere", 3, "/nowhere cannot");
    refused("bench jwks --svg /nowhere/plot.svg", 3, "/nowhere/plot.svg");
    let away = world.dev.address();
    world.dev.kill();
    let stderr = world.home.run("bench jwks").fails(1);
    assert!(stderr.contains(&format!("cannot ask http://{away}: connecting:")), "{stderr}");
}

#[test]
fn a_server_elsewhere_is_left_alone_and_nobody_is_asked_without_a_session() {
    let home = Home::new();
    let stderr = home.run("bench jwks --host http://192.0.2.1").fails(3);
    assert!(stderr.contains("is not this machine") && stderr.contains("--yes"), "{stderr}");
    let stderr = home.run("bench jwks --host https://127.0.0.1:9 --yes").fails(3);
    assert!(stderr.contains("TLS"), "{stderr}");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap();
    let stderr = home.run(&format!("bench lookup --host http://{host}")).fails(2);
    assert!(stderr.contains("no session at"), "{stderr}");
    let stderr = home.run(&format!("bench jwks --host http://{}", free_address())).fails(1);
    assert!(stderr.contains("connection refused"), "{stderr}");
}

#[test]
fn absurd_loads_are_refused() {
    let home = Home::new();
    for options in [
        "--rate 0",
        "--rate -1",
        "--rate NaN",
        "--rate 1000001",
        "--duration 0s",
        "--duration 10",
        "--duration 2h",
        "--requests 0",
        "--requests 5 --duration 5s",
        "--connections 0",
        "--connections 513",
        "--warm-up never",
        "--rate 0.5 --warm-up 1s --duration 1s",
        "--warm-up 30m --duration 30m",
        "--rate 1 --requests 100000",
    ] {
        let stderr = home.run(&format!("bench jwks {options}")).fails(3);
        assert!(stderr.contains("error:"), "{options}: {stderr}");
    }
    home.run("bench sessions --user a@b.c --password-file f --sessions 0").fails(3);
    home.run("bench signin --user a@b.c --password-file f --password-stdin").fails(3);
    home.run("bench").fails(3);
}

/// A server that answers a request with `reply` and goes on, or hangs up where there is none; gives its address.
fn answering(reply: impl Fn(usize) -> Option<&'static str> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            // One client: a connection is seen to before the next one.
            while head.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).count()
                > 0
            {
                number += 1;
                let Some(reply) = reply(number) else { break };
                let length = reply.len();
                let status = if reply.contains("code") { "429 No" } else { "200 OK" };
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{reply}");
                if stream.write_all(head.as_bytes()).is_err() {
                    break;
                }
            }
            // So that a hang-up is one, whatever was not read.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    });
    address
}

fn bench_one(address: &str, options: &str) -> Outcome {
    let line = format!("bench jwks --host http://{address} --connections 1 --warm-up 0s {options}");
    Home::new().run(&line)
}

#[test]
fn a_server_that_hangs_up_midway_is_told_and_fails_the_command() {
    // The first request is the trial. A call that finds nobody is asked once more: each time two in a row do.
    let address = answering(|number| (number == 1 || number % 5 > 1).then_some("{}"));
    let outcome = bench_one(&address, "--requests 20 --output json");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["good"], &report["failed"]), (&json!(15), &json!(5)));
    let reason = "the server closed the connection";
    assert_eq!(report["failures"], json!([{ "count": 5, "reason": reason }]));
    assert_eq!(
        outcome.stderr,
        format!(
            "error: 5 of 20 calls failed, most by {reason}\n  \
             next: see whether the server still runs, and what its log says\n"
        )
    );
}

#[test]
fn a_connection_that_the_server_closed_between_calls_is_no_failure() {
    let address = answering(|number| (number % 5 != 0).then_some("{}"));
    let report = bench_one(&address, "--requests 20 --output json").json();
    assert_eq!((&report["good"], &report["failed"]), (&json!(20), &json!(0)));
}

#[test]
fn rate_limits_are_counted_as_refusals_and_named() {
    let limited = r#"{"error":"no","code":"RATE_LIMITED","requestId":"1"}"#;
    let address = answering(move |number| Some(if number > 11 { limited } else { "{}" }));
    let outcome = bench_one(&address, "--requests 30 --output json");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["good"], &report["failed"]), (&json!(10), &json!(20)));
    let row = json!({ "count": 20, "status": 429, "reason": "RATE_LIMITED" });
    assert_eq!(report["failures"], json!([row]));
    assert!(outcome.stderr.contains("`limits.enabled: false`"), "{outcome:?}");

    // Where not one call was good there are no numbers.
    let address = answering(move |number| Some(if number > 1 { limited } else { "{}" }));
    let stderr = bench_one(&address, "--requests 3").fails(1);
    assert!(stderr.contains("3 of 3 calls failed, most by HTTP 429 RATE_LIMITED"), "{stderr}");
}

#[test]
fn an_interrupted_bench_tells_what_it_has_measured() {
    let home = Home::new();
    // Once it has answered that often it says so, and the bench has hours to go.
    let (told, is_measured) = std::sync::mpsc::channel();
    let address = answering(move |number| {
        if number == 200 {
            told.send(()).unwrap();
        }
        Some("{}")
    });
    let line = format!(
        "bench jwks --host http://{address} --connections 1 --warm-up 0s --duration 50m --output json"
    );
    let child = home.command(&line).spawn().unwrap();
    is_measured.recv().unwrap();
    let output = interrupted(child);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert!(report["good"].as_u64().unwrap() >= 198, "{report}");
    // The echo is not asked again.
    assert!(report["baselines"][0].get("after").is_none(), "{report}");
}

#[test]
fn a_silent_server_holds_nobody_who_interrupts_and_no_call_is_charged_for_that() {
    let home = Home::new();
    let (told, is_silent) = std::sync::mpsc::channel();
    let address = answering(move |number| {
        if number == 12 {
            told.send(()).unwrap();
            loop {
                thread::park();
            }
        }
        Some("{}")
    });
    let line = format!(
        "bench jwks --host http://{address} --connections 1 --warm-up 0s --duration 50m --output json"
    );
    let child = home.command(&line).spawn().unwrap();
    is_silent.recv().unwrap();
    let output = interrupted(child);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Eleven were answered, the first of them before.
    assert_eq!((&report["good"], &report["failed"]), (&json!(10), &json!(0)));
    assert_eq!(report["interrupted"], true);
}

/// Ends it as a person does, and says what it had told.
fn interrupted(child: std::process::Child) -> std::process::Output {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    output
}

/// What a server does with a connection, by its number among those that ask for something.
enum Does {
    Answer(&'static str, &'static str),
    Nothing,
}

/// A server of one request a connection; gives its address, and each path that is asked for.
fn one_by_one(
    does: impl Fn(usize) -> Does + Send + 'static,
) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut number = 0;
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            // One that only looks whether somebody listens asks for nothing.
            let Some(Ok(first)) = head.next() else { continue };
            let path = first.split(' ').nth(1).unwrap().to_owned();
            head.map_while(Result::ok).find(String::is_empty);
            number += 1;
            if told.send(path).is_err() {
                return;
            }
            match does(number) {
                Does::Answer(status, body) => {
                    let length = body.len();
                    let reply = format!(
                        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                    );
                    stream.write_all(reply.as_bytes()).unwrap();
                }
                Does::Nothing => silent.push(stream),
            }
        }
    });
    (address, asked)
}

const SIGNED_IN: &str = r#"{"idToken":"i","localId":"u","expiresIn":3600,"refreshToken":"r"}"#;

fn refresh_at(address: &str, home: &Home) -> String {
    let file = home.path().join("password");
    std::fs::write(&file, "an umbrella in october").unwrap();
    let file = file.display();
    format!(
        "bench refresh --host http://{address} --user a@b.c --password-file {file} --connections 3"
    )
}

const SIGN_IN: &str = "/v1/accounts/signIn";
const SIGN_OUT: &str = "/v1/accounts/signOut";

#[test]
fn sessions_of_a_set_up_that_fails_are_signed_out() {
    let (address, asked) = one_by_one(|number| match number {
        1 | 2 => Does::Answer("200 OK", SIGNED_IN),
        3 => Does::Answer("429 No", r#"{"error":"no","code":"RATE_LIMITED","requestId":"1"}"#),
        _ => Does::Answer("200 OK", "{}"),
    });
    let home = Home::new();
    home.run(&refresh_at(&address, &home)).fails(1);
    let paths = Vec::from_iter(asked.try_iter());
    assert_eq!(paths, [SIGN_IN, SIGN_IN, SIGN_IN, SIGN_OUT, SIGN_OUT]);
}

#[test]
fn sessions_of_a_set_up_that_is_interrupted_are_signed_out() {
    let (address, asked) = one_by_one(|number| match number {
        1 => Does::Answer("200 OK", SIGNED_IN),
        2 => Does::Nothing,
        _ => Does::Answer("200 OK", "{}"),
    });
    let home = Home::new();
    let child = home.command(&refresh_at(&address, &home)).spawn().unwrap();
    // The second is under way.
    assert_eq!([asked.recv().unwrap(), asked.recv().unwrap()], [SIGN_IN, SIGN_IN]);
    interrupted(child);
    assert_eq!(Vec::from_iter(asked.try_iter()), [SIGN_OUT]);
}

//! The silent refresh: whose idToken has ended goes on without a word, and no session is lost by it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, mpsc};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::foreign_server::{answer_json, serve};
use crate::lossy_road::LossyRoad;
use crate::support::{Dev, Home, Outcome, finish};

const REFRESH: &str = "POST /v1/token ";

/// A signed-in administrator, on a road that counts refreshes.
struct Person {
    home: Arc<Home>,
    road: LossyRoad,
    _dev: Dev,
}

impl Person {
    fn new() -> Self {
        let home = Arc::new(Home::new());
        let dev = Dev::with_tenant(&home);
        let road = LossyRoad::watching(REFRESH, &dev);
        let config = fs::read_to_string(home.config()).unwrap();
        fs::write(home.config(), config.replace(dev.text("url"), &road.url)).unwrap();
        Self { home, road, _dev: dev }
    }

    fn run(&self, line: &str) -> Outcome {
        self.home.run(line)
    }

    fn refreshes(&self) -> usize {
        self.road.names().len()
    }

    /// A member of the profile, as it is in the file.
    fn stored(&self, member: &str) -> Option<String> {
        let config = fs::read_to_string(self.home.config()).unwrap();
        let mut lines = config.lines();
        let start = format!("{member}: ");
        lines.find_map(|line| line.trim().strip_prefix(&start).map(str::to_owned))
    }

    fn store(&self, member: &str, value: &str) {
        let config = fs::read_to_string(self.home.config()).unwrap();
        let config = config.replace(&self.stored(member).unwrap(), value);
        fs::write(self.home.config(), config).unwrap();
    }

    /// The idToken of the file ends: the program reads it, and does not verify it.
    fn end_id_token(&self) -> String {
        self.end_id_token_at(|_| 1_700_000_000)
    }

    /// It ends at the second of Unix time that this makes of its claims.
    fn end_id_token_at(&self, second: impl Fn(&Value) -> u64) -> String {
        let ended = ending(&self.stored("idToken").unwrap(), second);
        self.store("idToken", &ended);
        ended
    }
}

fn ending(token: &str, second: impl Fn(&Value) -> u64) -> String {
    let parts = Vec::from_iter(token.split('.'));
    let claims = BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["exp"] = second(&claims).into();
    let claims = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
    format!("{}.{claims}.{}", parts[0], parts[2])
}

#[test]
fn ten_commands_at_once_refresh_once_and_keep_the_session() {
    let person = Person::new();
    for round in 1..=2 {
        let refresh_token = person.stored("refreshToken").unwrap();
        let old = person.end_id_token();
        let commands = (0..10).map(|_| person.home.command("tenant list --quiet").spawn().unwrap());
        for command in Vec::from_iter(commands) {
            let output = command.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
        assert_eq!(person.refreshes(), round);
        assert_ne!(person.stored("idToken").unwrap(), old);
        assert_ne!(person.stored("refreshToken").unwrap(), refresh_token);
    }
}

#[test]
fn every_command_of_a_session_refreshes_it() {
    let person = Person::new();
    for line in [
        "tenant get codecompany",
        "keys list",
        "keys rotate",
        "audit list --deployment",
        "audit export --tenant codecompany",
        "auth status",
        "token show --type id",
        "token exchange --aud backend-worker --tenant codecompany",
    ] {
        let before = person.refreshes();
        let old = person.end_id_token();
        let outcome = person.run(line);
        assert_eq!(outcome.code, Some(0), "{line}: {outcome:?}");
        assert!(!outcome.stdout.contains(&old), "{line}: {outcome:?}");
        assert_eq!(person.refreshes(), before + 1, "{line}");
    }
    // It gets its good token by an exchange, and then finds nobody at that address.
    person.end_id_token();
    let before = person.refreshes();
    let line = "rs-check http://127.0.0.1:9/ --aud backend-worker --tenant codecompany";
    person.run(line);
    assert_eq!(person.refreshes(), before + 1);
}

#[test]
fn a_token_that_holds_is_not_refreshed_and_one_of_the_environment_never() {
    let person = Person::new();
    person.run("tenant list").done();
    let mut command = person.home.command("tenant list");
    command.env("TIKTI_TOKEN", ending(&person.stored("idToken").unwrap(), |_| 1_700_000_000));
    let stderr = finish(&mut command, "").fails(2);
    assert!(stderr.contains("next: sign in"), "{stderr}");
    assert_eq!(person.refreshes(), 0);
}

#[test]
fn a_session_that_has_ended_is_said_to_have() {
    let person = Person::new();
    person.end_id_token();
    let refresh_token = person.stored("refreshToken").unwrap();
    let turned = Vec::from_iter(refresh_token.chars().rev().skip(4));
    let turned = String::from_iter(turned.into_iter().rev()) + "AAAA";
    person.store("refreshToken", &turned);
    for line in ["tenant list", "keys list", "auth status", "token exchange --aud backend-worker"] {
        assert_eq!(
            person.run(line).fails(2),
            "error: the session has ended\n  next: sign in: `tikti auth login --user EMAIL`\n",
            "{line}"
        );
    }
}

#[test]
fn a_lost_reply_to_a_refresh_does_not_end_the_session() {
    let person = Person::new();
    person.end_id_token();
    person.road.lose(1);
    person.run("tenant list").done();
    assert_eq!(person.refreshes(), 2);
    person.end_id_token();
    person.run("tenant list").done();
    assert_eq!(person.refreshes(), 3);
}

#[test]
fn a_session_that_could_not_be_kept_is_not_refreshed() {
    let person = Person::new();
    let directory = person.home.path().join(".tikti");
    person.end_id_token();
    // What a read-only home does to others, a directory in the way does to root as well.
    for in_the_way in ["refresh.lock", "config.yaml.new"] {
        let obstacle = directory.join(in_the_way);
        let _was_there = fs::remove_file(&obstacle);
        fs::create_dir(&obstacle).unwrap();
        let stderr = person.run("tenant list").fails(2);
        let expected =
            "error: the idToken has ended, and a refreshed session could not be stored: ";
        assert!(stderr.starts_with(expected), "{stderr}");
        assert!(stderr.contains("\n  next: make that writable, or give"), "{stderr}");
        fs::remove_dir(&obstacle).unwrap();
    }
    assert_eq!(person.refreshes(), 0);
    person.run("tenant list").done();
    assert_eq!(person.refreshes(), 1);
}

#[test]
fn a_refreshed_session_that_cannot_be_stored_after_all_is_used_and_told() {
    let person = Person::new();
    person.end_id_token();
    let obstacle = person.home.path().join(".tikti/config.yaml.new");
    person.road.meanwhile(move || fs::create_dir(&obstacle).unwrap());
    let outcome = person.run("tenant get codecompany --quiet");
    let expected =
        "warning: the refreshed session is not stored, sign in again for the next command: ";
    assert!(outcome.stderr.starts_with(expected), "{outcome:?}");
    outcome.done();
}

#[test]
fn who_signs_out_during_a_refresh_is_signed_out() {
    let person = Person::new();
    person.end_id_token();
    // It waits for the refresh, whose session it would miss: the reply comes when it is seen waiting.
    let (home, (leaves, left)) = (Arc::clone(&person.home), mpsc::channel());
    person.road.meanwhile(move || {
        let mut leaving = home.command("auth logout --local").spawn().unwrap();
        let mut said = BufReader::new(leaving.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("Waiting for another command"), "{line}");
        leaves.send((leaving, said)).unwrap();
    });
    person.run("tenant list").done();
    let (leaving, _said) = left.recv().unwrap();
    let outcome = leaving.wait_with_output().unwrap();
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert_eq!((person.stored("idToken"), person.stored("refreshToken")), (None, None));
}

#[test]
fn a_bench_that_its_id_token_would_not_outlast_begins_with_another() {
    let person = Person::new();
    // Good for a command, and not for minutes.
    person.end_id_token_at(|claims| claims["iat"].as_u64().unwrap() + 200);
    let line = "bench lookup --requests 3 --warm-up 0s --connections 1 --output json";
    let report = person.run(line).json();
    assert_eq!((&report["good"], &report["failed"]), (&3.into(), &0.into()));
    assert_eq!(person.refreshes(), 1);
    // One that holds is left alone.
    person.run(line).done();
    assert_eq!(person.refreshes(), 1);
}

#[test]
fn a_session_is_refreshed_at_the_server_of_its_profile_and_at_no_other() {
    let person = Person::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let paths = Arc::clone(&asked);
    let elsewhere = serve(move |path| {
        paths.lock().unwrap().push(path.to_owned());
        answer_json("200 OK", &json!({ "tenants": [], "id_token": "i", "refresh_token": "r" }))
    });
    person.end_id_token();
    let config = fs::read_to_string(person.home.config()).unwrap();
    let other = format!("{config}  other: {{baseUrl: {elsewhere}}}\n");
    fs::write(person.home.config(), &other).unwrap();
    let config = fs::read_to_string(person.home.config()).unwrap();
    for line in ["tenant list", "auth status", "token exchange --aud a --tenant t"] {
        let by_option = person.run(&format!("{line} --host {elsewhere}"));
        let by_variable = finish(person.home.command(line).env("TIKTI_HOST", &elsewhere), "");
        let by_profile = person.run(&format!("{line} --profile other"));
        for outcome in [by_option, by_variable, by_profile] {
            assert_eq!(outcome.code, Some(2), "{line}: {outcome:?}");
        }
    }
    assert_eq!((asked.lock().unwrap().clone(), person.refreshes()), (vec![], 0));
    assert_eq!(fs::read_to_string(person.home.config()).unwrap(), config);
    person.run("tenant list").done();
    assert_eq!(person.refreshes(), 1);
}

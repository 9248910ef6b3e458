//! `tikti audit`: a log that is whole, everything that can be done to one, and a log of a server.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tikti_server::audit_log::{NO_HASH, hash, read_line};

use crate::support::{Dev, Home};

/// Events of a log.
const EVENTS: usize = 10_000;

/// The lines of a log, made by the function that chains events.
fn log() -> Vec<String> {
    let mut prev_hash = NO_HASH.to_owned();
    let mut line = |seq: usize| {
        let chained_at = "2026-01-27T16:43:34.005Z";
        let event = format!(
            r#"{{"id":"01J{seq:023}","action":"role.create","target":"R{seq}","outcome":"success"}}"#
        );
        let time = format!(r#"{{"seq":{seq},"chainedAt":"{chained_at}","#);
        let with = |hash: &str| {
            format!(r#"{time}"prevHash":"{prev_hash}","hash":"{hash}","event":{event}}}"#)
        };
        let link = read_line(&with("")).unwrap();
        let hash = hash(link.seq, link.chained_at, &link.prev_hash, &link.event);
        let line = with(&hash);
        prev_hash = hash;
        line
    };
    (1..=EVENTS).map(&mut line).collect()
}

fn text(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// Verifies these lines; gives the exit code and what programs are told.
fn verify(home: &Home, lines: &[String], options: &str) -> (Option<i32>, Value) {
    std::fs::write(home.path().join("audit.jsonl"), text(lines)).unwrap();
    let file = home.path().join("audit.jsonl").display().to_string();
    let outcome = home.run(&format!("audit verify {file} --output json {options}"));
    let told = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}"));
    (outcome.code, told)
}

#[test]
fn every_way_to_tamper_with_a_log_of_ten_thousand_events_is_found_and_named() {
    let (home, all) = (Home::new(), log());
    let (code, told) = verify(&home, &all, "");
    assert_eq!((code, &told["valid"], &told["seq"]), (Some(0), &json!(true), &json!(EVENTS)));
    let tamper = |kind: &str, seq: usize, change: fn(&mut Vec<String>)| {
        let mut lines = all.clone();
        change(&mut lines);
        let (code, told) = verify(&home, &lines, "");
        let named = (code, told["valid"].as_bool(), told["kind"].as_str(), told["seq"].as_u64());
        assert_eq!(named, (Some(1), Some(false), Some(kind), Some(seq as u64)), "{told}");
    };
    tamper("changed", 5_000, |lines| {
        lines[4_999] = lines[4_999].replace("\"success\"", "\"succesS\"");
    });
    tamper("changed", 1, |lines| lines[0] = lines[0].replace(":34.005Z", ":34.006Z"));
    tamper("dropped", 7_777, |lines| drop(lines.remove(7_776)));
    tamper("reordered", 42, |lines| lines.swap(41, 42));
    tamper("inserted", 9_000, |lines| lines.insert(9_000, lines[8_999].clone()));
    tamper("inserted", 3, |lines| lines.insert(9_000, lines[2].clone()));
}

#[test]
fn a_tail_that_was_cut_off_is_found_by_a_signed_head() {
    let (home, all) = (Home::new(), log());
    // Nobody can tell without one.
    let (code, told) = verify(&home, &all[..9_000], "");
    assert_eq!((code, &told["seq"], &told["signedTo"]), (Some(0), &json!(9_000), &Value::Null));

    let (jws, jwks) = signed(&home, &all[EVENTS - 1]);
    let options = format!("--head {jws} --jwks {jwks}");
    let (code, told) = verify(&home, &all, &options);
    assert_eq!((code, &told["signedTo"]), (Some(0), &json!(EVENTS)));
    let (code, told) = verify(&home, &all[..9_000], &options);
    assert_eq!((code, &told["kind"], &told["seq"]), (Some(1), &json!("cut"), &json!(9_001)));
    // A log that was written anew from its beginning is not the one of the head either.
    let mut anew = all.clone();
    anew.truncate(EVENTS - 1);
    anew.push(all[EVENTS - 1].replace("R10000", "R10001"));
    let line = read_line(&anew[EVENTS - 1]).unwrap();
    let fresh = hash(line.seq, line.chained_at, &line.prev_hash, &line.event);
    anew[EVENTS - 1] = anew[EVENTS - 1].replace(&line.hash, &fresh);
    assert_eq!(verify(&home, &anew, "").0, Some(0));
    let (code, told) = verify(&home, &anew, &options);
    assert_eq!((code, &told["kind"], &told["seq"]), (Some(1), &json!("otherHead"), &json!(EVENTS)));

    let (begin, jwks) = signed(&home, &all[99]);
    let (code, _) = verify(&home, &all[100..], &format!("--begin {begin} --jwks {jwks}"));
    assert_eq!(code, Some(0));
    let (code, told) = verify(&home, &all[100..], "");
    assert_eq!((code, &told["kind"], &told["seq"]), (Some(1), &json!("dropped"), &json!(1)));

    // Signed by somebody else.
    let (_, other) = signed(&home, &all[99]);
    let file = home.path().join("audit.jsonl").display().to_string();
    let refused = home.run(&format!("audit verify {file} --head {jws} --jwks {other}")).fails(1);
    assert!(refused.contains("signature"), "{refused}");
}

/// A head over this line, and the file of the keys that it is verified with.
fn signed(home: &Home, line: &str) -> (String, String) {
    let link = read_line(line).unwrap();
    let der = tikti_token::generate_rsa(tikti_token::RsaSize::Bits2048).unwrap();
    let key = tikti_token::SigningKey::from_pkcs8("rsa-1", &der).unwrap();
    let claims = tikti_token::AuditHeadClaims {
        iss: "https://tikti.test".to_owned(),
        iat: 1_769_532_215,
        chain: "t-1".to_owned(),
        seq: link.seq,
        chained_at: "2026-01-27T16:43:34.005Z".to_owned(),
        hash: link.hash,
    };
    let jws = tikti_token::mint_audit_head(&key, &claims).unwrap();
    let jwks = tikti_token::KeySet::new([key.public_key()]).to_jwks();
    let file = home.path().join(format!("jwks-{}.json", link.seq));
    std::fs::write(&file, serde_json::to_string(&jwks).unwrap()).unwrap();
    (jws, file.display().to_string())
}

#[test]
fn what_a_server_exports_is_whole() {
    let home = Home::new();
    let dev = Dev::start(&home);
    home.run(&format!("init --host {}", dev.text("url"))).done();
    home.sign_in(&dev).done();
    home.run("tenant create --slug codecompany").done();
    let exported = home.run("audit export --tenant codecompany").done();
    let lines: Vec<String> = exported.lines().map(str::to_owned).collect();
    let (code, told) = verify(&home, &lines, "");
    assert_eq!((code, &told["seq"]), (Some(0), &json!(lines.len())));
    let listed = home.run("audit list --tenant codecompany --output json").json();
    assert_eq!(listed["events"].as_array().unwrap().len(), lines.len());
    home.run("audit export --deployment").done();
    home.run("audit list").fails(3);
}

#[test]
fn a_file_that_is_not_there_and_a_time_that_is_none_are_told() {
    let home = Home::new();
    home.run("audit verify /nonexistent/audit.jsonl").fails(3);
    let dev = Dev::start(&home);
    home.run(&format!("init --host {}", dev.text("url"))).done();
    home.sign_in(&dev).done();
    home.run("audit export --deployment --from yesterday").fails(1);
}

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

#[test]
fn a_pruned_log_is_whole_behind_its_checkpoint_and_behind_nothing_else() {
    let (home, all) = (Home::new(), log());
    let key = new_key();
    let jwks = keys_file(&home, "both", &key);
    let (begin, head) = (sign(&key, &all[99], Some(100)), sign(&key, &all[8_999], None));
    let with = |begin: &str| format!("--begin {begin} --head {head} --jwks {jwks}");
    let (code, told) = verify(&home, &all[100..], &with(&begin));
    assert_eq!((code, &told["beginsBehind"], &told["pruned"]), (Some(0), &json!(100), &json!(100)));
    assert_eq!((&told["signedTo"], &told["seq"]), (&json!(9_000), &json!(EVENTS)));
    let file = home.path().join("audit.jsonl").display().to_string();
    let said = home.run(&format!("audit verify {file} {}", with(&begin)));
    assert!(
        said.stderr.contains("it begins behind event 100: what came before was removed"),
        "{said:?}"
    );

    // A head that is no checkpoint vouches for no removal.
    let (code, told) = verify(&home, &all[100..], &with(&sign(&key, &all[99], None)));
    assert_eq!(
        (code, &told["beginsBehind"], &told["pruned"]),
        (Some(0), &json!(100), &json!(null))
    );

    let named = |lines: &[String], kind: &str, seq: u64| {
        let (code, told) = verify(&home, lines, &with(&begin));
        assert_eq!((code, &told["kind"], &told["seq"]), (Some(1), &json!(kind), &json!(seq)));
    };
    named(&all[101..], "dropped", 101);
    named(&all[50..], "otherBegin", 51);
    named(&all, "otherBegin", 1);
    named(&all[100..8_000], "cut", 8_001);
    named(&all[200..8_000], "dropped", 101);
    named(&[], "cut", 101);

    // Without its checkpoint nobody knows who removed the first events, and is told what to name.
    verify(&home, &all[100..], "");
    let said = home.run(&format!("audit verify {file}")).fails(1);
    assert!(said.contains("event 1 is missing") && said.contains("--begin"), "{said}");
    // A checkpoint that contradicts itself, one of another chain, and one by an unknown key.
    for (begin, reason) in [
        (sign(&key, &all[99], Some(50)), "another number"),
        (sign_of(&key, &all[99], "t-2", Some(100)), "two chains"),
        (sign(&new_key(), &all[99], Some(100)), "signature"),
    ] {
        let said = home.run(&format!("audit verify {file} {}", with(&begin))).fails(1);
        assert!(said.contains(reason), "{said}");
    }
}

fn new_key() -> tikti_token::SigningKey {
    let der = tikti_token::generate_rsa(tikti_token::RsaSize::Bits2048).unwrap();
    tikti_token::SigningKey::from_pkcs8("rsa-1", &der).unwrap()
}

/// A file with the public part of this key.
fn keys_file(home: &Home, name: &str, key: &tikti_token::SigningKey) -> String {
    let jwks = tikti_token::KeySet::new([key.public_key()]).to_jwks();
    let file = home.path().join(format!("jwks-{name}.json"));
    std::fs::write(&file, serde_json::to_string(&jwks).unwrap()).unwrap();
    file.display().to_string()
}

/// A head over this line, and the file of the keys that it is verified with.
pub(crate) fn signed(home: &Home, line: &str) -> (String, String) {
    let key = new_key();
    let seq = read_line(line).unwrap().seq;
    (sign(&key, line, None), keys_file(home, &seq.to_string(), &key))
}

fn sign(key: &tikti_token::SigningKey, line: &str, pruned: Option<u64>) -> String {
    sign_of(key, line, "t-1", pruned)
}

/// A head over this line, or a checkpoint that says that so many events are gone.
fn sign_of(key: &tikti_token::SigningKey, line: &str, chain: &str, pruned: Option<u64>) -> String {
    let link = read_line(line).unwrap();
    let claims = tikti_token::AuditHeadClaims {
        iss: "https://tikti.test".to_owned(),
        iat: 1_769_532_215,
        chain: chain.to_owned(),
        seq: link.seq,
        chained_at: "2026-01-27T16:43:34.005Z".to_owned(),
        hash: link.hash,
        pruned,
    };
    tikti_token::mint_audit_head(key, &claims).unwrap()
}

#[test]
fn what_a_server_exports_is_whole() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    let exported = home.run("audit export --tenant codecompany").done();
    let lines: Vec<String> = exported.lines().map(str::to_owned).collect();
    let (code, told) = verify(&home, &lines, "");
    assert_eq!((code, &told["seq"]), (Some(0), &json!(lines.len())));
    let listed = home.run("audit list --tenant codecompany --output json").json();
    assert_eq!(listed["events"].as_array().unwrap().len(), lines.len());
    home.run("audit export --deployment").done();
    home.run("audit list").fails(3);
    // The first head is signed in the background, minutes later at most.
    home.run("audit head --deployment").fails(1);
    home.run("audit head --tenant codecompany --checkpoint").fails(1);
    // Its keys are had from the server: a head by others is refused.
    let (stranger, _) =
        signed(&home, &exported.lines().next().map_or(log()[0].clone(), str::to_owned));
    let file = home.path().join("audit.jsonl").display().to_string();
    let refused = home.run(&format!("audit verify {file} --head {stranger}")).fails(1);
    assert!(refused.contains("key"), "{refused}");
}

#[test]
fn a_file_that_is_not_there_and_a_time_that_is_none_are_told() {
    let home = Home::new();
    home.run("audit verify /nonexistent/audit.jsonl").fails(3);
    let _dev = Dev::signed_in(&home);
    home.run("audit export --deployment --from yesterday").fails(1);
}

//! Users move in, sign in with the passwords that they had, and are left alone when it is repeated.

use std::fs;

use crate::support::{Dev, Home};

/// The example of https://github.com/firebase/scrypt: the password is `user1password`.
const HASH_CONFIG: &str = "\
hash_config {
  algorithm: SCRYPT,
  base64_signer_key: jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,
  base64_salt_separator: Bw==,
  rounds: 8,
  mem_cost: 14,
}
";
const EXPORT: &str = r#"{"users": [
{"localId":"8Ab_cD-firebase","email":"ann@example.org","emailVerified":true,"passwordHash":"lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==","salt":"42xEC+ixf3L2lw==","createdAt":"1500000000000","lastSignedInAt":"1600000000000"},
{"localId":"phone","phoneNumber":"+4930123456"}
]}"#;
/// Argon2id of `password`, as in the tests of its reference implementation.
const LINES: &str = r#"{"id":"u-1","email":"bob@example.org","passwordHash":"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"}
{"id":"u-2","email":"root@corp.sys"}
{"id":"u-3","email":"cid@example.org","passwordHash":"$1$old$hash"}
"#;

fn write(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn imported_users_sign_in_with_the_passwords_that_they_had() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let address = dev.address();
    assert_eq!(dev.terminate().code, Some(0));
    let options = home.store_options();
    let (export, lines) = (write(&home, "export.json", EXPORT), write(&home, "lines", LINES));
    let hash_config = write(&home, "hash.txt", HASH_CONFIG);
    let firebase = format!("user import {export} --firebase-hash-config {hash_config} {options}");

    // A refused user is said by number, and the others are imported.
    let outcome = home.run(&format!("{firebase} --output json"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("example.org"), "{outcome:?}");
    assert!(outcome.stderr.contains("tikti::audit"), "{outcome:?}");
    assert_eq!(
        outcome.stdout.trim(),
        r#"{"dryRun":false,"imported":1,"alreadyThere":0,"refused":[{"number":2,"reason":"has no e-mail address"}]}"#
    );
    for (imported, there) in [(1, 0), (0, 1)] {
        let outcome = home.run(&format!("user import {lines} {options} --output json"));
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let reply: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((&reply["imported"], &reply["alreadyThere"]), (&imported.into(), &there.into()));
        let numbers: Vec<_> =
            reply["refused"].as_array().unwrap().iter().map(|user| &user["number"]).collect();
        assert_eq!(numbers, [2, 3]);
    }
    home.run(&format!("store verify {options}")).done();

    let _dev = Dev::start_at(&home, &address);
    for (user, password) in [("ann@example.org", "user1password"), ("bob@example.org", "password")]
    {
        let line = format!("auth login --user {user} --password-stdin");
        home.run_with_input(&line, "wrong password").fails(2);
        // The second time it is a bcrypt hash.
        for _ in 0..2 {
            home.run_with_input(&line, password).done();
        }
    }
    home.run(&format!("store verify {options}")).done();
}

#[test]
fn a_dry_run_reads_the_file_and_opens_nothing() {
    let home = Home::new();
    let lines = write(&home, "lines", LINES);
    let outcome = home.run(&format!("user import {lines} --data {} --dry-run", Dev::data(&home)));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("passwordHash: is of no kind"), "{outcome:?}");
    assert!(outcome.stderr.contains("2 users can be imported"), "{outcome:?}");
    assert!(!fs::exists(Dev::data(&home)).unwrap());
    let good = LINES.lines().next().unwrap();
    let one = write(&home, "one", good);
    let reply = home.run(&format!("user import {one} --dry-run --output json")).json();
    assert_eq!((&reply["importable"], &reply["imported"]), (&1.into(), &0.into()));
}

#[test]
fn a_wrong_file_or_directory_is_a_wrong_usage() {
    let home = Home::new();
    let lines = write(&home, "lines", LINES);
    let data = Dev::data(&home);
    let refused = |line: &str, said: &str| {
        let stderr = home.run(line).fails(3);
        assert!(stderr.contains(said), "{line}: {stderr}");
    };
    refused(&format!("user import /nonexistent --data {data}"), "/nonexistent");
    refused(&format!("user import {lines} --data {data}"), "secrets.yaml is not there");
    let wrong = format!("user import {lines} --data {data} --firebase-hash-config {lines}");
    refused(&wrong, "no hash parameters");
    refused(&format!("user import {lines} --host http://127.0.0.1:1"), "asks no server");
}

#[test]
fn an_embedded_store_that_is_in_use_is_left_alone() {
    let home = Home::new();
    let _dev = Dev::start(&home);
    let lines = write(&home, "lines", LINES);
    if crate::support::redis_is_chosen() {
        return;
    }
    let stderr = home.run(&format!("user import {lines} {}", home.store_options())).fails(3);
    assert!(stderr.contains("tikti at "), "{stderr}");
}

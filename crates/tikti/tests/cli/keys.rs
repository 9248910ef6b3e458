//! `tikti keys`: against a running server, and over the store of one that is stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tikti_token::{RsaSize, SigningKey, generate_rsa};

use crate::lossy_road::LossyRoad;
use crate::support::{Dev, Home, Outcome};

fn listed(home: &Home) -> Vec<Value> {
    home.run("keys list --output json").json()["keys"].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A new private key as PEM (PKCS#8), its DER, and its file, which is its owner's alone.
fn private_key(home: &Home, name: &str) -> (String, Vec<u8>, String) {
    let der = generate_rsa(RsaSize::Bits2048).unwrap();
    let pem = pem("PRIVATE KEY", &der);
    let file = write(home, name, &pem, 0o600);
    (pem, der.to_vec(), file)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let is_there = place <= chunk.len();
            text.push(if is_there { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

fn write(home: &Home, name: &str, contents: &str, mode: u32) -> String {
    let file = home.path().join(name);
    fs::write(&file, contents).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    file.display().to_string()
}

/// No line of the key's file was printed, nor any part of its bytes.
fn assert_hides(outcome: &Outcome, (pem, der): (&str, &[u8])) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for line in pem.lines().filter(|line| !line.starts_with('-')) {
        assert!(line.get(..24).is_none_or(|part| !said.contains(part)), "{said}");
    }
    let hex: String = der[40..60].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!said.contains(&hex) && !said.contains("-----"), "{said}");
}

#[test]
fn keys_are_listed_with_what_becomes_of_them() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    let first = listed(&home)[0]["kid"].clone();

    let outcome = home.run("keys rotate");
    let next = listed(&home)[0].clone();
    let (kid, at) = (text(&next["kid"]), text(&next["activatesAt"]));
    assert_eq!(
        outcome.stderr,
        format!(
            "✔ Key {kid} is published and signs from {at} on\n  \
             Servers know it within keys.refreshInterval (30 s as shipped)\n  \
             Verifiers know it within keys.jwksMaxAge (300 s as shipped), before it signs\n  \
             Tokens in circulation stay good: nothing else has to be done\n"
        )
    );
    assert_eq!(outcome.done(), "");
    // The same one is told of as long as it waits.
    assert_eq!(home.run("keys rotate --quiet").done(), format!("{kid}\n"));
    let told = home.run("keys rotate --output json").json();
    assert_eq!(told, json!({"kid": kid, "state": "published", "activatesAt": at}));

    let table = home.run("keys list").done();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| cells(line)).collect();
    let headers = ["KID", "STATE", "NEXT", "TOKENS UNTIL", "SAFE TO RETIRE", "KEY", "CREATED"];
    assert_eq!(rows[0], headers);
    let (created, becomes) = (text(&next["createdAt"]), format!("active {at}"));
    assert_eq!(rows[1], [kid, "published", &becomes, "-", "no", "RSA 2048", created]);
    assert_eq!(rows[2][..3], [text(&first), "active", &format!("retiring {at}")]);
    assert_eq!(rows[2][4], "no");
    assert_eq!(rows.len(), 3);
    assert_eq!(home.run("keys list --quiet").done(), format!("{kid}\n{}\n", text(&first)));
}

/// The cells of a row: two spaces stand between each and the next.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn an_emergency_is_asked_about_and_says_what_happens() {
    let home = Home::new();
    let _dev = Dev::signed_in(&home);
    let first = text(&listed(&home)[0]["kid"]).to_owned();
    // Nobody is there to be asked.
    for line in ["keys rotate --emergency", &format!("keys rotate --emergency --kid {first}")] {
        let said = home.run(line).fails(3);
        assert!(said.contains("warning: ") && said.contains("keys.jwksMaxAge"), "{said}");
        assert!(said.contains("next: say so with --yes"), "{said}");
    }
    home.run("keys rotate --kid k").fails(3);
    assert_eq!(listed(&home)[0]["state"], "active");
    let unknown = home.run("keys rotate --emergency --kid tikti-1999-01-none --yes").fails(1);
    assert!(unknown.contains("KEY_NOT_FOUND") && unknown.contains("tikti keys list"), "{unknown}");

    let outcome = home.run("keys rotate --emergency --yes");
    let keys = listed(&home);
    let kid = text(&keys[0]["kid"]);
    assert_eq!(
        outcome.stderr,
        format!(
            "✔ Revoked: every signing key. {kid} is active\n  \
             Servers refuse tokens of what is revoked within keys.refreshInterval (30 s as shipped)\n  \
             Verifiers take them until their copy of the JWKS ends: keys.jwksMaxAge (300 s as shipped)\n"
        )
    );
    assert_eq!((&keys[0]["state"], &keys[1]["state"]), (&json!("active"), &json!("revoked")));
    assert_eq!(text(&keys[1]["kid"]), first);
    assert_eq!(home.run("keys jwks --quiet").done(), format!("{kid}\n"));
    // Whoever shows no session, and whoever is no administrator, is told.
    let said = home.run("auth logout");
    assert_eq!(said.code, Some(0), "{said:?}");
    home.run("keys list").fails(2);
    home.run("keys rotate --emergency --yes").fails(2);
}

/// What the program says where replies of an emergency are lost, and which keys there are then.
#[test]
fn an_emergency_whose_reply_was_lost_is_not_done_twice() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    let states = || {
        let keys = listed(&home);
        let of = |state: &str| keys.iter().filter(|key| key["state"] == state).count();
        (keys.len(), of("active"), of("revoked"))
    };
    assert_eq!(states(), (1, 1, 0));

    // One lost reply is asked for again by itself.
    let road = LossyRoad::to(&dev, 1);
    home.run(&format!("init --host {} --api-key {}", road.url, dev.text("apiKey"))).done();
    home.sign_in(&dev).done();
    let outcome = home.run("keys rotate --emergency --yes");
    assert!(outcome.stderr.starts_with("✔ Revoked: every signing key. "), "{outcome:?}");
    outcome.done();
    assert_eq!(states(), (2, 1, 1));
    let first = road.names();
    assert_eq!(first.len(), 2);
    assert!(first[0] == first[1] && first[0].starts_with("rotate-"), "{first:?}");

    // Two are told, with the name by which it may come again.
    road.lose(2);
    let said = home.run("keys rotate --emergency --yes").fails(1);
    let names = road.names();
    let name = names.last().unwrap();
    let next = said.lines().last().unwrap();
    assert!(
        next.ends_with(&format!(
            "it may have been done: say the same again with --idempotency-key {name}, which is not done \
             twice within ten minutes"
        )),
        "{said}"
    );
    assert_eq!(names[2..], [name.clone(), name.clone()]);
    assert_ne!(*name, first[0], "each invocation has its own");
    assert_eq!(states(), (3, 1, 2));
    let active = home.run("keys jwks --quiet").done();
    let line = format!("keys rotate --emergency --yes --quiet --idempotency-key {name}");
    assert_eq!(home.run(&line).done(), active);
    assert_eq!(states(), (3, 1, 2));

    // What the server refuses has changed nothing, and what is no name is not sent.
    let refused = home.run("keys rotate --emergency --kid nobody --yes").fails(1);
    assert!(!refused.contains("--idempotency-key"), "{refused}");
    let asked = road.names().len();
    home.run("keys rotate --idempotency-key \u{e9}").fails(3);
    assert_eq!(road.names().len(), asked);
}

#[test]
fn a_key_of_elsewhere_waits_for_its_turn_and_is_never_shown() {
    let home = Home::new();
    let dev = Dev::start(&home);
    let (address, options) = (dev.address(), home.store_options());
    dev.terminate();
    let (pem, der, file) = private_key(&home, "key.pem");

    let outcome = home.run(&format!("keys import {file} {options} --kid hsm-2026 --output json"));
    assert_hides(&outcome, (&pem, &der));
    assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
    let told = outcome.json();
    assert_eq!((&told["kid"], &told["state"]), (&json!("hsm-2026"), &json!("published")));

    // The same key again, under any name, and the same name again.
    let again = home.run(&format!("keys import {file} {options} --kid other"));
    assert_hides(&again, (&pem, &der));
    assert!(again.fails(1).contains("this key is there already, as hsm-2026"));
    let (_, _, other) = private_key(&home, "other.pem");
    let taken = home.run(&format!("keys import {other} {options} --kid hsm-2026")).fails(1);
    assert!(taken.contains("there is a signing key hsm-2026 already"), "{taken}");

    // From a pipe; people are told when it signs, and who can read a file that is not the owner's alone.
    let (piped, der, _) = private_key(&home, "piped.pem");
    let outcome = home.run_with_input(&format!("keys import - {options}"), &piped);
    assert_hides(&outcome, (&piped, &der));
    assert!(outcome.stderr.contains("imported: it is published and signs from "), "{outcome:?}");
    assert!(outcome.stderr.contains("Running servers know it within 30 s"), "{outcome:?}");
    outcome.done();
    let (_, _, open) = private_key(&home, "open.pem");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let warned = home.run(&format!("keys import {open} {options} --quiet"));
    assert!(
        warned.stderr.contains("mode 0644") && warned.stderr.contains("chmod 600"),
        "{warned:?}"
    );
    warned.done();

    let _dev = Dev::start_at(&home, &address);
    home.run(&format!("init --host http://{address}")).done();
    home.sign_in(&_dev).done();
    let keys = listed(&home);
    let imported: Vec<_> = keys.iter().map(|key| key["imported"].as_bool().unwrap()).collect();
    assert_eq!(imported, [true, true, true, false], "{keys:?}");
    let published = home.run("keys jwks --quiet").done();
    assert!(published.lines().any(|kid| kid == "hsm-2026"), "{published}");
    let key = SigningKey::from_pkcs8("hsm-2026", &der).unwrap();
    assert_eq!(key.public_key().to_jwk().kid, "hsm-2026");
    let table = home.run("keys list").done();
    assert!(table.contains("RSA 2048, imported"), "{table}");
    if crate::support::redis_is_chosen() {
        return;
    }
    // Who holds the store is named.
    let (_, _, late) = private_key(&home, "late.pem");
    let held = home.run(&format!("keys import {late} {options}")).fails(3);
    assert!(held.contains("tikti at "), "{held}");
}

#[test]
fn what_is_no_such_key_is_named_and_opens_no_store() {
    let home = Home::new();
    let data = Dev::data(&home);
    let der = generate_rsa(RsaSize::Bits2048).unwrap();
    let whole = pem("PRIVATE KEY", &der);
    for (name, contents, reason) in [
        ("empty", String::new(), "is empty"),
        ("words", "no key at all".to_owned(), "is no PEM"),
        ("public", pem("PUBLIC KEY", &der), "is a public key"),
        ("certificate", pem("CERTIFICATE", &der), "is a certificate"),
        ("encrypted", pem("ENCRYPTED PRIVATE KEY", &der), "is encrypted"),
        ("ec", pem("EC PRIVATE KEY", &der), "is an EC key"),
        ("two", format!("{whole}{whole}"), "holds more than one key"),
        (
            "damaged",
            pem("PRIVATE KEY", &der[..der.len() / 2]),
            "is no private key, or a damaged one",
        ),
        ("long", whole.clone() + &" ".repeat(65_536), "is larger than 64 KiB"),
    ] {
        let file = write(&home, name, &contents, 0o600);
        let outcome = home.run(&format!("keys import {file} --data {data}"));
        assert_hides(&outcome, (&whole, &der));
        let said = outcome.fails(3);
        assert!(said.contains(&format!("{file} {reason}")), "{name}: {said}");
    }
    let piped = home.run_with_input(&format!("keys import - --data {data}"), "hello").fails(3);
    assert!(piped.contains("standard input is no PEM"), "{piped}");
    home.run(&format!("keys import /nonexistent.pem --data {data}")).fails(3);
    home.run("keys import key.pem --host http://127.0.0.1:1").fails(3);
    assert!(!Path::new(&data).exists());
    let (_, _, file) = private_key(&home, "good.pem");
    let said = home.run(&format!("keys import {file} --data {data}")).fails(3);
    assert!(said.contains("secrets.yaml is not there"), "{said}");
}

/// A configuration over the store of `tikti dev`, with these master keys.
fn config(home: &Home, secrets: &Value, master_keys: &Value) -> String {
    let config = json!({
        "issuer": "https://id.example.org", "listen": "127.0.0.1:0",
        "store": {"url": home.store_url()},
        "secrets": {
            "masterKey": master_keys, "pepper": secrets["pepper"], "hs256": secrets["hs256"],
        },
    });
    write(home, "config.yaml", &config.to_string(), 0o600)
}

#[test]
fn a_master_key_goes_out_of_use() {
    let home = Home::new();
    // Secrets of a deployment that `tikti serve` would have.
    let long = |word: &str| json!([{"kid": "1", "secret": word.repeat(10)}]);
    let secrets = json!({"pepper": long("pepper"), "hs256": long("secret")});
    let named = |kid: &str, byte: u8| json!({"kid": kid, "secret": base64(&[byte; 32])});
    let (old, new) = (named("m1", 1), named("m2", 2));
    let (_, _, file) = private_key(&home, "first.pem");

    // Into an empty deployment it is the first key.
    let only_old = config(&home, &secrets, &json!([old]));
    let first = home.run(&format!("keys import {file} --config {only_old} --output json")).json();
    assert_eq!(first["state"], "active");

    // Without the old one nothing can be opened, and nothing is changed.
    let only_new = config(&home, &secrets, &json!([new]));
    let said = home.run(&format!("keys rewrap --config {only_new}")).fails(3);
    assert!(said.contains("secrets.masterKey"), "{said}");

    let both = config(&home, &secrets, &json!([new, old]));
    let outcome = home.run(&format!("keys rewrap --config {both}"));
    assert!(
        outcome.stderr.contains("✔ 1 sealed anew under the master key m2, 0 were already"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("The other master keys may leave"), "{outcome:?}");
    outcome.done();
    let again = home.run(&format!("keys rewrap --config {both} --output json")).json();
    assert_eq!(again, json!({"rewrapped": 0, "already": 1, "lost": 0}));

    // The new one alone is enough from then on.
    let only_new = config(&home, &secrets, &json!([new]));
    let again = home.run(&format!("keys rewrap --config {only_new} --quiet"));
    assert_eq!(again.done(), "0\n");
    let only_old = config(&home, &secrets, &json!([old]));
    let refused = home.run(&format!("keys rewrap --config {only_old}")).fails(1);
    assert!(refused.contains("is sealed under the master key m2"), "{refused}");
    home.run("keys rewrap --host http://127.0.0.1:1").fails(3);
}

#[test]
fn a_rotation_that_reached_no_server_is_not_said_to_have_been_done() {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    dev.kill();
    let said = home.run("keys rotate").fails(1);
    assert!(said.contains("cannot reach") && !said.contains("may have been done"), "{said}");
}

//! The oracle is our own verifier: it takes what is good, refuses what is not, and each for its reason.

use serde_json::json;
use tikti_token::{
    Audience, DEFAULT_SKEW_SECONDS, KeySet, Policy, peek, verify_access, verify_worker,
};

use super::super::catalogue::{Catalogue, Expect};
use super::*;

const NOW: u64 = 1_900_000_000;
const ISSUER: &str = "https://issuer.example";

fn facts(kid: &str) -> Facts {
    Facts {
        issuer: ISSUER.into(),
        audience: "jobs".into(),
        tenant: "t-one".into(),
        subject: "worker-01".into(),
        scopes: vec!["jobs:read".into(), "jobs:write".into()],
        kid: kid.into(),
    }
}

struct World {
    forge: Forge,
    keys: KeySet,
    entries: Vec<Entry>,
}

fn forge(source: Source, class: Class) -> (Forge, Vec<Entry>) {
    let Catalogue { base, tokens, .. } = Catalogue::read().unwrap();
    let stranger = FreshKey::generate("k").unwrap();
    let there = (stranger, "http://127.0.0.1:1");
    (Forge::new(source, class, base, &facts("k"), there).unwrap(), tokens)
}

fn world(class: Class) -> World {
    let key = FreshKey::generate("k").unwrap();
    let keys = KeySet::from_jwks(&key.jwks()).unwrap();
    let (forge, entries) = forge(Source::Issuer(key), class);
    World { forge, keys, entries }
}

/// Verifies as a resource server of one tenant does; gives the step that refused.
fn judge(world: &World, class: Class, token: &str) -> Result<(), &'static str> {
    let policy = Policy {
        issuer: ISSUER,
        audience: Audience::OneOf(&["jobs"]),
        required_scopes: &["jobs:read", "jobs:write"],
        skew_seconds: DEFAULT_SKEW_SECONDS,
    };
    let verified = match class {
        Class::Worker => verify_worker(token, &world.keys, &policy, NOW)
            .map(|verified| verified.into_claims().access),
        _ => verify_access(token, &world.keys, &policy, NOW).map(|verified| verified.into_claims()),
    };
    match verified {
        Ok(claims) if claims.tid == "t-one" => Ok(()),
        Ok(_) => Err("tenant"),
        Err(cause) => Err(cause.step()),
    }
}

/// What may be left to whoever reads the claims: those that nobody reads, and whether a text is empty.
fn is_beyond_the_verifier(entry: &Entry) -> bool {
    let name = entry.name.as_str();
    (name.starts_with("tid-and-") && name.ends_with("-differ")) || name == "sub-empty"
}

fn every_token_is_judged_as_expected(class: Class) {
    let world = world(class);
    let mut misjudged = Vec::new();
    let judged = |entry: &&Entry| entry.is_for(class) && !is_beyond_the_verifier(entry);
    for entry in world.entries.iter().filter(judged) {
        let token = world.forge.make(entry, NOW).unwrap();
        let token = token.unwrap_or_else(|| panic!("{} does not apply", entry.name));
        let is_taken = judge(&world, class, &token).is_ok();
        if is_taken != (entry.expect == Expect::Accept) {
            misjudged.push(entry.name.as_str());
        }
    }
    assert_eq!(misjudged, Vec::<&str>::new());
}

#[test]
fn k1_our_own_verifier_of_access_tokens_takes_the_good_and_refuses_the_hostile() {
    every_token_is_judged_as_expected(Class::Access);
}

#[test]
fn k1_our_own_verifier_of_worker_tokens_takes_the_good_and_refuses_the_hostile() {
    every_token_is_judged_as_expected(Class::Worker);
}

#[test]
fn a_token_is_refused_for_what_is_wrong_with_it_and_for_nothing_before() {
    let world = world(Class::Access);
    for (name, step) in [
        ("alg-none", "algorithm"),
        ("hs256-with-public-pem", "algorithm"),
        ("rs512", "algorithm"),
        ("other-key", "signature"),
        ("other-key-unknown-kid", "key"),
        ("kid-missing", "key"),
        ("crit-unknown", "header"),
        ("x5c-embedded", "header"),
        ("act-stripped", "signature"),
        ("payload-changed", "signature"),
        ("signature-with-loose-bits", "parse"),
        ("duplicate-claim", "parse"),
        ("oversized", "size"),
        ("iss-with-slash", "issuer"),
        ("aud-longer", "audience"),
        ("expired-just-now", "expiry"),
        ("exp-string", "claims"),
        ("iat-in-future", "issued_at"),
        ("tid-other", "tenant"),
        ("scope-longer", "scope"),
        ("worker-token-for-access", "class"),
    ] {
        let entry = world.entries.iter().find(|entry| entry.name == name).unwrap();
        let token = world.forge.make(entry, NOW).unwrap().unwrap();
        assert_eq!(judge(&world, Class::Access, &token), Err(step), "{name}");
    }
}

/// A deployment's token, and a forge that has it and no key.
fn from_a_token() -> (String, Forge, Vec<Entry>) {
    let world = world(Class::Access);
    let control = world.entries.iter().find(|entry| entry.is_control()).unwrap();
    let token = world.forge.make(control, NOW).unwrap().unwrap();
    let said = peek(&token).unwrap();
    let good = GoodToken::new(&token, said.header().clone(), said.claims().clone()).unwrap();
    let Source::Issuer(key) = world.forge.source else { panic!("not the issuer") };
    let (forge, entries) = forge(Source::Token { good, public: key.public }, Class::Access);
    (token, forge, entries)
}

#[test]
fn without_the_key_every_entry_that_needs_none_is_made() {
    let (token, forge, entries) = from_a_token();
    for entry in entries.iter().filter(|entry| !entry.needs_key) {
        let made = forge.make(entry, NOW + 60).unwrap();
        assert!(made.is_some_and(|made| made != token), "{}", entry.name);
    }
}

#[test]
fn without_the_key_nothing_is_signed_as_the_issuer() {
    let (_, forge, entries) = from_a_token();
    let key = |entry: &&Entry| matches!(entry.sign, Sign::KeyRs512 | Sign::KeyPs256);
    for entry in entries.iter().filter(key) {
        assert!(forge.make(entry, NOW).is_err(), "{}", entry.name);
    }
}

#[test]
fn a_part_that_nothing_changes_stays_byte_for_byte() {
    let (token, forge, entries) = from_a_token();
    let (input, _) = token.rsplit_once('.').unwrap();
    let entry = entries.iter().find(|entry| entry.name == "other-key").unwrap();
    let made = forge.make(entry, NOW + 60).unwrap().unwrap();
    assert!(made.starts_with(&format!("{input}.")));
}

#[test]
fn changes_that_change_nothing_do_not_apply() {
    let Catalogue { base, tokens, .. } = Catalogue::read().unwrap();
    let source = Source::Issuer(FreshKey::generate("k").unwrap());
    let facts = Facts { audience: "1234".into(), ..facts("k") };
    let there = (FreshKey::generate("k").unwrap(), "http://127.0.0.1:1");
    let forge = Forge::new(source, Class::Access, base, &facts, there).unwrap();
    let entry = tokens.iter().find(|entry| entry.name == "aud-in-capitals").unwrap();
    assert_eq!(forge.make(entry, NOW).unwrap(), None);
}

#[test]
fn a_text_stands_where_the_object_would() {
    let world = world(Class::Access);
    let entry = world.entries.iter().find(|entry| entry.name == "exp-null").unwrap();
    let token = world.forge.make(entry, NOW).unwrap().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["exp"], json!(null));
    assert_eq!(payload["iss"], json!(ISSUER));
}

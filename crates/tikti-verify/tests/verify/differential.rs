//! Does an independent library agree with what is taken here?
//!
//! `jsonwebtoken` with the issuer's keys, as its documentation has it. The converse does not hold on
//! purpose: it takes an unknown `crit`, repeated claims and much else.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tikti_verify::Verifier;
use tokio::runtime::Runtime;

use crate::support::*;

fn oracle(token: &str, issuer: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let jwk = key(0).public_key().to_jwk();
    let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    decode(token, &key, &validation).map(|data| data.claims)
}

fn world() -> (Runtime, Issuer, Verifier) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (issuer, verifier) = runtime.block_on(async {
        let issuer = Issuer::start(&[key(0)]).await;
        let verifier = issuer.verifier();
        verifier.refresh().await.unwrap();
        (issuer, verifier)
    });
    (runtime, issuer, verifier)
}

#[test]
fn good_tokens_are_taken_by_both() {
    let (runtime, issuer, verifier) = world();
    for token in [issuer.token(key(0)), forge_claims(&issuer.claims())] {
        assert!(runtime.block_on(verifier.verify_access(&token)).is_ok());
        assert_eq!(oracle(&token, &issuer.url).unwrap(), issuer.claims());
    }
}

#[test]
fn what_is_taken_here_is_taken_there() {
    let (runtime, issuer, verifier) = world();
    let json_value =
        "(null|true|-?[0-9]{1,20}|[0-9]{1,10}\\.[0-9]|\"[a-z0-9]{0,5}\"|\\[(\"jobs\")?\\]|\\{\\})";
    let changes = (
        select(vec!["iss", "aud", "sub", "exp", "nbf", "iat", "scope", "extra"]),
        json_value,
        any::<Index>(),
        0_usize..3,
        "[A-Za-z0-9_=.-]{0,2}",
        any::<bool>(),
    );
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((name, text, start, removed, inserted, tampers) in changes)| {
        prop_assume!(serde_json::from_str::<Value>(&text).is_ok());
        let claims = with(issuer.claims(), name, serde_json::from_str(&text).unwrap());
        let mut token = forge_claims(&claims);
        if tampers {
            let start = start.index(token.len());
            let end = (start + removed).min(token.len());
            token.replace_range(start..end, &inserted);
        }
        if runtime.block_on(verifier.verify_access(&token)).is_ok() {
            prop_assert!(oracle(&token, &issuer.url).is_ok(), "{name} = {text}: {token}");
        }
    });
}

#[test]
fn what_is_refused_there_is_refused_here() {
    let (runtime, issuer, verifier) = world();
    for (name, value) in [
        ("exp", json!(1)),
        ("exp", json!(null)),
        ("nbf", json!(FAR)),
        ("iss", json!("https://other.test")),
        ("aud", json!("other")),
        ("aud", json!(null)),
        ("sub", json!(null)),
    ] {
        let token = forge_claims(&with(issuer.claims(), name, value.clone()));
        assert!(oracle(&token, &issuer.url).is_err(), "{name} = {value}");
        assert!(runtime.block_on(verifier.verify_access(&token)).is_err(), "{name} = {value}");
    }
}

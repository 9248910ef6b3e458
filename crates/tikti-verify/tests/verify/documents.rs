//! Which documents change the keys that are held? Only whole ones of this issuer.

use serde_json::{Value, json};
use tikti_token::KeyError;
use tikti_verify::RefreshError;

use crate::support::*;

/// Each is refused, and what was held before is good afterwards.
async fn expect(issuer: &Issuer, path: &str, cases: Vec<(Mood, RefreshError)>) {
    let token = issuer.token(key(0));
    for (mood, error) in cases {
        issuer.publish(&[key(0)]);
        issuer.set(DISCOVERY, Mood::Says(issuer.discovery(&issuer.url, JWKS)));
        let verifier = issuer.verifier();
        verifier.refresh().await.unwrap();
        pass(seconds(3_601)).await; // so that the address is asked for again
        issuer.set(path, mood.clone());
        assert_eq!(verifier.refresh().await, Err(error), "{mood:?}");
        assert_eq!(verifier.status().last_failure, Some(error));
        assert_eq!(refusal(&verifier, &token).await, None, "{mood:?}");
        let fresh = issuer.verifier();
        assert_eq!(fresh.refresh().await, Err(error), "{mood:?} at the start");
        assert_eq!(refusal(&fresh, &token).await.unwrap().status(), 503, "{mood:?}");
    }
}

fn set_of(keys: &[Value]) -> Mood {
    Mood::Says(json!({ "keys": keys }).to_string())
}

#[tokio::test]
async fn broken_key_sets_change_nothing() {
    let issuer = Issuer::start(&[key(0)]).await;
    let jwk = |number: usize| serde_json::to_value(key(number).public_key().to_jwk()).unwrap();
    let says = |text: &str| Mood::Says(text.to_owned());
    let cut = jwks(&[key(0)]);
    let cut = cut.get(..cut.len() - 2).unwrap();
    let cases = vec![
        (says(""), RefreshError::KeySet),
        (says("<html>"), RefreshError::KeySet),
        (says("null"), RefreshError::KeySet),
        (says("[]"), RefreshError::KeySet),
        (says(r#"{"keys":null}"#), RefreshError::KeySet),
        (says(r#"{"keys":[],"keys":[]}"#), RefreshError::KeySet),
        (says(cut), RefreshError::KeySet),
        (set_of(&[with(jwk(0), "d", json!("AQ"))]), RefreshError::KeySet),
        (set_of(&[]), RefreshError::NoKeys),
        (set_of(&[json!({ "kty": "oct", "kid": "key-0", "k": "AQ" })]), RefreshError::NoKeys),
        (set_of(&[with(jwk(0), "alg", json!("RS512"))]), RefreshError::NoKeys),
        (set_of(&[without(jwk(0), "kid")]), RefreshError::NoKeys),
        (set_of(&[jwk(0), jwk(0)]), RefreshError::Key(KeyError::DuplicateKeyId)),
        (
            set_of(&[jwk(0), with(jwk(1), "kid", json!("key-0"))]),
            RefreshError::Key(KeyError::DuplicateKeyId),
        ),
        (set_of(&[jwk(0), with(jwk(1), "n", json!("AQ"))]), RefreshError::Key(KeyError::TooShort)),
        (set_of(&[with(jwk(0), "e", json!("Aw"))]), RefreshError::Key(KeyError::Malformed)),
        (set_of(&[with(jwk(0), "kid", json!("a b"))]), RefreshError::Key(KeyError::KeyId)),
        (Mood::Answers(404), RefreshError::Status(404)),
        (Mood::Answers(204), RefreshError::Status(204)),
    ];
    expect(&issuer, JWKS, cases).await;
}

#[tokio::test]
async fn discovery_of_somebody_else_changes_nothing() {
    let issuer = Issuer::start(&[key(0)]).await;
    let url = issuer.url.clone();
    let says = |issuer: &str, uri: &str| {
        Mood::Says(json!({ "issuer": issuer, "jwks_uri": uri }).to_string())
    };
    let keys = format!("{url}{JWKS}");
    let cases = vec![
        (says("https://other.test", &keys), RefreshError::OtherIssuer),
        (says(&format!("{url}/"), &keys), RefreshError::OtherIssuer),
        (says(&url.to_uppercase(), &keys), RefreshError::OtherIssuer),
        (says(&url, "http://169.254.169.254/keys"), RefreshError::ForeignKeys),
        (says(&url, "http://localhost/keys"), RefreshError::ForeignKeys),
        (says(&url, "file:///etc/passwd"), RefreshError::ForeignKeys),
        (says(&url, JWKS), RefreshError::ForeignKeys),
        (Mood::Says("{}".to_owned()), RefreshError::Discovery),
        (Mood::Says(String::new()), RefreshError::Discovery),
        (Mood::Answers(404), RefreshError::Status(404)),
    ];
    expect(&issuer, DISCOVERY, cases).await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let issuer = Issuer::start(&[key(0)]).await;
    let elsewhere = Issuer::start(&[key(3)]).await;
    issuer.set("/moved", Mood::Says(jwks(&[key(0)])));
    for path in [JWKS, DISCOVERY] {
        let places = [elsewhere.url.clone() + path, "/moved".to_owned(), String::new()];
        let cases = places.map(|place| (Mood::SendsTo(place), RefreshError::Redirect));
        expect(&issuer, path, cases.into()).await;
    }
    assert_eq!(issuer.asked("/moved"), 0);
    assert_eq!((elsewhere.asked(JWKS), elsewhere.asked(DISCOVERY)), (0, 0));
}

#[tokio::test]
async fn a_document_is_at_most_64_kib() {
    let issuer = Issuer::start(&[key(0)]).await;
    let padded = |document: &str, length: usize| {
        let padding = " ".repeat(length - document.len());
        Mood::Says(format!("{document}{padding}"))
    };
    let (keys, discovery) = (jwks(&[key(0)]), issuer.discovery(&issuer.url, JWKS));
    for (path, document) in [(JWKS, keys), (DISCOVERY, discovery)] {
        issuer.publish(&[key(0)]);
        issuer.set(path, padded(&document, 64 * 1024));
        issuer.verifier().refresh().await.unwrap();
        let cases = [64 * 1024 + 1, 8 * 1024 * 1024];
        let cases = cases.map(|length| (padded(&document, length), RefreshError::TooLarge));
        expect(&issuer, path, cases.into()).await;
    }
}

//! Which idTokens of an older Tikti are taken?

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tikti_token::*;

use crate::support::{NOW, SECRET};

const OLD: &str = "https://old.example.org";

fn verify(token: &str) -> Result<LegacyClaims, VerifyError> {
    let keys = [HmacKey::new("a", &[9; 32]).unwrap(), HmacKey::new("b", SECRET).unwrap()];
    let issuers = [OLD.to_owned()];
    let policy = LegacyPolicy { issuers: &issuers, skew_seconds: 60 };
    verify_legacy(token, &keys, &policy, NOW).map(Verified::into_claims)
}

fn claims() -> Value {
    json!({"sub": "u1", "email": "ann@example.org", "tid": "t1", "iat": NOW - 60, "exp": NOW + 60})
}

/// Any header over any payload, under the right secret.
fn signed(header: &Value, payload: &Value) -> String {
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(payload));
    let tag = HmacKey::new("b", SECRET).unwrap().sign_raw(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

fn with_claim(name: &str, value: Option<Value>) -> Result<LegacyClaims, VerifyError> {
    let mut payload = claims();
    let members = payload.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    verify(&signed(&json!({"alg": "HS256"}), &payload))
}

#[test]
fn a_token_of_an_independent_library_is_taken() {
    let header = Header { kid: None, ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &claims(), &EncodingKey::from_secret(SECRET)).unwrap();
    let read = verify(&token).unwrap();
    assert_eq!(read.sub.as_deref(), Some("u1"));
    assert_eq!(read.email.as_deref(), Some("ann@example.org"));
    assert_eq!((read.tid.as_deref(), read.iat, read.exp), (Some("t1"), NOW - 60, NOW + 60));
    let other = encode(&header, &claims(), &EncodingKey::from_secret(&[8; 32])).unwrap();
    assert_eq!(verify(&other), Err(VerifyError::Signature));
    let other = Header { kid: None, ..Header::new(Algorithm::HS384) };
    let token = encode(&other, &claims(), &EncodingKey::from_secret(SECRET)).unwrap();
    assert_eq!(verify(&token), Err(VerifyError::Algorithm));
}

#[test]
fn k1_a_header_that_chooses_its_own_check_is_refused() {
    for (member, error) in [
        (json!({"kid": "b"}), VerifyError::HeaderMember),
        (json!({"kid": null}), VerifyError::HeaderMember),
        (json!({"crit": ["exp"]}), VerifyError::HeaderMember),
        (json!({"jwk": {}}), VerifyError::HeaderMember),
        (json!({"jku": "https://evil.example"}), VerifyError::HeaderMember),
        (json!({"x5u": "https://evil.example"}), VerifyError::HeaderMember),
        (json!({"typ": "at+jwt"}), VerifyError::HeaderType),
        (json!({"alg": "none"}), VerifyError::Algorithm),
        (json!({"alg": "HS512"}), VerifyError::Algorithm),
        (json!({"alg": "RS256"}), VerifyError::Algorithm),
        (json!({"alg": null}), VerifyError::Algorithm),
    ] {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        header.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        assert_eq!(verify(&signed(&header, &claims())), Err(error), "{header}");
    }
    assert_eq!(verify(&"a".repeat(MAX_TOKEN_BYTES + 1)), Err(VerifyError::TooLarge));
}

#[test]
fn l5_each_claim_is_of_its_kind() {
    for name in ["iat", "exp"] {
        assert_eq!(with_claim(name, None), Err(VerifyError::MissingClaim(name)));
        for value in [json!(null), json!("1"), json!(-1), json!(1.5), json!(1_u64 << 63)] {
            assert_eq!(with_claim(name, Some(value)), Err(VerifyError::WrongClaim(name)));
        }
    }
    for name in ["sub", "email", "tid", "iss", "aud"] {
        for value in [json!(null), json!(1), json!({})] {
            assert_eq!(with_claim(name, Some(value)), Err(VerifyError::WrongClaim(name)));
        }
    }
}

#[test]
fn issuer_audience_and_one_of_the_names_may_be_missing() {
    for (name, value) in [
        ("sub", None),
        ("email", None),
        ("tid", None),
        ("iss", Some(json!(OLD))),
        ("aud", Some(json!("anything"))),
        ("aud", Some(json!(["one", "two"]))),
        ("token_use", Some(json!("id"))),
    ] {
        assert!(with_claim(name, value).is_ok(), "{name}");
    }
    for (name, value, error) in [
        ("iss", json!("https://other.example.org"), VerifyError::Issuer),
        ("token_use", json!("access"), VerifyError::WrongClass),
        ("exp", json!(NOW - 61), VerifyError::Expired),
        ("iat", json!(NOW + 61), VerifyError::IssuedInFuture),
        ("nbf", json!(NOW + 61), VerifyError::NotYetValid),
    ] {
        assert_eq!(with_claim(name, Some(value)), Err(error), "{name}");
    }
    let nobody = json!({"iat": NOW, "exp": NOW + 60});
    let token = signed(&json!({"alg": "HS256"}), &nobody);
    assert_eq!(verify(&token), Err(VerifyError::MissingClaim("sub")));
}

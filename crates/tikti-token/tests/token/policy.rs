//! Which tokens fit what the caller expects, and at which step does one that does not fail?

use serde_json::{Value, json};
use tikti_token::*;

use crate::support::*;

#[test]
fn issuer_is_compared_exactly() {
    for kind in Kind::ALL {
        for issuer in ["https://tikti.test/", "HTTPS://tikti.test", "https://tikti.test.evil", ""] {
            let token = kind.forge_claims(&with(kind.claims(), "iss", json!(issuer)));
            assert_eq!(kind.verify(&token), Err(VerifyError::Issuer), "{kind:?} {issuer}");
        }
    }
}

#[test]
fn audience_is_a_string_or_an_array_that_contains_an_expected_one() {
    let verify = |aud: Value, audience: Audience<'_>| {
        let token = Kind::Access.forge_claims(&with(Kind::Access.claims(), "aud", aud));
        verify_access(&token, public_keys(), &Policy { audience, ..CODEQ }, NOW)
            .map(|verified| verified.into_claims().aud)
    };
    let refused = Err(VerifyError::Audience);
    let one_of = Audience::OneOf(&["a", "b"]);

    assert_eq!(verify(json!("b"), one_of), Ok("b".to_owned()));
    assert_eq!(verify(json!(["x", "b"]), one_of), Ok("b".to_owned()));
    for aud in [json!("c"), json!("B"), json!("a b"), json!(""), json!([]), json!(["c"])] {
        assert_eq!(verify(aud.clone(), one_of), refused, "{aud}");
    }
    assert_eq!(verify(json!("a"), Audience::OneOf(&[])), refused);

    assert_eq!(verify(json!("c"), Audience::Deferred), Ok("c".to_owned()));
    assert_eq!(verify(json!(["c"]), Audience::Deferred), Ok("c".to_owned()));
    assert_eq!(verify(json!(["c", "d"]), Audience::Deferred), refused, "which one?");
    assert_eq!(verify(json!([]), Audience::Deferred), refused);
}

#[test]
fn times_are_compared_with_the_skew_to_the_second() {
    for kind in Kind::ALL {
        let policy = if kind.is_id() { ID } else { CODEQ };
        let token = kind.mint();
        let exp = kind.claims()["exp"].as_u64().unwrap();
        let at = |now_seconds| kind.verify_with(&token, &policy, now_seconds);
        assert_eq!(at(NOW - 60), Ok(()));
        assert_eq!(at(NOW - 61), Err(VerifyError::IssuedInFuture));
        assert_eq!(at(exp + 60), Ok(()));
        assert_eq!(at(exp + 61), Err(VerifyError::Expired));
        assert_eq!(at(0), Err(VerifyError::IssuedInFuture));
        assert_eq!(at(u64::MAX), Err(VerifyError::Expired));

        let strict = Policy { skew_seconds: 0, ..policy };
        assert_eq!(kind.verify_with(&token, &strict, exp), Ok(()));
        assert_eq!(kind.verify_with(&token, &strict, exp + 1), Err(VerifyError::Expired));
        let boundless = Policy { skew_seconds: u64::MAX, ..policy };
        assert_eq!(kind.verify_with(&token, &boundless, 0), Ok(()));
        assert_eq!(kind.verify_with(&token, &boundless, u64::MAX), Ok(()));
    }
}

#[test]
fn nbf_is_honoured_where_someone_wrote_it() {
    for kind in Kind::ALL {
        let verify = |nbf: Value| kind.verify(&kind.forge_claims(&with(kind.claims(), "nbf", nbf)));
        assert_eq!(verify(json!(NOW + 60)), Ok(()));
        assert_eq!(verify(json!(NOW + 61)), Err(VerifyError::NotYetValid));
        assert_eq!(verify(json!("0")), Err(VerifyError::WrongClaim("nbf")));
    }
}

#[test]
fn required_scopes_are_a_subset_by_exact_string() {
    let verify = |kind: Kind, required_scopes: &[&str]| {
        let policy = if kind.is_id() { ID } else { CODEQ };
        kind.verify_with(&kind.mint(), &Policy { required_scopes, ..policy }, NOW)
    };
    let missing = Err(VerifyError::MissingScope);
    for kind in [Kind::Access, Kind::Worker] {
        assert_eq!(verify(kind, &["codeq:result", "codeq:claim"]), Ok(()));
        for scope in ["codeq", "codeq:", "codeq:*", "*", "CODEQ:claim", "codeq:claim ", ""] {
            assert_eq!(verify(kind, &["codeq:claim", scope]), missing, "{scope:?}");
        }
        assert_eq!(verify(kind, &["codeq:claim codeq:heartbeat"]), missing, "one name, not two");
    }
    assert_eq!(verify(Kind::Id, &["codeq:claim"]), missing);
    assert_eq!(verify(Kind::Id, &[""]), missing);
}

/// Each step refuses although all later ones would too: the order is part of the contract.
#[test]
fn steps_run_in_the_order_of_the_specification() {
    let kind = Kind::Access;
    let policy = Policy { required_scopes: &["codeq:admin"], ..CODEQ };
    let step = |token: &str| kind.verify_with(token, &policy, NOW).unwrap_err().step();
    // From good to worse: each change breaks one step earlier than the one before.
    let mut claims = kind.claims();
    let mut header = kind.header();
    assert_eq!(step(&kind.forge_claims(&claims)), "scope");
    let claim_changes = [
        ("exp", json!(1), "expiry"),
        ("iat", json!(NOW + 3600), "issued_at"),
        ("aud", json!("other"), "audience"),
        ("iss", json!("other"), "issuer"),
        ("token_use", json!("worker"), "class"),
        ("jti", json!(1), "claims"),
    ];
    for (name, value, expected) in claim_changes {
        claims[name] = value;
        assert_eq!(step(&kind.forge_claims(&claims)), expected);
    }
    let forge = |header: &Value| {
        let token = kind.forge(&header.to_string(), &claims.to_string());
        format!("{}.AAAA", token.rsplit_once('.').unwrap().0)
    };
    assert_eq!(step(&forge(&header)), "signature");
    let header_changes = [
        ("kid", json!("other"), "key"),
        ("alg", json!("none"), "algorithm"),
        ("crit", json!(["x"]), "header"),
    ];
    for (name, value, expected) in header_changes {
        header[name] = value;
        assert_eq!(step(&forge(&header)), expected);
    }
    assert_eq!(step(&format!("{}=", forge(&header))), "parse");
    assert_eq!(step(&format!("{}{}=", forge(&header), "A".repeat(MAX_TOKEN_BYTES))), "size");
}

//! A signed head of the audit: whole, forged, and taken for a token.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_token::*;

use crate::support::*;

fn head() -> AuditHeadClaims {
    AuditHeadClaims {
        iss: ISSUER.to_owned(),
        iat: NOW,
        chain: "acme".to_owned(),
        seq: 7,
        chained_at: "2026-01-27T16:43:34.000Z".to_owned(),
        hash: "0".repeat(64),
        pruned: None,
    }
}

/// A head with this header and payload, signed with the real key.
fn forge(header: &Value, payload: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let input = format!("{}.{}", part(header), part(payload));
    let signature = rsa_key().sign_raw(input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}

#[test]
fn a_head_that_was_minted_is_verified_by_its_own_key_alone() {
    let jws = mint_audit_head(rsa_key(), &head()).unwrap();
    assert_eq!(verify_audit_head(&jws, public_keys()).unwrap().into_claims(), head());
    let unknown = verify_audit_head(&jws, &KeySet::default());
    assert_eq!(unknown, Err(VerifyError::UnknownKey));
    let at = jws.rfind('.').unwrap() - 5;
    let mut changed = jws.into_bytes();
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    assert!(verify_audit_head(&String::from_utf8(changed).unwrap(), public_keys()).is_err());
}

#[test]
fn a_checkpoint_says_how_many_events_are_gone_and_a_head_does_not() {
    let checkpoint = AuditHeadClaims { pruned: Some(7), ..head() };
    let jws = mint_audit_head(rsa_key(), &checkpoint).unwrap();
    assert_eq!(verify_audit_head(&jws, public_keys()).unwrap().into_claims(), checkpoint);
    assert!(serde_json::to_value(head()).unwrap().get("pruned").is_none());
    let header = json!({"alg": "RS256", "typ": "tikti-audit-head+jwt", "kid": "rsa-1"});
    let mut claims = serde_json::to_value(head()).unwrap();
    claims["pruned"] = json!("7");
    assert!(verify_audit_head(&forge(&header, &claims), public_keys()).is_err());
}

#[test]
fn a_head_of_any_other_header_is_refused() {
    let claims = serde_json::to_value(head()).unwrap();
    let typ = "tikti-audit-head+jwt";
    for header in [
        json!({"alg": "RS256", "kid": "rsa-1"}),
        json!({"alg": "RS256", "typ": "JWT", "kid": "rsa-1"}),
        json!({"alg": "none", "typ": typ, "kid": "rsa-1"}),
        json!({"alg": "HS256", "typ": typ, "kid": "rsa-1"}),
        json!({"alg": "RS256", "typ": typ, "kid": "rsa-1", "jku": "https://x"}),
        json!({"alg": "RS256", "typ": typ}),
    ] {
        assert!(verify_audit_head(&forge(&header, &claims), public_keys()).is_err(), "{header}");
    }
}

#[test]
fn a6_a_signed_head_is_no_token_and_no_token_is_a_signed_head() {
    let jws = mint_audit_head(rsa_key(), &head()).unwrap();
    for kind in Kind::ALL {
        assert_ne!(kind.step(&jws), "accepted", "{kind:?}");
        let as_head = verify_audit_head(&kind.mint(), public_keys());
        assert_eq!(as_head, Err(VerifyError::HeaderType), "{kind:?}");
        // Even with every claim of a token beside its own.
        let mut claims = kind.claims();
        let own = serde_json::to_value(head()).unwrap();
        claims.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let header = json!({"alg": "RS256", "typ": "tikti-audit-head+jwt", "kid": "rsa-1"});
        assert_eq!(kind.step(&forge(&header, &claims)), "header", "{kind:?}");
    }
}

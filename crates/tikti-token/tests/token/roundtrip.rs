//! Does each class come back as it was written, and what is on the wire?

use serde_json::Value;
use tikti_token::*;

use crate::support::*;

fn names(token: &str) -> Vec<String> {
    peek(token).unwrap().claims().keys().cloned().collect()
}

#[test]
fn each_class_comes_back_as_it_was_minted() {
    let id = verify_id(&Kind::Id.mint(), secrets(), &ID, NOW).unwrap();
    assert_eq!(*id.claims(), id_claims());
    let id = verify_id(&Kind::IdRs256.mint(), id_keys(), &ID, NOW).unwrap();
    assert_eq!(id.into_claims(), id_claims());
    let access = verify_access(&Kind::Access.mint(), public_keys(), &CODEQ, NOW).unwrap();
    assert_eq!(access.into_claims(), access_claims());
    let worker = verify_worker(&Kind::Worker.mint(), public_keys(), &CODEQ, NOW).unwrap();
    assert_eq!(worker.into_claims(), worker_claims());
}

#[test]
fn absent_claims_are_not_written() {
    let mut claims = id_claims();
    (claims.tid, claims.email, claims.mver, claims.firebase.tenant) = (None, None, None, None);
    claims.firebase.identities = FirebaseIdentities::default();
    let token = mint_id(secrets(), &claims).unwrap();
    assert_eq!(*verify_id(&token, secrets(), &ID, NOW).unwrap().claims(), claims);
    for name in ["tid", "email", "mver"] {
        assert!(!names(&token).contains(&name.to_owned()), "{name}");
    }

    let mut claims = access_claims();
    (claims.sid, claims.ver, claims.mver, claims.wver, claims.act) = (None, None, None, None, None);
    let token = mint_access(rsa_key(), AccessTokenType::Jwt, &claims).unwrap();
    assert_eq!(*verify_access(&token, public_keys(), &CODEQ, NOW).unwrap().claims(), claims);
    assert_eq!(
        names(&token),
        ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "tid", "token_use"]
    );
}

#[test]
fn what_a_resource_server_sees_has_no_role_no_email_no_nbf() {
    for kind in [Kind::Access, Kind::Worker] {
        let names = names(&kind.mint());
        for name in ["role", "email", "nbf", "tenantId", "tenant_id", "organizationId"] {
            assert!(!names.contains(&name.to_owned()), "{kind:?} {name}");
        }
    }
    for kind in [Kind::Id, Kind::IdRs256] {
        assert!(!names(&kind.mint()).contains(&"nbf".to_owned()));
    }
}

#[test]
fn header_names_algorithm_type_and_key_and_nothing_else() {
    for kind in Kind::ALL {
        let header = Value::Object(peek(&kind.mint()).unwrap().header().clone());
        assert_eq!(header, kind.header());
    }
    let token = mint_access(rsa_key(), AccessTokenType::AtJwt, &access_claims()).unwrap();
    assert_eq!(peek(&token).unwrap().header().get("typ"), Some(&Value::from("at+jwt")));
    assert_eq!(Kind::Access.verify(&token), Ok(()));
    let token = mint_worker(rsa_key(), AccessTokenType::AtJwt, &worker_claims()).unwrap();
    assert_eq!(Kind::Worker.verify(&token), Ok(()));
}

#[test]
fn the_first_secret_signs_and_all_verify() {
    let key = |kid: &str, fill: u8| HmacKey::new(kid, &[fill; 32]).unwrap();
    let before = HmacKeys::new(vec![key("old", 1)]).unwrap();
    let during = HmacKeys::new(vec![key("new", 2), key("old", 1)]).unwrap();
    let after = HmacKeys::new(vec![key("new", 2)]).unwrap();

    let old = mint_id(&before, &id_claims()).unwrap();
    let new = mint_id(&during, &id_claims()).unwrap();
    assert!(verify_id(&old, &during, &ID, NOW).is_ok());
    assert!(verify_id(&new, &during, &ID, NOW).is_ok());
    assert!(verify_id(&new, &after, &ID, NOW).is_ok());
    assert_eq!(verify_id(&old, &after, &ID, NOW).unwrap_err(), VerifyError::UnknownKey);
}

#[test]
fn minting_refuses_what_verifying_would_refuse() {
    let mint = |change: fn(&mut WorkerClaims)| {
        let mut claims = worker_claims();
        change(&mut claims);
        mint_worker(rsa_key(), AccessTokenType::Jwt, &claims).unwrap_err()
    };
    assert_eq!(mint(|c| c.access.scope.clear()), SignError::Claim("scope"));
    assert_eq!(mint(|c| c.access.scope = "a  b".to_owned()), SignError::Claim("scope"));
    assert_eq!(mint(|c| c.event_types.clear()), SignError::Claim("eventTypes"));
    assert_eq!(mint(|c| c.access.sub.clear()), SignError::Claim("sub"));
    assert_eq!(mint(|c| c.access.tid.clear()), SignError::Claim("tid"));
    assert_eq!(mint(|c| c.access.exp = 1 << 63), SignError::Claim("exp"));
    assert_eq!(mint(|c| c.access.wver = Some(u64::MAX)), SignError::Claim("wver"));
    assert_eq!(mint(|c| c.access.sub = "x".repeat(8_000)), SignError::TooLarge);

    let claims = IdClaims { auth_time: u64::MAX, ..id_claims() };
    assert_eq!(mint_id(secrets(), &claims), Err(SignError::Claim("auth_time")));
    assert_eq!(mint_id_rs256(rsa_key(), &claims), Err(SignError::Claim("auth_time")));
}

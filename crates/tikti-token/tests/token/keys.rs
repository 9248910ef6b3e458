//! Which keys are taken, and what is published of them?

use data_encoding::BASE64URL_NOPAD;
use tikti_token::*;

use crate::support::*;

#[test]
fn public_keys_survive_their_published_form() {
    let published = serde_json::to_string(&public_keys().to_jwks()).unwrap();
    let read: Jwks = serde_json::from_str(&published).unwrap();
    assert_eq!(read, public_keys().to_jwks());
    let keys = KeySet::from_jwks(&read).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(verify_access(&Kind::Access.mint(), &keys, &CODEQ, NOW).is_ok());
    assert!(verify_access(&Kind::Access.mint(), &KeySet::default(), &CODEQ, NOW).is_err());
}

#[test]
fn larger_keys_sign_too() {
    let der = generate_rsa(RsaSize::Bits3072).unwrap();
    let key = SigningKey::from_pkcs8("rsa-3072", &der).unwrap();
    let token = mint_access(&key, AccessTokenType::Jwt, &access_claims()).unwrap();
    let keys = KeySet::new([key.public_key()]);
    assert!(verify_access(&token, &keys, &CODEQ, NOW).is_ok());
}

/// The published form of the test key after `change`, read again.
fn read_changed(change: impl FnOnce(&mut Jwk)) -> Result<(), KeyError> {
    let mut jwk = rsa_key().public_key().to_jwk();
    change(&mut jwk);
    PublicKey::from_jwk(&jwk).map(drop)
}

#[test]
fn refuses_numbers_that_are_weak_or_not_canonical() {
    let jwk = rsa_key().public_key().to_jwk();
    let modulus = BASE64URL_NOPAD.decode(jwk.n.as_bytes()).unwrap();
    let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let zero_first = encode(&[&[0], modulus.as_slice()].concat());
    let even = encode(&[&modulus[..255], &[2]].concat());
    let huge = encode(&modulus.repeat(5));

    assert_eq!(read_changed(|_| ()), Ok(()));
    assert_eq!(read_changed(|jwk| jwk.n = encode(&modulus[1..])), Err(KeyError::TooShort));
    for n in ["", "AQ==", "!", &zero_first, &even, &huge] {
        assert_eq!(read_changed(|jwk| jwk.n = n.to_owned()), Err(KeyError::Malformed), "n {n}");
    }
    for e in ["", "AQ", "Aw", "AQAA", "AAEAAQ", "AgAAAAE", "____________"] {
        assert_eq!(read_changed(|jwk| jwk.e = e.to_owned()), Err(KeyError::Malformed), "e {e}");
    }
}

#[test]
fn refuses_keys_of_another_kind_or_without_a_name_of_their_own() {
    assert_eq!(read_changed(|jwk| jwk.kid.clear()), Err(KeyError::KeyId));
    assert_eq!(read_changed(|jwk| jwk.kty = "oct".to_owned()), Err(KeyError::Malformed));
    assert_eq!(read_changed(|jwk| jwk.key_use = "enc".to_owned()), Err(KeyError::Malformed));
    assert_eq!(read_changed(|jwk| jwk.alg = "RS512".to_owned()), Err(KeyError::Malformed));

    let jwk = rsa_key().public_key().to_jwk();
    let twice = Jwks { keys: vec![jwk.clone(), jwk] };
    assert_eq!(KeySet::from_jwks(&twice).unwrap_err(), KeyError::DuplicateKeyId);
}

#[test]
fn k2_nothing_that_is_printed_or_published_holds_a_private_member() {
    let key = rsa_key();
    assert_eq!(format!("{key:?}"), r#"SigningKey { kid: "rsa-1", .. }"#);
    assert_eq!(format!("{:?}", key.public_key()), r#"PublicKey { kid: "rsa-1", .. }"#);
    let published = serde_json::to_value(public_keys().to_jwks()).unwrap();
    let members: Vec<&String> = published["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert!(!format!("{:?}", secrets()).contains("thirty-two"));
}

#[test]
fn refuses_private_keys_that_are_none() {
    for der in [&b""[..], b"-----BEGIN PRIVATE KEY-----", &private_key_der()[..600]] {
        assert_eq!(SigningKey::from_pkcs8("k", der).unwrap_err(), KeyError::Malformed);
    }
    assert_eq!(SigningKey::from_pkcs8("", private_key_der()).unwrap_err(), KeyError::KeyId);
}

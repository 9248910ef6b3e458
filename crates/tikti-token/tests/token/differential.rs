//! Does an independent library agree?
//!
//! `jsonwebtoken` reads what is minted here, its tokens are read here, and no token that it refuses
//! is taken here. The converse does not hold on purpose: it takes an unknown `crit`, an embedded
//! `jwk`, a missing `kid` and repeated claims. It reads the real clock, so tokens here live long.

use data_encoding::BASE64;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use tikti_token::*;

use crate::support::*;

/// 2100-01-01.
const FAR: u64 = 4_102_444_800;

fn oracle(token: &str, kind: Kind) -> Result<Value, jsonwebtoken::errors::Error> {
    let jwk = rsa_key().public_key().to_jwk();
    let (algorithm, key, audience) = match kind {
        Kind::Id => (Algorithm::HS256, DecodingKey::from_secret(SECRET), "tikti"),
        Kind::IdRs256 | Kind::Access | Kind::Worker => {
            let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).unwrap();
            (Algorithm::RS256, key, if kind.is_id() { "tikti" } else { "codeq-worker" })
        }
    };
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    decode(token, &key, &validation).map(|data| data.claims)
}

fn encoding_key(kind: Kind) -> EncodingKey {
    if kind == Kind::Id {
        return EncodingKey::from_secret(SECRET);
    }
    let body = BASE64.encode(private_key_der());
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

fn oracle_header(kind: Kind) -> Header {
    let (algorithm, kid) = match kind {
        Kind::Id => (Algorithm::HS256, "hmac-1"),
        Kind::IdRs256 | Kind::Access | Kind::Worker => (Algorithm::RS256, "rsa-1"),
    };
    Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) }
}

fn long_lived(kind: Kind) -> Value {
    let mut claims = kind.claims();
    claims["exp"] = json!(FAR);
    claims
}

#[test]
fn our_tokens_verify_there() {
    let id = IdClaims { exp: FAR, ..id_claims() };
    let id_rs256 = mint_id_rs256(rsa_key(), &id).unwrap();
    let id = mint_id(secrets(), &id).unwrap();
    let access = AccessClaims { exp: FAR, ..access_claims() };
    let worker = WorkerClaims { access: access.clone(), ..worker_claims() };
    let access = mint_access(rsa_key(), AccessTokenType::AtJwt, &access).unwrap();
    let worker = mint_worker(rsa_key(), AccessTokenType::Jwt, &worker).unwrap();
    let ids = [(Kind::Id, id), (Kind::IdRs256, id_rs256)];
    for (kind, token) in ids.into_iter().chain([(Kind::Access, access), (Kind::Worker, worker)]) {
        assert_eq!(oracle(&token, kind).unwrap(), long_lived(kind));
        let header = decode_header(&token).unwrap();
        assert_eq!(header.kid, oracle_header(kind).kid);
        assert_eq!(header.alg, oracle_header(kind).alg);
    }
}

#[test]
fn their_tokens_verify_here() {
    for kind in Kind::ALL {
        let token = encode(&oracle_header(kind), &long_lived(kind), &encoding_key(kind)).unwrap();
        assert_eq!(kind.verify(&token), Ok(()), "{kind:?}");
        let elsewhere = Header { jku: Some(ISSUER.to_owned()), ..oracle_header(kind) };
        let token = encode(&elsewhere, &long_lived(kind), &encoding_key(kind)).unwrap();
        assert_eq!(kind.step(&token), "header", "{kind:?}");
    }
}

#[test]
fn hs256_and_rs256_signatures_are_the_same_bytes() {
    for kind in Kind::ALL {
        let theirs = encode(&oracle_header(kind), &long_lived(kind), &encoding_key(kind)).unwrap();
        let (input, signature) = theirs.rsplit_once('.').unwrap();
        let ours = match kind {
            Kind::Id => secrets().signing_key().sign_raw(input.as_bytes()).as_ref().to_vec(),
            Kind::IdRs256 | Kind::Access | Kind::Worker => {
                rsa_key().sign_raw(input.as_bytes()).unwrap()
            }
        };
        assert_eq!(data_encoding::BASE64URL_NOPAD.encode(&ours), signature);
    }
}

#[test]
fn claims_refused_there_are_refused_here() {
    let changes = [
        ("exp", json!(1)),
        ("exp", json!("4102444800")),
        ("exp", json!(null)),
        ("exp", json!(-1)),
        ("nbf", json!(FAR)),
        ("iss", json!("https://other.test")),
        ("iss", json!(["https://other.test"])),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", json!(null)),
        ("sub", json!(null)),
    ];
    for kind in Kind::ALL {
        for (name, value) in &changes {
            let mut claims = long_lived(kind);
            claims[name] = value.clone();
            let token = kind.forge_claims(&claims);
            assert!(oracle(&token, kind).is_err(), "{kind:?} {name} = {value}");
            assert!(kind.verify(&token).is_err(), "{kind:?} {name} = {value}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes put in, taken out or replaced anywhere in a token that both take.
    #[test]
    fn mutants_refused_there_are_refused_here(
        kind in select(Kind::ALL.to_vec()),
        start in any::<prop::sample::Index>(),
        removed in 0_usize..4,
        inserted in "[A-Za-z0-9_=.+/ -]{0,4}",
    ) {
        let token = kind.forge_claims(&long_lived(kind));
        prop_assert!(oracle(&token, kind).is_ok() && kind.verify(&token).is_ok());
        let start = start.index(token.len());
        let end = (start + removed).min(token.len());
        let mut mutant = token.clone();
        mutant.replace_range(start..end, &inserted);
        if oracle(&mutant, kind).is_err() {
            prop_assert!(kind.verify(&mutant).is_err(), "{mutant}");
        }
        prop_assert_eq!(kind.verify(&mutant).is_ok(), mutant == token);
    }

    /// Well-signed payloads with any JSON value in any standard claim.
    #[test]
    fn signed_claims_refused_there_are_refused_here(
        kind in select(Kind::ALL.to_vec()),
        name in select(vec!["iss", "aud", "sub", "exp", "nbf"]),
        text in "(null|true|-?[0-9]{1,20}|[0-9]{1,10}\\.[0-9]|\"[a-z0-9]{0,5}\"|\\[(\"[a-z]\")?\\]|\\{\\})",
    ) {
        prop_assume!(serde_json::from_str::<Value>(&text).is_ok());
        let mut claims = long_lived(kind);
        claims[name] = serde_json::from_str(&text).unwrap();
        let token = kind.forge_claims(&claims);
        if oracle(&token, kind).is_err() {
            prop_assert!(kind.verify(&token).is_err(), "{name} = {text}");
        }
    }
}

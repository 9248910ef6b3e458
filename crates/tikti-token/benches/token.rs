//! What do minting and verifying cost, beside the bare cryptography below them?
//!
//! Targets: an RS256 mint within 5 % of the raw signature, an HS256 verification under 2 us.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tikti_token::*;

/// The allocator of the binary: a verification makes a dozen small strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: u64 = 1_769_532_214;
const ISSUER: &str = "https://api.storifly.ai";

fn policy<'a>(audience: &'a [&'a str]) -> Policy<'a> {
    Policy {
        issuer: ISSUER,
        audience: Audience::OneOf(audience),
        required_scopes: &[],
        skew_seconds: DEFAULT_SKEW_SECONDS,
    }
}

fn id_claims() -> IdClaims {
    IdClaims {
        iss: ISSUER.to_owned(),
        aud: "tikti".to_owned(),
        sub: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned(),
        tid: Some("acme".to_owned()),
        email: Some("ada@acme.test".to_owned()),
        role: "COMPANY_ADMIN".to_owned(),
        auth_time: NOW,
        amr: vec!["pwd".to_owned()],
        sid: "01K4X3VQ5T8Y6W2Z9R7N1M0P4S".to_owned(),
        ver: 1_769_532_000_123,
        mver: Some(1_769_532_000_456),
        iat: NOW,
        exp: NOW + 3600,
        jti: "01K4X3VQ5T8Y6W2Z9R7N1M0P4T".to_owned(),
        user_id: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned(),
        email_verified: true,
        firebase: Firebase {
            sign_in_provider: "password".to_owned(),
            identities: FirebaseIdentities { email: vec!["ada@acme.test".to_owned()] },
            tenant: Some("acme".to_owned()),
        },
    }
}

fn access_claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: "codeq-producer".to_owned(),
        sub: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned(),
        tid: "acme".to_owned(),
        scope: "codeq:claim codeq:heartbeat codeq:abandon codeq:nack codeq:result".to_owned(),
        sid: Some("01K4X3VQ5T8Y6W2Z9R7N1M0P4S".to_owned()),
        ver: Some(1_769_532_000_123),
        mver: Some(1_769_532_000_456),
        wver: None,
        client_id: "codeq-producer".to_owned(),
        act: None,
        iat: NOW,
        exp: NOW + 900,
        jti: "01K4X3VQ5T8Y6W2Z9R7N1M0P4V".to_owned(),
    }
}

fn rs256(criterion: &mut Criterion) {
    let der = generate_rsa(RsaSize::Bits2048).expect("a key");
    let key = SigningKey::from_pkcs8("tikti-2026-01", &der).expect("a key");
    let keys = KeySet::new([key.public_key()]);
    let claims = access_claims();
    let token = mint_access(&key, AccessTokenType::Jwt, &claims).expect("a token");
    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let signature = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let policy = policy(&["codeq-producer"]);

    let mut group = criterion.benchmark_group("rs256");
    group.bench_function("raw signature", |bencher| {
        bencher.iter(|| key.sign_raw(black_box(input.as_bytes())));
    });
    group.bench_function("mint", |bencher| {
        bencher.iter(|| mint_access(&key, AccessTokenType::Jwt, black_box(&claims)));
    });
    group.bench_function("raw verification", |bencher| {
        let public_key = key.public_key();
        bencher.iter(|| public_key.verify_raw(black_box(input.as_bytes()), &signature));
    });
    group.bench_function("verify", |bencher| {
        bencher.iter(|| verify_access(black_box(&token), &keys, &policy, NOW).expect("verified"));
    });
    group.finish();
}

fn hs256(criterion: &mut Criterion) {
    let keys = HmacKeys::new(vec![HmacKey::new("2026-01", &[7; 32]).expect("a key")]);
    let keys = keys.expect("keys");
    let claims = id_claims();
    let token = mint_id(&keys, &claims).expect("a token");
    let (input, _) = token.rsplit_once('.').expect("three parts");
    let policy = policy(&["tikti"]);

    let mut group = criterion.benchmark_group("hs256");
    group.bench_function("raw tag", |bencher| {
        bencher.iter(|| keys.signing_key().sign_raw(black_box(input.as_bytes())));
    });
    group.bench_function("mint", |bencher| bencher.iter(|| mint_id(&keys, black_box(&claims))));
    group.bench_function("verify", |bencher| {
        bencher.iter(|| verify_id(black_box(&token), &keys, &policy, NOW).expect("verified"));
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| peek(black_box(&token)).expect("parsed"));
    });
    group.finish();
}

criterion_group!(benches, rs256, hs256);
criterion_main!(benches);

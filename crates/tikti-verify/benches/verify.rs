//! What does a verification with cached keys cost, beside the bare RSA below it?
//!
//! Target: at most half as much again as the raw verification.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use axum::Router;
use criterion::{Criterion, criterion_group, criterion_main};
use tikti_token::{
    AccessTokenType, KeySet, PublicKey, RsaSize, SigningKey, generate_rsa, mint_access,
};
use tikti_verify::{AccessClaims, Verifier};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The allocator of the binary, so that numbers compare with those of `tikti-token`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: u64 = 1_769_532_214;

fn claims(issuer: &str) -> AccessClaims {
    AccessClaims {
        iss: issuer.to_owned(),
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

/// Serves `key` once, and returns a verifier that holds it.
fn verifier(runtime: &Runtime, key: PublicKey) -> (Verifier, String) {
    let jwks = serde_json::to_string(&KeySet::new([key]).to_jwks()).expect("a document");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(async move || jwks);
        let verifier = Verifier::builder(&issuer)
            .audience("codeq-producer")
            .tenant("acme")
            .scope("codeq:claim")
            .clock(|| NOW)
            .keys_at(&format!("{issuer}/keys"))
            .build()
            .expect("a verifier");
        tokio::select! {
            ended = async { axum::serve(listener, router).await } => ended.expect("a server"),
            fetched = verifier.refresh() => fetched.expect("keys"),
        }
        (verifier, issuer)
    })
}

fn cached_key(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let der = generate_rsa(RsaSize::Bits2048).expect("a key");
    let key = SigningKey::from_pkcs8("tikti-2026-01", &der).expect("a key");
    let (verifier, issuer) = verifier(&runtime, key.public_key());
    let token = mint_access(&key, AccessTokenType::Jwt, &claims(&issuer)).expect("a token");
    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let signature = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let public_key = key.public_key();

    let mut group = criterion.benchmark_group("cached key");
    group.bench_function("raw verification", |bencher| {
        bencher.iter(|| public_key.verify_raw(black_box(input.as_bytes()), &signature));
    });
    group.bench_function("verify_access", |bencher| {
        bencher.iter(|| {
            let verified = runtime.block_on(verifier.verify_access(black_box(&token)));
            verified.expect("verified")
        });
    });
    group.bench_function("verify_either", |bencher| {
        bencher.iter(|| {
            let verified = runtime.block_on(verifier.verify_either(black_box(&token)));
            verified.expect("verified")
        });
    });
    group.finish();
}

criterion_group!(benches, cached_key);
criterion_main!(benches);

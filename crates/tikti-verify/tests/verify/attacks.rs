//! Which forgeries are refused? All of row K1 and its neighbours, with the issuer's own key where a
//! forgery needs it.
//!
//! What is refused is refused as a token, not for want of keys, and nobody that a token names is
//! asked.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::{hmac, rsa, signature};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use tikti_token::{
    AccessTokenType, Firebase, FirebaseIdentities, HmacKey, HmacKeys, IdClaims, SigningKey,
    generate_rsa, mint_access, mint_id,
};
use tikti_verify::{Refusal, Verifier};

use crate::support::*;

struct World {
    issuer: Issuer,
    verifier: Verifier,
}

impl World {
    async fn new() -> Self {
        let issuer = Issuer::start(&[key(0)]).await;
        let verifier = issuer.verifier();
        let world = Self { issuer, verifier };
        assert_eq!(world.step(&forge_claims(&world.issuer.claims())).await, "accepted");
        world
    }

    /// The step that refuses `token` as an access token.
    async fn step(&self, token: &str) -> &'static str {
        match self.verifier.verify_access(token).await {
            Ok(_) => "accepted",
            Err(Refusal::Token(error)) => error.step(),
            Err(other) => panic!("{other:?} for {token}"),
        }
    }

    async fn step_of(&self, header: &Value) -> &'static str {
        self.step(&forge(&header.to_string(), &self.issuer.claims().to_string())).await
    }

    async fn step_with(&self, claim: &str, value: Value) -> &'static str {
        self.step(&forge_claims(&with(self.issuer.claims(), claim, value))).await
    }
}

#[tokio::test]
async fn k1_no_algorithm_but_rs256() {
    let world = World::new().await;
    let names = ["none", "nOnE", "NONE", "", "HS256", "HS512", "RS384", "RS512", "PS256", "ES256"];
    for name in names.into_iter().chain(["rs256", "RS256 ", "EdDSA", "dir"]) {
        let header = with(header(), "alg", json!(name));
        assert_eq!(world.step_of(&header).await, "algorithm", "{name}");
        let forged = forge(&header.to_string(), &world.issuer.claims().to_string());
        let (unsigned, _) = forged.rsplit_once('.').unwrap();
        assert_eq!(world.step(&format!("{unsigned}.")).await, "algorithm", "{name} unsigned");
        assert_eq!(world.step(unsigned).await, "parse", "{name} in two parts");
    }
    assert_eq!(world.step_of(&without(header(), "alg")).await, "algorithm");
    assert_eq!(world.step_of(&with(header(), "alg", json!(["RS256", "none"]))).await, "algorithm");
}

#[tokio::test]
async fn k1_rs512_and_ps256_of_the_right_key() {
    let world = World::new().await;
    let der = generate_rsa(tikti_token::RsaSize::Bits2048).unwrap();
    let pair = signature::RsaKeyPair::from_pkcs8(&der).unwrap();
    let published = SigningKey::from_pkcs8("key-9", &der).unwrap();
    world.issuer.publish(&[&published]);
    world.verifier.refresh().await.unwrap();
    let kinds: [(&str, &dyn signature::RsaEncoding, &str); 4] = [
        ("RS512", &signature::RSA_PKCS1_SHA512, "algorithm"),
        ("PS256", &signature::RSA_PSS_SHA256, "algorithm"),
        ("RS256", &signature::RSA_PKCS1_SHA512, "signature"),
        ("RS256", &signature::RSA_PSS_SHA256, "signature"),
    ];
    for (alg, encoding, step) in kinds {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": "key-9" }).to_string();
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let claims = world.issuer.claims().to_string();
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let mut bytes = vec![0; pair.public_modulus_len()];
        #[expect(clippy::disallowed_methods, reason = "a forger's salt")]
        let random = aws_lc_rs::rand::SystemRandom::new();
        pair.sign(encoding, &random, input.as_bytes(), &mut bytes).unwrap();
        let token = format!("{input}.{}", BASE64URL_NOPAD.encode(&bytes));
        assert_eq!(world.step(&token).await, step, "{alg}");
    }
}

fn hs256(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

#[tokio::test]
async fn k1_public_key_is_no_hmac_secret() {
    let world = World::new().await;
    let jwk = key(0).public_key().to_jwk();
    let decode = |number: &str| BASE64URL_NOPAD.decode(number.as_bytes()).unwrap();
    let (n, e) = (decode(&jwk.n), decode(&jwk.e));
    let components = rsa::PublicKeyComponents { n: n.clone(), e };
    let der = components.as_der().unwrap().as_ref().to_vec();
    let pem = |lines: &str| {
        format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n").into_bytes()
    };
    let body = BASE64.encode(&der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let folded = pem(&lines.join("\n"));
    let secrets = [
        folded.trim_ascii_end().to_vec(),
        folded,
        pem(&body),
        der,
        n,
        jwk.n.clone().into_bytes(),
        serde_json::to_vec(&jwk).unwrap(),
        jwks(&[key(0)]).into_bytes(),
        Vec::new(),
        b"secret".to_vec(),
        vec![0; 32],
    ];
    for secret in &secrets {
        let confused = with(header(), "alg", json!("HS256"));
        let token = hs256(&confused, &world.issuer.claims(), secret);
        assert_eq!(world.step(&token).await, "algorithm");
        let token = hs256(&header(), &world.issuer.claims(), secret);
        assert_eq!(world.step(&token).await, "signature");
    }
}

#[tokio::test]
async fn k1_header_members_that_choose_the_check_are_refused() {
    let world = World::new().await;
    let attacker = Issuer::start(&[key(3)]).await;
    let jwk = with(json!(key(3).public_key().to_jwk()), "kid", json!("key-0"));
    let members = [
        ("jwk", jwk),
        ("jku", json!(format!("{}{JWKS}", attacker.url))),
        ("x5u", json!(format!("{}/chain.pem", attacker.url))),
        ("x5c", json!(["AQ=="])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("anything", json!(true)),
    ];
    for (name, value) in members {
        let header = with(header(), name, value);
        assert_eq!(world.step_of(&header).await, "header", "{name}");
        let header = with(header, "kid", json!("key-3"));
        assert_eq!(world.step_of(&header).await, "header", "{name} of an unknown key");
    }
    assert_eq!((attacker.asked(JWKS), attacker.asked("/chain.pem")), (0, 0));
}

#[tokio::test]
async fn k1_kid_names_a_published_key_or_nothing() {
    let world = World::new().await;
    let ids = [
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("key-0\u{0}"),
        json!(" key-0"),
        json!("KEY-0"),
        json!("x' UNION SELECT 'secret' -- "),
        json!(format!("{}{JWKS}", world.issuer.url)),
        json!("x".repeat(4_000)),
        json!(""),
        json!(null),
        json!(1),
        json!(["key-0"]),
    ];
    for kid in ids {
        let header = with(header(), "kid", kid.clone());
        assert_eq!(world.step_of(&header).await, "key", "{kid}");
        let empty = hs256(&header, &world.issuer.claims(), b"");
        assert_eq!(world.step(&empty).await, "key", "{kid}");
    }
    assert_eq!(world.step_of(&without(header(), "kid")).await, "key");
    let stolen = mint_access(key(3), AccessTokenType::Jwt, &world.issuer.access_claims()).unwrap();
    assert_eq!(world.step(&stolen).await, "key", "a key that nobody published");
    let (input, _) = forge_claims(&world.issuer.claims()).rsplit_once('.').map(owned).unwrap();
    let signature = BASE64URL_NOPAD.encode(&key(3).sign_raw(input.as_bytes()).unwrap());
    assert_eq!(world.step(&format!("{input}.{signature}")).await, "signature");
}

fn owned((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

#[tokio::test]
async fn k1_repeated_members_are_refused() {
    let world = World::new().await;
    let (head, claims) = (header().to_string(), world.issuer.claims().to_string());
    for member in [r#"{"alg":"none","#, r#"{"kid":"other","#, r#"{"\u0061lg":"none","#] {
        let head = head.replacen('{', member, 1);
        assert_eq!(world.step(&forge(&head, &claims)).await, "parse", "{member}");
    }
    for member in [r#"{"sub":"admin","#, r#"{"tid":"other","#, r#"{"exp":9999999999,"#] {
        let claims = claims.replacen('{', member, 1);
        assert_eq!(world.step(&forge(&head, &claims)).await, "parse", "{member}");
    }
}

#[tokio::test]
async fn k1_a_token_is_at_most_8_kib() {
    let world = World::new().await;
    let of_size = |size: usize| {
        let padded = |length: usize| {
            forge_claims(&with(world.issuer.claims(), "padding", json!("x".repeat(length))))
        };
        let most = (size - padded(0).len()) * 3 / 4 + 3;
        (0..most).rev().map(padded).find(|token| token.len() <= size).unwrap()
    };
    // Base64url has no length of 4 n + 1: the nearest below is taken, and one character added.
    let largest = of_size(8 * 1024);
    assert_eq!(world.step(&largest).await, "accepted");
    let over = largest.clone() + &"A".repeat(8 * 1024 + 1 - largest.len());
    assert_eq!((over.len(), world.step(&over).await), (8 * 1024 + 1, "size"));
}

#[tokio::test]
async fn a6_no_class_is_taken_for_another() {
    let world = World::new().await;
    let worker = world.issuer.worker_token(key(0));
    assert_eq!(world.step(&worker).await, "class");
    let access = world.issuer.token(key(0));
    let refused = world.verifier.verify_worker(&access).await.unwrap_err();
    assert_eq!(refused.to_string(), "the token is of another class");
    assert_eq!(world.step(&id_token(&world.issuer.url)).await, "algorithm");
    let id = forge_claims(&claims_of(&id_token(&world.issuer.url)));
    assert_eq!(world.step(&id).await, "claims", "an idToken with RS256");
    for token_use in ["id", "refresh", "worker", "Access", ""] {
        assert_eq!(world.step_with("token_use", json!(token_use)).await, "class", "{token_use}");
    }
    for claim in ["role", "email", "eventTypes", "auth_time", "amr"] {
        assert_eq!(world.step_with(claim, json!("ADMIN")).await, "class", "{claim}");
    }
}

fn id_token(issuer: &str) -> String {
    let secrets = HmacKeys::new(vec![HmacKey::new("hmac-1", &[7; 32]).unwrap()]).unwrap();
    let claims = IdClaims {
        iss: issuer.to_owned(),
        aud: AUDIENCE.to_owned(),
        iat: NOW,
        exp: FAR,
        sub: "user".to_owned(),
        tid: Some("acme".to_owned()),
        email: None,
        role: "ADMIN".to_owned(),
        auth_time: NOW,
        amr: vec!["pwd".to_owned()],
        sid: "session".to_owned(),
        ver: 1,
        mver: Some(1),
        jti: "id".to_owned(),
        user_id: "user".to_owned(),
        email_verified: true,
        firebase: Firebase {
            sign_in_provider: "password".to_owned(),
            identities: FirebaseIdentities::default(),
            tenant: None,
        },
    };
    mint_id(&secrets, &claims).unwrap()
}

#[tokio::test]
async fn a5_only_this_issuer_and_this_audience() {
    let world = World::new().await;
    let url = world.issuer.url.clone();
    for iss in [format!("{url}/"), url.to_uppercase(), format!("{url}.evil.test"), String::new()] {
        assert_eq!(world.step_with("iss", json!(iss)).await, "issuer", "{iss}");
    }
    for aud in [json!("job"), json!("jobs-admin"), json!("JOBS"), json!(""), json!([])] {
        assert_eq!(world.step_with("aud", aud.clone()).await, "audience", "{aud}");
    }
    assert_eq!(world.step_with("aud", json!(["other", "jobs"])).await, "accepted");
}

#[tokio::test]
async fn l5_claims_that_are_missing_or_of_another_kind() {
    let world = World::new().await;
    for claim in ["iss", "aud", "iat", "exp", "sub", "tid", "scope", "client_id", "jti"] {
        let claims = without(world.issuer.claims(), claim);
        assert_eq!(world.step(&forge_claims(&claims)).await, "claims", "{claim}");
        for value in [json!(null), json!({}), json!(true), json!(-1), json!([1])] {
            assert_eq!(world.step_with(claim, value.clone()).await, "claims", "{claim} {value}");
        }
    }
    for exp in [json!("4102444800"), json!(1.5), json!(9_223_372_036_854_775_808_u64)] {
        assert_eq!(world.step_with("exp", exp.clone()).await, "claims", "{exp}");
    }
    assert_eq!(world.step_with("exp", json!(NOW - 61)).await, "expiry");
    assert_eq!(world.step_with("exp", json!(NOW - 60)).await, "accepted");
    assert_eq!(world.step_with("iat", json!(NOW + 61)).await, "issued_at");
    assert_eq!(world.step_with("nbf", json!(NOW + 61)).await, "issued_at");
}

#[tokio::test]
async fn t1_only_the_tenant_that_is_served() {
    let world = World::new().await;
    let verifier = world.issuer.builder().tenant("acme").scope("jobs:read").build().unwrap();
    let with_tid = |tid: &str| forge_claims(&with(world.issuer.claims(), "tid", json!(tid)));
    assert_eq!(refusal(&verifier, &with_tid("acme")).await, None);
    for tid in ["other", "ACME", "acme-2", "acm", "acme "] {
        let refused = Some(Refusal::ForeignTenant);
        assert_eq!(refusal(&verifier, &with_tid(tid)).await, refused, "{tid}");
    }
    assert_eq!(refusal(&verifier, &with_tid("")).await.unwrap().status(), 401);
    for scope in ["jobs:readx", "xjobs:read", "JOBS:READ", "jobs:list,jobs:read", "*", "jobs"] {
        let token = forge_claims(&with(world.issuer.claims(), "scope", json!(scope)));
        assert_eq!(refusal(&verifier, &token).await, Some(Refusal::MissingScope), "{scope}");
    }
}

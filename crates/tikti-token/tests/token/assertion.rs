//! Which assertions are taken, of whom, and does an independent library agree?

use std::sync::OnceLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use tikti_token::*;

use crate::support::{ISSUER, Kind, NOW, private_key_der, rsa_key, with, without};

const ID: &str = "t-acme.worker-01";
const ENDPOINT: &str = "https://tikti.test/oauth2/token";
const POLICY: AssertionPolicy<'static> = AssertionPolicy {
    subject: ID,
    audiences: &[ISSUER, ENDPOINT],
    longest_life_seconds: 300,
    skew_seconds: 60,
};

/// The three kinds of key that a worker may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alg {
    Rs256,
    Es256,
    EdDsa,
}

struct Pairs {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

fn pairs() -> &'static Pairs {
    static PAIRS: OnceLock<Pairs> = OnceLock::new();
    PAIRS.get_or_init(|| Pairs {
        ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        ed: Ed25519KeyPair::generate().unwrap(),
    })
}

impl Alg {
    const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn kid(self) -> &'static str {
        match self {
            Self::Rs256 => "r",
            Self::Es256 => "e",
            Self::EdDsa => "d",
        }
    }

    fn public(self) -> AssertionKey {
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let jwk = match self {
            Self::Rs256 => {
                let jwk = rsa_key().public_key().to_jwk();
                json!({"kty": "RSA", "kid": "r", "n": jwk.n, "e": jwk.e})
            }
            Self::Es256 => {
                let point = pairs().ec.public_key().as_ref();
                let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": x, "y": y})
            }
            Self::EdDsa => {
                let x = encode(pairs().ed.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": x})
            }
        };
        AssertionKey::parse(jwk.as_object().unwrap()).unwrap()
    }

    fn sign(self, input: &[u8]) -> Vec<u8> {
        #[expect(clippy::disallowed_methods, reason = "a signature of a test draws what it needs")]
        let random = SystemRandom::new();
        match self {
            Self::Rs256 => rsa_key().sign_raw(input).unwrap(),
            Self::Es256 => pairs().ec.sign(&random, input).unwrap().as_ref().to_vec(),
            Self::EdDsa => pairs().ed.sign(input).as_ref().to_vec(),
        }
    }

    fn seal(self, header: &str, payload: &str) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let input = format!("{}.{}", encode(header), encode(payload));
        format!("{input}.{}", BASE64URL_NOPAD.encode(&self.sign(input.as_bytes())))
    }

    fn header(self) -> Value {
        json!({"alg": self.name(), "typ": "JWT", "kid": self.kid()})
    }

    fn with_header(self, header: &Value) -> String {
        self.seal(&header.to_string(), &claims().to_string())
    }

    fn with_claims(self, claims: &Value) -> String {
        self.seal(&self.header().to_string(), &claims.to_string())
    }

    fn jsonwebtoken(self) -> (Algorithm, EncodingKey, DecodingKey) {
        let public = self.public();
        let member = |member: Option<String>| member.unwrap();
        match self {
            Self::Rs256 => (
                Algorithm::RS256,
                EncodingKey::from_rsa_pem(&pem(private_key_der())).unwrap(),
                DecodingKey::from_rsa_components(&member(public.n), &member(public.e)).unwrap(),
            ),
            Self::Es256 => (
                Algorithm::ES256,
                EncodingKey::from_ec_pem(&pem(pairs().ec.to_pkcs8v1().unwrap().as_ref())).unwrap(),
                DecodingKey::from_ec_components(&member(public.x), &member(public.y)).unwrap(),
            ),
            Self::EdDsa => (
                Algorithm::EdDSA,
                EncodingKey::from_ed_pem(&pem(pairs().ed.to_pkcs8v1().unwrap().as_ref())).unwrap(),
                DecodingKey::from_ed_components(&member(public.x)).unwrap(),
            ),
        }
    }
}

fn pem(der: &[u8]) -> Vec<u8> {
    let body = BASE64.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")).into()
}

fn all_keys() -> Vec<AssertionKey> {
    Alg::ALL.map(Alg::public).into()
}

fn claims() -> Value {
    json!({
        "iss": ID, "sub": ID, "aud": ENDPOINT, "iat": NOW, "exp": NOW + 60, "jti": "j-1",
    })
}

fn verify_with(token: &str, keys: &[AssertionKey]) -> Result<AssertionClaims, AssertionError> {
    verify_assertion(token, keys, &POLICY, NOW).map(Verified::into_claims)
}

fn refusal(token: &str) -> AssertionError {
    verify_with(token, &all_keys()).unwrap_err()
}

#[test]
fn an_assertion_of_each_algorithm_is_taken_by_its_named_key() {
    for alg in Alg::ALL {
        let read = verify_with(&alg.with_claims(&claims()), &all_keys());
        let said = AssertionClaims { jti: "j-1".to_owned(), exp: NOW + 60, iat: Some(NOW) };
        assert_eq!(read, Ok(said), "{alg:?}");
        assert_eq!(claimed_subject(&alg.with_claims(&claims())).as_deref(), Some(ID));
    }
}

#[test]
fn headers_that_stock_libraries_write_are_taken() {
    for alg in Alg::ALL {
        for (member, value) in [
            ("typ", "jwt"),
            ("typ", "client-authentication+jwt"),
            ("x5t", "thumbprint"),
            ("x5t#S256", "thumbprint"),
        ] {
            let token = alg.with_header(&with(alg.header(), member, json!(value)));
            assert!(verify_with(&token, &all_keys()).is_ok(), "{alg:?} {member} {value}");
        }
        let bare = alg.with_header(&json!({"alg": alg.name()}));
        assert!(verify_with(&bare, &[alg.public()]).is_ok(), "{alg:?}");
        // Of several keys one must be named; of none, none can be.
        assert_eq!(refusal(&bare), VerifyError::MissingKeyId.into(), "{alg:?}");
        assert_eq!(verify_with(&bare, &[]), Err(VerifyError::UnknownKey.into()), "{alg:?}");
    }
}

#[test]
fn k1_a_header_that_chooses_its_own_check_is_refused() {
    let member = VerifyError::HeaderMember;
    for alg in Alg::ALL {
        for (name, value, error) in [
            ("crit", json!(["exp"]), member),
            ("crit", json!([]), member),
            ("b64", json!(false), member),
            ("jwk", json!(alg.public()), member),
            ("jku", json!("https://evil.example"), member),
            ("x5u", json!("https://evil.example"), member),
            ("x5c", json!(["AA"]), member),
            ("zip", json!("DEF"), member),
            ("typ", json!("at+jwt"), VerifyError::HeaderType),
            ("typ", json!("tikti-audit-head+jwt"), VerifyError::HeaderType),
            ("typ", json!(null), VerifyError::HeaderType),
            ("kid", json!("other"), VerifyError::UnknownKey),
            ("kid", json!("../r"), VerifyError::UnknownKey),
            ("kid", json!(""), VerifyError::MissingKeyId),
            ("kid", json!(null), VerifyError::MissingKeyId),
            ("kid", json!(["r"]), VerifyError::MissingKeyId),
            ("alg", json!("none"), VerifyError::Algorithm),
            ("alg", json!("HS256"), VerifyError::Algorithm),
            ("alg", json!("PS256"), VerifyError::Algorithm),
            ("alg", json!("RS512"), VerifyError::Algorithm),
            ("alg", json!("ES384"), VerifyError::Algorithm),
            ("alg", json!("eddsa"), VerifyError::Algorithm),
            ("alg", json!(null), VerifyError::Algorithm),
        ] {
            let token = alg.with_header(&with(alg.header(), name, value.clone()));
            assert_eq!(refusal(&token), error.into(), "{alg:?} {name} {value}");
        }
    }
}

/// The key says what verifies it, not the token.
#[test]
fn k1_an_algorithm_of_another_key_is_refused() {
    for key in Alg::ALL {
        for signer in Alg::ALL.into_iter().filter(|signer| *signer != key) {
            let header = json!({"alg": signer.name(), "kid": key.kid()});
            assert_eq!(refusal(&signer.with_header(&header)), VerifyError::Algorithm.into());
            let header = json!({"alg": signer.name()});
            let alone = verify_with(&signer.with_header(&header), &[key.public()]);
            assert_eq!(alone, Err(VerifyError::Algorithm.into()));
            // Signed by another key under the right name.
            assert_eq!(refusal(&signer.with_header(&key.header())), VerifyError::Signature.into());
        }
    }
}

/// RFC 9864 calls EdDSA by its curve: both names are those of a key on that curve, and of no other.
#[test]
fn k1_eddsa_has_the_name_of_its_curve_too_and_no_other_key_has() {
    for name in ["EdDSA", "Ed25519"] {
        for header in [json!({"alg": name, "kid": "d"}), json!({"alg": name, "typ": "JWT"})] {
            let keys =
                if header.get("kid").is_some() { all_keys() } else { vec![Alg::EdDsa.public()] };
            let token = Alg::EdDsa.with_header(&header);
            assert!(verify_with(&token, &keys).is_ok(), "{header}");
            // Signed by somebody else.
            let refused = verify_with(&Alg::Es256.with_header(&header), &keys);
            assert_eq!(refused, Err(VerifyError::Signature.into()), "{header}");
        }
        for key in [Alg::Rs256, Alg::Es256] {
            // Signed by that key itself, or by one whose name it is.
            for signer in [key, Alg::EdDsa] {
                let named = signer.with_header(&json!({"alg": name, "kid": key.kid()}));
                assert_eq!(refusal(&named), VerifyError::Algorithm.into(), "{name} {key:?}");
                let alone = signer.with_header(&json!({"alg": name}));
                let refused = verify_with(&alone, &[key.public()]);
                assert_eq!(refused, Err(VerifyError::Algorithm.into()), "{name} {key:?}");
            }
        }
    }
    for name in ["ed25519", "ED25519", "Ed25519 ", "Ed448", "EdDSA25519"] {
        let refused = refusal(&Alg::EdDsa.with_header(&json!({"alg": name, "kid": "d"})));
        assert_eq!(refused, VerifyError::Algorithm.into(), "{name}");
    }
}

#[test]
fn l5_each_claim_that_is_required_must_be_there_and_of_its_kind() {
    for alg in Alg::ALL {
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            let token = alg.with_claims(&without(claims(), name));
            assert_eq!(refusal(&token), VerifyError::MissingClaim(name).into(), "{alg:?}");
        }
        let wrong = [
            ("iss", vec![json!(null), json!(1), json!([ID])]),
            ("sub", vec![json!(null), json!({}), json!([ID])]),
            ("aud", vec![json!(null), json!(1), json!([1]), json!([[ENDPOINT]])]),
            ("jti", vec![json!(null), json!(1), json!("")]),
            ("exp", vec![json!(null), json!("1769532274"), json!(1.5), json!(-1), json!(u64::MAX)]),
            ("iat", vec![json!(null), json!("1769532214"), json!(1.5), json!(-1)]),
            ("nbf", vec![json!(null), json!("1769532214"), json!(true)]),
        ];
        for (name, values) in wrong {
            for value in values {
                let token = alg.with_claims(&with(claims(), name, value.clone()));
                let expected = VerifyError::WrongClaim(name).into();
                assert_eq!(refusal(&token), expected, "{alg:?} {name} {value}");
            }
        }
    }
}

#[test]
fn an_assertion_is_about_its_maker_and_for_us() {
    let other = "t-acme.worker-02";
    for (name, value, error) in [
        ("iss", json!(other), VerifyError::Issuer.into()),
        ("iss", json!(ISSUER), VerifyError::Issuer.into()),
        ("iss", json!("T-acme.worker-01"), VerifyError::Issuer.into()),
        ("sub", json!(other), AssertionError::Subject),
        ("sub", json!(""), AssertionError::Subject),
        ("aud", json!("https://tikti.test/"), VerifyError::Audience.into()),
        ("aud", json!("https://tikti.test/oauth2/token/"), VerifyError::Audience.into()),
        ("aud", json!("https://tikti.test/oauth2/introspect"), VerifyError::Audience.into()),
        ("aud", json!(["https://evil.example"]), VerifyError::Audience.into()),
        ("aud", json!([]), VerifyError::Audience.into()),
    ] {
        let token = Alg::EdDsa.with_claims(&with(claims(), name, value.clone()));
        assert_eq!(refusal(&token), error, "{name} {value}");
    }
    for aud in [json!(ISSUER), json!([ENDPOINT]), json!(["https://other.test", ISSUER])] {
        let token = Alg::EdDsa.with_claims(&with(claims(), "aud", aud));
        assert!(verify_with(&token, &all_keys()).is_ok());
    }
}

#[test]
fn times_are_within_the_skew_and_five_minutes() {
    let future = VerifyError::IssuedInFuture.into();
    let early = VerifyError::NotYetValid.into();
    let expired = VerifyError::Expired.into();
    let backwards = AssertionError::Backwards;
    for (iat, nbf, exp, refused) in [
        (Some(NOW), None, NOW + 300, None),
        (Some(NOW), None, NOW + 301, Some(AssertionError::TooLong)),
        (Some(NOW + 60), None, NOW + 360, None),
        (Some(NOW + 60), None, NOW + 361, Some(AssertionError::TooLong)),
        (Some(NOW + 61), None, NOW + 100, Some(future)),
        (Some(NOW - 300), None, NOW, None),
        (Some(NOW - 300), None, NOW + 1, Some(AssertionError::TooLong)),
        // Without `iat` five minutes are counted from now, and no difference of clocks is added.
        (None, None, NOW + 300, None),
        (None, None, NOW + 301, Some(AssertionError::TooLong)),
        (None, None, NOW + 360, Some(AssertionError::TooLong)),
        (None, None, u64::MAX >> 1, Some(AssertionError::TooLong)),
        (None, Some(NOW + 60), NOW + 100, None),
        (None, Some(NOW + 61), NOW + 100, Some(early)),
        (Some(NOW), Some(NOW + 60), NOW + 100, None),
        (Some(NOW), Some(NOW + 61), NOW + 100, Some(early)),
        // Within the skew, and yet never good by the clock of whoever made it.
        (Some(NOW), None, NOW, None),
        (Some(NOW), None, NOW - 1, Some(backwards)),
        (Some(NOW + 60), None, NOW + 60, None),
        (Some(NOW + 60), None, NOW + 59, Some(backwards)),
        (Some(NOW - 60), None, NOW - 60, None),
        (Some(NOW - 59), None, NOW - 60, Some(backwards)),
        (Some(NOW - 10), Some(NOW + 20), NOW + 20, None),
        (Some(NOW - 10), Some(NOW + 21), NOW + 20, Some(backwards)),
        (None, Some(NOW), NOW - 1, Some(backwards)),
        (None, None, NOW - 60, None),
        (None, None, NOW - 61, Some(expired)),
        (None, None, 0, Some(expired)),
    ] {
        let mut claims = without(claims(), "iat");
        claims["exp"] = json!(exp);
        for (name, time) in [("iat", iat), ("nbf", nbf)] {
            if let Some(time) = time {
                claims[name] = json!(time);
            }
        }
        let read = verify_with(&Alg::Es256.with_claims(&claims), &all_keys());
        assert_eq!(
            read.map(|read| (read.iat, read.exp)),
            refused.map_or(Ok((iat, exp)), Err),
            "{claims}"
        );
    }
}

#[test]
fn what_is_no_strict_token_is_refused_before_any_key_is_looked_for() {
    let good = Alg::EdDsa.with_claims(&claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let twice = claims().to_string().replacen('{', r#"{"sub":"t-acme.worker-02","#, 1);
    let header = Alg::EdDsa.header().to_string();
    let two_algorithms = header.replacen('{', r#"{"alg":"none","#, 1);
    for (token, step) in [
        ("a".repeat(MAX_TOKEN_BYTES + 1), "size"),
        (String::new(), "parse"),
        (input.to_owned(), "parse"),
        (format!("{good}."), "parse"),
        (format!("{good}="), "parse"),
        (format!(" {good}"), "parse"),
        (Alg::EdDsa.seal(&header, &twice), "parse"),
        (Alg::EdDsa.seal(&two_algorithms, &claims().to_string()), "parse"),
        (Alg::EdDsa.seal(&header, "[]"), "parse"),
        (format!("{input}."), "signature"),
        (format!("{input}.{}", signature.split_at(84).0), "signature"),
        (Alg::EdDsa.with_claims(&claims()).replace(signature, &"A".repeat(86)), "signature"),
    ] {
        let AssertionError::Token(error) = refusal(&token) else { panic!("no step") };
        assert_eq!(error.step(), step, "{token}");
    }
    for nothing in ["", "a.b.c", "e30.e30.", "e30.W10.AA"] {
        assert_eq!(claimed_subject(nothing), None);
    }
}

/// A tenant may register the deployment's own public key: its tokens are no assertions for that.
#[test]
fn a6_no_token_of_the_deployment_is_an_assertion() {
    for kind in [Kind::Access, Kind::Worker] {
        let keys = [AssertionKey { kid: "rsa-1".to_owned(), ..Alg::Rs256.public() }];
        let policy =
            AssertionPolicy { subject: "worker-1", audiences: &["codeq-worker"], ..POLICY };
        let refused = verify_assertion(&kind.mint(), &keys, &policy, NOW).unwrap_err();
        assert_eq!(refused, VerifyError::Issuer.into());
    }
    assert_eq!(refusal(&Kind::Id.mint()), VerifyError::Algorithm.into());
}

/// 2100-01-01: the other library reads the real clock.
const FAR: u64 = 4_102_444_800;

fn long_lived() -> Value {
    with(without(claims(), "iat"), "exp", json!(FAR))
}

fn here(token: &str) -> Result<AssertionClaims, AssertionError> {
    let policy = AssertionPolicy { longest_life_seconds: FAR, ..POLICY };
    verify_assertion(token, &all_keys(), &policy, NOW).map(Verified::into_claims)
}

fn there(alg: Alg, token: &str) -> bool {
    let (algorithm, _, key) = alg.jsonwebtoken();
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ID]);
    validation.set_audience(&[ISSUER, ENDPOINT]);
    validation.sub = Some(ID.to_owned());
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    decode::<Value>(token, &key, &validation).is_ok()
}

#[test]
fn assertions_of_an_independent_library_are_taken_and_ours_there() {
    for alg in Alg::ALL {
        let (algorithm, key, _) = alg.jsonwebtoken();
        let header = Header { kid: Some(alg.kid().to_owned()), ..Header::new(algorithm) };
        let token = encode(&header, &long_lived(), &key).unwrap();
        assert_eq!(here(&token).map(|said| said.exp), Ok(FAR), "{alg:?}");
        assert!(there(alg, &alg.with_claims(&long_lived())), "{alg:?}");
        let unnamed = encode(&Header::new(algorithm), &long_lived(), &key).unwrap();
        let policy = AssertionPolicy { longest_life_seconds: FAR, ..POLICY };
        assert!(verify_assertion(&unnamed, &[alg.public()], &policy, NOW).is_ok(), "{alg:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes put in, taken out or replaced anywhere in an assertion that both take.
    #[test]
    fn mutants_refused_there_are_refused_here(
        alg in select(Alg::ALL.to_vec()),
        start in any::<prop::sample::Index>(),
        removed in 0_usize..4,
        inserted in "[A-Za-z0-9_=.+/ -]{0,4}",
    ) {
        let token = alg.with_claims(&long_lived());
        let start = start.index(token.len());
        let end = (start + removed).min(token.len());
        let mut mutant = token.clone();
        mutant.replace_range(start..end, &inserted);
        prop_assert!(there(alg, &mutant) || here(&mutant).is_err(), "{mutant}");
        prop_assert_eq!(here(&mutant).is_ok(), mutant == token);
    }

    /// Well-signed payloads with any JSON value in any standard claim.
    #[test]
    fn signed_claims_refused_there_are_refused_here(
        alg in select(Alg::ALL.to_vec()),
        name in select(vec!["iss", "aud", "sub", "exp", "nbf"]),
        text in "(null|true|-?[0-9]{1,20}|[0-9]{1,10}\\.[0-9]|\"[a-z0-9]{0,5}\"|\\[(\"[a-z]\")?\\]|\\{\\})",
    ) {
        prop_assume!(serde_json::from_str::<Value>(&text).is_ok());
        let claims = with(long_lived(), name, serde_json::from_str(&text).unwrap());
        let token = alg.with_claims(&claims);
        prop_assert!(there(alg, &token) || here(&token).is_err(), "{name} = {text}");
    }
}

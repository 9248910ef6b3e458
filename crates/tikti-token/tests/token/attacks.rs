//! Which forgeries are refused, and at which step?
//!
//! Rows K1, L5 and A6 of the attack catalogue as tables. Every forgery is signed with the right key
//! unless its line says otherwise, so that the step named is the one that refuses it.

use aws_lc_rs::{encoding::AsDer, hmac, rsa::PublicKeyComponents};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use tikti_token::*;

use crate::support::*;

/// Signs as someone who knows `secret`, which is not one of ours.
fn forge_hs256(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

#[test]
fn forgeries_without_a_change_are_taken() {
    for kind in Kind::ALL {
        assert_eq!(kind.step(&kind.forge_claims(&kind.claims())), "accepted", "{kind:?}");
    }
}

#[test]
fn k1_no_algorithm_but_the_one_of_the_class() {
    let names = [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
        "PS256", "ES256", "EdDSA", "rs256", "hs256", "RS256 ", "dir",
    ];
    for kind in Kind::ALL {
        let own = kind.header()["alg"].clone();
        for name in names.iter().filter(|name| own != **name) {
            let forged = kind.forge_header(&with(kind.header(), "alg", json!(name)));
            assert_eq!(kind.step(&forged), "algorithm", "{kind:?} {name}");
            let (unsigned, _) = forged.rsplit_once('.').unwrap();
            assert_eq!(kind.step(&format!("{unsigned}.")), "algorithm", "{kind:?} {name} unsigned");
        }
        for alg in [json!(null), json!(256), json!(["HS256", "RS256"]), json!({})] {
            let forged = kind.forge_header(&with(kind.header(), "alg", alg.clone()));
            assert_eq!(kind.step(&forged), "algorithm", "{kind:?} {alg}");
        }
        assert_eq!(kind.step(&kind.forge_header(&without(kind.header(), "alg"))), "algorithm");
    }
}

#[test]
fn k1_public_key_is_no_hmac_secret() {
    let jwk = rsa_key().public_key().to_jwk();
    let decode = |number: &str| BASE64URL_NOPAD.decode(number.as_bytes()).unwrap();
    let (n, e) = (decode(&jwk.n), decode(&jwk.e));
    let der = PublicKeyComponents { n: n.clone(), e }.as_der().unwrap().as_ref().to_vec();
    let lines = BASE64.encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
    let spellings = [
        der,
        n,
        pem.trim_end().as_bytes().to_vec(),
        pem.into_bytes(),
        jwk.n.clone().into_bytes(),
        serde_json::to_vec(&jwk).unwrap(),
    ];
    let same_kid = HmacKeys::new(vec![HmacKey::new("rsa-1", SECRET).unwrap()]).unwrap();

    for secret in &spellings {
        for kind in [Kind::IdRs256, Kind::Access, Kind::Worker] {
            let header = with(kind.header(), "alg", json!("HS256"));
            let forged = forge_hs256(&header, &kind.claims(), secret);
            assert_eq!(kind.step(&forged), "algorithm");
            let header = kind.header();
            assert_eq!(kind.step(&forge_hs256(&header, &kind.claims(), secret)), "signature");
        }
        let header = with(Kind::Id.header(), "kid", json!("rsa-1"));
        let forged = forge_hs256(&header, &Kind::Id.claims(), secret);
        assert_eq!(Kind::Id.step(&forged), "algorithm");
        let refusal = verify_id(&forged, secrets(), &ID, NOW).unwrap_err();
        assert_eq!(refusal.step(), "key", "where no RS256 is taken");
        let refusal = verify_id(&forged, &same_kid, &ID, NOW).unwrap_err();
        assert_eq!(refusal.step(), "signature", "even where a secret has the name of that key");
    }
}

#[test]
fn k1_empty_or_guessed_secrets_sign_nothing() {
    let kind = Kind::Id;
    for secret in [&b""[..], &[0; 32], b"secret", b"hmac-1", b"changeme"] {
        let forged = forge_hs256(&kind.header(), &kind.claims(), secret);
        assert_eq!(kind.step(&forged), "signature");
    }
    assert_eq!(HmacKey::new("k", b"").unwrap_err(), KeyError::TooShort);
}

#[test]
fn k1_header_members_that_choose_the_check_are_refused() {
    let attacker = SigningKey::from_pkcs8("rsa-1", &generate_rsa(RsaSize::Bits2048).unwrap());
    let attacker = attacker.unwrap().public_key().to_jwk();
    let members = [
        ("jwk", json!(attacker)),
        ("jku", json!("https://attacker.test/jwks.json")),
        ("x5u", json!("https://attacker.test/chain.pem")),
        ("x5c", json!(["AQ=="])),
        ("x5t", json!("AQ")),
        ("x5t#S256", json!("AQ")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("p2c", json!(2_000_000_000)),
        ("KID", json!("rsa-1")),
        ("", json!(1)),
        ("anything", json!(null)),
    ];
    for kind in Kind::ALL {
        for (name, value) in &members {
            let forged = kind.forge_header(&with(kind.header(), name, value.clone()));
            assert_eq!(kind.step(&forged), "header", "{kind:?} {name}");
        }
    }
}

#[test]
fn k1_a_key_of_the_attacker_signs_nothing() {
    let key = SigningKey::from_pkcs8("rsa-1", &generate_rsa(RsaSize::Bits2048).unwrap()).unwrap();
    let token = mint_access(&key, AccessTokenType::Jwt, &access_claims()).unwrap();
    assert_eq!(Kind::Access.step(&token), "signature");
    let key = SigningKey::from_pkcs8("rsa-2", private_key_der()).unwrap();
    let token = mint_access(&key, AccessTokenType::Jwt, &access_claims()).unwrap();
    assert_eq!(Kind::Access.step(&token), "key", "the right key under another name");
}

#[test]
fn k1_kid_names_a_key_in_memory_or_nothing() {
    let ids = [
        json!("../../../../dev/null"),
        json!("/dev/null"),
        json!("rsa-1\u{0}"),
        json!(" rsa-1"),
        json!("RSA-1"),
        json!("HMAC-1"),
        json!("' UNION SELECT 'secret' -- "),
        json!("https://attacker.test/key"),
        json!("x".repeat(4_000)),
        json!(""),
        json!(null),
        json!(1),
        json!(["rsa-1", "hmac-1"]),
        json!({ "kid": "rsa-1" }),
    ];
    for kind in Kind::ALL {
        for kid in &ids {
            let forged = kind.forge_header(&with(kind.header(), "kid", kid.clone()));
            assert_eq!(kind.step(&forged), "key", "{kind:?} {kid}");
        }
        let forged = kind.forge_header(&without(kind.header(), "kid"));
        assert_eq!(kind.verify(&forged), Err(VerifyError::MissingKeyId), "{kind:?}");
    }
}

#[test]
fn k1_repeated_members_are_refused_wherever_they_are() {
    for kind in Kind::ALL {
        let (header, claims) = (kind.header().to_string(), kind.claims().to_string());
        let headers = [
            header.replacen('{', r#"{"alg":"none","#, 1),
            header.replacen('{', r#"{"kid":"other","#, 1),
            header.replacen('{', r#"{"\u0061lg":"none","#, 1),
        ];
        for header in headers {
            let refusal = kind.verify(&kind.forge(&header, &claims));
            assert_eq!(refusal, Err(VerifyError::NotJson(Part::Header)), "{header}");
        }
        let payloads = [
            claims.replacen('{', r#"{"sub":"admin","#, 1),
            claims.replacen('{', r#"{"exp":4102444800,"#, 1),
            claims.replacen('{', r#"{"extra":1,"extra":2,"#, 1),
            claims.replacen('{', r#"{"extra":[{"a":{"b":1,"b":1}}],"#, 1),
        ];
        for payload in payloads {
            let refusal = kind.verify(&kind.forge(&header, &payload));
            assert_eq!(refusal, Err(VerifyError::NotJson(Part::Payload)), "{payload}");
        }
    }
}

#[test]
fn k1_parts_that_are_no_json_objects_are_refused() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(1_000), "]".repeat(1_000));
    for kind in Kind::ALL {
        let (header, claims) = (kind.header().to_string(), kind.claims().to_string());
        for text in ["", "null", "[]", "\"x\"", "{", "{}{}", "{\"a\":NaN}", "\u{feff}{}", &deep] {
            assert_eq!(kind.step(&kind.forge(text, &claims)), "parse", "{kind:?} {text:.9}");
            assert_eq!(kind.step(&kind.forge(&header, text)), "parse", "{kind:?} {text:.9}");
        }
    }
}

#[test]
fn k1_other_spellings_of_a_good_token_are_refused() {
    for kind in Kind::ALL {
        let token = kind.mint();
        let spellings = [
            format!("{token}="),
            format!("{token}."),
            format!(".{token}"),
            format!(" {token}"),
            format!("{token}\n"),
            token.replacen('.', "..", 1),
            token.replacen('.', "=.", 1),
            token.replace('.', "%2E"),
        ];
        for spelling in spellings {
            assert_eq!(kind.step(&spelling), "parse", "{kind:?} {spelling}");
        }
        let long = format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES));
        assert_eq!(kind.verify(&long), Err(VerifyError::TooLarge));
    }
}

#[test]
fn k1_typ_is_one_of_the_class() {
    for kind in Kind::ALL {
        let step = |typ: Value| kind.step(&kind.forge_header(&with(kind.header(), "typ", typ)));
        assert_eq!(step(json!("jwt")), "accepted", "RFC 7519 section 5.1: case does not matter");
        assert_eq!(kind.step(&kind.forge_header(&without(kind.header(), "typ"))), "accepted");
        let access_type = if kind.is_id() { "header" } else { "accepted" };
        assert_eq!(step(json!("at+jwt")), access_type);
        assert_eq!(step(json!("AT+JWT")), access_type);
        for typ in [json!("JWE"), json!("logout+jwt"), json!("dpop+jwt"), json!(""), json!(null)] {
            assert_eq!(step(typ.clone()), "header", "{kind:?} {typ}");
        }
    }
}

/// What `kind` must have, each with the values that are of its type.
fn required_claims(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let common = [
        ("iss", "text"),
        ("aud", "audience"),
        ("sub", "text"),
        ("iat", "number"),
        ("exp", "number"),
        ("jti", "text"),
        ("token_use", "text"),
    ];
    let own: &[(&str, &str)] = match kind {
        Kind::Id | Kind::IdRs256 => &[
            ("role", "text"),
            ("auth_time", "number"),
            ("amr", "texts"),
            ("sid", "text"),
            ("ver", "number"),
            ("user_id", "text"),
            ("email_verified", "flag"),
            ("firebase", "object"),
        ],
        Kind::Access => &[("tid", "text"), ("scope", "text"), ("client_id", "text")],
        Kind::Worker => {
            &[("tid", "text"), ("scope", "text"), ("client_id", "text"), ("eventTypes", "texts")]
        }
    };
    common.iter().chain(own).copied().collect()
}

fn optional_claims(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Id | Kind::IdRs256 => &[("tid", "text"), ("email", "text"), ("mver", "number")],
        Kind::Access | Kind::Worker => &[
            ("sid", "text"),
            ("ver", "number"),
            ("mver", "number"),
            ("wver", "number"),
            ("act", "object"),
        ],
    }
}

/// One value of every JSON kind and every number that is no claim, but those of type `right`.
fn wrong_values(right: &str) -> Vec<Value> {
    let values = [
        ("null", json!(null)),
        ("flag", json!(true)),
        ("number", json!(1)),
        ("float", json!(1.5)),
        ("float", json!(1_769_535_814.0)),
        ("float", json!(1e300)),
        ("negative", json!(-1)),
        ("too large", json!(1_u64 << 63)),
        ("too large", json!(u64::MAX)),
        ("text", json!("1769535814")),
        ("texts", json!(["x"])),
        ("mixed", json!(["x", 1])),
        ("mixed", json!([["x"]])),
        ("empty object", json!({})),
    ];
    let is_right = |kind: &str| kind == right || (right == "audience" && kind.starts_with("text"));
    values.into_iter().filter(|(kind, _)| !is_right(kind)).map(|(_, value)| value).collect()
}

#[test]
fn l5_each_required_claim_must_be_there() {
    for kind in Kind::ALL {
        for (name, _) in required_claims(kind) {
            let refusal = kind.verify(&kind.forge_claims(&without(kind.claims(), name)));
            assert_eq!(refusal, Err(VerifyError::MissingClaim(name)), "{kind:?}");
        }
    }
}

#[test]
fn l5_each_claim_must_be_of_its_type() {
    for kind in Kind::ALL {
        for (name, right) in required_claims(kind).iter().chain(optional_claims(kind)) {
            for wrong in wrong_values(right) {
                let token = kind.forge_claims(&with(kind.claims(), name, wrong.clone()));
                assert_eq!(kind.step(&token), "claims", "{kind:?} {name} = {wrong}");
            }
        }
    }
}

#[test]
fn l5_nested_claims_must_be_of_their_type() {
    let cases = [
        (Kind::Id, "/firebase/sign_in_provider", json!(null)),
        (Kind::Id, "/firebase/identities", json!([])),
        (Kind::Id, "/firebase/identities/email", json!("ada@acme.test")),
        (Kind::Id, "/firebase/tenant", json!(null)),
        (Kind::Access, "/act/sub", json!(7)),
        (Kind::Access, "/act", json!("user")),
        (Kind::Worker, "/act/sub", json!(null)),
        (Kind::Worker, "/eventTypes", json!([])),
    ];
    for (kind, pointer, wrong) in cases {
        let mut claims = kind.claims();
        *claims.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(kind.step(&kind.forge_claims(&claims)), "claims", "{kind:?} {pointer}");
    }
}

#[test]
fn l5_numbers_that_do_not_fit_json_readers_alike_are_refused() {
    for kind in Kind::ALL {
        let (header, claims) = (kind.header().to_string(), kind.claims().to_string());
        for number in ["18446744073709551616", "1e9", "1769535814.0", "-0", "9223372036854775808"] {
            let exp = kind.claims()["exp"].to_string();
            let payload = claims.replace(&format!("\"exp\":{exp}"), &format!("\"exp\":{number}"));
            assert_ne!(payload, claims);
            let refusal = kind.verify(&kind.forge(&header, &payload));
            assert_eq!(refusal, Err(VerifyError::WrongClaim("exp")), "{number}");
        }
    }
}

#[test]
fn l5_cut_tokens_are_refused() {
    for kind in Kind::ALL {
        let token = kind.mint();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = input.split_once('.').unwrap();
        assert_eq!(kind.step(""), "parse");
        assert_eq!(kind.step(input), "parse");
        assert_eq!(kind.step(&format!("{input}.")), "signature");
        assert_eq!(kind.step(&format!("{input}.AA")), "signature");
        assert_eq!(kind.step(&format!("{header}..{signature}")), "parse");
        assert_eq!(kind.step(&format!(".{payload}.{signature}")), "parse");
        assert_eq!(kind.step(".."), "parse");
    }
}

#[test]
fn l5_scope_has_the_grammar_of_rfc_6749() {
    for kind in [Kind::Access, Kind::Worker] {
        for scope in ["", " ", "a  b", " a", "a ", "a\tb", "a\nb", "\"a\"", "a\\b", "ä", "a\u{0}"]
        {
            let refusal =
                kind.verify(&kind.forge_claims(&with(kind.claims(), "scope", json!(scope))));
            assert_eq!(refusal, Err(VerifyError::WrongClaim("scope")), "{scope:?}");
        }
    }
}

#[test]
fn a6_no_class_is_taken_for_another() {
    let step = |token_of: Kind, verified_as: Kind| {
        let policy = policy(&["tikti", "codeq-worker"]);
        verified_as
            .verify_with(&token_of.mint(), &policy, NOW)
            .map_or_else(|error| error.step(), |()| "accepted")
    };
    for kind in Kind::ALL {
        assert_eq!(step(kind, kind), "accepted");
    }
    assert_eq!(step(Kind::Id, Kind::Access), "algorithm");
    assert_eq!(step(Kind::Id, Kind::Worker), "algorithm");
    // Of one key and one algorithm: what each must say of itself tells them apart.
    assert_eq!(step(Kind::IdRs256, Kind::Access), "claims");
    assert_eq!(step(Kind::IdRs256, Kind::Worker), "claims");
    for id in [Kind::Id, Kind::IdRs256] {
        assert_eq!(step(Kind::Access, id), "claims");
        assert_eq!(step(Kind::Worker, id), "claims");
    }
    for kind in [Kind::IdRs256, Kind::Access, Kind::Worker] {
        let refusal = verify_id(&kind.mint(), secrets(), &ID, NOW).unwrap_err();
        assert_eq!(refusal.step(), "algorithm", "{kind:?} where no RS256 is taken");
    }
    assert_eq!(step(Kind::Access, Kind::Worker), "class");
    assert_eq!(step(Kind::Worker, Kind::Access), "class");
}

#[test]
fn a6_token_use_must_be_exactly_the_one_of_the_class() {
    for kind in Kind::ALL {
        let own = kind.claims()["token_use"].clone();
        for token_use in ["id", "access", "worker", "refresh", "ID", "Access", ""] {
            if own != token_use {
                let claims = with(kind.claims(), "token_use", json!(token_use));
                let refusal = kind.verify(&kind.forge_claims(&claims));
                assert_eq!(refusal, Err(VerifyError::WrongClass), "{kind:?} {token_use}");
            }
        }
    }
}

#[test]
fn a6_claims_of_another_class_are_refused() {
    let foreign: [(Kind, &[&str]); 4] = [
        (Kind::Id, &["scope", "eventTypes", "wver", "client_id", "act"]),
        (Kind::IdRs256, &["scope", "eventTypes", "wver", "client_id", "act"]),
        (Kind::Access, &["eventTypes", "email", "role", "auth_time", "amr"]),
        (Kind::Worker, &["email", "role", "auth_time", "amr"]),
    ];
    for (kind, names) in foreign {
        for name in names {
            let claims = with(kind.claims(), name, json!("ADMIN"));
            assert_eq!(kind.step(&kind.forge_claims(&claims)), "class", "{kind:?} {name}");
        }
    }
}

#[test]
fn a6_an_id_token_signed_as_an_access_token_is_none() {
    let claims = with(Kind::Id.claims(), "aud", json!("codeq-worker"));
    assert_eq!(Kind::Access.step(&Kind::Access.forge_claims(&claims)), "claims");
    let claims = with(with(claims, "scope", json!("a")), "client_id", json!("codeq-worker"));
    assert_eq!(Kind::Access.step(&Kind::Access.forge_claims(&claims)), "class");
}

#[test]
fn t2_no_claim_contradicts_the_tenant() {
    for kind in [Kind::Access, Kind::Worker] {
        for alias in ["tenantId", "tenant_id", "organizationId", "organization_id"] {
            let step = |value: Value| {
                let token = kind.forge_claims(&with(kind.claims(), alias, value));
                kind.verify(&token).err()
            };
            assert_eq!(step(json!("acme")), None, "{kind:?} {alias} repeats tid");
            for value in [json!("other"), json!("ACME"), json!(""), json!(null), json!(["acme"])] {
                let refusal = Some(VerifyError::WrongClaim(alias));
                assert_eq!(step(value.clone()), refusal, "{kind:?} {alias} {value}");
            }
        }
    }
}

#[test]
fn t4_nobody_has_an_empty_name() {
    for kind in [Kind::Access, Kind::Worker] {
        for claim in ["tid", "sub"] {
            let token = kind.forge_claims(&with(kind.claims(), claim, json!("")));
            assert_eq!(kind.verify(&token), Err(VerifyError::WrongClaim(claim)), "{kind:?}");
        }
    }
}

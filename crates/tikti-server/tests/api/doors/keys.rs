//! Row K1: whatever a token says of how it is to be checked, it is checked as its class is.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use tikti_domain::settings::IdTokenAlgorithm;

use super::{World, doors, forge};
use crate::support::{Reply, Server};

/// Every spelling in which somebody could have taken the public key for a secret.
pub(crate) async fn public_keys(server: &Server) -> Vec<Vec<u8>> {
    let jwks = server.get("/.well-known/jwks.json").send().await;
    let jwk = jwks.json()["keys"][0].clone();
    let decode =
        |name: &str| BASE64URL_NOPAD.decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
    let der = PublicKeyComponents { n: decode("n"), e: decode("e") }.as_der().unwrap();
    let der = der.as_ref().to_vec();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", BASE64.encode(&der));
    vec![
        der,
        decode("n"),
        format!("{pem}\n").into_bytes(),
        pem.into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        jwk.to_string().into_bytes(),
        jwks.text().as_bytes().to_vec(),
    ]
}

/// Members of the header that would choose the check.
fn members(server: &Server) -> Vec<(&'static str, Value)> {
    let jwk = json!({"kty": "oct", "kid": "mine", "k": BASE64URL_NOPAD.encode(&[7; 32])});
    vec![
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!(format!("{}/.well-known/jwks.json", server.url()))),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["AQ=="])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("/dev/null")),
        ("kid", json!("' UNION SELECT 'secret' -- ")),
        ("kid", json!("https://evil.example/key")),
        ("kid", json!("")),
        ("kid", json!(null)),
        ("kid", json!(["dev"])),
    ]
}

/// Texts in which a member stands twice, so that two readers could read two things.
fn repeated(header: &Value, claims: &Value) -> Vec<(String, String, String)> {
    let (header, claims) = (header.to_string(), claims.to_string());
    let twice = |text: &str, first: &str| text.replacen('{', &format!("{{{first},"), 1);
    let mut texts = Vec::new();
    for first in [r#""alg":"none""#, r#""kid":"other""#, r#""\u0061lg":"HS256""#, r#""typ":"JWT""#]
    {
        texts.push((format!("{first} twice"), twice(&header, first), claims.clone()));
    }
    for first in [r#""sub":"root""#, r#""exp":4102444800"#, r#""x":{"a":1,"a":2}"#] {
        texts.push((format!("{first} twice"), header.clone(), twice(&claims, first)));
    }
    texts
}

/// What an attacker makes of a good `token`. `secret` signs idTokens.
pub(crate) fn forgeries(
    token: &str,
    secret: &[u8],
    public: &[Vec<u8>],
    server: &Server,
) -> Vec<(String, String)> {
    let (header, claims) = (forge::header(token), forge::claims(token));
    let signature = token.rsplit('.').next().unwrap();
    let own = header["alg"].as_str().unwrap();
    let mut forged = Vec::new();
    let names = ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS512"];
    for name in names.iter().chain(&["PS256", "ES256", "EdDSA", "dir"]) {
        let header = forge::with(header.clone(), "alg", json!(name));
        let input = input(&header, &claims);
        forged.push((format!("{name:?}, unsigned"), format!("{input}.")));
        if own != *name {
            forged
                .push((format!("{name:?}, by the secret"), forge::sign(&header, &claims, secret)));
            forged.push((format!("{name:?}, as it was signed"), format!("{input}.{signature}")));
        }
    }
    for key in public {
        for header in [header.clone(), forge::with(header.clone(), "alg", json!("HS256"))] {
            let what = "HS256 with the public key".to_owned();
            forged.push((what, forge::sign(&header, &claims, key)));
        }
    }
    let hs256 = forge::with(header.clone(), "alg", json!("HS256"));
    for guessed in [&b""[..], &[0; 32], b"secret", b"changeme"] {
        let what = format!("the secret {}", guessed.escape_ascii());
        forged.push((what, forge::sign(&hs256, &claims, guessed)));
    }
    for (what, header, claims) in repeated(&header, &claims) {
        forged.push((what, forge::sign_texts(&header, &claims, secret)));
    }
    for (name, value) in members(server) {
        let header = forge::with(header.clone(), name, value.clone());
        let what = format!("{name} = {value}");
        forged.push((what.clone(), forge::sign(&header, &claims, secret)));
        forged.push((what, forge::sign(&header, &claims, &[7; 32])));
    }
    let mut without = header.clone();
    without.as_object_mut().unwrap().remove("kid");
    forged.push(("no kid".to_owned(), forge::sign(&without, &claims, secret)));
    let input = input(&header, &claims);
    let longer = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, secret), input.as_bytes());
    let longer = BASE64URL_NOPAD.encode(longer.as_ref());
    forged.push(("HMAC with SHA-512".to_owned(), format!("{input}.{longer}")));
    forged
}

#[tokio::test]
async fn k1_no_door_lets_a_token_say_how_it_is_checked() {
    every_door_refuses(IdTokenAlgorithm::Hs256).await;
}

/// Then one key signs tokens of every class, and the secrets still verify.
#[tokio::test]
async fn k1_no_door_lets_an_rs256_id_token_say_how_it_is_checked() {
    every_door_refuses(IdTokenAlgorithm::Rs256).await;
}

async fn every_door_refuses(algorithm: IdTokenAlgorithm) {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = World::with(|config| config.domain.settings.id_token_algorithm = algorithm).await;
    let server = &world.server;
    let (secret, public) = (forge::secret(server), public_keys(server).await);
    let ask = json!({"idToken": world.admin, "audience": "backend-worker"});
    let minted = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await.json();
    let access = minted["accessToken"].as_str().unwrap();
    let before = world.state().await;
    let mut forged = forgeries(&world.admin, &secret, &public, server);
    forged.extend(forgeries(access, &secret, &public, server));
    for door in
        doors(server).await.iter().filter(|door| door.takes_signed() || door.takes_refresh())
    {
        for (what, token) in &forged {
            door.assert_refused(&world, door.route.path, (what, token)).await;
        }
        for alias in door.route.aliases {
            let (what, token) = &forged[0];
            door.assert_refused(&world, alias, (what, token)).await;
        }
    }
    the_form_refuses(server, &forged).await;
    assert_eq!(world.state().await, before);
}

/// The endpoint for stock clients takes its token in a form, and answers in a shape of its own: each forgery
/// is answered as any text is that is no token.
async fn the_form_refuses(server: &Server, forged: &[(String, String)]) {
    let show = async |token: &str| -> Reply {
        let form = json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": token, "audience": "backend-worker", "tenant": "codecompany",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        });
        server.post("/oauth2/token").keyed().form(&form).send().await
    };
    let no_token = show("x.y.z").await;
    assert_eq!((no_token.status, no_token.code().as_str()), (400, "INVALID_ID_TOKEN"));
    for (what, token) in forged {
        let reply = show(token).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "INVALID_ID_TOKEN"), "{what}");
    }
}

/// The first two parts of a token.
fn input(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

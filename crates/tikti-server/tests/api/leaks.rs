//! Row K2: the search for secrets that every reply of the suite goes through does find them.
//!
//! That it is gone through is the business of `support/client.rs`; here is shown that it would fail.
//!
//! Spec: attacks, row K2.

use data_encoding::{BASE64, BASE64_MIME, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::json;
use tikti_domain::testing::private_keys;
use tikti_server::router::Needs;
use tikti_server::router::ROUTES;

use crate::support::{COMPANY, Hidden, Server, find_private_member, find_shown};

/// A private key of a server of its own, as PKCS#8, with what a search is told of it.
async fn a_private_key() -> (Vec<u8>, Hidden) {
    let server = Server::start().await;
    let store = server.running.lock().unwrap().as_ref().unwrap().store();
    let secrets = server.setup.config("http://127.0.0.1:8080").domain.secrets;
    let [der] = &private_keys(&store, &secrets).await.unwrap()[..] else { panic!("one key") };
    let mut hidden = Hidden::default();
    hidden.add_private_key(der);
    (der.clone(), hidden)
}

#[tokio::test]
async fn k2_a_private_key_is_found_in_any_encoding_whole_or_in_part() {
    let (der, hidden) = a_private_key().await;
    // RFC 8017: within PKCS#8 the numbers of the key stand in the last value.
    let pkcs1 = &der[26..];
    for bytes in [&der[..], pkcs1, &pkcs1[1..], &pkcs1[2..]] {
        for text in [
            BASE64.encode(bytes),
            BASE64URL_NOPAD.encode(bytes),
            HEXLOWER.encode(bytes),
            HEXUPPER.encode(bytes),
            format!("{bytes:?}"),
        ] {
            let reply = json!({"key": text}).to_string();
            assert_eq!(hidden.find(reply.as_bytes()), Some("a private key"), "{reply}");
        }
        assert_eq!(hidden.find(bytes), Some("a private key"));
    }
    // A part of it, such as one of its numbers, wherever its encoding begins.
    let middle = der.len() / 2;
    for begin in middle - 3..middle {
        let reply = BASE64URL_NOPAD.encode(&der[begin..]);
        assert_eq!(hidden.find(reply.as_bytes()), Some("a private key"));
    }
    let pem = format!("-----BEGIN PRIVATE KEY-----\r\n{}", BASE64_MIME.encode(b"another key"));
    assert_eq!(hidden.find(pem.as_bytes()), Some("a PEM file"));
    // The public part is no secret: it stands in the first third.
    let public = BASE64.encode(&der[..der.len() / 5]);
    assert_eq!(hidden.find(public.as_bytes()), None);
}

#[test]
fn k2_secrets_of_the_deployment_and_hashes_of_passwords_are_found() {
    let mut hidden = Hidden::default();
    let secret: Vec<u8> = (100..132).collect();
    hidden.add("a secret", &secret);
    for before in ["", "a", "ab", "abc"] {
        let bytes = [before.as_bytes(), &secret, b"and more"].concat();
        for reply in [BASE64.encode(&bytes), BASE64URL_NOPAD.encode(&bytes), format!("{bytes:?}")] {
            assert_eq!(hidden.find(reply.as_bytes()), Some("a secret"), "{reply}");
        }
    }
    for hash in ["$2b$12$GhvMmNVjRW29ulnudl.Lbu", "$argon2id$v=19$m=65536,t=3,p=4$c29t"] {
        let reply = json!({"users": [{"hash": hash}]}).to_string();
        assert_eq!(hidden.find(reply.as_bytes()), Some("a hash of a password"));
    }
    assert_eq!(hidden.find(b"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}"), None);
}

#[test]
fn k2_private_members_of_a_jwk_are_found_wherever_it_stands() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let key = json!({"kty": "RSA", "n": "AQ", "e": "AQAB", member: "AQ"});
        for body in
            [key.to_string(), json!({"keys": [[key]]}).to_string(), format!("{{}}\n{key}\n")]
        {
            assert_eq!(find_private_member(&body).as_deref(), Some(member), "{body}");
        }
    }
    assert_eq!(find_private_member(r#"{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}"#), None);
}

#[tokio::test]
async fn k2_a_credential_is_shown_by_the_calls_that_give_it_and_found_everywhere_else() {
    let server = Server::start().await;
    let session = server.session().await;
    let admin = session["idToken"].as_str().unwrap();
    server.tenant(admin, COMPANY).await;
    let ask = json!({"idToken": admin, "audience": "backend-worker", "tenantId": COMPANY});
    let exchanged =
        server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let made = async |path: &str, ask| {
        let reply = server.post(path).bearer(admin).json(ask).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let at = |path: &str| format!("/v1/tenants/{COMPANY}/{path}");
    let client = json!({"clientId": "bills", "defaultScopes": ["bills:read"]});
    let shown = [
        ("IdToken", "/v1/accounts/signIn".to_owned(), text(&session["idToken"])),
        ("RefreshToken", "/v1/accounts:signIn".to_owned(), text(&session["refreshToken"])),
        ("AccessToken", "/v1/accounts/token/exchange".to_owned(), text(&exchanged["accessToken"])),
        ("ApiKey", "/v1/apiKeys?a=b".to_owned(), {
            text(&made("/v1/apiKeys", json!({"scopes": ["introspect"]})).await["key"])
        }),
        ("ClientSecret", at("clients"), text(&made(&at("clients"), client).await["secret"])),
        ("WorkerSecret", at("workers"), {
            text(&made(&at("workers"), json!({"id": "w", "scopes": ["jobs:read"]})).await["secret"])
        }),
    ];
    for (kind, path, credential) in &shown {
        let reply = json!({"deep": [{"in": format!("it={credential}.")}]}).to_string();
        let found = |call, status| find_shown(call, status, &reply);
        assert_eq!(found(Some(("POST", path)), 200), None, "{kind}");
        let leak = Some((*kind).to_owned());
        assert_eq!(found(Some(("POST", path)), 400), leak);
        assert_eq!(found(Some(("GET", path)), 200), leak);
        assert_eq!(found(None, 200), leak);
        let gives = |path: &str| shown.iter().any(|(_, known, _)| known == path);
        let reads = ROUTES.iter().filter(|route| route.method == "GET");
        for route in reads.filter(|route| !gives(route.path)) {
            assert_eq!(found(Some((route.method, route.path)), 200), leak, "{}", route.path);
        }
        let others = ROUTES.iter().filter(|route| route.needs == Needs::AdminBearer);
        for route in others.filter(|route| !gives(route.path) && route.path != "/v1/apiKeys") {
            assert_eq!(found(Some((route.method, route.path)), 200), leak, "{}", route.path);
        }
    }
}

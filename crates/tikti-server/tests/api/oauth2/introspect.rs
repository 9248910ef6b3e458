//! `POST /oauth2/introspect`

use serde_json::json;

use super::token_doors::{API, World, assert_takes_no_json, hint_of};
use crate::doors::{forge, keys};
use crate::support::{COMPANY, LOG, Reply};

const PATH: &str = "/oauth2/introspect";

/// What is said of a token that is not good, or is not the asker's: this and nothing else.
fn assert_inactive(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.text()), (200, r#"{"active":false}"#), "{what}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("pragma"), Some("no-cache"));
}

#[tokio::test]
async fn says_what_an_access_token_says() {
    let world = World::new().await;
    let reply = world.ask(PATH, &world.access, json!({})).keyed().send().await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let said = reply.json();
    let claims = forge::claims(&world.access);
    let mut expected = json!({
        "active": true, "token_type": "Bearer", "aud": API, "client_id": API, "scope": "jobs:read",
        "token_use": "access", "tid": world.tenants[0],
    });
    for name in ["exp", "iat", "iss", "jti", "sid", "sub"] {
        expected[name] = claims[name].clone();
    }
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a6_what_is_no_access_token_is_active_only_where_the_hint_names_it() {
    const URN: &str = "urn:ietf:params:oauth:token-type:";
    let world = World::new().await;
    for (token, token_use, kind) in [
        (&world.id_token, "id", Some("id_token")),
        (&world.access, "access", None),
        (&world.worker, "worker", None),
        (&world.refresh_token, "refresh", Some("refresh_token")),
    ] {
        let names = ["id_token", "access_token", "refresh_token"];
        let short = names.map(|name| (Some(name.to_owned()), Some(name)));
        let long = names.map(|name| (Some(format!("{URN}{name}")), Some(name)));
        let others = [None, Some("saml".to_owned())].map(|hint| (hint, None));
        for (hint, named) in [&short[..], &long, &others].concat() {
            let ask = world.ask(PATH, token, json!({"token_type_hint": hint}));
            let reply = ask.keyed().send().await;
            let what = format!("{token_use} as {hint:?}");
            if kind.is_some() && named != kind {
                assert_inactive(&reply, &what);
                continue;
            }
            let reply = reply.json();
            let said = (&reply["active"], &reply["token_use"]);
            assert_eq!(said, (&true.into(), &token_use.into()), "{what}");
            assert_eq!(reply.get("token_type").is_some(), kind.is_none(), "{what}");
            let text = reply.to_string();
            // Nothing of the user but the id.
            assert!(!text.contains('@') && !text.contains("role"), "{text}");
        }
    }
    let worker = world.ask(PATH, &world.worker, json!({})).keyed().send().await.json();
    assert_eq!(worker["eventTypes"], json!(["render"]));
    assert_eq!(worker["sub"], "worker-01");
    assert_eq!(worker["act"], json!({"sub": forge::claims(&world.id_token)["sub"]}));
}

/// Every credential, however it is shown, with every class of token, of one's own tenant and of another.
#[tokio::test]
async fn t7_each_credential_is_told_of_its_own_tokens_only() {
    let world = World::new().await;
    for (who, shows) in world.credentials() {
        for (class, token) in world.tokens() {
            let reply = world.show(PATH, who, token).send().await;
            if shows.contains(&class) {
                assert_eq!((reply.status, &reply.json()["active"]), (200, &true.into()), "{class}");
            } else {
                assert_inactive(&reply, &format!("{who:?} {class}"));
            }
        }
    }
}

#[tokio::test]
async fn credentials_that_are_not_good_are_invalid_client() {
    let world = World::new().await;
    let token = world.access.as_str();
    let (id, secret) = (world.client_id(), world.secret.as_str());
    let ask = || world.ask(PATH, token, json!({}));
    for request in [ask(), ask().header("X-API-Key", "nonsense"), ask().bearer(&world.id_token)] {
        request.send().await.assert_oauth_refusal(401, "invalid_client", "INVALID_API_KEY");
    }
    // Neither credentials nor a token: the first is what is said.
    let nothing = world.server.post("/oauth2/introspect").form(&json!({})).send().await;
    nothing.assert_oauth_refusal(401, "invalid_client", "INVALID_API_KEY");
    let other = format!("{}.{API}", world.tenants[1]);
    let no_secret = format!("{}.backend-worker", world.tenants[0]);
    let nobody = format!("{}.nobody", world.tenants[0]);
    for (id, secret) in [
        (id.as_str(), "wrong"),
        (other.as_str(), secret),
        (no_secret.as_str(), secret),
        (nobody.as_str(), secret),
        ("t-nowhere.jobs-api", secret),
        (".", secret),
    ] {
        let answers = [
            ask().basic(id, secret).send().await,
            world.ask(PATH, token, json!({"client_id": id, "client_secret": secret})).send().await,
        ];
        for reply in answers {
            reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
            let description = "The client's credentials are not valid.";
            assert_eq!(reply.json()["error_description"], description);
        }
    }
    let assertion = json!({
        "client_assertion": token,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    });
    let reply = world.ask(PATH, token, assertion).send().await;
    reply.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
    let browser = ask().header("X-API-Key", &world.server.setup.web_api_key).send().await;
    browser.assert_oauth_refusal(400, "unauthorized_client", "API_KEY_FORBIDDEN");
}

#[tokio::test]
async fn a_client_that_was_disabled_or_deleted_asks_no_more() {
    let world = World::new().await;
    let ask = || world.ask(PATH, &world.access, json!({})).basic(&world.client_id(), &world.secret);
    assert_eq!(ask().send().await.json()["active"], true);
    let path = format!("/v1/tenants/{COMPANY}/clients/{API}");
    let admin = world.server.admin().await;
    let patch = world.server.patch(&path).bearer(&admin).json(json!({"status": "DISABLED"}));
    assert_eq!(patch.send().await.status, 200);
    ask().send().await.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
    assert_inactive(&world.ask(PATH, &world.access, json!({})).keyed().send().await, "disabled");
    assert_eq!(world.server.delete(&path).bearer(&admin).send().await.status, 200);
    ask().send().await.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
}

/// The whole catalogue of forgeries, of an idToken and of an access token.
#[tokio::test]
async fn k1_a_forged_token_is_inactive_and_revokes_nothing() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = World::new().await;
    let (secret, public) = (forge::secret(&world.server), keys::public_keys(&world.server).await);
    for good in [&world.id_token, &world.access, &world.worker] {
        for (what, token) in keys::forgeries(good, &secret, &public, &world.server) {
            let reply = world.ask(PATH, &token, hint_of(&token)).keyed().send().await;
            assert_inactive(&reply, &what);
            let reply = world.ask("/oauth2/revoke", &token, json!({})).keyed().send().await;
            assert_eq!((reply.status, reply.text()), (200, "{}"), "{what}");
        }
        let reply = world.ask(PATH, good, hint_of(good)).keyed().send().await.json();
        assert_eq!(reply["active"], true);
    }
}

/// Attacks, row E9: what an idToken of an application is good for is told by its own class and audience.
#[tokio::test]
async fn e9_what_is_no_access_token_for_this_resource_server_is_inactive_there() {
    let world = World::new().await;
    for token in [&world.id_token, &world.refresh_token, &world.worker, &world.elsewhere] {
        for hint in [json!({}), hint_of(token)] {
            let ask = world.ask(PATH, token, hint).basic(&world.client_id(), &world.secret);
            assert_inactive(&ask.send().await, "not this resource server's");
        }
    }
    // One that asks with an API key is no worse off: stock introspectors look at `active`, and give no hint
    // or that of an access token.
    for token in [&world.id_token, &world.refresh_token] {
        for hint in [json!({}), json!({"token_type_hint": "access_token"})] {
            let reply = world.ask(PATH, token, hint).keyed().send().await;
            assert_inactive(&reply, "no access token");
        }
    }
}

#[tokio::test]
async fn garbage_is_inactive_and_a_form_without_a_token_is_refused() {
    let world = World::new().await;
    for token in ["nonsense", "a.b.c", "rt_a.b.c.d", "\0", "..", &"x".repeat(60_000)] {
        let reply = world.ask(PATH, token, json!({})).keyed().send().await;
        assert_inactive(&reply, &token[..token.len().min(20)]);
    }
    for form in [json!({}), json!({"token": ""})] {
        let reply = world.server.post(PATH).form(&form).keyed().send().await;
        reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    }
    let large = world.ask(PATH, &"x".repeat(100_000), json!({})).keyed().send().await;
    large.assert_oauth_refusal(400, "invalid_request", "BODY_TOO_LARGE");
    let get = world.server.get("/oauth2/introspect?token=a").keyed().send().await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn json_is_refused_whoever_sends_it_and_tells_nothing() {
    assert_takes_no_json(&World::new().await, PATH).await;
}

#[tokio::test]
async fn neither_the_secret_nor_the_token_is_logged() {
    let world = World::new().await;
    let ask = world.ask(PATH, &world.access, json!({})).basic(&world.client_id(), &world.secret);
    assert_eq!(ask.send().await.status, 200);
    let wrong = "cs_WrongSecretThatNobodyMaySee";
    let ask = world.ask(PATH, &world.access, json!({})).basic(&world.client_id(), wrong);
    assert_eq!(ask.send().await.status, 401);
    for secret in [world.secret.as_str(), wrong, &world.access] {
        assert!(!LOG.contains(secret));
    }
}

//! `POST /oauth2/revoke`

use serde_json::{Value, json};
use tikti_server::router::{Needs, ROUTES, Route};

use super::token_doors::{World, assert_takes_no_json, hint_of};
use crate::support::{COMPANY, Place, Reply, Server, assert_reply};

const PATH: &str = "/oauth2/revoke";

async fn is_active(world: &World, token: &str) -> bool {
    let reply = world.ask("/oauth2/introspect", token, hint_of(token)).keyed().send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["active"] == true
}

async fn lookup(server: &Server, id_token: &str) -> Reply {
    server.post("/v1/accounts/lookup").keyed().json(json!({"idToken": id_token})).send().await
}

#[tokio::test]
async fn an_access_token_is_denied_and_the_session_goes_on() {
    let world = World::new().await;
    let reply = world.ask(PATH, &world.access, json!({})).keyed().send().await;
    assert_reply!(reply, @r#"
        200
        pragma: no-cache
        {}
    "#);
    assert!(!is_active(&world, &world.access).await);
    assert!(is_active(&world, &world.elsewhere).await && is_active(&world, &world.id_token).await);
    // Once more is the same.
    let again = world.ask(PATH, &world.access, json!({})).keyed().send().await;
    assert_eq!((again.status, again.text()), (200, "{}"));
}

/// Attacks, row A2.
#[tokio::test]
async fn a2_an_id_token_that_was_revoked_is_neither_looked_up_nor_exchanged() {
    let world = World::new().await;
    assert_eq!(lookup(&world.server, &world.id_token).await.status, 200);
    assert_eq!(world.ask(PATH, &world.id_token, json!({})).keyed().send().await.status, 200);
    lookup(&world.server, &world.id_token).await.assert_refusal(401, "TOKEN_REVOKED");
    let ask = json!({"idToken": world.id_token, "audience": "backend-worker"});
    let request = world.server.post("/v1/accounts/token/exchange").keyed().json(ask);
    request.send().await.assert_refusal(401, "TOKEN_REVOKED");
    assert!(!is_active(&world, &world.id_token).await);
}

/// Sends a good request of a route that administers the company.
async fn administer(world: &World, route: &Route, token: &str, slug: &str) -> Reply {
    let good = world.server.good_request(route, &world.id_token, slug).await;
    let mut path = route.path.to_owned();
    for (name, value) in &good.path {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    let request = world.server.request(route.method, &path).bearer(token);
    match good.body {
        Value::Null => request.send().await,
        body => request.json(body).send().await,
    }
}

/// Attacks, row A2: on every route that a user's own access token opens, and of that token alone.
#[tokio::test]
async fn a2_an_access_token_for_tikti_that_was_revoked_administers_nothing_at_once() {
    let world = World::new().await;
    let ask = json!({"idToken": world.id_token, "audience": "tikti", "tenantId": COMPANY});
    let made = async || {
        let request = world.server.post("/v1/accounts/token/exchange").keyed().json(ask.clone());
        request.send().await.json()["accessToken"].as_str().unwrap().to_owned()
    };
    let (token, another) = (made().await, made().await);
    let is_open = |route: &&Route| matches!(route.needs, Needs::Scope(_) | Needs::ScopeOfBody(_));
    let routes: Vec<_> = ROUTES.iter().filter(is_open).collect();
    let reads = routes.iter().filter(|route| route.method == "GET").count();
    assert!(reads > 5 && routes.len() > 20, "{reads} of {}", routes.len());
    // What only reads shows before and after that the other tokens open it.
    let is_let_in = async |token: &str, when: &str| {
        for (number, route) in routes.iter().filter(|route| route.method == "GET").enumerate() {
            let slug = format!("{when}-{number}");
            let reply = administer(&world, route, token, &slug).await;
            // Heads are signed hourly: there is none yet.
            let is_none_yet = route.path.ends_with("/audit/head") && reply.status == 404;
            assert!(reply.status == 200 || is_none_yet, "{} {}", route.path, reply.text());
        }
    };
    is_let_in(&token, "before").await;
    let revoked = world.ask(PATH, &token, json!({})).keyed().send().await;
    assert_eq!((revoked.status, revoked.text()), (200, "{}"));
    for (number, route) in routes.iter().enumerate() {
        let reply = administer(&world, route, &token, &format!("denied-{number}")).await;
        reply.assert_refusal(401, "UNAUTHENTICATED");
    }
    is_let_in(&another, "another").await;
    is_let_in(&world.id_token, "session").await;
}

#[tokio::test]
async fn a_refresh_token_ends_its_session_also_one_that_was_used() {
    let world = World::new().await;
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": world.refresh_token});
    let next = world.server.post("/v1/token").json(refresh).send().await.json();
    let token = next["refresh_token"].as_str().unwrap();
    let hint = json!({"token_type_hint": "refresh_token"});
    let used = world.ask(PATH, &world.refresh_token, hint).keyed().send().await;
    assert_eq!((used.status, used.text()), (200, "{}"));
    for (class, token) in world.tokens().into_iter().filter(|(class, _)| *class != "foreign") {
        assert!(!is_active(&world, token).await, "{class}");
    }
    let again = json!({"grant_type": "refresh_token", "refresh_token": token});
    let refused = world.server.post("/v1/token").json(again).send().await;
    refused.assert_refusal(401, "INVALID_REFRESH_TOKEN");
}

/// Every credential, however it is shown, with every class of token, of one's own tenant and of another: one
/// answer, whatever happens.
#[tokio::test]
async fn t7_each_credential_revokes_its_own_tokens_only() {
    let all = World::new().await.credentials().len();
    for row in 0..all {
        let world = World::new().await;
        let (who, shows) = world.credentials().swap_remove(row);
        // The refresh token last: with its session everything else ends.
        let mut tokens = world.tokens();
        tokens.sort_by_key(|(class, _)| *class == "refresh");
        for (class, token) in tokens {
            let reply = world.show(PATH, who, token).send().await;
            assert_eq!((reply.status, reply.text()), (200, "{}"), "{who:?} {class}");
            assert_eq!(is_active(&world, token).await, !shows.contains(&class), "{who:?} {class}");
        }
    }
}

#[tokio::test]
async fn what_is_no_token_is_a_success_and_bad_credentials_are_not() {
    let world = World::new().await;
    for token in ["nonsense", "a.b.c", "rt_a.b.c.d"] {
        let reply = world.ask(PATH, token, json!({"token_type_hint": "saml"})).keyed().send().await;
        assert_eq!((reply.status, reply.text()), (200, "{}"), "{token}");
    }
    let ask = || world.ask(PATH, &world.access, json!({}));
    ask().send().await.assert_oauth_refusal(401, "invalid_client", "INVALID_API_KEY");
    let guess = ask().basic(&world.client_id(), "guess").send().await;
    guess.assert_oauth_refusal(401, "invalid_client", "INVALID_CLIENT_CREDENTIALS");
    let browser = ask().header("X-API-Key", &world.server.setup.web_api_key).send().await;
    browser.assert_oauth_refusal(400, "unauthorized_client", "API_KEY_FORBIDDEN");
    assert!(is_active(&world, &world.access).await);
    let nothing = world.server.post("/oauth2/revoke").form(&json!({})).keyed().send().await;
    nothing.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
}

#[tokio::test]
async fn json_is_refused_whoever_sends_it_and_revokes_nothing() {
    let world = World::new().await;
    assert_takes_no_json(&world, PATH).await;
    assert!(is_active(&world, &world.access).await);
}

#[tokio::test]
async fn the_tenant_reads_what_its_resource_server_revoked() {
    let world = World::new().await;
    let ask = world.ask(PATH, &world.access, json!({})).basic(&world.client_id(), &world.secret);
    assert_eq!(ask.send().await.status, 200);
    let admin = world.server.admin().await;
    let path = format!("/v1/tenants/{COMPANY}/audit?action=token.revoke&actor=jobs-api");
    let page = world.server.get(&path).bearer(&admin).send().await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("client_secret"), "{}", page.text());
}

/// Attacks, row L2: a revocation that was answered is there after a stop.
#[tokio::test]
async fn l2_a_revocation_outlives_the_process() {
    let world = World::new().await;
    assert_eq!(world.ask(PATH, &world.access, json!({})).keyed().send().await.status, 200);
    let World { server, access, elsewhere, .. } = world;
    let issuer = server.url();
    let place: Place = server.stop().await;
    // At another port, and under the name by which it gave the tokens out.
    let server = Server::start_with(place, |config| config.domain.settings.issuer = issuer).await;
    for (token, expected) in [(access, false), (elsewhere, true)] {
        let request = server.post("/oauth2/introspect").keyed().json(json!({"token": token}));
        assert_eq!(request.send().await.json()["active"], expected);
    }
}

//! What does a stranger learn of who has an account?
//!
//! Attacks, row E6; Domain, rule 7.

use std::time::Instant;

use serde_json::json;
use tikti_domain::testing::put_user;
use tikti_domain::user::UserStatus;

use crate::support::{PASSWORD, Place, Reply, Server, compare};

const TRIES: usize = 400;

/// A server without limits, with an active and a suspended user, and a tenant of neither.
async fn server() -> Server {
    let place = Place::new();
    place
        .prepare(async |domain| {
            put_user(domain, "active@example.org", UserStatus::Active).await;
            put_user(domain, "absent@example.org", UserStatus::Suspended).await;
        })
        .await;
    let server = Server::start_with(place, |config| {
        config.domain.settings.limits.enabled = false;
    })
    .await;
    server.tenant(&server.admin().await, "codecompany").await;
    server
}

/// Of equal length, so that a reply that repeats one is as long as any other.
const ADDRESSES: [&str; 3] = ["nobody@example.org", "active@example.org", "absent@example.org"];

/// Sends each case in turns: the replies must be the same byte for byte, but for the case's own name,
/// and take about as long.
async fn assert_alike<const N: usize>(
    cases: [&str; N],
    (status, code): (u16, Option<&str>),
    send: impl AsyncFn(&str) -> Reply,
) {
    // Servers run on the thread of their test: hundreds of requests need no log.
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let mut shape = None;
    let mut times = cases.map(|_| Vec::new());
    for round in 0..TRIES {
        for step in 0..N {
            // Whoever is first in a round is another one each time.
            let case = (round + step) % N;
            let began = Instant::now();
            let reply = send(cases[case]).await;
            times[case].push(began.elapsed());
            match code {
                Some(code) => reply.assert_refusal(status, code),
                None => assert_eq!(reply.status, status, "{}", reply.text()),
            }
            let found = reply.shape().replace(cases[case], "the case");
            let first = shape.get_or_insert_with(|| found.clone());
            assert_eq!(found, *first, "{}", cases[case]);
        }
    }
    for case in 1..N {
        let (z, ratio) = compare(&times[0], &times[case]);
        println!("{} against {}: z {z:.2}, medians {ratio:.3}", cases[0], cases[case]);
        // A leak would be bcrypt itself, spent or not, or a call of its own: far beyond. The rest is a
        // busy machine's.
        assert!((0.5..=2.0).contains(&ratio), "{}: medians differ {ratio} times", cases[case]);
    }
}

/// Unknown, active and suspended, each with a wrong password.
#[tokio::test]
async fn e6_whether_an_address_is_known_shows_in_no_byte_and_no_gross_difference_of_time() {
    let server = server().await;
    let wrong = (401, Some("INVALID_LOGIN_CREDENTIALS"));
    assert_alike(ADDRESSES, wrong, async |email| {
        let ask = json!({"email": email, "password": "not the password"});
        server.post("/v1/accounts/signIn").json(ask).send().await
    })
    .await;
}

/// By a key that is shown no code.
#[tokio::test]
async fn e6_whoever_asks_for_a_code_learns_not_whether_there_is_anybody() {
    let server = server().await;
    assert_alike(ADDRESSES, (200, None), async |email| {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
        let request = server.post("/v1/accounts/sendOobCode");
        request.header("X-API-Key", &server.setup.web_api_key).json(ask).send().await
    })
    .await;
}

/// A member, a suspended member, and nobody, by an administrator of the tenant.
#[tokio::test]
async fn e6_a_tenant_that_has_a_reset_sent_learns_not_whether_it_went_to_a_member() {
    let server = server().await;
    let admin = server.admin().await;
    for email in &ADDRESSES[1..] {
        let ask = json!({"email": email, "roles": ["TENANT_USER"]});
        let path = "/v1/tenants/codecompany/users";
        assert_eq!(server.post(path).bearer(&admin).json(ask).send().await.status, 200);
    }
    assert_alike(ADDRESSES, (200, None), async |email| {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
        server.post("/v1/tenants/codecompany/oob/send").bearer(&admin).json(ask).send().await
    })
    .await;
}

#[tokio::test]
async fn e6_a_wrong_code_says_nothing_of_the_address_that_it_is_tried_for() {
    let server = server().await;
    assert_alike(ADDRESSES, (401, Some("INVALID_OOB_CODE")), async |email| {
        let ask = json!({"email": email, "oobCode": "A".repeat(32)});
        server.post("/v1/accounts/signInWithOobCode").json(ask).send().await
    })
    .await;
}

/// To nobody and to a suspended user goes a code that opens nothing.
#[tokio::test]
async fn e6_a_code_that_opens_nothing_says_not_whether_there_is_anybody() {
    let server = server().await;
    let mut codes = Vec::new();
    for email in ["nobody@example.org", "absent@example.org"] {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
        let reply = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
        codes.push(reply.json()["oobCode"].as_str().unwrap().to_owned());
    }
    let codes = [codes[0].as_str(), codes[1].as_str()];
    assert_alike(codes, (401, Some("INVALID_OOB_CODE")), async |code| {
        let ask = json!({"oobCode": code, "newPassword": "a staple that is correct"});
        server.post("/v1/accounts/resetPassword").keyed().json(ask).send().await
    })
    .await;
}

/// An administrator is told that an address is taken; nobody else is.
#[tokio::test]
async fn e6_whoever_may_not_make_users_learns_not_who_there_is() {
    let server = server().await;
    let ann = server.user("ann@example.org").await;
    let ann = ann["idToken"].as_str().unwrap();
    for (token, refusal) in
        [(ann, (403, Some("ADMIN_REQUIRED"))), ("a.b.c", (401, Some("UNAUTHENTICATED")))]
    {
        assert_alike(ADDRESSES, refusal, async |email| {
            let ask = json!({"email": email, "password": PASSWORD});
            server.post("/v1/accounts/signUp").bearer(token).json(ask).send().await
        })
        .await;
    }
}

/// A tenant that there is, and one that there is not.
const TENANTS: [&str; 2] = ["codecompany", "whoevercorp"];

#[tokio::test]
async fn e6_an_exchange_says_not_whether_there_is_a_tenant_that_one_is_no_member_of() {
    let server = server().await;
    let token = server.user("ann@example.org").await["idToken"].clone();
    assert_alike(TENANTS, (403, Some("MEMBERSHIP_REQUIRED")), async |tenant| {
        let ask = json!({"idToken": token, "audience": "backend-worker", "tenantId": tenant});
        server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await
    })
    .await;
}

#[tokio::test]
async fn e6_a_sign_in_says_not_whether_there_is_a_tenant_that_one_is_no_member_of() {
    let server = server().await;
    server.user("ann@example.org").await;
    let sign_in = async |tenant: &str, password: &str| {
        let ask = json!({"email": "ann@example.org", "password": password, "tenantId": tenant});
        server.post("/v1/accounts/signIn").json(ask).send().await
    };
    let right = (403, Some("MEMBERSHIP_REQUIRED"));
    assert_alike(TENANTS, right, async |tenant| sign_in(tenant, PASSWORD).await).await;
    // Of members and tenants nobody is told without the right password.
    let wrong = (401, Some("INVALID_LOGIN_CREDENTIALS"));
    assert_alike(TENANTS, wrong, async |tenant| sign_in(tenant, "not the password").await).await;
}

#[tokio::test]
async fn e6_a_tenant_of_others_is_read_like_one_that_there_is_not() {
    let server = server().await;
    let ann = server.user("ann@example.org").await;
    let ann = ann["idToken"].as_str().unwrap();
    assert_alike(TENANTS, (404, Some("TENANT_NOT_FOUND")), async |tenant| {
        server.get(&format!("/v1/tenants/{tenant}")).bearer(ann).send().await
    })
    .await;
}

/// By its id as by its name, and at a refresh: bytes alone.
#[tokio::test]
async fn e6_an_id_of_a_tenant_of_others_says_no_more_than_its_name() {
    let server = server().await;
    let tenant = server.tenant(&server.admin().await, "another").await;
    let id = tenant["id"].as_str().unwrap();
    let unknown = format!("t-{}", "0".repeat(id.len() - 2));
    let session = server.user("ann@example.org").await;
    let mut shapes = Vec::new();
    for tenant in [id, &unknown, "another", "nowhere"] {
        let ask = json!({
            "grant_type": "refresh_token", "refresh_token": session["refreshToken"],
            "tenantId": tenant, "idToken": session["idToken"], "audience": "backend-worker",
        });
        let exchanged = server.post("/v1/accounts/token/exchange").keyed();
        let exchanged = exchanged.json(ask.clone()).send().await;
        let refreshed = server.post("/v1/token").json(ask).send().await;
        exchanged.assert_refusal(403, "MEMBERSHIP_REQUIRED");
        refreshed.assert_refusal(403, "MEMBERSHIP_REQUIRED");
        shapes.extend([exchanged.shape(), refreshed.shape()]);
    }
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
}

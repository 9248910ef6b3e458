//! Row A7: who acts cannot be left out: a delegated token is never a subject token, nobody names an actor,
//! and every token for a foreign subject says for whom it acts.

use serde_json::{Value, json};
use tikti_domain::testing;

use crate::forms::{ID_TOKEN, Programs, Proof};
use crate::support::{COMPANY, claims};
use crate::world::{World, exchanged, worker};

const SUBJECTS: [&str; 3] = ["worker-01", "registered", "another/worker.name"];

async fn place() -> World {
    let world = Box::pin(World::new()).await;
    let record = worker(
        "registered",
        &json!({
            "clients": ["backend-worker", "codeq-worker"], "scopes": ["jobs:read", "codeq:claim"],
            "eventTypes": ["build"], "mintableBy": [world.company.role],
        }),
    );
    testing::put_worker(&world.domain, &world.company.tenant(), &record).await;
    world
}

fn asks(subject: &str) -> [Value; 2] {
    [
        json!({"audience": "backend-worker", "subject": subject}),
        json!({"audience": "codeq-worker", "eventTypes": ["build"], "subject": subject}),
    ]
}

#[tokio::test]
async fn a7_a_token_for_another_says_who_acts_whatever_else_is_sent() {
    let world = place().await;
    let (server, member) = (&world.server, &world.company.member);
    for subject in SUBJECTS {
        for mut ask in asks(subject) {
            for extra in [
                json!({}),
                json!({"act": null, "actor": null}),
                json!({"actorToken": "", "actor_token": "", "actorTokenType": "x"}),
                json!({"act": {"sub": subject}, "actor_token": world.company.admin.id_token}),
                json!({"sub": subject, "wver": 0, "sid": null, "requested_token_type": "none"}),
            ] {
                ask.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                let token = exchanged(server, &member.id_token, ask.clone()).await;
                let claims = claims(&token);
                assert_eq!(claims["sub"], subject, "{ask}");
                assert_eq!(claims["act"], json!({"sub": member.id}), "{ask}");
                // The session of whoever acts ends it.
                assert_eq!(claims["sid"], member.session.as_str(), "{ask}");
            }
        }
    }
    for mut ask in asks(&member.id) {
        // The user himself, named or not, acts for nobody.
        for subject in [json!(member.id), Value::Null] {
            ask["subject"] = subject;
            let reply = world.exchange(&member.id_token, ask.clone()).await;
            if reply.status == 200 {
                let claims = claims(reply.json()["accessToken"].as_str().unwrap());
                assert_eq!((&claims["sub"], claims.get("act")), (&json!(member.id), None), "{ask}");
            }
        }
    }
}

#[tokio::test]
async fn a7_a_delegated_token_is_neither_exchanged_nor_administers() {
    let world = place().await;
    let (server, company) = (&world.server, &world.company);
    for subject in SUBJECTS {
        for ask in asks(subject) {
            let token = exchanged(server, &company.member.id_token, ask).await;
            for again in [
                json!({}),
                json!({"subject": null}),
                json!({"subject": subject, "tenantId": company.id}),
            ] {
                let reply = world.exchange(&token, again).await;
                reply.assert_refusal(401, "INVALID_ID_TOKEN");
            }
            let lookup = server.post("/v1/accounts/lookup").keyed().json(json!({"idToken": token}));
            lookup.send().await.assert_refusal(401, "INVALID_ID_TOKEN");
            let roles = server.get(&format!("/v1/tenants/{COMPANY}/roles")).bearer(&token);
            roles.send().await.assert_refusal(401, "UNAUTHENTICATED");
        }
    }
    // For audience `tikti` nobody acts for another at all.
    for subject in ["registered", "worker-01", &company.member.id, company.worker.id.as_str()] {
        let ask = json!({"audience": "tikti", "subject": subject});
        let reply = world.exchange(&company.admin.id_token, ask).await;
        reply.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
    }
}

/// By the form of a stock client, which has parameters for actors.
#[tokio::test]
async fn a7_a_form_names_no_actor_and_exchanges_no_delegated_token() {
    let world = place().await;
    let company = Box::pin(Programs::of(&world, &world.company, 7)).await;
    let key = Proof::Key(world.server.setup.api_key.clone());
    let exchange = company.exchange(key).with("audience", "backend-worker");
    let (user, admin) = (&company.user, &world.company.admin.id_token);
    for subject in SUBJECTS {
        let form = exchange.with("subject", subject);
        for actor in [admin.as_str(), &user.id_token, &world.company.access, "nonsense"] {
            for form in [
                form.with("actor_token", actor),
                form.with("actor_token", actor).with("actor_token_type", ID_TOKEN),
                form.with("actor_token_type", ID_TOKEN),
                exchange.with("actor_token", actor),
            ] {
                let reply = form.send(&world).await;
                reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
            }
        }
        // What has no value was not sent, and what Tikti does not know is not looked at.
        for form in [
            form.clone(),
            form.with("actor_token", "").with("actor_token_type", ""),
            form.with("act", "").with("actor", "root").with("actorToken", admin),
            form.with("act", &json!({ "sub": subject }).to_string()).with("sub", &user.id),
        ] {
            let reply = form.send(&world).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            let token = reply.json()["access_token"].as_str().unwrap().to_owned();
            let claims = claims(&token);
            assert_eq!((&claims["sub"], &claims["sid"]), (&json!(subject), &json!(user.session)));
            assert_eq!(claims["act"], json!({"sub": user.id}), "{subject}");
            for again in [exchange.clone(), form.clone(), exchange.without("tenant")] {
                let reply = again.with("subject_token", &token).send(&world).await;
                reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ID_TOKEN");
            }
        }
    }
}

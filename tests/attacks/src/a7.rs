//! Row A7: who acts cannot be left out: a delegated token is never a subject token, nobody names an actor,
//! and every token for a foreign subject says for whom it acts.
//!
//! `actor_token` is a parameter of `/oauth2/token`, which does not exist yet: see row A2.

use serde_json::{Value, json};
use tikti_domain::testing;

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

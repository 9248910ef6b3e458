//! Row A4: nobody has a token made with rights above his own, by having it made for another.

use serde_json::json;
use tikti_domain::testing;

use crate::support::{COMPANY, claims};
use crate::world::{Person, World, client, member, worker};

const ALL: &[&str] = &["jobs:read", "jobs:write", "codeq:admin", "codeq:publish"];

/// A client that allows everything to everybody, workers that may everything, and a member who may little.
async fn place() -> (World, Person) {
    let world = Box::pin(World::new()).await;
    let (tenant, domain) = (world.company.tenant(), &world.domain);
    for (id, policy) in
        [("open-any", "any"), ("open-registered", "registered"), ("open-user", "user")]
    {
        let open = json!({"allowedScopes": ALL, "defaultScopes": ALL, "subjectPolicy": policy});
        testing::put_client(domain, &tenant, &client(id, &open)).await;
    }
    let clients = ["open-any", "open-registered", "open-user"];
    let mighty = json!({"clients": clients, "scopes": ALL});
    testing::put_worker(domain, &tenant, &worker("mighty", &mighty)).await;
    let mintable = json!({"clients": clients, "scopes": ALL, "mintableBy": [world.company.role]});
    testing::put_worker(domain, &tenant, &worker("mintable", &mintable)).await;
    let place = (COMPANY, "clerk@company.sys");
    let clerk = member(&world.server, &world.root, place, &[&world.company.role]).await;
    (world, clerk)
}

#[tokio::test]
async fn a4_a_token_for_another_never_exceeds_whoever_asks_for_it() {
    let (world, clerk) = place().await;
    let (company, other) = (&world.company, &world.other);
    let root = crate::world::signed_in_root(&world.server).await;
    let others = [
        "mighty",
        &company.member.id,
        &company.admin.id,
        &company.admin.email,
        &root,
        &world.server.setup.admin_email,
        &other.member.id,
        "00000000-0000-4000-8000-000000000000",
    ];
    for audience in ["open-any", "open-registered", "open-user"] {
        for subject in others {
            let reply = world
                .exchange(&clerk.id_token, json!({"audience": audience, "subject": subject}))
                .await;
            reply.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
        }
        for subject in [None, Some("mintable"), Some("worker-01"), Some(other.worker.id.as_str())] {
            // Asked for by name, what he does not hold is refused;
            for beyond in ["jobs:write", "codeq:admin", "jobs:read codeq:publish"] {
                let scopes: Vec<_> = beyond.split(' ').collect();
                let ask = json!({"audience": audience, "subject": subject, "scopes": scopes});
                let reply = world.exchange(&clerk.id_token, ask).await;
                assert_eq!(reply.status, 403, "{audience} {subject:?}: {}", reply.text());
            }
            // and asked for as whatever there is, it is not given.
            let ask = json!({"audience": audience, "subject": subject});
            let reply = world.exchange(&clerk.id_token, ask).await;
            if reply.status == 200 {
                let body = reply.json();
                assert_eq!(body["scope"], "jobs:read", "{audience} {subject:?}");
                let claims = claims(body["accessToken"].as_str().unwrap());
                assert_eq!(
                    (&claims["scope"], &claims["tid"]),
                    (&json!("jobs:read"), &json!(company.id))
                );
            } else {
                reply.assert_refusal(403, "SUBJECT_NOT_PERMITTED");
            }
        }
    }
    // A worker that may be acted for is: the rest was refused for what it is.
    let ask = json!({"audience": "open-any", "subject": "mintable"});
    assert_eq!(world.exchange(&clerk.id_token, ask).await.status, 200);
}

/// The right to act for workers makes no worker of another tenant, and no user.
#[tokio::test]
async fn a4_who_may_act_for_every_worker_acts_for_no_user_and_no_worker_of_others() {
    let (world, _) = place().await;
    let (company, other) = (&world.company, &world.other);
    let admin = &company.admin.id_token;
    for subject in [&company.member.id, &company.member.email, &other.admin.id] {
        let reply =
            world.exchange(admin, json!({"audience": "open-any", "subject": subject})).await;
        assert!(reply.status == 403, "{subject}: {}", reply.text());
    }
    let ask = json!({"audience": "open-registered", "subject": other.worker.id.as_str()});
    assert_eq!(world.exchange(admin, ask).await.status, 403);
    // He holds no scope of a resource by administering: a worker that does gives him none.
    let ask = json!({"audience": "open-any", "subject": "mighty", "scopes": ["codeq:admin"]});
    world.exchange(admin, ask).await.assert_refusal(403, "SCOPE_NOT_PERMITTED");
}

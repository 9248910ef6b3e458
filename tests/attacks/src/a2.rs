//! Row A2: what was revoked by each of the five ways is neither exchanged nor refreshed nor looked up, is no
//! more active to introspection, and administers nothing, from the next request on.

use serde_json::{Value, json};
use tikti_domain::testing;
use tikti_domain::worker::Worker;
use tikti_server::router::ROUTES;

use crate::support::{COMPANY, Reply};
use crate::world::{Person, World, exchanged, member};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    SignOut,
    SignOutEverywhere,
    Global,
    Tenant,
    Token,
}

impl Way {
    const ALL: [Self; 5] =
        [Self::SignOut, Self::SignOutEverywhere, Self::Global, Self::Tenant, Self::Token];

    async fn revoke(self, world: &World, person: &Person) {
        let admin = async |path: &str, ask: Value| {
            let call = world.server.post(&format!("/v1/accounts/{path}"));
            call.keyed().bearer(&world.root).json(ask).send().await
        };
        let email = &person.email;
        let reply = match self {
            Self::SignOut | Self::SignOutEverywhere => {
                let everywhere = self == Self::SignOutEverywhere;
                let ask = json!({"idToken": person.id_token, "everywhere": everywhere});
                world.server.post("/v1/accounts/signOut").json(ask).send().await
            }
            Self::Global => admin("revoke", json!({"email": email, "scope": "global"})).await,
            Self::Tenant => {
                let ask = json!({"email": email, "scope": "tenant", "tenantId": COMPANY});
                admin("revoke", ask).await
            }
            Self::Token => admin("revokeJti", json!({"token": person.id_token})).await,
        };
        assert_eq!(reply.status, 200, "{self:?}: {}", reply.text());
    }
}

async fn lookup(world: &World, id_token: &str) -> Reply {
    world.server.post("/v1/accounts/lookup").keyed().json(json!({"idToken": id_token})).send().await
}

async fn refresh(world: &World, person: &Person) -> Reply {
    let ask = json!({"grant_type": "refresh_token", "refresh_token": person.refresh_token});
    world.server.post("/v1/token").json(ask).send().await
}

/// Whether introspection takes a token for good.
async fn is_active(world: &World, token: &str) -> bool {
    let hint = if token.starts_with("rt_") { "refresh_token" } else { "id_token" };
    let ask = json!({"token": token, "token_type_hint": hint});
    let reply = world.server.post("/oauth2/introspect").keyed().json(ask).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = reply.json();
    assert!(reply["active"] == true || reply == json!({"active": false}), "{reply}");
    reply["active"] == true
}

async fn roles(world: &World, bearer: &str) -> Reply {
    world.server.get(&format!("/v1/tenants/{COMPANY}/roles")).bearer(bearer).send().await
}

#[tokio::test]
async fn a2_what_was_revoked_by_any_way_is_of_no_use_at_any_door() {
    let world = Box::pin(World::new()).await;
    for (number, way) in Way::ALL.into_iter().enumerate() {
        let email = format!("revoked-{number}@company.sys");
        let place = (COMPANY, email.as_str());
        let rights = ["TENANT_ADMIN", "JOBS_OPERATOR"];
        let person = member(&world.server, &world.root, place, &rights).await;
        let token = &person.id_token;
        let access = exchanged(&world.server, token, json!({"audience": "tikti"})).await;
        assert_eq!(lookup(&world, token).await.status, 200);
        assert_eq!(roles(&world, token).await.status, 200);
        assert_eq!(roles(&world, &access).await.status, 200);
        for token in [token, &access, &person.refresh_token] {
            assert!(is_active(&world, token).await);
        }

        way.revoke(&world, &person).await;
        for door in [world.exchange(token, json!({})).await, lookup(&world, token).await] {
            assert!([401, 403].contains(&door.status), "{way:?}: {}", door.text());
        }
        assert!(roles(&world, token).await.status >= 400, "{way:?}");
        // One token was denied, and no other; all else ends what was made for the session, too.
        let of_access = roles(&world, &access).await;
        assert_eq!(of_access.status < 300, way == Way::Token, "{way:?}: {}", of_access.text());
        assert!(!is_active(&world, token).await, "{way:?}");
        assert_eq!(is_active(&world, &access).await, way == Way::Token, "{way:?}");
        let refreshes = [Way::Token, Way::Tenant].contains(&way);
        assert_eq!(is_active(&world, &person.refresh_token).await, refreshes, "{way:?}");
        let refreshed = refresh(&world, &person).await;
        match way {
            Way::Token => assert_eq!(refreshed.status, 200),
            // The session goes on, and is of no use in this tenant.
            Way::Tenant => {
                assert_eq!(refreshed.status, 200, "{}", refreshed.text());
                let fresh = refreshed.json()["id_token"].as_str().unwrap().to_owned();
                let ask = json!({"tenantId": COMPANY});
                let refused = world.exchange(&fresh, ask).await;
                refused.assert_refusal(403, "MEMBERSHIP_REQUIRED");
            }
            Way::SignOut | Way::SignOutEverywhere | Way::Global => {
                refreshed.assert_refusal(401, "INVALID_REFRESH_TOKEN");
            }
        }
    }
}

/// The fifth level: the worker's version.
#[tokio::test]
async fn a2_a_worker_s_token_of_another_version_administers_nothing() {
    let world = Box::pin(World::new()).await;
    let company = &world.company;
    assert_eq!(roles(&world, &company.worker_token).await.status, 200);
    for wver in [company.worker.wver + 1, company.worker.wver - 1] {
        let bumped = Worker { wver, ..company.worker.clone() };
        testing::put_worker(&world.domain, &company.tenant(), &bumped).await;
        assert!(!is_active(&world, &company.worker_token).await);
        let refused = roles(&world, &company.worker_token).await;
        assert!([401, 404].contains(&refused.status), "{}", refused.text());
    }
}

/// A door that takes tokens and is not asked above.
#[test]
fn no_door_is_forgotten() {
    let asked = ["/oauth2/introspect", "/oauth2/revoke", "/oauth2/token"];
    let doors = ROUTES.iter().map(|route| route.path);
    let new: Vec<_> =
        doors.filter(|path| path.starts_with("/oauth2/") && !asked.contains(path)).collect();
    assert!(new.is_empty(), "ask {new:?} in rows A2, A3 and A7, too");
}

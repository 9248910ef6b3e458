//! Row A10: a tenant, worker, user or client that is deleted and made again: old tokens, codes, sessions and
//! subjects stay dead.

use serde_json::{Value, json};
use tikti_domain::clock::Clock;
use tikti_domain::tenancy::delete_tenant;
use tikti_domain::testing;
use tikti_domain::worker::Worker;

use crate::support::{COMPANY, PASSWORD, Reply};
use crate::world::{Person, World, client, exchanged, member, signed_in};

async fn post(world: &World, path: &str, ask: Value) -> Reply {
    world.server.post(&format!("/v1/accounts/{path}")).keyed().json(ask).send().await
}

async fn roles(world: &World, tenant: &str, bearer: &str) -> Reply {
    world.server.get(&format!("/v1/tenants/{tenant}/roles")).bearer(bearer).send().await
}

/// What somebody could still hold: tokens of each kind, and codes.
struct Kept {
    person: Person,
    access: String,
    codes: [String; 2],
}

impl Kept {
    async fn of(world: &World, person: Person) -> Self {
        let mut codes = Vec::new();
        for kind in ["PASSWORD_RESET", "EMAIL_SIGNIN"] {
            let ask = json!({"requestType": kind, "email": person.email});
            let sent = post(world, "sendOobCode", ask).await.json();
            codes.push(sent["oobCode"].as_str().unwrap().to_owned());
        }
        let ask = json!({"audience": "tikti", "tenantId": COMPANY});
        let access = exchanged(&world.server, &person.id_token, ask).await;
        Self { person, access, codes: codes.try_into().unwrap() }
    }

    /// Every door that would open to the user of before.
    async fn doors(&self, world: &World) -> Vec<(&'static str, Reply)> {
        let Person { email, id_token, refresh_token, .. } = &self.person;
        let [reset, sign_in] = &self.codes;
        let server = &world.server;
        let token = json!({"idToken": id_token});
        let reset = json!({"oobCode": reset, "newPassword": "a staple that is correct"});
        let sign_in = json!({"email": email, "oobCode": sign_in});
        let refresh = json!({"grant_type": "refresh_token", "refresh_token": refresh_token});
        vec![
            ("lookup", post(world, "lookup", token.clone()).await),
            ("exchange", world.exchange(id_token, json!({"tenantId": COMPANY})).await),
            (
                "update",
                post(world, "update", json!({"idToken": id_token, "displayName": "A"})).await,
            ),
            ("delete", post(world, "delete", token).await),
            ("sessions", server.get("/v1/accounts/sessions").bearer(id_token).send().await),
            ("idToken", roles(world, COMPANY, id_token).await),
            ("access token", roles(world, COMPANY, &self.access).await),
            ("refresh", server.post("/v1/token").json(refresh).send().await),
            ("a code for a password", post(world, "resetPassword", reset).await),
            ("a code that signs in", post(world, "signInWithOobCode", sign_in).await),
        ]
    }
}

#[tokio::test]
async fn a10_a_user_made_again_has_nothing_of_the_one_of_before() {
    let world = Box::pin(World::new()).await;
    let place = (COMPANY, "again@company.sys");
    let rights = ["TENANT_ADMIN", "JOBS_OPERATOR"];
    let person = member(&world.server, &world.root, place, &rights).await;
    let kept = Kept::of(&world, person).await;
    let gone = post(&world, "delete", json!({"idToken": kept.person.id_token})).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    let again = world.server.user(place.1).await;
    assert_ne!(again["localId"], kept.person.id.as_str());
    for (door, reply) in kept.doors(&world).await {
        assert!((400..500).contains(&reply.status), "{door}: {}", reply.text());
    }
    // He is no member by his address.
    let fresh = signed_in(&world.server, place.1).await;
    let reply = world.exchange(&fresh.id_token, json!({"tenantId": COMPANY})).await;
    reply.assert_refusal(403, "MEMBERSHIP_REQUIRED");
    roles(&world, COMPANY, &fresh.id_token).await.assert_refusal(404, "TENANT_NOT_FOUND");
    // Nor is he by being made one: what was his is another's.
    let ask = json!({"email": place.1, "roles": rights});
    let path = format!("/v1/tenants/{COMPANY}/users");
    assert_eq!(world.server.post(&path).bearer(&world.root).json(ask).send().await.status, 200);
    for (door, reply) in kept.doors(&world).await {
        assert!((400..500).contains(&reply.status), "{door}: {}", reply.text());
    }
}

#[tokio::test]
async fn a10_a_member_made_again_has_no_session_of_before_there() {
    let world = Box::pin(World::new()).await;
    let place = (COMPANY, "again@company.sys");
    let rights = ["TENANT_ADMIN", "JOBS_OPERATOR"];
    let person = member(&world.server, &world.root, place, &rights).await;
    let kept = Kept::of(&world, person).await;
    let path = format!("/v1/tenants/{COMPANY}/users");
    let ask = json!({"email": place.1, "roles": rights});
    for path in [format!("{path}/remove"), path] {
        let done = world.server.post(&path).bearer(&world.root).json(ask.clone()).send().await;
        assert_eq!(done.status, 200, "{path}: {}", done.text());
    }
    let Person { id_token, refresh_token, .. } = &kept.person;
    let refused = [
        world.exchange(id_token, json!({"tenantId": COMPANY})).await,
        roles(&world, COMPANY, id_token).await,
        roles(&world, COMPANY, &kept.access).await,
    ];
    for reply in &refused {
        assert!((400..500).contains(&reply.status), "{}", reply.text());
    }
    // A refresh goes on elsewhere, and does not lead back.
    let ask = json!({"grant_type": "refresh_token", "refresh_token": refresh_token});
    let fresh = world.server.post("/v1/token").json(ask).send().await;
    if let Some(fresh) = fresh.json()["id_token"].as_str() {
        let reply = world.exchange(fresh, json!({"tenantId": COMPANY})).await;
        assert!((400..500).contains(&reply.status), "{}", reply.text());
        assert!(roles(&world, COMPANY, fresh).await.status >= 400);
    }
    // A new sign-in does.
    let fresh = signed_in(&world.server, place.1).await;
    assert_eq!(roles(&world, COMPANY, &fresh.id_token).await.status, 200);
}

/// The id of a tenant is never given again; its slug rests for 90 days. Whatever is made beside it is
/// another tenant.
#[tokio::test]
async fn a10_a_tenant_made_again_is_another_and_opens_to_nothing_of_before() {
    let world = Box::pin(World::new()).await;
    let (server, company) = (&world.server, &world.company);
    let dora = Kept::of(&world, world.of_both("dora@both.sys").await).await;
    let now = Clock::system().now();
    delete_tenant(&world.domain, &company.tenant(), now).await.unwrap();
    for ask in [
        json!({"slug": COMPANY}),
        json!({"slug": company.id}),
        json!({"slug": "company-again", "id": company.id}),
        json!({"slug": "company-again", "id": COMPANY}),
        json!({"slug": COMPANY, "id": company.id}),
    ] {
        let reply = server.post("/v1/tenants").bearer(&world.root).json(ask.clone()).send().await;
        assert_eq!((reply.status, &*reply.code()), (409, "TENANT_EXISTS"), "{ask}");
    }
    let again = server.tenant(&world.root, "company-again").await;
    let again = again["id"].as_str().unwrap();
    let place = (again, dora.person.email.as_str());
    let ask = json!({"email": place.1, "roles": ["TENANT_ADMIN"]});
    let path = format!("/v1/tenants/{again}/users");
    assert_eq!(server.post(&path).bearer(&world.root).json(ask).send().await.status, 200);
    for bearer in [&dora.access, &company.access, &company.worker_token, &company.admin.id_token] {
        for tenant in [again, &company.id, COMPANY] {
            let reply = roles(&world, tenant, bearer).await;
            assert!([401, 404].contains(&reply.status), "{tenant}: {}", reply.text());
        }
    }
    for token in [&dora.person.id_token, &company.member.id_token, &company.bound] {
        for tenant in [company.id.as_str(), COMPANY] {
            let reply = world.exchange(token, json!({"tenantId": tenant})).await;
            assert!((400..500).contains(&reply.status), "{}", reply.text());
        }
    }
    for key in [&company.key] {
        let ask = json!({"email": company.member.email, "password": PASSWORD});
        let call = server.post("/v1/accounts/signInWithPassword").header("X-API-Key", key);
        call.json(ask).send().await.assert_refusal(401, "INVALID_API_KEY");
    }
}

#[tokio::test]
async fn a10_a_worker_made_again_is_no_subject_of_before() {
    let world = Box::pin(World::new()).await;
    let (company, domain) = (&world.company, &world.domain);
    let id = company.worker.id.as_str();
    assert_eq!(roles(&world, COMPANY, &company.worker_token).await.status, 200);
    testing::bury_worker(domain, &company.tenant(), &company.worker.id).await;
    let dead = async || {
        let reply = roles(&world, COMPANY, &company.worker_token).await;
        assert!([401, 404].contains(&reply.status), "{}", reply.text());
    };
    dead().await;
    // By policy `any`, too: the name is nobody's to take.
    for token in [&company.admin.id_token, &company.member.id_token] {
        let ask = json!({"audience": "backend-worker", "subject": id, "scopes": ["jobs:read"]});
        let reply = world.exchange(token, ask).await;
        assert_eq!(reply.status, 403, "{}", reply.text());
    }
    // A version begins where the time is: never at one of before.
    let wver = Clock::system().now().as_millis();
    let again = Worker { wver, ..company.worker.clone() };
    testing::put_worker(domain, &company.tenant(), &again).await;
    dead().await;
    let fresh = crate::world::token_of(&world, &again);
    assert_eq!(roles(&world, COMPANY, &fresh).await.status, 200);
}

/// A client made again takes no token of before: neither the one whose audience it is, nor the idToken of
/// a sign-in to it.
#[tokio::test]
async fn a10_a_client_made_again_takes_no_token_of_before() {
    let world = Box::pin(World::new()).await;
    let (server, company, domain) = (&world.server, &world.company, &world.domain);
    let ask = json!({
        "email": company.member.email, "password": PASSWORD, "clientId": company.application,
        "returnSecureToken": true,
    });
    let opened = server.post("/v1/accounts/signIn").json(ask).send().await.json();
    let id_token = opened["idToken"].as_str().unwrap();
    assert_eq!(world.exchange(id_token, json!({})).await.status, 200);
    assert_eq!(roles(&world, COMPANY, &company.access).await.status, 200);
    // Tokens count in seconds.
    let later = Clock::system().now().as_millis() + 5_000;
    let scopes = tikti_domain::scope::management_scopes();
    let tikti = json!({"createdAt": later, "allowedScopes": scopes, "subjectPolicy": "user"});
    testing::put_client(domain, &company.tenant(), &client("tikti", &tikti)).await;
    let application = json!({"createdAt": later, "type": "APPLICATION"});
    let application = client(&company.application, &application);
    testing::put_client(domain, &company.tenant(), &application).await;
    for bearer in [&company.access, &company.worker_token] {
        roles(&world, COMPANY, bearer).await.assert_refusal(401, "UNAUTHENTICATED");
    }
    let refused = world.exchange(id_token, json!({})).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    let validated = json!({"token": company.access, "audience": "tikti"});
    let shown = server.post("/v1/accounts/validate").keyed().bearer(&world.root).json(validated);
    assert_eq!(shown.send().await.status, 401);
}

//! Row A10: a tenant, worker, user or client that is deleted and made again: old tokens, codes, sessions and
//! subjects stay dead.

use serde_json::{Value, json};
use tikti_domain::clock::Clock;
use tikti_domain::id::{TenantRef, WorkerId};
use tikti_domain::scope::management_scopes;
use tikti_domain::secret::SecretString;
use tikti_domain::tenancy::get_worker;
use tikti_domain::testing;

use crate::support::{COMPANY, PASSWORD, Reply};
use crate::world::{Person, World, client, exchanged, member, signed_in, token_of};

async fn post(world: &World, path: &str, ask: Value) -> Reply {
    world.server.post(&format!("/v1/accounts/{path}")).keyed().json(ask).send().await
}

async fn roles(world: &World, tenant: &str, bearer: &str) -> Reply {
    world.server.get(&format!("/v1/tenants/{tenant}/roles")).bearer(bearer).send().await
}

/// Deletes something, by its route.
async fn delete(world: &World, path: &str) {
    let gone = world.server.delete(path).bearer(&world.root).send().await;
    assert_eq!(gone.status, 200, "{path}: {}", gone.text());
}

/// Makes something in the company, by its route.
async fn make(world: &World, list: &str, ask: &Value) {
    let path = format!("/v1/tenants/{COMPANY}/{list}");
    let made = world.server.post(&path).bearer(&world.root).json(ask.clone()).send().await;
    assert_eq!(made.status, 200, "{ask}: {}", made.text());
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
    delete(&world, &format!("/v1/tenants/{COMPANY}")).await;
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

/// The token that the worker of this name shows at Tikti, as it is now.
async fn token_of_worker(world: &World, id: &str) -> String {
    let caller = testing::bearing(&SecretString::from(world.root.clone()));
    let place = (&TenantRef::from(&world.company.tenant()), &WorkerId::parse(id).unwrap());
    token_of(world, &get_worker(&world.domain, &caller, place).await.unwrap())
}

/// Several times in a row, as fast as it goes: in a version that is the time alone they would be the same.
#[tokio::test]
async fn a10_a_worker_made_again_is_no_subject_of_before() {
    let world = Box::pin(World::new()).await;
    let (company, id) = (&world.company, "worker-again");
    let clients = ["tikti", "backend-worker"];
    let ask = json!({"id": id, "clients": clients, "scopes": management_scopes()});
    // By policy `any` a token is made for whatever name is nobody's to take.
    let minted = async |subject: &str| {
        let ask =
            json!({"audience": "backend-worker", "subject": subject, "scopes": ["jobs:read"]});
        world.exchange(&company.member.id_token, ask).await
    };
    for name in [id, "worker-that-never-was"] {
        let reply = minted(name).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
    }
    // To a tenant whoever was its worker is a stranger.
    let dead = async |before: &[String]| {
        for token in before {
            let reply = roles(&world, COMPANY, token).await;
            assert!([401, 404].contains(&reply.status), "{}", reply.text());
        }
    };
    let mut before: Vec<String> = vec![];
    for _ in 0..3 {
        make(&world, "workers", &ask).await;
        dead(&before).await;
        let token = token_of_worker(&world, id).await;
        assert_eq!(roles(&world, COMPANY, &token).await.status, 200);
        before.push(token);
        delete(&world, &format!("/v1/tenants/{COMPANY}/workers/{id}")).await;
        dead(&before).await;
        let reply = minted(id).await;
        assert_eq!(reply.status, 403, "{}", reply.text());
    }
}

/// What an application gave the company's member: idToken and refresh token.
async fn at_application(world: &World, application: &str) -> [String; 2] {
    let ask = json!({
        "email": world.company.member.email, "password": PASSWORD, "clientId": application,
        "returnSecureToken": true,
    });
    let opened = world.server.post("/v1/accounts/signIn").json(ask).send().await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    ["idToken", "refreshToken"].map(|name| opened.json()[name].as_str().unwrap().to_owned())
}

/// What comes of a session at an application, and of a token for an audience, at every door that asks whose
/// they are. The session is spent by it.
async fn doors_of_clients(
    world: &World,
    [id_token, refresh_token]: &[String; 2],
    (token, audience): (&str, &str),
) -> [Reply; 3] {
    let validated = json!({"token": token, "audience": audience});
    let shown = world.server.post("/v1/accounts/validate").keyed().bearer(&world.root);
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": refresh_token});
    [
        shown.json(validated).send().await,
        world.exchange(id_token, json!({})).await,
        world.server.post("/v1/token").json(refresh).send().await,
    ]
}

/// A client made again takes no token of before: neither the one whose audience it is, nor the idToken of
/// a sign-in to it; and a session of before goes on no more.
#[tokio::test]
async fn a10_a_client_made_again_takes_no_token_of_before() {
    let world = Box::pin(World::new()).await;
    let (audience, application) = ("audience-again", "application-again");
    let asks = [
        json!({"clientId": audience, "defaultScopes": ["jobs:read"]}),
        json!({"clientId": application, "type": "APPLICATION"}),
    ];
    let make_both = async || {
        for ask in &asks {
            make(&world, "clients", ask).await;
        }
    };
    let token = async || {
        let ask = json!({"audience": audience, "tenantId": COMPANY});
        exchanged(&world.server, &world.company.member.id_token, ask).await
    };
    make_both().await;
    let old = token().await;
    let [first, second, third] = [
        at_application(&world, application).await,
        at_application(&world, application).await,
        at_application(&world, application).await,
    ];
    for reply in doors_of_clients(&world, &first, (&old, audience)).await {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    for id in [audience, application] {
        delete(&world, &format!("/v1/tenants/{COMPANY}/clients/{id}")).await;
    }
    for reply in doors_of_clients(&world, &second, (&old, audience)).await {
        assert!((400..500).contains(&reply.status), "{}", reply.text());
    }
    make_both().await;
    // Of the session that nobody has tried meanwhile first, then of the others.
    for session in [&third, &first, &second] {
        for reply in doors_of_clients(&world, session, (&old, audience)).await {
            assert_eq!(reply.status, 401, "{}", reply.text());
        }
    }
    // Tokens count in seconds: those that are made from the next one on are taken again.
    let begun = Clock::system().now().as_millis();
    loop {
        let fresh = (token().await, at_application(&world, application).await);
        let replies = doors_of_clients(&world, &fresh.1, (&fresh.0, audience)).await;
        if replies.iter().all(|reply| reply.status == 200) {
            break;
        }
        let is_late = Clock::system().now().as_millis() > begun + 60_000;
        let told = replies.iter().map(Reply::text).collect::<Vec<_>>();
        assert!(!is_late, "what is made anew is not taken: {told:?}");
    }
}

/// The client that stands for the service itself is never deleted nor made again, by nobody; and if one day
/// it were, it would take no token of before either.
#[tokio::test]
async fn a10_the_built_in_client_is_never_made_again() {
    let world = Box::pin(World::new()).await;
    let (server, company, domain) = (&world.server, &world.company, &world.domain);
    for bearer in [&world.root, &company.admin.id_token] {
        let path = format!("/v1/tenants/{COMPANY}/clients");
        let gone = server.delete(&format!("{path}/tikti")).bearer(bearer).send().await;
        gone.assert_refusal(409, "CONFLICT");
        let made = server.post(&path).bearer(bearer).json(json!({"clientId": "tikti"}));
        made.send().await.assert_refusal(409, "CLIENT_EXISTS");
    }
    for bearer in [&company.access, &company.worker_token] {
        assert_eq!(roles(&world, COMPANY, bearer).await.status, 200);
    }
    // What no route does.
    let later = Clock::system().now().as_millis() + 5_000;
    let change = json!({
        "createdAt": later, "allowedScopes": management_scopes(), "subjectPolicy": "user",
    });
    testing::put_client(domain, &company.tenant(), &client("tikti", &change)).await;
    for bearer in [&company.access, &company.worker_token] {
        roles(&world, COMPANY, bearer).await.assert_refusal(401, "UNAUTHENTICATED");
    }
}

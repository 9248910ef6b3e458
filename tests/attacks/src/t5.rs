//! Row T5: a tenant's API key, administrator and worker at every route of the deployment: nothing is read
//! and nothing is changed.

use serde_json::json;
use tikti_server::router::Needs;

use crate::call::{Call, Credential, good_requests};
use crate::support::PASSWORD;
use crate::world::World;

/// What somebody is told who shows something that is not enough there.
const REFUSALS: [(u16, &str); 5] = [
    (401, "UNAUTHENTICATED"),
    (401, "INVALID_API_KEY"),
    (403, "ADMIN_REQUIRED"),
    (403, "API_KEY_FORBIDDEN"),
    (401, "INVALID_ID_TOKEN"),
];

#[tokio::test]
async fn t5_nobody_of_a_tenant_reaches_anything_of_the_deployment() {
    let world = Box::pin(World::new()).await;
    let (server, company) = (&world.server, &world.company);
    let mut credentials = company.credentials(&world);
    // The tenant's program with the idToken of the deployment's administrator, who has signed in to the
    // tenant's application; and that token with the deployment's own key.
    let ask = json!({"email": server.setup.admin_email, "password": server.setup.admin_password});
    let bound = server.post("/v1/accounts/signInWithPassword").header("X-API-Key", &company.key);
    let bound = bound.json(ask).send().await.json()["idToken"].as_str().unwrap().to_owned();
    credentials.push(Credential::pair("root's bound idToken", &server.setup.api_key, &bound));
    credentials.push(Credential::pair(
        "root's bound idToken, the tenant's key",
        &company.key,
        &bound,
    ));
    // Roles of the deployment that are words alone.
    let ask = json!({"email": "boss@corp.sys", "password": PASSWORD, "role": "COMPANY_ADMIN"});
    let made = server.post("/v1/accounts/signUp").bearer(&world.root).json(ask).send().await;
    assert_eq!(made.status, 200, "{}", made.text());
    let boss = crate::world::signed_in(server, "boss@corp.sys").await;
    credentials.push(Credential::pair("COMPANY_ADMIN", &server.setup.api_key, &boss.id_token));
    let mut tried = 0;
    for (route, _, good) in &good_requests(&world, &world.document().await).await {
        if !matches!(route.needs, Needs::AdminBearer | Needs::ApiKeyAndAdmin(_)) {
            continue;
        }
        let before = world.contents().await;
        let call = Call::as_it_is(route, good);
        for credential in &credentials {
            let reply = call.send(&world, credential).await;
            let found = (reply.status, &*reply.code());
            let what = format!("{} {} by {}", route.method, route.path, credential.name);
            assert!(REFUSALS.contains(&found), "{what}: {found:?}");
            tried += 1;
        }
        if matches!(route.needs, Needs::ApiKeyAndAdmin(_)) {
            // The right person, and a key that is not the deployment's.
            for key in [&company.key, &server.setup.web_api_key] {
                let credential = Credential::pair("root", key, &world.root);
                call.send(&world, &credential).await.assert_refusal(403, "API_KEY_FORBIDDEN");
                tried += 1;
            }
        }
        assert_eq!(world.changed_since(&before).await, [""; 0], "{} {}", route.method, route.path);
        // All of it was refused to them alone.
        let root = Credential::pair("root", &server.setup.api_key, &world.root);
        let shown = good.body["token"].as_str().map(|token| ("token".to_owned(), token.to_owned()));
        let reply = Call { shown, ..call }.send(&world, &root).await;
        let is_to_come = route.path.ends_with("/audit/head") && reply.status == 404;
        assert!(
            reply.status < 300 || is_to_come,
            "{} {}: {}",
            route.method,
            route.path,
            reply.text()
        );
    }
    println!("{tried} pairs of route and credential");
    assert!(tried >= 250, "{tried}");
}

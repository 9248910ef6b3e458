//! Row A1: a user of one tenant and a client that is registered in another only, by each way of naming the
//! tenant: no token.

use serde_json::{Value, json};
use tikti_domain::testing;

use crate::support::{PASSWORD, Reply};
use crate::world::{World, client};

/// Body, header, both and neither, by id and by slug.
fn ways(world: &World) -> Vec<(Value, Option<String>)> {
    let (company, other) = (&world.company, &world.other);
    let mut ways = vec![(Value::Null, None)];
    let names = [&company.id, &company.slug, &other.id, &other.slug];
    for one in names {
        ways.push((json!(one), None));
        ways.push((Value::Null, Some(one.clone())));
        ways.extend(names.into_iter().map(|another| (json!(one), Some(another.clone()))));
    }
    ways
}

async fn exchange(
    world: &World,
    (key, id_token, audience): (&str, &str, &str),
    (body, header): &(Value, Option<String>),
) -> Reply {
    let ask = json!({"idToken": id_token, "audience": audience, "tenantId": body});
    let call = world.server.post("/v1/accounts/token/exchange").header("X-API-Key", key).json(ask);
    let call = match header {
        Some(header) => call.header("X-Tenant-Id", header),
        None => call,
    };
    call.send().await
}

#[tokio::test]
async fn a1_an_audience_of_another_tenant_gives_no_token_however_the_tenant_is_named() {
    let world = Box::pin(World::new()).await;
    let (company, other) = (&world.company, &world.other);
    // One that asks nothing of roles: nothing but the tenant is in the way.
    let open = json!({"allowedScopes": ["jobs:read"], "defaultScopes": ["jobs:read"]});
    testing::put_client(&world.domain, &other.tenant(), &client("others-alone", &open)).await;
    let keys = [&world.server.setup.api_key, &company.key, &other.key];
    let tokens = [&company.member.id_token, &company.admin.id_token, &company.bound];
    let mut tried = 0;
    for audience in ["others-alone", other.client.as_str(), other.application.as_str()] {
        for way in &ways(&world) {
            for key in keys {
                for token in tokens {
                    let reply = exchange(&world, (key, token, audience), way).await;
                    assert!((400..500).contains(&reply.status), "{way:?}: {}", reply.text());
                    assert!(reply.json().get("accessToken").is_none());
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} exchanges for an audience of another tenant");
    assert!(tried >= 600, "{tried}");
    // The client is good for its own: what was refused was refused for the tenant.
    let own = (keys[0].as_str(), other.member.id_token.as_str(), "others-alone");
    assert_eq!(exchange(&world, own, &(Value::Null, None)).await.status, 200);
    // In one's own tenant it is a name that nobody bears.
    let own = (keys[0].as_str(), company.member.id_token.as_str(), "others-alone");
    let unknown = exchange(&world, own, &(Value::Null, None)).await;
    unknown.assert_refusal(400, "UNKNOWN_AUDIENCE");
}

/// The application that signs a user in is one of the tenant that he signs in to.
#[tokio::test]
async fn a1_an_application_of_another_tenant_signs_nobody_in() {
    let world = Box::pin(World::new()).await;
    let (company, other) = (&world.company, &world.other);
    let names = [None, Some(&company.id), Some(&company.slug), Some(&other.id), Some(&other.slug)];
    for path in ["signIn", "signInWithPassword"] {
        for key in [&world.server.setup.api_key, &company.key, &other.key] {
            for tenant in names {
                let ask = json!({
                    "email": company.member.email, "password": PASSWORD, "tenantId": tenant,
                    "clientId": other.application,
                });
                let call = world.server.post(&format!("/v1/accounts/{path}"));
                let reply = call.header("X-API-Key", key).json(ask).send().await;
                assert!((400..500).contains(&reply.status), "{path} {tenant:?}: {}", reply.text());
            }
        }
    }
    let ask = json!({
        "email": company.member.email, "password": PASSWORD, "clientId": company.application,
    });
    let own = world.server.post("/v1/accounts/signIn").json(ask).send().await;
    assert_eq!(own.status, 200, "{}", own.text());
}

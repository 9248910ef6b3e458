//! Row A3: what is no idToken of an application of its own tenant is no subject token.
//!
//! The form of `/oauth2/token` is tried with every kind of credential by row A6.

use serde_json::json;

use crate::forge;
use crate::world::World;

#[tokio::test]
async fn a3_only_an_id_token_is_a_subject_token() {
    let world = Box::pin(World::new()).await;
    let company = &world.company;
    let code = world.server.oob_code("EMAIL_SIGNIN").await;
    let keys = [&world.server.setup.api_key, &company.key];
    for (what, token) in [
        ("an access token", &company.access),
        ("a worker's token", &company.worker_token),
        ("a token for a worker", &company.event_token),
        ("a refresh token", &company.admin.refresh_token),
        ("a code", &code),
        ("a key", &company.key),
    ] {
        for key in keys {
            for audience in ["backend-worker", "codeq-worker", "tikti"] {
                let ask = json!({"idToken": token, "audience": audience, "tenantId": company.id});
                let call =
                    world.server.post("/v1/accounts/token/exchange").header("X-API-Key", key);
                let reply = call.json(ask).send().await;
                reply.assert_refusal(401, "INVALID_ID_TOKEN");
                assert!(reply.json().get("accessToken").is_none(), "{what}");
            }
        }
    }
}

/// Signed by the right secret: whose `aud` is no application of the tenant that `tid` names.
#[tokio::test]
async fn a3_an_id_token_for_what_is_no_application_of_its_tenant_is_none() {
    let world = Box::pin(World::new()).await;
    let (company, other) = (&world.company, &world.other);
    let secret = forge::secret(&world.server);
    let token = &company.member.id_token;
    let (header, claims) = (forge::header(token), forge::claims(token));
    let signed = |audience: &str| {
        let claims = forge::with(claims.clone(), "aud", json!(audience));
        forge::sign(&header, &claims, &secret)
    };
    // What is changed is what is refused.
    let same = forge::sign(&header, &claims, &secret);
    assert_eq!(world.exchange(&same, json!({})).await.status, 200);
    for audience in [
        company.client.as_str(),
        "backend-worker",
        "codeq-worker",
        "tikti",
        &other.application,
        "nobodys-client",
        "TIKTI-IDENTITY",
        "tikti-identity/",
        "",
    ] {
        let reply = world.exchange(&signed(audience), json!({})).await;
        reply.assert_refusal(401, "INVALID_ID_TOKEN");
    }
}

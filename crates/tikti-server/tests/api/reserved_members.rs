//! Does a body decide anything that only stored records may decide? Members of that name are ignored by
//! every call, and nothing in its reply or its token changes.
//!
//! Spec: attacks, row E4.

use serde_json::{Map, Value, json};
use tikti_server::router::ROUTES;

use crate::support::{COMPANY, Reply, Server, claims};

/// What an attacker would like to decide.
fn reserved() -> Map<String, Value> {
    let members = json!({
        "role": "ADMIN", "roles": ["TENANT_ADMIN"], "tid": "t-other", "userId": "u-other",
        "localId": "u-other", "sub": "u-other", "isAdmin": true, "admin": true,
        "emailVerified": true, "email_verified": true, "status": "SUSPENDED", "ver": 99,
        "permissions": ["*"], "amr": ["mfa"],
    });
    members.as_object().unwrap().clone()
}

/// The members of those names that the call itself has.
fn own_members(path: &str) -> &'static [&'static str] {
    match path {
        "/v1/accounts/signUp" => &["role", "roles"],
        "/v1/accounts/status" => &["status"],
        "/v1/authorization/explain" => &["userId"],
        "/v1/tenants/{t}/roles" => &["permissions"],
        "/v1/tenants/{t}/users" => &["roles"],
        _ => &[],
    }
}

/// The reply without what differs from call to call, and the claims of its token likewise.
fn comparable(mut reply: Reply, slug: &str) -> (String, Option<Value>) {
    reply.replace(slug, "the-slug");
    // An API key and its id are made up for each.
    let body = reply.json();
    for (member, word) in [("key", "the-key"), ("id", "the-id")] {
        if let (Some(made), true) = (body[member].as_str(), body["key"].is_string()) {
            reply.replace(made, word);
        }
    }
    // Each worker and each client has its own.
    if let Some(secret) = reply.json()["secret"].as_str() {
        reply.replace(secret, "the-secret");
    }
    let body = reply.json();
    let tokens = ["idToken", "id_token", "accessToken", "access_token"].into_iter();
    let token = tokens.filter_map(|name| body[name].as_str()).next();
    let claims = token.map(|token| {
        let mut claims = claims(token);
        for differs in ["auth_time", "exp", "iat", "jti", "sid"] {
            claims.as_object_mut().unwrap().remove(differs);
        }
        claims
    });
    (reply.masked(), claims)
}

#[tokio::test]
async fn e4_members_that_only_records_decide_change_nothing() {
    let server = Server::start().await;
    server.tenant(&server.admin().await, COMPANY).await;
    let token = server.admin().await;
    // The page at `/action` answers with a page: see its own tests.
    let calls = ROUTES.iter().filter(|route| route.method == "POST" && route.path != "/action");
    // Revoking a membership takes no body.
    let calls = calls.filter(|route| !route.path.ends_with("{id}/revoke"));
    for route in calls {
        let send = async |slug: &str, extra: Map<String, Value>| {
            let mut body = server.good_body(route.path, &token, slug).await;
            let own = own_members(route.path);
            let extra = extra.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
            body.as_object_mut().unwrap().extend(extra);
            let path = server.good_path(route, slug).await;
            let request = server.post(&path).json(body);
            let reply = request.showing(route.needs, &token).send().await;
            assert_eq!(reply.status, 200, "{} {}", route.path, reply.text());
            comparable(reply, slug)
        };
        let plain = send("plain-company", Map::new()).await;
        let hostile = send("hostile-company", reserved()).await;
        assert_eq!(hostile, plain, "{}", route.path);
    }
}

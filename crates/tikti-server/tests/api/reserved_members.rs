//! Does a body decide anything that only stored records may decide? Members of that name are ignored by
//! every call, and nothing in its reply or its token changes.
//!
//! Spec: attacks, row E4.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use tikti_server::router::{Needs, ROUTES};

use crate::support::{PASSWORD, Reply, Server};

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
        _ => &[],
    }
}

/// A body with which `path` answers 200.
async fn good_body(server: &Server, path: &str, token: &str, slug: &str) -> Value {
    match path {
        "/v1/accounts/signOut" => json!({"idToken": server.admin().await}),
        "/v1/token" => {
            let token = &server.session().await["refreshToken"];
            json!({"grant_type": "refresh_token", "refresh_token": token})
        }
        "/v1/accounts/signIn" | "/v1/accounts/signInWithPassword" => {
            json!({"email": server.setup.admin_email, "password": server.setup.admin_password})
        }
        "/v1/accounts/sendOobCode" => {
            json!({"requestType": "PASSWORD_RESET", "email": server.setup.admin_email})
        }
        "/v1/accounts/resetPassword" => json!({"oobCode": server.oob_code("PASSWORD_RESET").await}),
        "/v1/accounts/signInWithOobCode" => {
            let code = server.oob_code("EMAIL_SIGNIN").await;
            json!({"email": server.setup.admin_email, "oobCode": code})
        }
        "/v1/accounts/lookup" => json!({"idToken": token, "memberships": true}),
        "/v1/accounts/token/exchange" => {
            json!({"idToken": token, "audience": "backend-worker", "tenantId": "codecompany"})
        }
        "/v1/tenants" => json!({ "slug": slug }),
        "/v1/accounts/update" => json!({"idToken": token, "displayName": "Root"}),
        "/v1/accounts/delete" => {
            let session = server.user(&format!("{slug}@corp.sys")).await;
            json!({"idToken": session["idToken"]})
        }
        "/v1/accounts/signUp" => {
            let email = format!("{slug}@up.corp.sys");
            json!({"email": email, "password": PASSWORD})
        }
        "/v1/accounts/status" => {
            let email = format!("{slug}@status.corp.sys");
            server.user(&email).await;
            json!({"email": email, "status": "INACTIVE"})
        }
        "/v1/accounts/revoke" => {
            let email = format!("{slug}@revoke.corp.sys");
            server.user(&email).await;
            json!({"email": email, "scope": "global"})
        }
        "/v1/accounts/revokeJti" => json!({"token": server.admin().await}),
        "/v1/accounts/validate" => json!({"token": token, "audience": "tikti-identity"}),
        // A new call fails below until it has its body here.
        _ => Value::Null,
    }
}

/// The reply without what differs from call to call, and the claims of its token likewise.
fn comparable(mut reply: Reply, slug: &str) -> (String, Option<Value>) {
    reply.replace(slug, "the-slug");
    let body = reply.json();
    let tokens = ["idToken", "id_token", "accessToken"].into_iter();
    let token = tokens.filter_map(|name| body[name].as_str()).next();
    let claims = token.map(|token| {
        let payload = token.split('.').nth(1).unwrap();
        let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
        let mut claims: Value = serde_json::from_slice(&payload).unwrap();
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
    server.tenant(&server.admin().await, "codecompany").await;
    let token = server.admin().await;
    // The page at `/action` answers with a page: see its own tests.
    let calls = ROUTES.iter().filter(|route| route.method == "POST" && route.path != "/action");
    for route in calls {
        let send = async |slug: &str, extra: Map<String, Value>| {
            let mut body = good_body(&server, route.path, &token, slug).await;
            let own = own_members(route.path);
            let extra = extra.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
            body.as_object_mut().unwrap().extend(extra);
            let request = server.post(route.path).json(body);
            let request = match route.needs {
                Needs::Nothing => request,
                Needs::ApiKey(_) => request.keyed(),
                Needs::Bearer | Needs::AdminBearer => request.bearer(&token),
                Needs::ApiKeyAndAdmin(_) => request.keyed().bearer(&token),
            };
            let reply = request.send().await;
            assert_eq!(reply.status, 200, "{} {}", route.path, reply.text());
            comparable(reply, slug)
        };
        let plain = send("plain-company", Map::new()).await;
        let hostile = send("hostile-company", reserved()).await;
        assert_eq!(hostile, plain, "{}", route.path);
    }
}

//! For every row of the table of routes, a request that is answered with 2xx.
//!
//! What one test changes in it is then the only thing that is wrong with it. A row that has none yet
//! fails the tests that ask for one.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_server::router::{Needs, Route};

use super::{PASSWORD, Request, Server};

/// The tenant that good requests name: a test that sends them makes it first.
pub(crate) const COMPANY: &str = "codecompany";

/// What a row asks for beside the credentials.
pub(crate) struct GoodRequest {
    /// The parameters of the path.
    pub(crate) path: BTreeMap<&'static str, String>,
    /// The members of the query that it cannot do without.
    pub(crate) query: Vec<(&'static str, String)>,
    /// The body; null where there is none.
    pub(crate) body: Value,
}

impl Server {
    /// A body with which `path` answers 200. `token` is an idToken, and `slug` is in the names of
    /// whatever is made for this body alone.
    pub(crate) async fn good_body(&self, path: &str, token: &str, slug: &str) -> Value {
        let (email, password) = (&self.setup.admin_email, &self.setup.admin_password);
        match path {
            "/v1/accounts/signOut" => {
                let session = self.user(&format!("{slug}@out.corp.sys")).await;
                json!({"idToken": session["idToken"]})
            }
            "/v1/token" | "/oauth2/token" => {
                let token = &self.session().await["refreshToken"];
                json!({"grant_type": "refresh_token", "refresh_token": token})
            }
            "/v1/accounts/signIn" | "/v1/accounts/signInWithPassword" => {
                json!({"email": email, "password": password})
            }
            "/v1/accounts/sendOobCode" => json!({"requestType": "PASSWORD_RESET", "email": email}),
            "/v1/accounts/resetPassword" => {
                json!({"oobCode": self.reset_code(&self.fresh("reset", slug).await).await})
            }
            "/v1/accounts/signInWithOobCode" => {
                json!({"email": email, "oobCode": self.oob_code("EMAIL_SIGNIN").await})
            }
            "/action" => {
                let code = self.reset_code(&self.fresh("action", slug).await).await;
                json!({"mode": "resetPassword", "oobCode": code, "newPassword": PASSWORD})
            }
            "/v1/accounts/lookup" => json!({"idToken": token, "memberships": true}),
            "/v1/accounts/token/exchange" => {
                json!({"idToken": token, "audience": "backend-worker", "tenantId": COMPANY})
            }
            "/v1/tenants" => json!({ "slug": slug }),
            "/v1/accounts/update" => json!({"idToken": token, "displayName": "Root"}),
            "/v1/accounts/delete" => {
                let session = self.user(&format!("{slug}@corp.sys")).await;
                json!({"idToken": session["idToken"]})
            }
            "/v1/accounts/signUp" => json!({
                "email": format!("{slug}@up.corp.sys"), "password": PASSWORD,
                "role": "COMPANY_EMPLOYEE", "tenantId": COMPANY, "roles": ["TENANT_USER"],
            }),
            "/v1/accounts/status" => {
                json!({"email": self.fresh("status", slug).await, "status": "INACTIVE"})
            }
            "/v1/accounts/revoke" => {
                json!({"email": self.fresh("revoke", slug).await, "scope": "global"})
            }
            "/oauth2/introspect" => json!({"token": token, "token_type_hint": "id_token"}),
            "/oauth2/revoke" => json!({"token": self.admin().await}),
            "/v1/accounts/revokeJti" => json!({"token": self.admin().await}),
            "/v1/accounts/validate" => json!({"token": token, "audience": "tikti-identity"}),
            "/v1/users/{id}" => json!({"displayName": "Root"}),
            "/v1/users/{id}/passwordReset" => json!({}),
            "/v1/apiKeys" => json!({"name": slug, "scopes": ["introspect"]}),
            "/v1/apiKeys/{id}" => json!({"name": slug}),
            "/v1/keys/rotate" => json!({}),
            "/v1/authorization/explain" => {
                json!({"email": email, "tenantId": COMPANY, "audience": "backend-worker"})
            }
            _ => self.good_tenant_body(path, slug).await,
        }
    }

    /// The same for what is in a tenant.
    async fn good_tenant_body(&self, path: &str, slug: &str) -> Value {
        match path {
            "/v1/tenants/{t}" => json!({"name": "Code Company"}),
            "/v1/tenants/{t}/users" => {
                json!({"email": self.fresh("add", slug).await, "roles": ["TENANT_USER"]})
            }
            "/v1/tenants/{t}/users/remove" => json!({"email": self.member(slug).await["email"]}),
            "/v1/tenants/{t}/users/{id}" => json!({"roles": ["JOBS_OPERATOR"]}),
            "/v1/tenants/{t}/memberships/{id}/revoke" => json!({}),
            "/v1/tenants/{t}/oob/send" => {
                json!({"requestType": "EMAIL_SIGNIN", "email": format!("{slug}@invited.corp.sys")})
            }
            "/v1/tenants/{t}/apiKeys" => json!({"name": slug, "scopes": ["introspect"]}),
            "/v1/tenants/{t}/apiKeys/{id}" => json!({"name": slug}),
            "/v1/tenants/{t}/workers" => {
                json!({"id": slug, "clients": ["backend-worker"], "scopes": ["jobs:read"]})
            }
            "/v1/tenants/{t}/workers/{id}" => json!({"eventTypes": ["render"]}),
            "/v1/tenants/{t}/workers/{id}/secrets" => json!({}),
            "/v1/tenants/{t}/workers/{id}/jwks" => json!({"keys": [public_key("first")]}),
            "/v1/tenants/{t}/clients" => json!({"clientId": slug, "defaultScopes": ["bills:read"]}),
            "/v1/tenants/{t}/clients/{id}" => json!({"tokenTtlSeconds": 1800}),
            "/v1/tenants/{t}/roles" => json!({"name": slug, "permissions": ["a:b"]}),
            "/v1/tenants/{t}/roles/{name}" => json!({"permissions": ["a:b"]}),
            // A new call fails in the tests until it has its body here.
            _ => panic!("{path} has no good body"),
        }
    }

    /// A request with which `route` answers 2xx; `token` and `slug` as for [`Server::good_body`].
    pub(crate) async fn good_request(&self, route: &Route, token: &str, slug: &str) -> GoodRequest {
        let has_body = ["POST", "PUT", "PATCH"].contains(&route.method);
        let body =
            if has_body { self.good_body(route.path, token, slug).await } else { Value::Null };
        let mut path = BTreeMap::new();
        for name in route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            path.insert(name, self.good_parameter(route, name, slug).await);
        }
        let mut query = vec![];
        if (route.method, route.path) == ("GET", "/action") {
            let code = self.oob_code("PASSWORD_RESET").await;
            query = vec![("mode", "resetPassword".to_owned()), ("oobCode", code)];
        }
        GoodRequest { path, query, body }
    }

    /// The path of `route` with something real in place of each of its parameters.
    pub(crate) async fn good_path(&self, route: &Route, slug: &str) -> String {
        let mut path = route.path.to_owned();
        for name in route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let value = self.good_parameter(route, name, slug).await;
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        path
    }

    async fn good_parameter(&self, route: &Route, name: &str, slug: &str) -> String {
        match name {
            // It may be deleted or suspended.
            "t" if route.path == "/v1/tenants/{t}" && route.method != "GET" => {
                self.tenant(&self.admin().await, slug).await;
                slug.to_owned()
            }
            "t" => COMPANY.to_owned(),
            "id" if route.path.ends_with("/apiKeys/{id}") => {
                let ask = json!({"name": slug, "scopes": ["introspect"]});
                let list = route.path.trim_end_matches("/{id}");
                let path = list.replace("{t}", COMPANY);
                let made = self.post(&path).bearer(&self.admin().await).json(ask).send().await;
                made.json()["id"].as_str().unwrap().to_owned()
            }
            // Each has its own worker, with its first secret.
            "id" if route.path.starts_with("/v1/tenants/{t}/workers/") => {
                let ask = json!({"id": slug, "scopes": ["jobs:read"]});
                let path = format!("/v1/tenants/{COMPANY}/workers");
                self.post(&path).bearer(&self.admin().await).json(ask).send().await;
                slug.to_owned()
            }
            "n" => "1".to_owned(),
            // Each has its own client.
            "id" if route.path.starts_with("/v1/tenants/{t}/clients/") => {
                let path = format!("/v1/tenants/{COMPANY}/clients");
                let ask = json!({"clientId": slug, "defaultScopes": ["bills:read"]});
                self.post(&path).bearer(&self.admin().await).json(ask).send().await;
                slug.to_owned()
            }
            "id" if route.path.starts_with("/v1/tenants/{t}/") => {
                self.member(slug).await["userId"].as_str().unwrap().to_owned()
            }
            "id" => {
                let user = self.user(&format!("{slug}@users.corp.sys")).await;
                user["localId"].as_str().unwrap().to_owned()
            }
            // Each has its own role, since it may be deleted; where it is to be made, there is none yet.
            "name" if route.method == "PUT" => slug.to_owned(),
            "name" => {
                let ask = json!({"name": slug, "permissions": ["a:b"]});
                let path = format!("/v1/tenants/{COMPANY}/roles");
                self.post(&path).bearer(&self.admin().await).json(ask).send().await;
                slug.to_owned()
            }
            "sid" => claims(&self.admin().await)["sid"].as_str().unwrap().to_owned(),
            // A new parameter fails in the tests until it has its value here.
            _ => panic!("{{{name}}} has no good value"),
        }
    }

    /// Makes a member of the company for one request.
    async fn member(&self, slug: &str) -> Value {
        let ask = json!({"email": self.fresh("member", slug).await, "roles": ["TENANT_USER"]});
        let path = format!("/v1/tenants/{COMPANY}/users");
        self.post(&path).bearer(&self.admin().await).json(ask).send().await.json()
    }

    /// Makes a user of its own for one request and gives the address.
    async fn fresh(&self, purpose: &str, slug: &str) -> String {
        let email = format!("{slug}@{purpose}.corp.sys");
        self.user(&email).await;
        email
    }

    /// A code with which the user of this address sets a new password.
    async fn reset_code(&self, email: &str) -> String {
        let ask = json!({"requestType": "PASSWORD_RESET", "email": email});
        let reply = self.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
        reply.json()["oobCode"].as_str().unwrap().to_owned()
    }
}

/// A public key of Ed25519 (RFC 8037, appendix A.2), with which a worker could sign.
pub(crate) fn public_key(kid: &str) -> Value {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
}

impl Request<'_> {
    /// Shows what `needs` asks for; `token` is an administrator's.
    pub(crate) fn showing(self, needs: Needs, token: &str) -> Self {
        match needs {
            Needs::Nothing => self,
            Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) => self.keyed(),
            Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                self.bearer(token)
            }
            Needs::ApiKeyAndAdmin(_) => self.keyed().bearer(token),
        }
    }
}

/// The claims of a token, which nobody has verified.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

//! What the tests of introspection and revocation have in common: a token of each class, and who asks.

use serde_json::{Value, json};

use crate::support::{COMPANY, Request, Server};

/// A resource server of that name in each tenant, whose secret is known.
pub(crate) const API: &str = "jobs-api";
const OTHER: &str = "other-company";

/// What whoever holds this token says that it is.
pub(crate) fn hint_of(token: &str) -> Value {
    let is_refresh = token.starts_with("rt_");
    // Access and worker tokens are active whatever is named.
    json!({"token_type_hint": if is_refresh { "refresh_token" } else { "id_token" }})
}

/// Sends at `path` as JSON what would be good as a form, with each kind of credentials and with none.
pub(crate) async fn assert_takes_no_json(world: &World, path: &str) {
    let token = world.access.as_str();
    let json = |more: Value| {
        let mut body = json!({"token": token, "token_type_hint": "access_token"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.server.post(path).json_everywhere(&body)
    };
    let client = json!({"client_id": world.client_id(), "client_secret": world.secret});
    for request in [
        json(json!({})),
        json(json!({})).keyed(),
        json(json!({})).header("X-API-Key", "nonsense"),
        json(json!({})).basic(&world.client_id(), &world.secret),
        json(client),
        // The form itself, said to be JSON, and JSON that says of itself to be both.
        world
            .server
            .post(path)
            .header("Content-Type", "application/json")
            .body(format!("token={token}"))
            .keyed(),
        json(json!({})).header("Content-Type", "application/x-www-form-urlencoded").keyed(),
    ] {
        let reply = request.send().await;
        reply.assert_oauth_refusal(400, "invalid_request", "UNSUPPORTED_MEDIA_TYPE");
        assert!(!reply.text().contains("active"), "{}", reply.text());
    }
    // JSON that is said to be a form is one parameter of an odd name, and no token.
    let form =
        || world.server.post(path).header("Content-Type", "application/x-www-form-urlencoded");
    let body = json!({ "token": token }).to_string();
    let reply = form().body(body.clone()).keyed().send().await;
    reply.assert_oauth_refusal(400, "invalid_request", "INVALID_ARGUMENT");
    let reply = form().body(body).send().await;
    reply.assert_oauth_refusal(401, "invalid_client", "INVALID_API_KEY");
}

/// Two tenants, each with a resource server and a key; the administrator is a member of both.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) tenants: [String; 2],
    /// The secret of the first tenant's resource server.
    pub(crate) secret: String,
    pub(crate) id_token: String,
    pub(crate) refresh_token: String,
    /// For the resource server.
    pub(crate) access: String,
    /// For another one.
    pub(crate) elsewhere: String,
    pub(crate) worker: String,
    /// For the other tenant's resource server.
    foreign: String,
    keys: [String; 2],
    other_secret: String,
}

/// Who asks, and how that is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Deployment,
    /// By the number of the tenant.
    TenantKey(usize),
    KeyInBasic(usize),
    KeyInQuery(usize),
    ClientInBasic(usize),
    ClientInForm(usize),
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = Server::start().await;
        let admin = server.admin().await;
        let mut tenants = Vec::new();
        let (mut secrets, mut keys) = (Vec::new(), Vec::new());
        for slug in [COMPANY, OTHER] {
            let tenant = server.tenant(&admin, slug).await;
            tenants.push(tenant["id"].as_str().unwrap().to_owned());
            let make = async |list: &str, ask: Value, shown: &str| {
                let request = server.post(&format!("/v1/tenants/{slug}/{list}")).bearer(&admin);
                let reply = request.json(ask).send().await;
                assert_eq!(reply.status, 200, "{}", reply.text());
                reply.json()[shown].as_str().unwrap().to_owned()
            };
            let client = json!({"clientId": API, "defaultScopes": ["jobs:read"]});
            secrets.push(make("clients", client, "secret").await);
            let key = json!({"scopes": ["introspect", "token:revoke"]});
            keys.push(make("apiKeys", key, "key").await);
        }
        let session = server.session().await;
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let (id_token, refresh_token) = (text("idToken"), text("refreshToken"));
        let exchanged = async |ask: Value| {
            let mut all = json!({"idToken": id_token, "tenantId": COMPANY});
            all.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
            let request = server.post("/v1/accounts/token/exchange").keyed().json(all);
            let reply = request.send().await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            reply.json()["accessToken"].as_str().unwrap().to_owned()
        };
        let worker = json!({
            "audience": "codeq-worker", "eventTypes": ["render"], "subject": "worker-01",
        });
        let (access, elsewhere, worker, foreign) = (
            exchanged(json!({"audience": API})).await,
            exchanged(json!({"audience": "backend-worker"})).await,
            exchanged(worker).await,
            exchanged(json!({"audience": API, "tenantId": OTHER})).await,
        );
        let (other_secret, secret) = (secrets.pop().unwrap(), secrets.pop().unwrap());
        let (tenants, keys) = (tenants.try_into().unwrap(), keys.try_into().unwrap());
        Self {
            server,
            tenants,
            secret,
            id_token,
            refresh_token,
            access,
            elsewhere,
            worker,
            foreign,
            keys,
            other_secret,
        }
    }

    pub(crate) fn client_id(&self) -> String {
        format!("{}.{API}", self.tenants[0])
    }

    /// All tokens; those of the first tenant but for `foreign`.
    pub(crate) fn tokens(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("id", &self.id_token),
            ("refresh", &self.refresh_token),
            ("access", &self.access),
            ("elsewhere", &self.elsewhere),
            ("worker", &self.worker),
            ("foreign", &self.foreign),
        ]
    }

    /// Everybody who may ask, with the tokens that are his own.
    #[expect(clippy::unused_self, reason = "the rows are about this world")]
    pub(crate) fn credentials(&self) -> Vec<(Who, Vec<&'static str>)> {
        let of_company = || vec!["id", "refresh", "access", "elsewhere", "worker"];
        let mut all = of_company();
        all.push("foreign");
        vec![
            (Who::Deployment, all),
            (Who::TenantKey(0), of_company()),
            (Who::TenantKey(1), vec!["foreign"]),
            (Who::KeyInBasic(0), of_company()),
            (Who::KeyInQuery(1), vec!["foreign"]),
            (Who::ClientInBasic(0), vec!["access"]),
            (Who::ClientInForm(0), vec!["access"]),
            (Who::ClientInBasic(1), vec!["foreign"]),
        ]
    }

    /// Asks at `path` about a token, with more members of the form; without credentials.
    pub(crate) fn ask(&self, path: &str, token: &str, more: Value) -> Request<'_> {
        let mut form = json!({ "token": token });
        form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.post(path).form(&form)
    }

    /// The same, as this asker.
    pub(crate) fn show(&self, path: &str, who: Who, token: &str) -> Request<'_> {
        let plain = || self.ask(path, token, hint_of(token));
        let secrets = [&self.secret, &self.other_secret];
        match who {
            Who::Deployment => plain().keyed(),
            Who::TenantKey(tenant) => plain().header("X-API-Key", &self.keys[tenant]),
            Who::KeyInBasic(tenant) => {
                let text = self.keys[tenant].strip_prefix("tk_").unwrap();
                let (id, secret) = text.split_once('_').unwrap();
                plain().basic(id, secret)
            }
            Who::KeyInQuery(tenant) => {
                self.ask(&format!("{path}?key={}", self.keys[tenant]), token, hint_of(token))
            }
            Who::ClientInBasic(tenant) => {
                plain().basic(&format!("{}.{API}", self.tenants[tenant]), secrets[tenant])
            }
            Who::ClientInForm(tenant) => {
                let id = format!("{}.{API}", self.tenants[tenant]);
                let more = json!({"client_id": id, "client_secret": secrets[tenant]});
                self.ask(path, token, more)
            }
        }
    }
}

//! Which calls take a token, a code or a key, and where in the request? Found in the table of routes and
//! in the API document, so that a new call is tried with every forgery without anyone remembering it.
//!
//! Spec: attacks, rows A6, K1 and L5.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tikti_server::router::{Needs, ROUTES, Route};

use crate::support::{PASSWORD, Place, Reply, Server};

mod claims;
pub(crate) mod forge;
pub(crate) mod keys;
mod kinds;
mod pages;

/// Where in a request a credential stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// `Authorization: Bearer x`.
    Bearer,
    /// `X-API-Key`.
    Key,
    /// A member of the body.
    Member(String),
    /// A parameter of the query.
    Query(String),
}

/// A place that takes a credential.
struct Door {
    route: &'static Route,
    slot: Slot,
}

/// A name that sounds like a credential's is one until somebody says what it takes, in [`Door::refusal`].
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "code", "key", "secret", "assertion", "jwt"].iter().any(|part| name.contains(part))
}

fn is_text(schema: &Value) -> bool {
    let kind = &schema["type"];
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string")))
}

/// Every door but the pages for people, which answer with a page: see `kinds`.
async fn doors(server: &Server) -> Vec<Door> {
    let document = server.get("/openapi.json").send().await.json();
    let mut doors = Vec::new();
    for route in ROUTES.iter().filter(|route| route.path != "/action") {
        let mut slots = match route.needs {
            Needs::Nothing => vec![],
            Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) => vec![Slot::Key],
            Needs::Bearer | Needs::AdminBearer | Needs::Scope(_) | Needs::ScopeOfBody(_) => {
                vec![Slot::Bearer]
            }
            Needs::ApiKeyAndAdmin(_) => vec![Slot::Key, Slot::Bearer],
        };
        let call = &document["paths"][route.path][route.method.to_ascii_lowercase()];
        let body = &call["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let schema = body.as_str().map(|name| document.pointer(&name[1..]).unwrap());
        let members = schema.and_then(|schema| schema["properties"].as_object());
        for (name, schema) in members.into_iter().flatten() {
            if sounds_secret(name) && is_text(schema) {
                slots.push(Slot::Member(name.clone()));
            }
        }
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            if parameter["in"] == "query" && sounds_secret(name) {
                slots.push(Slot::Query(name.to_owned()));
            }
        }
        doors.extend(slots.into_iter().map(|slot| Door { route, slot }));
    }
    assert!(doors.len() > 40, "the document is not read: {}", doors.len());
    doors
}

impl Door {
    fn name(&self) -> String {
        format!("{} {} {:?}", self.route.method, self.route.path, self.slot)
    }

    /// Whether a signed token is shown here.
    fn takes_signed(&self) -> bool {
        match &self.slot {
            Slot::Bearer => true,
            Slot::Member(name) => name == "idToken" || name == "token",
            Slot::Key | Slot::Query(_) => false,
        }
    }

    /// Whether a refresh token is shown here, which no signed token ever is.
    fn takes_refresh(&self) -> bool {
        matches!(&self.slot, Slot::Member(name) if name == "refreshToken" || name == "refresh_token")
    }

    /// What whoever shows something else here is told.
    fn refusal(&self) -> (u16, &'static str) {
        match &self.slot {
            Slot::Bearer if self.route.path.starts_with("/v1/accounts/sessions") => {
                (401, "INVALID_ID_TOKEN")
            }
            Slot::Bearer => (401, "UNAUTHENTICATED"),
            Slot::Key => (401, "INVALID_API_KEY"),
            Slot::Query(name) if name == "pageToken" => (400, "INVALID_ARGUMENT"),
            Slot::Member(name) => match name.as_str() {
                "idToken" | "token" => (401, "INVALID_ID_TOKEN"),
                "refreshToken" | "refresh_token" => (401, "INVALID_REFRESH_TOKEN"),
                "oobCode" => (401, "INVALID_OOB_CODE"),
                _ => panic!("say what {} takes", self.name()),
            },
            Slot::Query(_) => panic!("say what {} takes", self.name()),
        }
    }

    /// Shows `credential` at this door, with all else that the call wants as it must be.
    async fn show(&self, world: &World, path: &str, credential: &str) -> Reply {
        let ends = self.route.path == "/v1/tenants/{t}" && self.route.method != "GET";
        let mut path = if ends { path.replace("{t}", ENDING) } else { world.filled(path) };
        if let Slot::Query(name) = &self.slot {
            path = format!("{path}?{name}={credential}");
        }
        let mut request = world.server.request(self.route.method, &path);
        request = match &self.slot {
            Slot::Key => request.header("X-API-Key", credential),
            Slot::Bearer | Slot::Member(_) | Slot::Query(_) => match self.route.needs {
                Needs::ApiKey(_) | Needs::ApiKeyOrClient(_) | Needs::ApiKeyAndAdmin(_) => {
                    request.keyed()
                }
                Needs::Nothing
                | Needs::Bearer
                | Needs::AdminBearer
                | Needs::Scope(_)
                | Needs::ScopeOfBody(_) => request,
            },
        };
        request = match (&self.slot, self.route.needs) {
            (Slot::Bearer, _) => request.bearer(credential),
            (
                _,
                Needs::Bearer
                | Needs::AdminBearer
                | Needs::Scope(_)
                | Needs::ScopeOfBody(_)
                | Needs::ApiKeyAndAdmin(_),
            ) => request.bearer(&world.admin),
            (_, Needs::Nothing | Needs::ApiKey(_) | Needs::ApiKeyOrClient(_)) => request,
        };
        if ["POST", "PUT", "PATCH"].contains(&self.route.method) {
            request = request.json(self.body(credential));
        }
        request.send().await
    }

    /// A body that would do something if the credential were taken.
    fn body(&self, credential: &str) -> Value {
        let Slot::Member(name) = &self.slot else {
            let mut body = all_members();
            // A code comes alone there.
            if self.route.path == "/v1/accounts/update" {
                body.as_object_mut().unwrap().remove("oobCode");
            }
            if self.route.path == "/v1/authorization/explain" {
                body["tenantId"] = json!("codecompany");
            }
            let path = self.route.path;
            if path.ends_with("/apiKeys/{id}") || path.starts_with("/v1/tenants/{t}/workers") {
                body["status"] = json!("DISABLED");
            }
            if path == "/v1/tenants/{t}/clients/{id}" {
                body["status"] = json!("DISABLED");
                body["clientId"] = Value::Null;
            }
            return body;
        };
        let mut body = match (self.route.path, name.as_str()) {
            ("/v1/accounts/signOut", _) => json!({"everywhere": true}),
            ("/v1/accounts/update", "oobCode") => json!({}),
            ("/v1/accounts/update", _) => json!({"displayName": "Changed"}),
            ("/v1/accounts/sendOobCode", _) => json!({"requestType": "VERIFY_EMAIL"}),
            _ => all_members(),
        };
        body[name] = credential.into();
        body
    }

    /// Shows a credential that must not be taken.
    async fn assert_refused(&self, world: &World, path: &str, (what, shown): (&str, &str)) {
        let reply = self.show(world, path, shown).await;
        let (status, code) = self.refusal();
        let found = (reply.status, reply.code());
        assert_eq!(found, (status, code.to_owned()), "{what} at {}", self.name());
        reply.assert_refusal(status, code);
    }
}

/// Enough of every request to be well-formed.
fn all_members() -> Value {
    json!({
        "email": ANN, "password": PASSWORD, "newPassword": "a staple that is correct",
        "audience": "tikti-identity", "slug": "made-by-a-forger", "status": "SUSPENDED",
        "scope": "global", "requestType": "PASSWORD_RESET", "grant_type": "refresh_token",
        "token": "t", "idToken": "t", "oobCode": "c", "refresh_token": "r", "roles": [],
        "name": "TENANT_USER", "permissions": [], "scopes": ["introspect"],
        "id": "made-by-a-forger", "keys": [], "clientId": "made-by-a-forger",
    })
}

/// The tenant that may be suspended and deleted.
const ENDING: &str = "ending-company";

const ANN: &str = "ann@corp.sys";

/// A server with an administrator in a tenant, who is signed in twice, and a user.
struct World {
    server: Server,
    /// The administrator's idToken.
    admin: String,
    /// What stands for the parameters of a path.
    parameters: BTreeMap<&'static str, String>,
    /// By list: an API key that is in it, for paths that name one.
    keys: BTreeMap<&'static str, String>,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut tikti_server::config::Config)) -> Self {
        let server = Server::start_with(Place::new(), |config| {
            config.domain.settings.limits.enabled = false;
            change(config);
        })
        .await;
        server.tenant(&server.admin().await, "codecompany").await;
        server.tenant(&server.admin().await, ENDING).await;
        let ann = server.user(ANN).await;
        // The session that an accepted forgery could end.
        let other = server.admin().await;
        let admin = server.admin().await;
        let root = forge::claims(&other)["sub"].as_str().unwrap().to_owned();
        let parameters = BTreeMap::from([
            // Of a member, whose sessions a forgery could end.
            ("users/{id}/sessions", format!("users/{root}/sessions")),
            ("{t}", "codecompany".to_owned()),
            ("{name}", "TENANT_USER".to_owned()),
            ("{n}", "1".to_owned()),
            ("{id}", ann["localId"].as_str().unwrap().to_owned()),
            ("{sid}", forge::claims(&other)["sid"].as_str().unwrap().to_owned()),
        ]);
        let mut world = Self { server, admin, parameters, keys: BTreeMap::new() };
        for list in ["/v1/tenants/{t}/apiKeys", "/v1/apiKeys"] {
            let ask = json!({"scopes": ["introspect"]});
            let request = world.server.post(&world.filled(list)).bearer(&world.admin).json(ask);
            let id = request.send().await.json()["id"].as_str().unwrap().to_owned();
            world.keys.insert(list, id);
        }
        world
    }

    fn filled(&self, path: &str) -> String {
        let mut path = path.to_owned();
        for (list, id) in &self.keys {
            if path.strip_suffix("/{id}") == Some(list) {
                path = format!("{list}/{id}");
            }
        }
        // No user's id is a worker's.
        path = path.replace("/workers/{id}", "/workers/worker-01");
        for (parameter, value) in &self.parameters {
            path = path.replace(parameter, value);
        }
        assert!(!path.contains('{'), "say what stands for the parameter of {path}");
        path
    }

    /// What a forgery could have changed: users, tenants, keys of both kinds, and the administrator's sessions.
    async fn state(&self) -> Value {
        let read = async |path: &str| {
            let request = self.server.get(path).keyed().bearer(&self.admin);
            let reply = request.send().await;
            assert_eq!(reply.status, 200, "{path} {}", reply.text());
            reply.json()
        };
        // Until when tokens of a key may be alive moves with the clock.
        let keys = read("/v1/keys").await;
        let keys: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
        json!([
            keys,
            read("/v1/users?pageSize=200").await,
            read("/v1/tenants?pageSize=200").await,
            read("/v1/accounts/sessions?pageSize=200").await,
            read("/v1/apiKeys?pageSize=200").await,
            read("/v1/tenants/codecompany/apiKeys?pageSize=200").await,
        ])
    }
}

/// Unless the good credential is taken, a refusal of the bad ones says nothing.
#[tokio::test]
async fn each_door_opens_to_the_credential_that_is_right_for_it() {
    let mut world = World::new().await;
    for door in doors(&world.server).await {
        // What a call ends or changes must not be in the way of the next one.
        let session = world.server.session().await;
        session["idToken"].as_str().unwrap().clone_into(&mut world.admin);
        let shown = match &door.slot {
            Slot::Bearer => world.admin.clone(),
            Slot::Key => world.server.setup.api_key.clone(),
            Slot::Member(name) if name == "refreshToken" || name == "refresh_token" => {
                session["refreshToken"].as_str().unwrap().to_owned()
            }
            Slot::Member(name) if name == "oobCode" => kinds::code_for(&world, &door).await,
            Slot::Member(_) => world.admin.clone(),
            Slot::Query(_) => kinds::page_token_of(&world, door.route.path).await,
        };
        let reply = door.show(&world, door.route.path, &shown).await;
        let is_refused =
            reply.status >= 400 && (reply.status, reply.code().as_str()) == door.refusal();
        assert!(!is_refused, "{}: {}", door.name(), reply.text());
    }
}

//! Do both doors of the exchange lead to one decision? A table with an allowed and a refused row for every
//! step is sent through each: what comes of a row, at which step, with which code, words and details, and
//! every claim that does not differ from token to token, is the same.
//!
//! The last step has no row: the form has no member for a lifetime, so it is always the client's.
//!
//! Spec: Tokens and keys, "Both doors lead to one exchange operation and one decision"; attacks, rows A3,
//! A5, A7 and A8.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tikti_domain::Domain;
use tikti_domain::api_key::KeyScope;
use tikti_domain::clock::Clock;
use tikti_domain::id::{TenantId, UserId};
use tikti_domain::random::Random;
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing;
use tikti_domain::user::UserStatus;

use crate::support::{COMPANY, JOBS, LOG, PASSWORD, Place, Reply, Server, claims};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// Steps that a request can fail at; the last, `lifetime`, is out of reach of a form.
const STEPS: [&str; 10] = [
    "api key",
    "id token",
    "session",
    "tenant context",
    "tenant",
    "membership",
    "audience",
    "scopes",
    "event types",
    "subject",
];

/// One exchange.
struct Row {
    name: &'static str,
    key: Option<String>,
    token: String,
    header: Option<String>,
    /// By the names of Tikti's own door.
    ask: Value,
    /// The failing step and its code; none where it is allowed.
    refused: Option<(&'static str, &'static str)>,
}

impl Row {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

struct World {
    server: Server,
    domain: Domain,
    company: TenantId,
    other: TenantId,
}

impl World {
    async fn new() -> Self {
        let server = Server::start_with(Place::new(), |config| {
            config.domain.settings.limits.enabled = false;
        })
        .await;
        let root = server.admin().await;
        let id = |tenant: Value| TenantId::parse(tenant["id"].as_str().unwrap()).unwrap();
        let company = id(server.tenant(&root, COMPANY).await);
        let other = id(server.tenant(&root, "othercorp").await);
        let store = server.running.lock().unwrap().as_ref().unwrap().store();
        let mut config = server.setup.config(&server.url()).domain;
        config.settings.limits.enabled = false;
        let domain = Domain::open(store, config, Clock::system(), Random::system()).await.unwrap();
        let world = Self { server, domain, company, other };
        world.furnish().await;
        world
    }

    /// What rows name.
    async fn furnish(&self) {
        for change in [
            json!({"id": "off", "status": "DISABLED"}),
            json!({"id": "no-grant", "allowedGrantTypes": []}),
            json!({"id": "web", "type": "APPLICATION"}),
            json!({"id": "users-only", "subjectPolicy": "user"}),
        ] {
            let mut record = json!({
                "type": "SERVICE", "status": "ACTIVE", "allowedGrantTypes": ["token_exchange"],
                "allowedScopes": ["jobs:read"], "defaultScopes": ["jobs:read"],
                "subjectPolicy": "any", "tokenTtlSeconds": 900, "createdAt": 0,
            });
            record.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let client = serde_json::from_value(record).unwrap();
            testing::put_client(&self.domain, &self.company, &client).await;
        }
        for (id, status) in [("registered", "ACTIVE"), ("resting", "DISABLED")] {
            let worker = serde_json::from_value(json!({
                "id": id, "clients": ["backend-worker"], "scopes": ["jobs:read"], "eventTypes": [],
                "mintableBy": ["JOBS_OPERATOR"], "status": status, "wver": 7, "createdAt": 0,
            }))
            .unwrap();
            testing::put_worker(&self.domain, &self.company, &worker).await;
        }
    }

    /// Makes a member of the company and signs him in; gives his id and his idToken.
    async fn member(&self, name: &str) -> (UserId, String) {
        let email = format!("{name}@codecompany.sys");
        let user = self.server.user(&email).await;
        let root = self.server.admin().await;
        let ask = json!({"email": email, "roles": ["JOBS_OPERATOR", "CODEQ_WORKER"]});
        let path = format!("/v1/tenants/{COMPANY}/users");
        let added = self.server.post(&path).bearer(&root).json(ask).send().await;
        assert_eq!(added.status, 200, "{}", added.text());
        let token = self.server.sign_in(&email, PASSWORD).await.json()["idToken"].clone();
        let id = UserId::parse(user["localId"].as_str().unwrap()).unwrap();
        (id, token.as_str().unwrap().to_owned())
    }

    async fn key(
        &self,
        id: &str,
        scopes: &[KeyScope],
        tenant: Option<&TenantId>,
    ) -> Option<String> {
        let key = format!("tk_{id}_abcdefghijklmnopqrstuvwxyz012345");
        testing::put_api_key(&self.domain, &key, scopes, |record| {
            record.tenant_id = tenant.cloned();
        })
        .await;
        Some(key)
    }

    /// Sends a row through Tikti's own door.
    async fn by_json(&self, row: &Row, id: &str) -> Reply {
        let mut request = self.server.post("/v1/accounts/token/exchange");
        for (name, value) in headers(row, id) {
            request = request.header(name, &value);
        }
        let mut ask = row.ask.clone();
        ask["idToken"] = json!(row.token);
        request.json(ask).send().await
    }

    /// Sends a row through OAuth's door.
    async fn by_form(&self, row: &Row, id: &str) -> Reply {
        let mut request = self.server.post("/oauth2/token");
        for (name, value) in headers(row, id) {
            request = request.header(name, &value);
        }
        let list = |name: &str| {
            row.ask[name].as_array().map(|list| {
                let list: Vec<_> = list.iter().map(|item| item.as_str().unwrap()).collect();
                list.join(" ")
            })
        };
        let form = json!({
            "grant_type": EXCHANGE, "subject_token": row.token, "subject_token_type": ID_TOKEN,
            "audience": row.ask["audience"], "scope": list("scopes"),
            "event_types": list("eventTypes"), "subject": row.ask["subject"],
            "tenant": row.ask["tenantId"],
        });
        request.form(&form).send().await
    }
}

fn headers(row: &Row, id: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![("X-Request-Id", id.to_owned())];
    headers.extend(row.key.iter().map(|key| ("X-API-Key", key.clone())));
    headers.extend(row.header.iter().map(|tenant| ("X-Tenant-Id", tenant.clone())));
    headers
}

/// What came of a row, without what differs from token to token and from door to door.
fn outcome(reply: &Reply) -> Value {
    let body = reply.json();
    let Some(token) = body["accessToken"].as_str().or(body["access_token"].as_str()) else {
        let said = if body["error_description"].is_null() { "error" } else { "error_description" };
        let details = body.get("details").cloned().unwrap_or_else(|| json!({}));
        return json!({"code": body["code"], "said": body[said], "details": details});
    };
    let mut claims = claims(token);
    for differs in ["jti", "iat", "exp"] {
        claims.as_object_mut().unwrap().remove(differs).unwrap();
    }
    let expires = body.get("expiresIn").or(body.get("expires_in"));
    json!({"claims": claims, "scope": body["scope"], "expires": expires})
}

/// The line of the log that tells the decision of a request, without what differs.
fn logged(id: &str, door: &str) -> Value {
    let lines = LOG.of_request(id);
    let found = lines.iter().find(|line| line["action"] == "token_exchange");
    let mut line = found.unwrap_or_else(|| panic!("{id} is not in the log")).clone();
    assert_eq!(line["door"], door);
    for differs in ["door", "request.id", "span", "timestamp"] {
        line.as_object_mut().unwrap().remove(differs);
    }
    line
}

#[tokio::test]
async fn a7_every_row_of_the_exchange_is_decided_alike_through_both_doors() {
    let world = Box::pin(World::new()).await;
    let mut steps = BTreeSet::new();
    for (number, row) in Box::pin(rows(&world)).await.iter().enumerate() {
        let ids = [format!("both-{number}-json"), format!("both-{number}-form")];
        let replies = [world.by_json(row, &ids[0]).await, world.by_form(row, &ids[1]).await];
        let [json, form] = &replies;
        assert_eq!(outcome(json), outcome(form), "{}", row.name);
        match row.refused {
            None => {
                assert_eq!((json.status, form.status), (200, 200), "{} {}", row.name, form.text());
                let claims = &outcome(form)["claims"];
                let is_foreign = claims["sub"] != claims["act"]["sub"] && claims["act"].is_object();
                let is_named = row.ask["subject"].is_string();
                assert_eq!(is_foreign, is_named, "{}: {claims}", row.name);
            }
            Some((_, code)) => assert_eq!(form.code(), code, "{}", row.name),
        }
        // Without a key, OAuth's door does not ask the operation at all; nor does the other.
        if row.key.is_none() {
            continue;
        }
        let line = logged(&ids[0], "tikti");
        assert_eq!(line, logged(&ids[1], "oauth2"), "{}", row.name);
        let step = row.refused.map(|(step, _)| step);
        assert_eq!(line["step"].as_str(), step, "{}", row.name);
        steps.extend(step);
    }
    assert_eq!(steps, STEPS.into());
}

/// What rows are made from: the deployment's key and a member's token.
struct Plain {
    key: String,
    token: String,
}

impl Plain {
    /// A row that is allowed.
    fn row(&self, name: &'static str, change: Value) -> Row {
        let mut ask = json!({"audience": "backend-worker", "tenantId": COMPANY});
        ask.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (key, token) = (Some(self.key.clone()), self.token.clone());
        Row { name, key, token, header: None, ask, refused: None }
    }

    /// One that is refused.
    fn no(&self, name: &'static str, change: Value, step: &'static str, code: &'static str) -> Row {
        self.row(name, change).with(|row| row.refused = Some((step, code)))
    }
}

async fn rows(world: &World) -> Vec<Row> {
    let (_, token) = world.member("ann").await;
    let plain = Plain { key: world.server.setup.api_key.clone(), token };
    let row = |name, change| plain.row(name, change);
    let nothing = || json!({});
    let mut rows = vec![
        row("in order", nothing()),
        row("fewer scopes", json!({"scopes": ["jobs:read"]})),
        row("all scopes", json!({"scopes": JOBS.split(' ').collect::<Vec<_>>()})),
        row("the tenant of the token", json!({"tenantId": null})),
        row("the tenant by header and body", nothing())
            .with(|row| row.header = Some(COMPANY.to_owned())),
        row("the tenant by header", json!({"tenantId": null}))
            .with(|row| row.header = Some(world.company.to_string())),
        row(
            "event types",
            json!({
                "audience": "codeq-worker", "scopes": ["codeq:claim"], "eventTypes": ["build", "render"],
            }),
        ),
        row("for a name that nobody bears", json!({"subject": "worker-01"})),
        row("for a registered worker", json!({"subject": "registered", "scopes": ["jobs:read"]})),
    ];
    rows.extend(refused_by_request(&plain));
    rows.extend(by_key(world, &plain).await);
    rows.extend(by_token(world, &plain).await);
    rows
}

/// What the request names is not to be had.
fn refused_by_request(plain: &Plain) -> Vec<Row> {
    let no = |name, change, step, code| plain.no(name, change, step, code);
    let audience = |id: &str| json!({ "audience": id });
    let subject = |id: &str| json!({ "subject": id });
    vec![
        no("two tenants", json!({}), "tenant context", "TENANT_CONFLICT")
            .with(|row| row.header = Some("othercorp".to_owned())),
        no("nobody's tenant", json!({"tenantId": "nowhere"}), "tenant", "MEMBERSHIP_REQUIRED"),
        no("another's", json!({"tenantId": "othercorp"}), "membership", "MEMBERSHIP_REQUIRED"),
        no("no client", audience("nothing"), "audience", "UNKNOWN_AUDIENCE"),
        no("in other letters", audience("Backend-Worker"), "audience", "UNKNOWN_AUDIENCE"),
        no("with a slash", audience("backend-worker/"), "audience", "UNKNOWN_AUDIENCE"),
        no("disabled", audience("off"), "audience", "CLIENT_DISABLED"),
        no("without the grant", audience("no-grant"), "audience", "GRANT_NOT_ALLOWED"),
        no("an application", audience("web"), "audience", "GRANT_NOT_ALLOWED"),
        no("beyond the client", json!({"scopes": ["a:b"]}), "scopes", "SCOPE_NOT_PERMITTED"),
        no("in capitals", json!({"scopes": ["Jobs:read"]}), "scopes", "SCOPE_NOT_PERMITTED"),
        no(
            "events for none",
            json!({"eventTypes": ["build"]}),
            "event types",
            "EVENT_TYPE_NOT_PERMITTED",
        ),
        no("no events", audience("codeq-worker"), "event types", "EVENT_TYPES_REQUIRED"),
        no("an address", subject("ann@codecompany.sys"), "subject", "SUBJECT_NOT_PERMITTED"),
        no("a resting worker", subject("resting"), "subject", "SUBJECT_NOT_PERMITTED"),
        no(
            "beyond the worker",
            json!({"subject": "registered", "scopes": ["jobs:write"]}),
            "subject",
            "SUBJECT_NOT_PERMITTED",
        ),
        no(
            "for users only",
            json!({"audience": "users-only", "subject": "worker-01"}),
            "subject",
            "SUBJECT_NOT_PERMITTED",
        ),
    ]
}

/// By whose key.
async fn by_key(world: &World, plain: &Plain) -> Vec<Row> {
    let scopes = [KeyScope::Exchange];
    let own = world.key("ownkey", &scopes, Some(&world.company)).await;
    let others = world.key("otherskey", &scopes, Some(&world.other)).await;
    let other = world.key("introspects", &[KeyScope::Introspect], None).await;
    let forged = Some("tk_ownkey_abcdefghijklmnopqrstuvwxyz012346".to_owned());
    let nothing = || json!({});
    let no = |name, change, step, code| plain.no(name, change, step, code);
    vec![
        plain.row("the tenant's own key", nothing()).with(|row| row.key = own),
        no("no key", nothing(), "api key", "INVALID_API_KEY").with(|row| row.key = None),
        no("a forged key", nothing(), "api key", "INVALID_API_KEY").with(|row| row.key = forged),
        no("another scope", nothing(), "api key", "API_KEY_FORBIDDEN").with(|row| row.key = other),
        no("another's key", nothing(), "api key", "API_KEY_FORBIDDEN").with(|row| row.key = others),
    ]
}

/// By whose token, and what has become of him.
async fn by_token(world: &World, plain: &Plain) -> Vec<Row> {
    let server = &world.server;
    let nothing = || json!({});
    let root = server.admin().await;
    let (inactive, of_inactive) = world.member("inactive").await;
    testing::set_user_status(&world.domain, &inactive, UserStatus::Suspended).await;
    let (_, signed_out) = world.member("gone").await;
    server.post("/v1/accounts/signOut").json(json!({"idToken": signed_out})).send().await;
    let stranger = server.user("stranger@elsewhere.sys").await["idToken"].clone();
    let stranger = stranger.as_str().unwrap().to_owned();
    let access = server.post("/v1/accounts/token/exchange").keyed().json(json!({
        "idToken": root, "audience": "backend-worker", "tenantId": COMPANY, "subject": "worker-01",
    }));
    let delegated = access.send().await.json()["accessToken"].as_str().unwrap().to_owned();
    server.tenant(&root, "suspended").await;
    let ask = json!({"email": "ann@codecompany.sys", "roles": ["TENANT_USER"]});
    server.post("/v1/tenants/suspended/users").bearer(&root).json(ask).send().await;
    let suspended = server.get("/v1/tenants/suspended").bearer(&root).send().await.json();
    let suspended = TenantId::parse(suspended["id"].as_str().unwrap()).unwrap();
    testing::set_tenant_status(&world.domain, &suspended, TenantStatus::Suspended).await;
    let no = |name, change, step, code| plain.no(name, change, step, code);
    let by = |token: &str| {
        let token = token.to_owned();
        move |row: &mut Row| row.token = token
    };
    vec![
        no("no token", nothing(), "id token", "INVALID_ID_TOKEN").with(by("x")),
        no("a delegated token", nothing(), "id token", "INVALID_ID_TOKEN").with(by(&delegated)),
        no("a suspended user", nothing(), "session", "USER_DISABLED").with(by(&of_inactive)),
        no("signed out", nothing(), "session", "TOKEN_REVOKED").with(by(&signed_out)),
        no("no tenant", json!({"tenantId": null}), "tenant context", "TENANT_REQUIRED")
            .with(by(&stranger)),
        no("no member", nothing(), "membership", "MEMBERSHIP_REQUIRED").with(by(&stranger)),
        no(
            "an administrator's error",
            json!({"tenantId": "nowhere"}),
            "tenant",
            "TENANT_NOT_FOUND",
        )
        .with(by(&root)),
        no("a suspended tenant", json!({"tenantId": "suspended"}), "tenant", "TENANT_DISABLED"),
    ]
}

//! Two tenants with one of everything, and whatever each of their people and programs can show.
//!
//! Tenants, people, roles, sessions and tokens of people are made by their routes. Clients, workers and API
//! keys have routes, too, and are written into the store by a second replica of the same deployment all the
//! same: so a row gives them whatever state, version or age it is about, and a worker's token, which no route
//! gives, is made there.

use serde_json::{Value, json};
use tikti_domain::api_key::KeyScope;
use tikti_domain::clock::Clock;
use tikti_domain::id::TenantId;
use tikti_domain::random::Random;
use tikti_domain::scope::management_scopes;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::worker::Worker;
use tikti_domain::{Domain, testing};
use tikti_server::config::Config;

use crate::contents::Contents;
use crate::support::{COMPANY, PASSWORD, Place, Reply, Server, claims};

/// The slug of the tenant that attacks; [`COMPANY`] is the one that is attacked.
pub(crate) const OTHER: &str = "othercorp";

/// Somebody who has signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) id: String,
    pub(crate) id_token: String,
    pub(crate) refresh_token: String,
    pub(crate) session: String,
}

/// A tenant with one of everything.
pub(crate) struct Estate {
    pub(crate) id: String,
    pub(crate) slug: String,
    /// Holds `TENANT_ADMIN`.
    pub(crate) admin: Person,
    /// The administrator's access token for audience `tikti`.
    pub(crate) access: String,
    /// The administrator's idToken of a sign-in through the tenant's own key.
    pub(crate) bound: String,
    /// Holds `TENANT_USER`, the right to produce and to work, and the estate's own role.
    pub(crate) member: Person,
    pub(crate) role: String,
    /// An audience of this tenant alone.
    pub(crate) client: String,
    /// An application of this tenant alone.
    pub(crate) application: String,
    pub(crate) worker: Worker,
    /// The worker's own access token for audience `tikti`, with every management scope.
    pub(crate) worker_token: String,
    /// A worker token for `codeq-worker`, made by the member.
    pub(crate) event_token: String,
    /// The tenant's API key, with all that such a key may hold.
    pub(crate) key: String,
    pub(crate) key_id: String,
}

pub(crate) struct World {
    pub(crate) server: Server,
    /// Another replica of the same deployment.
    pub(crate) domain: Domain,
    /// The idToken of the deployment's administrator.
    pub(crate) root: String,
    /// The tenant that is attacked.
    pub(crate) company: Estate,
    /// The tenant that attacks.
    pub(crate) other: Estate,
}

impl World {
    pub(crate) async fn new() -> Self {
        // Nobody takes mails out of the store meanwhile.
        Box::pin(Self::with(|config| config.mail.transport = None)).await
    }

    /// One whose configuration was changed by `change`.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let server = Server::start_with(Place::new(), |config| {
            // Counters are the only thing that a refused request writes: see `limits` of the API's tests.
            config.domain.settings.limits.enabled = false;
            change(config);
        })
        .await;
        let domain = replica(&server).await;
        let root = server.admin().await;
        let company = Box::pin(Estate::make(&server, &domain, &root, COMPANY)).await;
        let other = Box::pin(Estate::make(&server, &domain, &root, OTHER)).await;
        Self { server, domain, root, company, other }
    }

    /// Everything that the store holds.
    pub(crate) async fn contents(&self) -> Contents {
        let store = self.server.running.lock().unwrap().as_ref().unwrap().store();
        Contents::of(&store).await
    }

    /// The keys whose records are other ones than they were, but for when an API key was last used, which a
    /// server writes by itself, about twice a minute.
    pub(crate) async fn changed_since(&self, before: &Contents) -> Vec<String> {
        let mut changed = before.differences(&self.contents().await);
        changed.retain(|key| !(key.starts_with("k:") && key.ends_with("/used/")));
        changed
    }

    /// Makes somebody who administers both tenants, the company by default, and signs him in.
    pub(crate) async fn of_both(&self, email: &str) -> Person {
        let place = (self.company.slug.as_str(), email);
        let roles = ["TENANT_ADMIN", "JOBS_OPERATOR"];
        member(&self.server, &self.root, place, &roles).await;
        let ask = json!({"email": email, "roles": roles});
        let added = self.server.post(&format!("/v1/tenants/{OTHER}/users"));
        let added = added.bearer(&self.root).json(ask).send().await;
        assert_eq!(added.status, 200, "{}", added.text());
        signed_in(&self.server, email).await
    }

    /// Asks for an access token by the deployment's key.
    pub(crate) async fn exchange(&self, id_token: &str, mut ask: Value) -> Reply {
        ask["idToken"] = json!(id_token);
        if ask.get("audience").is_none() {
            ask["audience"] = json!("backend-worker");
        }
        self.server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await
    }

    pub(crate) async fn document(&self) -> Value {
        self.server.get("/openapi.json").send().await.json()
    }
}

async fn replica(server: &Server) -> Domain {
    let store = server.running.lock().unwrap().as_ref().unwrap().store();
    let mut config = server.setup.config(&server.url()).domain;
    config.settings.limits.enabled = false;
    Domain::open(store, config, Clock::system(), Random::system()).await.unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Signs somebody in, with a refresh token.
pub(crate) async fn signed_in(server: &Server, email: &str) -> Person {
    let session = server.sign_in(email, PASSWORD).await;
    assert_eq!(session.status, 200, "{email}: {}", session.text());
    let session = session.json();
    let id_token = text(&session["idToken"]);
    Person {
        email: email.to_owned(),
        id: text(&session["localId"]),
        session: text(&claims(&id_token)["sid"]),
        id_token,
        refresh_token: text(&session["refreshToken"]),
    }
}

/// The id of the deployment's administrator.
pub(crate) async fn signed_in_root(server: &Server) -> String {
    text(&server.session().await["localId"])
}

/// Makes a user who is a member of a tenant, and signs him in.
pub(crate) async fn member(
    server: &Server,
    root: &str,
    (tenant, email): (&str, &str),
    roles: &[&str],
) -> Person {
    server.user(email).await;
    let ask = json!({"email": email, "roles": roles});
    let path = format!("/v1/tenants/{tenant}/users");
    let added = server.post(&path).bearer(root).json(ask).send().await;
    assert_eq!(added.status, 200, "{}", added.text());
    signed_in(server, email).await
}

/// Exchanges an idToken by the deployment's key and gives the access token.
pub(crate) async fn exchanged(server: &Server, id_token: &str, mut ask: Value) -> String {
    ask["idToken"] = json!(id_token);
    let reply = server.post("/v1/accounts/token/exchange").keyed().json(ask).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    text(&reply.json()["accessToken"])
}

/// A client's record with these differences.
pub(crate) fn client(id: &str, change: &Value) -> tikti_domain::client::Client {
    let mut record = json!({
        "id": id, "type": "SERVICE", "status": "ACTIVE", "allowedGrantTypes": ["token_exchange"],
        "allowedScopes": ["jobs:read"], "defaultScopes": ["jobs:read"], "subjectPolicy": "any",
        "tokenTtlSeconds": 900, "createdAt": 0,
    });
    record.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

/// A worker's record with these differences.
pub(crate) fn worker(id: &str, change: &Value) -> Worker {
    let mut record = json!({
        "id": id, "clients": ["tikti", "codeq-worker", "backend-worker"],
        "scopes": management_scopes(), "eventTypes": [], "status": "ACTIVE", "wver": 7,
        "createdAt": 0,
    });
    record.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

/// The token that a worker of the company shows at Tikti, with all that it may.
pub(crate) fn token_of(world: &World, worker: &Worker) -> String {
    let tenant = world.company.tenant();
    let token = testing::worker_token(&world.domain, &tenant, worker, &worker.scopes);
    token.expose_secret().to_owned()
}

/// Stores an API key and gives it.
pub(crate) async fn tenant_key(domain: &Domain, tenant: &TenantId, id: &str) -> String {
    let key = format!("tk_{id}_abcdefghijklmnopqrstuvwxyz012345");
    testing::put_api_key(domain, &key, &KeyScope::TENANT, |record| {
        record.tenant_id = Some(tenant.clone());
    })
    .await;
    key
}

impl Estate {
    async fn make(server: &Server, domain: &Domain, root: &str, slug: &str) -> Self {
        let made = server.tenant(root, slug).await;
        let id = text(&made["id"]);
        let tenant = TenantId::parse(&id).unwrap();
        let role = format!("ROLE_OF_{}", slug.to_ascii_uppercase());
        let ask = json!({"name": role, "permissions": ["jobs:read"]});
        let roles = server.post(&format!("/v1/tenants/{slug}/roles")).bearer(root).json(ask);
        assert_eq!(roles.send().await.status, 200);
        let address = |who: &str| format!("{who}@{slug}.sys");
        let place = (slug, &*address("admin"));
        let admin = member(server, root, place, &["TENANT_ADMIN"]).await;
        let rights = ["TENANT_USER", "CODEQ_WORKER", "CODEQ_PRODUCER", "JOBS_OPERATOR", &role];
        let member = member(server, root, (slug, &*address("member")), &rights).await;

        let names =
            ["client-of", "application-of", "worker-of"].map(|what| format!("{what}-{slug}"));
        let [client_id, application_id, worker_id] = names;
        testing::put_client(domain, &tenant, &client(&client_id, &json!({}))).await;
        let application = client(&application_id, &json!({"type": "APPLICATION"}));
        testing::put_client(domain, &tenant, &application).await;
        let record = worker(&worker_id, &json!({}));
        testing::put_worker(domain, &tenant, &record).await;
        let key_id = format!("key{slug}");
        let key = tenant_key(domain, &tenant, &key_id).await;

        let ask = json!({"email": admin.email, "password": PASSWORD});
        let call = server.post("/v1/accounts/signInWithPassword").header("X-API-Key", &key);
        let bound = text(&call.json(ask).send().await.json()["idToken"]);
        let access = json!({"audience": "tikti", "tenantId": id});
        let events = json!({
            "audience": "codeq-worker", "eventTypes": ["build"], "subject": "worker-01",
        });
        Self {
            access: exchanged(server, &admin.id_token, access).await,
            event_token: exchanged(server, &member.id_token, events).await,
            worker_token: testing::worker_token(domain, &tenant, &record, &management_scopes())
                .expose_secret()
                .to_owned(),
            worker: record,
            client: client_id,
            application: application_id,
            slug: slug.to_owned(),
            id,
            admin,
            bound,
            member,
            role,
            key,
            key_id,
        }
    }

    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::parse(&self.id).unwrap()
    }
}

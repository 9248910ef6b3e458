//! The decision as a table: from facts in which everything is in order, each row changes one thing and says
//! what comes of it; and what holds whatever changes. Then what only the inside can see of the operation.

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::decide::{Step, decide};
use super::*;
use crate::client::{Client, ClientStatus, ClientType, GrantType};
use crate::error::Code;
use crate::id::Slug;
use crate::settings::TenantTemplate;
use crate::tenant::{Tenant, TenantStatus};
use crate::testing::{self, Fixture, START, worker_id};
use crate::worker::{Worker, WorkerStatus};

mod assertions;

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

fn events(list: &[&str]) -> Vec<EventType> {
    list.iter().map(|event| EventType::parse(event).unwrap()).collect()
}

fn client(id: &str) -> Client {
    let clients = TenantTemplate::shipped().unwrap().clients(START).unwrap();
    clients.into_iter().find(|client| client.id.as_str() == id).unwrap()
}

fn by_secret() -> ClientAuth {
    ClientAuth::Secret { client_id: "t-acme.worker-01".to_owned(), secret: "ws_x".into() }
}

fn request(auth: ClientAuth) -> ClientCredentials {
    ClientCredentials {
        auth,
        audience: None,
        scopes: None,
        event_types: None,
        tenant: None,
        tenant_header: None,
    }
}

fn tenant_ref(text: &str) -> Option<TenantRef> {
    Some(TenantRef::parse(text).unwrap())
}

/// What a row changes.
struct World {
    facts: Facts,
    request: ClientCredentials,
}

impl World {
    /// A worker that has shown its secret and asks for its only client.
    fn in_order() -> Self {
        let tenant_id = TenantId::parse("t-acme").unwrap();
        let tenant = Tenant {
            id: tenant_id.clone(),
            slug: Slug::parse("acme").unwrap(),
            name: "Acme".to_owned(),
            status: TenantStatus::Active,
            self_sign_up: false,
            created_at: START,
        };
        let mut worker = testing::worker("worker-01", START);
        worker.wver = 7;
        let facts = Facts {
            client_id: "t-acme.worker-01".to_owned(),
            name: Some(Name { tenant_id, worker_id: worker.id.clone() }),
            proof: Ok(Proof::Secret),
            tenant: Some(tenant),
            worker: Some(worker),
            audience: None,
            client: None,
        };
        let request = request(by_secret());
        let mut world = Self { facts, request };
        world.for_audience("backend-worker", "jobs:read other:thing");
        world
    }

    fn for_audience(&mut self, id: &str, held: &str) {
        let id = ClientId::parse(id).unwrap();
        self.facts.client = Some(client(id.as_str()));
        self.facts.audience = Some(id.clone());
        self.worker().clients = [id].into();
        self.worker().scopes = scopes(held);
    }

    fn worker(&mut self) -> &mut Worker {
        self.facts.worker.as_mut().unwrap()
    }

    fn client(&mut self) -> &mut Client {
        self.facts.client.as_mut().unwrap()
    }

    fn tenant(&mut self) -> &mut Tenant {
        self.facts.tenant.as_mut().unwrap()
    }
}

type Change = fn(&mut World);

const ALLOWED: &[(&str, &str, &[&str], Change)] = &[
    ("the client's defaults, as far as the worker holds them", "jobs:read", &[], |_| ()),
    ("none asked is the same", "jobs:read", &[], |w| w.request.scopes = Some(scopes(""))),
    ("what was asked for", "jobs:write", &[], |w| {
        w.worker().scopes = scopes("jobs:read jobs:write");
        w.request.scopes = Some(scopes("jobs:write"));
    }),
    ("what is no default, asked for", "codeq:admin", &[], |w| {
        w.for_audience("codeq-producer", "codeq:admin");
        w.request.scopes = Some(scopes("codeq:admin"));
    }),
    ("management scopes", "roles:write", &[], |w| w.for_audience("tikti", "roles:write jobs:read")),
    ("an event type under a client that takes any", "codeq:claim", &["render"], |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.worker().event_types = events(&["render", "encode"]).into_iter().collect();
        w.request.event_types = Some(events(&["render"]));
    }),
    ("the worker's concrete event types", "codeq:claim", &["encode", "render"], |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.worker().event_types = events(&["render", "encode"]).into_iter().collect();
    }),
    ("the client's concrete event types", "codeq:claim", &["render"], |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.client().event_types = events(&["render"]).into_iter().collect();
        w.worker().event_types = events(&["*"]).into_iter().collect();
    }),
    ("any, where both take any", "codeq:claim", &["*"], |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.worker().event_types = events(&["*"]).into_iter().collect();
        w.request.event_types = Some(events(&["*"]));
    }),
    ("its own tenant, by id and by slug", "jobs:read", &[], |w| {
        w.request.tenant = tenant_ref("t-acme");
        w.request.tenant_header = tenant_ref("acme");
    }),
    ("by an assertion", "jobs:read", &[], |w| {
        w.facts.proof = Ok(Proof::Assertion { jti: "j".to_owned(), exp: 1 });
    }),
];

const REFUSED: &[(&str, Step, Code, Change)] = &[
    ("a wrong secret", Step::Credentials, Code::InvalidClientCredentials, |w| {
        w.facts.proof = Err(Unproven::Secret);
    }),
    ("an assertion that was used", Step::Credentials, Code::InvalidClientCredentials, |w| {
        w.facts.proof = Err(Unproven::Used);
    }),
    ("no worker", Step::Credentials, Code::InvalidClientCredentials, |w| w.facts.worker = None),
    ("no tenant", Step::Credentials, Code::InvalidClientCredentials, |w| w.facts.tenant = None),
    ("a stranger is told nothing else", Step::Credentials, Code::InvalidClientCredentials, |w| {
        w.facts.proof = Err(Unproven::Secret);
        w.tenant().status = TenantStatus::Suspended;
        w.worker().status = WorkerStatus::Disabled;
        w.facts.client = None;
    }),
    ("another tenant", Step::Tenant, Code::TenantConflict, |w| {
        w.request.tenant = tenant_ref("beta");
    }),
    ("another tenant by header", Step::Tenant, Code::TenantConflict, |w| {
        w.request.tenant = tenant_ref("acme");
        w.request.tenant_header = tenant_ref("t-beta");
    }),
    ("a suspended tenant", Step::Tenant, Code::TenantDisabled, |w| {
        w.tenant().status = TenantStatus::Suspended;
    }),
    ("a tenant that is being deleted", Step::Tenant, Code::TenantDisabled, |w| {
        w.tenant().status = TenantStatus::Deleting;
    }),
    ("a disabled worker", Step::Worker, Code::WorkerDisabled, |w| {
        w.worker().status = WorkerStatus::Disabled;
    }),
    ("no audience, of none or several", Step::Audience, Code::UnknownAudience, |w| {
        w.facts.audience = None;
        w.facts.client = None;
    }),
    ("an audience that nothing bears", Step::Audience, Code::UnknownAudience, |w| {
        w.facts.client = None;
    }),
    ("a disabled client", Step::Audience, Code::ClientDisabled, |w| {
        w.client().status = ClientStatus::Disabled;
    }),
    ("a client that takes tokens of users only", Step::Audience, Code::GrantNotAllowed, |w| {
        w.client().allowed_grant_types = [GrantType::TokenExchange].into();
    }),
    ("an application", Step::Audience, Code::GrantNotAllowed, |w| {
        w.client().kind = ClientType::Application;
    }),
    ("a client that is not the worker's", Step::Audience, Code::GrantNotAllowed, |w| {
        w.worker().clients = [ClientId::parse("tikti").unwrap()].into();
    }),
    ("a scope that the worker lacks", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.request.scopes = Some(scopes("jobs:read jobs:write"));
    }),
    ("a scope that the client lacks", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.request.scopes = Some(scopes("other:thing"));
    }),
    ("defaults of which the worker holds none", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.worker().scopes = scopes("other:thing");
    }),
    ("a client without defaults", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.client().default_scopes = ScopeSet::default();
    }),
    ("event types of a client without", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.request.event_types = Some(events(&["render"]));
    }),
    ("no event types, and any allowed", Step::EventTypes, Code::EventTypesRequired, |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.worker().event_types = events(&["*"]).into_iter().collect();
    }),
    ("an event type that the worker lacks", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.worker().event_types = events(&["render"]).into_iter().collect();
        w.request.event_types = Some(events(&["render", "encode"]));
    }),
    ("any, where the worker has some", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.for_audience("codeq-worker", "codeq:claim");
        w.worker().event_types = events(&["render"]).into_iter().collect();
        w.request.event_types = Some(events(&["*"]));
    }),
    ("a lifetime that no token may have", Step::Lifetime, Code::InvalidTtl, |w| {
        w.client().token_ttl_seconds = 3601;
    }),
];

#[test]
fn every_row_that_is_in_order_is_allowed() {
    for (name, held, claims, change) in ALLOWED {
        let mut world = World::in_order();
        change(&mut world);
        let allowed = decide(&world.facts, &world.request).unwrap_or_else(|denied| {
            panic!("{name}: {denied:?}");
        });
        assert_eq!(allowed.scopes, scopes(held), "{name}");
        assert_eq!(allowed.event_types, events(claims).into_iter().collect(), "{name}");
        let worker_class =
            if claims.is_empty() { IssuedClass::Access } else { IssuedClass::Worker };
        assert_eq!((allowed.class, allowed.wver), (worker_class, 7), "{name}");
        assert_eq!(allowed.worker_id, worker_id("worker-01"), "{name}");
        assert_eq!(allowed.ttl_seconds, world.client().token_ttl_seconds, "{name}");
    }
}

#[test]
fn every_row_that_is_not_is_refused_at_its_step() {
    for (name, step, code, change) in REFUSED {
        let mut world = World::in_order();
        change(&mut world);
        let denied = decide(&world.facts, &world.request).unwrap_err();
        assert_eq!((denied.step, denied.refusal.code), (*step, *code), "{name}");
    }
}

#[test]
fn no_debug_output_shows_a_secret() {
    let auth = by_secret();
    assert!(!format!("{auth:?}").contains("ws_x"));
    assert_eq!((auth.method(), auth.claimed_id()), ("secret", "t-acme.worker-01".to_owned()));
}

#[test]
fn a_refused_scope_is_named() {
    let mut world = World::in_order();
    world.request.scopes = Some(scopes("jobs:read jobs:write other:thing"));
    let denied = decide(&world.facts, &world.request).unwrap_err();
    assert_eq!(denied.refusal.details["scopes"], "jobs:write other:thing");
    world.request.scopes = None;
    world.worker().scopes = ScopeSet::default();
    let denied = decide(&world.facts, &world.request).unwrap_err();
    assert_eq!(denied.refusal.details["scopes"], "jobs:read jobs:write");
}

const SCOPES: [&str; 5] = ["jobs:read", "jobs:write", "codeq:claim", "tenants:read", "other:thing"];
const EVENTS: [&str; 4] = ["render", "encode", "deliver", "*"];

fn some_scopes() -> impl Strategy<Value = ScopeSet> {
    proptest::sample::subsequence(&SCOPES[..], 0..=SCOPES.len())
        .prop_map(|list| ScopeSet::from_list(list).unwrap())
}

fn some_events() -> impl Strategy<Value = Vec<EventType>> {
    proptest::sample::subsequence(&EVENTS[..], 0..=EVENTS.len()).prop_map(|list| events(&list))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a4_no_token_holds_more_than_the_worker_and_the_client_do(
        (held, allowed, default) in (some_scopes(), some_scopes(), some_scopes()),
        asked in proptest::option::of(some_scopes()),
        (own, of_client) in (some_events(), some_events()),
        wanted in proptest::option::of(some_events()),
    ) {
        let mut world = World::in_order();
        world.worker().scopes = held.clone();
        world.worker().event_types = own.into_iter().collect();
        world.client().allowed_scopes = allowed.clone();
        world.client().default_scopes = default.clone();
        world.client().event_types = of_client.into_iter().collect();
        world.request.scopes = asked.clone();
        world.request.event_types = wanted.clone();
        let Ok(token) = decide(&world.facts, &world.request) else { return Ok(()) };
        prop_assert!(!token.scopes.is_empty());
        prop_assert!(token.scopes.is_subset(&held) && token.scopes.is_subset(&allowed));
        match asked.filter(|asked| !asked.is_empty()) {
            Some(asked) => prop_assert_eq!(&token.scopes, &asked),
            None => prop_assert!(token.scopes.is_subset(&default)),
        }
        let any = EventType::parse("*").unwrap();
        for policy in [&world.worker().event_types.clone(), &world.client().event_types.clone()] {
            let fits = |event: &EventType| {
                policy.contains(event) || (*event != any && policy.contains(&any))
            };
            prop_assert!(token.event_types.iter().all(fits));
        }
        let worker_class = token.class == IssuedClass::Worker;
        prop_assert_eq!(worker_class, !world.client().event_types.is_empty());
        prop_assert_eq!(worker_class, !token.event_types.is_empty());
    }
}

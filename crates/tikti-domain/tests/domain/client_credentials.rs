//! Tokens that workers ask for themselves, over a real store: by which secrets, for which audiences, what a
//! stranger learns, and what ends them. The rules themselves are tested as a table beside the decision.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use tikti_domain::client::{ClientStatus, GrantType};
use tikti_domain::client_auth::ClientAuth;
use tikti_domain::client_credentials::{ClientCredentials, IssuedToWorker, issue};
use tikti_domain::error::{Code, Error, Refusal};
use tikti_domain::etag::Precondition;
use tikti_domain::id::{ClientId, EventType, RoleName, TenantId, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::settings::{Limits, Settings};
use tikti_domain::tenancy::{
    CreateWorker, PutRole, UpdateWorker, WorkerRights, add_worker_secret, create_role,
    create_worker, delete_worker, remove_worker_secret, update_worker,
};
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing::{
    FaultPlan, Fixture, ISSUER, all, bearing, bury_worker, set_tenant_status, worker_id,
};
use tikti_domain::token_exchange::IssuedClass;
use tikti_domain::worker::{SecretNumber, WorkerStatus};
use tikti_domain::{Caller, Domain};
use tikti_token::{Audience, Jwks, KeySet, Policy, peek, verify_access, verify_worker};

/// A tenant `acme` with a worker that has a secret.
struct World {
    fixture: Fixture,
    root: Caller,
    tenant: TenantId,
    secret: SecretString,
}

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

fn events(list: &[&str]) -> Vec<EventType> {
    list.iter().map(|event| EventType::parse(event).unwrap()).collect()
}

impl World {
    async fn new() -> Self {
        Self::with(|_| (), &["backend-worker"], "jobs:read").await
    }

    async fn with(change: impl FnOnce(&mut Settings) + Send, clients: &[&str], held: &str) -> Self {
        let fixture = Fixture::with(change).await;
        fixture.admin("root@corp.sys").await;
        let tenant = fixture.tenant("root@corp.sys", "acme").await.id;
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let mut world = Self { fixture, root, tenant, secret: SecretString::default() };
        world.secret = world.register(clients, held).await;
        world
    }

    async fn register(&self, clients: &[&str], held: &str) -> SecretString {
        let rights = WorkerRights {
            clients: clients.iter().map(|id| ClientId::parse(id).unwrap()).collect(),
            scopes: scopes(held),
            event_types: events(&["render"]).into_iter().collect(),
            ..WorkerRights::default()
        };
        let ask = CreateWorker { id: worker_id("worker-01"), rights, keys: vec![] };
        let place = (&acme(), &ask);
        let made = create_worker(&self.fixture.domain, &self.root, place);
        let made = Box::pin(made).await.unwrap();
        made.secret.unwrap()
    }

    fn client_id(&self) -> String {
        format!("{}.worker-01", self.tenant)
    }

    async fn ask_as(
        &self,
        client_id: &str,
        secret: &SecretString,
    ) -> Result<IssuedToWorker, Error> {
        let ask = asking(client_id, secret);
        Box::pin(issue(&self.fixture.domain, &Caller::default(), &ask)).await
    }

    async fn ask(&self, secret: &SecretString) -> Result<IssuedToWorker, Error> {
        self.ask_as(&self.client_id(), secret).await
    }

    async fn ask_for(&self, audience: &str) -> Result<IssuedToWorker, Error> {
        let audience = Some(ClientId::parse(audience)?);
        let ask = ClientCredentials { audience, ..asking(&self.client_id(), &self.secret) };
        Box::pin(issue(&self.fixture.domain, &Caller::default(), &ask)).await
    }

    async fn update(&self, ask: &UpdateWorker) {
        let place = (&acme(), &worker_id("worker-01"), ask);
        Box::pin(update_worker(&self.fixture.domain, &self.root, place)).await.unwrap();
    }

    async fn set_status(&self, status: WorkerStatus) {
        self.update(&UpdateWorker { status: Some(status), ..UpdateWorker::default() }).await;
    }
}

fn asking(client_id: &str, secret: &SecretString) -> ClientCredentials {
    let auth = ClientAuth::Secret { client_id: client_id.to_owned(), secret: secret.clone() };
    ClientCredentials {
        auth,
        audience: None,
        scopes: None,
        event_types: None,
        tenant: None,
        tenant_header: None,
    }
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Code {
    outcome.unwrap_err().code()
}

fn refusal<T>(outcome: Result<T, Error>) -> Option<Refusal> {
    match outcome {
        Err(Error::Refused(refusal)) => Some(*refusal),
        Ok(_) | Err(_) => None,
    }
}

fn published(fixture: &Fixture) -> KeySet {
    let jwks: Jwks = serde_json::from_str(&fixture.domain.jwks().body).unwrap();
    KeySet::from_jwks(&jwks).unwrap()
}

fn policy<'a>(audience: &'a [&'a str]) -> Policy<'a> {
    Policy {
        issuer: ISSUER,
        audience: Audience::OneOf(audience),
        required_scopes: &[],
        skew_seconds: 0,
    }
}

#[tokio::test]
async fn a_worker_gets_an_access_token_that_speaks_of_itself_alone() {
    let world = World::new().await;
    let issued = world.ask(&world.secret).await.unwrap();
    assert_eq!((issued.class, issued.expires_in_seconds), (IssuedClass::Access, 900));
    assert_eq!((&issued.tenant_id, &issued.scope), (&world.tenant, &scopes("jobs:read")));
    let now = world.fixture.now().as_millis() / 1000;
    let token = issued.token.expose_secret();
    let claims =
        verify_access(token, &published(&world.fixture), &policy(&["backend-worker"]), now)
            .unwrap();
    assert_eq!((claims.sub.as_str(), claims.tid.as_str()), ("worker-01", world.tenant.as_str()));
    assert_eq!((claims.client_id.as_str(), claims.scope.as_str()), ("backend-worker", "jobs:read"));
    assert_eq!((claims.iat, claims.exp), (now, now + 900));
    let said = peek(token).unwrap();
    for absent in ["sid", "ver", "mver", "act", "eventTypes", "email", "role"] {
        assert!(said.claims().get(absent).is_none(), "{absent}");
    }
    assert!(claims.wver.is_some());
}

#[tokio::test]
async fn a_client_with_event_types_makes_it_a_worker_token() {
    let world = World::with(|_| (), &["codeq-worker"], "codeq:claim codeq:result").await;
    let issued = world.ask(&world.secret).await.unwrap();
    assert_eq!(issued.class, IssuedClass::Worker);
    let now = world.fixture.now().as_millis() / 1000;
    let token = issued.token.expose_secret();
    let claims =
        verify_worker(token, &published(&world.fixture), &policy(&["codeq-worker"]), now).unwrap();
    assert_eq!(claims.event_types, ["render"]);
    assert_eq!(claims.access.scope, "codeq:claim codeq:result");
    assert_eq!((claims.access.sub.as_str(), claims.access.sid.as_ref()), ("worker-01", None));
}

/// Nobody finds out which tenants and workers there are.
#[tokio::test]
async fn t4_whatever_is_wrong_with_credentials_the_answer_is_one() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let other = world.fixture.tenant("root@corp.sys", "other").await.id;
    bury_worker(domain, &world.tenant, &worker_id("dead")).await;
    let tid = &world.tenant;
    let one = refusal(world.ask(&"ws_wrong".into()).await);
    assert_eq!(one, Some(Refusal::of(Code::InvalidClientCredentials)));
    for (name, client_id) in [
        ("another tenant's worker of this id", format!("{other}.worker-01")),
        ("no such tenant", "t-nowhere.worker-01".to_owned()),
        ("the tenant by its slug", "acme.worker-01".to_owned()),
        ("no such worker", format!("{tid}.worker-02")),
        ("a deleted worker", format!("{tid}.dead")),
        ("another case", format!("{tid}.Worker-01")),
        ("no worker", tid.to_string()),
        ("no worker behind the dot", format!("{tid}.")),
        ("a space", format!(" {tid}.worker-01")),
        ("a client, not a worker", format!("{tid}.backend-worker")),
        ("nothing", String::new()),
    ] {
        assert_eq!(refusal(world.ask_as(&client_id, &world.secret).await), one, "{name}");
    }
    let text = world.secret.expose_secret();
    let longer = format!("{text}a");
    let shorter = text.strip_suffix(|_| true).unwrap();
    for secret in [longer.as_str(), shorter, "", &text.to_uppercase(), &format!(" {text}")] {
        assert_eq!(refusal(world.ask(&secret.to_owned().into()).await), one);
    }
    // What is amiss with worker and tenant is told to the worker alone.
    world.set_status(WorkerStatus::Disabled).await;
    assert_eq!(refusal(world.ask(&"ws_wrong".into()).await), one);
    assert_eq!(code(world.ask(&world.secret).await), Code::WorkerDisabled);
    for status in [TenantStatus::Suspended, TenantStatus::Deleting] {
        set_tenant_status(domain, &world.tenant, status).await;
        assert_eq!(refusal(world.ask(&"ws_wrong".into()).await), one);
        assert_eq!(code(world.ask(&world.secret).await), Code::TenantDisabled);
    }
}

/// A stranger costs one round trip, whether or not what he names is there.
#[tokio::test]
async fn two_round_trips_at_most_and_as_many_for_every_stranger() {
    let world = World::new().await;
    let plan = FaultPlan::crash_after(1_000);
    let replica = world.fixture.replica(2, &plan).await;
    let calls = async |client_id: &str, secret: &SecretString, audience: Option<&str>| {
        let before = plan.calls();
        let audience = audience.map(|audience| ClientId::parse(audience).unwrap());
        let ask = ClientCredentials { audience, ..asking(client_id, secret) };
        let outcome = issue(&replica, &Caller::default(), &ask).await;
        (outcome.is_ok(), plan.calls() - before)
    };
    let (own, wrong) = (world.client_id(), "ws_wrong".into());
    assert_eq!(calls(&own, &world.secret, None).await, (true, 2));
    assert_eq!(calls(&own, &world.secret, Some("backend-worker")).await, (true, 1));
    for client_id in [&own, "t-nowhere.worker-01", &format!("{}.nobody", world.tenant)] {
        for audience in [None, Some("backend-worker")] {
            assert_eq!(calls(client_id, &wrong, audience).await, (false, 1), "{client_id}");
        }
    }
}

#[tokio::test]
async fn both_secrets_of_a_rotation_are_good_until_they_end_or_are_taken_away() {
    let world = World::new().await;
    let (domain, acme, id) = (&world.fixture.domain, acme(), worker_id("worker-01"));
    let end = world.fixture.now().plus_millis(60_000);
    let second = add_worker_secret(domain, &world.root, (&acme, &id), Some(end)).await.unwrap();
    let second = second.secret.unwrap();
    world.ask(&world.secret).await.unwrap();
    world.ask(&second).await.unwrap();
    world.fixture.clock.advance(59_999);
    world.ask(&second).await.unwrap();
    world.fixture.clock.advance(1);
    assert_eq!(code(world.ask(&second).await), Code::InvalidClientCredentials);
    world.ask(&world.secret).await.unwrap();
    let first = (&acme, &id, SecretNumber::parse("1"));
    remove_worker_secret(domain, &world.root, first).await.unwrap();
    assert_eq!(code(world.ask(&world.secret).await), Code::InvalidClientCredentials);
}

#[tokio::test]
async fn a5_an_audience_is_one_of_the_worker_s_own_exactly_as_it_is_called() {
    let world =
        World::with(|_| (), &["backend-worker", "codeq-worker"], "jobs:read codeq:claim").await;
    let (domain, tenant) = (&world.fixture.domain, &world.tenant);
    let other = world.fixture.tenant("root@corp.sys", "other").await.id;
    let mut elsewhere = world.fixture.client(tenant, "backend-worker").await;
    elsewhere.id = ClientId::parse("elsewhere").unwrap();
    tikti_domain::testing::put_client(domain, &other, &elsewhere).await;
    for unknown in
        ["nowhere", "elsewhere", "Backend-Worker", "backend-worker/", "backend-worker.", ISSUER]
    {
        assert_eq!(code(world.ask_for(unknown).await), Code::UnknownAudience, "{unknown}");
    }
    // Of two of its own none is meant by saying nothing.
    assert_eq!(code(world.ask(&world.secret).await), Code::UnknownAudience);
    world.ask_for("backend-worker").await.unwrap();
    for not_its_own in ["codeq-producer", "tikti"] {
        assert_eq!(code(world.ask_for(not_its_own).await), Code::GrantNotAllowed, "{not_its_own}");
    }
    let client = world.fixture.client(tenant, "backend-worker").await;
    let mut changed = client.clone();
    changed.allowed_grant_types = [GrantType::TokenExchange].into();
    world.fixture.put_client(tenant, &changed).await;
    assert_eq!(code(world.ask_for("backend-worker").await), Code::GrantNotAllowed);
    changed = client.clone();
    changed.status = ClientStatus::Disabled;
    world.fixture.put_client(tenant, &changed).await;
    assert_eq!(code(world.ask_for("backend-worker").await), Code::ClientDisabled);
}

#[tokio::test]
async fn a4_a_worker_that_was_narrowed_gets_less_with_its_next_token() {
    let world = World::with(|_| (), &["backend-worker"], "jobs:read jobs:write").await;
    assert_eq!(world.ask(&world.secret).await.unwrap().scope, scopes("jobs:read jobs:write"));
    world
        .update(&UpdateWorker { scopes: Some(scopes("jobs:read")), ..UpdateWorker::default() })
        .await;
    assert_eq!(world.ask(&world.secret).await.unwrap().scope, scopes("jobs:read"));
    let asked = ClientCredentials {
        scopes: Some(scopes("jobs:write")),
        ..asking(&world.client_id(), &world.secret)
    };
    let refused = issue(&world.fixture.domain, &Caller::default(), &asked).await;
    assert_eq!(code(refused), Code::ScopeNotPermitted);
}

/// A managed client bounds the worker, whatever the worker holds: `codeq:admin` is no scope of this one.
#[tokio::test]
async fn a9_a_scope_of_the_platform_needs_a_client_and_a_worker_that_have_it() {
    let world = World::with(|_| (), &["backend-worker"], "jobs:read codeq:admin").await;
    let admin = |audience: &str| ClientCredentials {
        audience: Some(ClientId::parse(audience).unwrap()),
        scopes: Some(scopes("codeq:admin")),
        ..asking(&world.client_id(), &world.secret)
    };
    let ask = async |audience: &str| {
        issue(&world.fixture.domain, &Caller::default(), &admin(audience)).await
    };
    assert_eq!(code(ask("backend-worker").await), Code::ScopeNotPermitted);
    assert_eq!(code(ask("codeq-producer").await), Code::GrantNotAllowed);
}

/// What a worker is told whose token has ended: it does not belong to the tenant any more.
const DEAD: Code = Code::TenantNotFound;

async fn make_role(domain: &Domain, caller: &Caller, name: &str) -> Result<(), Error> {
    let role = PutRole {
        name: RoleName::parse(name).unwrap(),
        permissions: scopes("roles:read"),
        precondition: Precondition::None,
    };
    Box::pin(create_role(domain, caller, &acme(), &role)).await.map(drop)
}

/// So that a pipeline can administer its tenant: within its scopes, there, and no longer than it may act.
#[tokio::test]
async fn l3_a_worker_administers_until_any_cut_off_of_its_own() {
    let world = World::with(|_| (), &["tikti"], "roles:read roles:write").await;
    let (domain, id) = (&world.fixture.domain, worker_id("worker-01"));
    let acme = acme();
    let bearer = async |secret: &SecretString| bearing(&world.ask(secret).await.unwrap().token);
    let first = bearer(&world.secret).await;
    make_role(domain, &first, "FIRST").await.unwrap();
    // Only what it holds, and only in its own tenant.
    let ask = CreateWorker { id: worker_id("w2"), rights: WorkerRights::default(), keys: vec![] };
    assert_eq!(code(create_worker(domain, &first, (&acme, &ask)).await), Code::PermissionDenied);
    world.fixture.tenant("root@corp.sys", "other").await;
    let role = PutRole {
        name: RoleName::parse("R").unwrap(),
        permissions: ScopeSet::default(),
        precondition: Precondition::None,
    };
    let other = TenantRef::parse("other").unwrap();
    assert_eq!(code(create_role(domain, &first, &other, &role).await), Code::TenantNotFound);

    world.fixture.clock.advance(1);
    world.set_status(WorkerStatus::Disabled).await;
    assert_eq!(code(make_role(domain, &first, "R").await), DEAD);
    world.set_status(WorkerStatus::Active).await;
    assert_eq!(code(make_role(domain, &first, "R").await), DEAD);

    let by_first_secret = bearer(&world.secret).await;
    make_role(domain, &by_first_secret, "SECOND").await.unwrap();
    let second = add_worker_secret(domain, &world.root, (&acme, &id), None).await.unwrap();
    // A further secret ends nothing.
    make_role(domain, &by_first_secret, "THIRD").await.unwrap();
    world.fixture.clock.advance(1);
    let place = (&acme, &id, SecretNumber::parse("1"));
    remove_worker_secret(domain, &world.root, place).await.unwrap();
    assert_eq!(code(make_role(domain, &by_first_secret, "R").await), DEAD);
    let by_second = bearer(&second.secret.unwrap()).await;
    make_role(domain, &by_second, "FOURTH").await.unwrap();

    let clients = Some([ClientId::parse("backend-worker").unwrap()].into());
    world.update(&UpdateWorker { clients, ..UpdateWorker::default() }).await;
    assert_eq!(code(make_role(domain, &by_second, "R").await), DEAD);
}

#[tokio::test]
async fn a10_a_worker_made_again_has_nothing_of_the_one_before() {
    let world = World::with(|_| (), &["tikti"], "roles:read roles:write").await;
    let domain = &world.fixture.domain;
    let old = bearing(&world.ask(&world.secret).await.unwrap().token);
    make_role(domain, &old, "FIRST").await.unwrap();
    delete_worker(domain, &world.root, (&acme(), &worker_id("worker-01"))).await.unwrap();
    assert_eq!(code(world.ask(&world.secret).await), Code::InvalidClientCredentials);
    assert_eq!(code(make_role(domain, &old, "R").await), DEAD);
    // At the same moment, by the clock.
    let secret = world.register(&["tikti"], "roles:read roles:write").await;
    assert_eq!(code(world.ask(&world.secret).await), Code::InvalidClientCredentials);
    assert_eq!(code(make_role(domain, &old, "R").await), DEAD);
    let new = bearing(&world.ask(&secret).await.unwrap().token);
    make_role(domain, &new, "SECOND").await.unwrap();
}

/// A token that was asked for while the worker was being disabled is dead like the others.
#[tokio::test]
async fn a8_no_token_outlives_a_worker_that_is_disabled_meanwhile() {
    let world = World::with(|_| (), &["tikti"], "roles:read roles:write").await;
    let domain = &world.fixture.domain;
    world.fixture.clock.advance(1);
    let disable = world.set_status(WorkerStatus::Disabled);
    let asked = all((0..20).map(|_| world.ask(&world.secret)));
    let (outcomes, ()) = tokio::join!(asked, disable);
    for issued in outcomes.into_iter().flatten() {
        let refused = make_role(domain, &bearing(&issued.token), "R").await;
        assert_eq!(code(refused), DEAD);
    }
}

fn from(number: u8) -> Caller {
    Caller { ip: Some(IpAddr::from([198, 51, 100, number])), ..Caller::default() }
}

#[tokio::test]
async fn e10_wrong_secrets_are_bounded_by_client_and_host_and_keep_no_worker_out() {
    let world = World::with(
        |settings| settings.limits = Limits::shipped(),
        &["backend-worker"],
        "jobs:read",
    )
    .await;
    let domain = &world.fixture.domain;
    let (own, wrong) = (world.client_id(), SecretString::from("ws_wrong"));
    let tried = async |client_id: &str, caller: &Caller| {
        code(issue(domain, caller, &asking(client_id, &wrong)).await)
    };
    for number in 0..10 {
        assert_eq!(tried(&own, &from(number)).await, Code::InvalidClientCredentials);
    }
    // From wherever: but not the worker itself.
    assert_eq!(tried(&own, &from(99)).await, Code::RateLimited);
    for number in [1, 99] {
        issue(domain, &from(number), &asking(&own, &world.secret)).await.unwrap();
    }
    // Whether or not there is such a worker.
    for number in 0..10 {
        assert_eq!(tried("t-nowhere.x", &from(number)).await, Code::InvalidClientCredentials);
    }
    assert_eq!(tried("t-nowhere.x", &from(98)).await, Code::RateLimited);
    for number in 0..100 {
        let client_id = format!("t-nowhere.w{number}");
        assert_eq!(tried(&client_id, &from(200)).await, Code::InvalidClientCredentials);
    }
    assert_eq!(tried("t-nowhere.another", &from(200)).await, Code::RateLimited);
    issue(domain, &from(200), &asking(&own, &world.secret)).await.unwrap();
}

#[tokio::test]
async fn a_worker_has_as_many_tokens_as_a_user() {
    let limit = |settings: &mut Settings| {
        settings.limits = Limits::shipped();
        settings.limits.exchanges_per_user.most = 3;
    };
    let world = World::with(limit, &["backend-worker"], "jobs:read").await;
    for _ in 0..3 {
        world.ask(&world.secret).await.unwrap();
    }
    let refused = refusal(world.ask(&world.secret).await).unwrap();
    assert_eq!(refused.code, Code::RateLimited);
    let seconds = refused.retry_after_seconds.unwrap();
    world.fixture.clock.advance(seconds * 1000);
    world.ask(&world.secret).await.unwrap();
}

//! The exchange as an operation: facts from a real store, a token that a verifier takes, refusals
//! that change nothing. The rules themselves are tested as a table beside the decision.

use secrecy::{ExposeSecret, SecretString};
use tikti_domain::Caller;
use tikti_domain::api_key::{ApiKey, KeyScope};
use tikti_domain::client::ClientStatus;
use tikti_domain::error::{Code, Error};
use tikti_domain::etag::Precondition;
use tikti_domain::id::{ClientId, RoleName, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::tenancy::{PutRole, create_role, get_tenant};
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing::{FaultPlan, Fixture, ISSUER, bearing, keyed, worker_id};
use tikti_domain::token_exchange::{Exchange, Issued, IssuedClass, exchange};
use tikti_domain::user::GlobalRole;
use tikti_domain::worker::{Credentials, Worker, WorkerStatus};
use tikti_token::{AccessClaims, Audience, Jwks, KeySet, Policy, verify_access, verify_worker};

fn ask(id_token: &SecretString, audience: &str) -> Exchange {
    Exchange {
        id_token: id_token.clone(),
        audience: ClientId::parse(audience).unwrap(),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: None,
        tenant_header: None,
    }
}

fn tenant(text: &str) -> Option<TenantRef> {
    Some(TenantRef::parse(text).unwrap())
}

async fn run(fixture: &Fixture, ask: &Exchange) -> Result<Issued, Error> {
    exchange(&fixture.domain, &keyed(), ask).await
}

async fn refusal(fixture: &Fixture, ask: &Exchange) -> Code {
    run(fixture, ask).await.unwrap_err().code()
}

/// The keys as a resource server gets them.
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

fn verified(fixture: &Fixture, issued: &Issued, audience: &str) -> AccessClaims {
    let now = fixture.now().as_millis() / 1000;
    let token = issued.token.expose_secret();
    verify_access(token, &published(fixture), &policy(&[audience]), now).unwrap().into_claims()
}

#[tokio::test]
async fn the_first_session_of_a_new_tenant_works() {
    let fixture = Fixture::new().await;
    let root = fixture.admin("root@corp.sys").await;
    let before = fixture.sign_in("root@corp.sys").await;
    let made = fixture.tenant("root@corp.sys", "codecompany").await;
    // The session began before the tenant was made: being added changes nobody's sign-in.
    let mut ask = ask(&before.id_token, "backend-worker");
    ask.scopes = Some(ScopeSet::parse("jobs:read jobs:write").unwrap());
    ask.tenant = tenant("codecompany");
    ask.subject = Some("worker-01".to_owned());
    let issued = run(&fixture, &ask).await.unwrap();
    assert_eq!(issued.class, IssuedClass::Access);
    assert_eq!(issued.expires_in_seconds, 900);
    let claims = verified(&fixture, &issued, "backend-worker");
    assert_eq!(claims.tid, made.id.as_str());
    assert_eq!(claims.sub, "worker-01");
    assert_eq!(claims.scope, "jobs:read jobs:write");
    assert_eq!(claims.act.unwrap().sub, root.id.as_str());
    assert_eq!(claims.exp - claims.iat, 900);
    assert_eq!(claims.client_id, "backend-worker");
}

#[tokio::test]
async fn a_client_with_event_types_yields_a_worker_token() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let mut ask = ask(&session.id_token, "codeq-worker");
    ask.event_types = Some(vec!["render".to_owned().try_into().unwrap()]);
    let issued = run(&fixture, &ask).await.unwrap();
    let now = fixture.now().as_millis() / 1000;
    let token = issued.token.expose_secret();
    let audience = ["codeq-worker"];
    let claims = verify_worker(token, &published(&fixture), &policy(&audience), now).unwrap();
    assert_eq!(claims.claims().event_types, ["render"]);
    assert!(verify_access(token, &published(&fixture), &policy(&audience), now).is_err());
}

#[tokio::test]
async fn codeq_asks_with_token_and_audience_alone() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let issued = run(&fixture, &ask(&session.id_token, "codeq-producer")).await.unwrap();
    let claims = verified(&fixture, &issued, "codeq-producer");
    assert_eq!(claims.scope, "codeq:publish");
    assert!(claims.act.is_none());
}

/// Attacks, row A1: user of A, client registered only in B, each way of naming the tenant.
#[tokio::test]
async fn a1_an_audience_of_another_tenant_is_unknown_or_closed() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let beta = fixture.tenant("root@corp.sys", "beta").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["JOBS_OPERATOR", "TENANT_ADMIN"]).await;
    let mut only_beta = fixture.client(&beta.id, "backend-worker").await;
    only_beta.id = ClientId::parse("beta-api").unwrap();
    fixture.put_client(&beta.id, &only_beta).await;
    let session = fixture.sign_in("ann@example.org").await;

    let plain = ask(&session.id_token, "beta-api");
    assert_eq!(refusal(&fixture, &plain).await, Code::UnknownAudience);
    for name in ["beta", beta.id.as_str()] {
        let body = Exchange { tenant: tenant(name), ..plain.clone() };
        assert_eq!(refusal(&fixture, &body).await, Code::MembershipRequired);
        let header = Exchange { tenant_header: tenant(name), ..plain.clone() };
        assert_eq!(refusal(&fixture, &header).await, Code::MembershipRequired);
        let both =
            Exchange { tenant: tenant("acme"), tenant_header: tenant(name), ..plain.clone() };
        assert_eq!(refusal(&fixture, &both).await, Code::TenantConflict);
        let crossed =
            Exchange { tenant: tenant(name), tenant_header: tenant("acme"), ..plain.clone() };
        assert_eq!(refusal(&fixture, &crossed).await, Code::TenantConflict);
    }
    // The names that were just resolved still mean what they meant.
    let own = Exchange { tenant: tenant("acme"), ..ask(&session.id_token, "backend-worker") };
    assert_eq!(run(&fixture, &own).await.unwrap().tenant_id, acme.id);
}

#[tokio::test]
async fn disabling_counts_at_once() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let mut acme = fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let ask = ask(&session.id_token, "backend-worker");
    assert!(run(&fixture, &ask).await.is_ok());
    let mut client = fixture.client(&acme.id, "backend-worker").await;
    client.status = ClientStatus::Disabled;
    fixture.put_client(&acme.id, &client).await;
    assert_eq!(refusal(&fixture, &ask).await, Code::ClientDisabled);
    acme.status = TenantStatus::Suspended;
    fixture.put_tenant(&acme).await;
    assert_eq!(refusal(&fixture, &ask).await, Code::TenantDisabled);
}

/// Spec, Performance and Authorization: at most two round trips. One call of the store is one, see
/// `round_trips.rs` of its tests. Each replica is a new one, which knows no name yet.
#[tokio::test]
async fn an_exchange_is_at_most_two_round_trips_whatever_the_number_of_roles() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let names: Vec<_> = (0..31).map(|number| format!("ROLE_{number}")).collect();
    for name in &names {
        let name = RoleName::parse(name).unwrap();
        let permissions = ScopeSet::parse("jobs:read").unwrap();
        let ask = PutRole { name, permissions, precondition: Precondition::None };
        create_role(&fixture.domain, &root, &TenantRef::from(&acme.id), &ask).await.unwrap();
    }
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let many: Vec<_> = names.iter().map(String::as_str).chain(["JOBS_OPERATOR"]).collect();
    for roles in [&["JOBS_OPERATOR"][..], &many] {
        fixture.member(&acme.id, &ann, roles).await;
        let session = fixture.sign_in("ann@example.org").await;
        for (named, subject) in [(None, None), (tenant("acme"), None), (tenant("acme"), Some("w1"))]
        {
            // Nothing fails; the plan counts.
            let plan = FaultPlan::crash_after(u64::MAX - 1);
            let replica = fixture.replica(2, &plan).await;
            let before = plan.calls();
            let subject = subject.map(str::to_owned);
            let ask =
                Exchange { tenant: named, subject, ..ask(&session.id_token, "backend-worker") };
            exchange(&replica, &keyed(), &ask).await.unwrap();
            let trips = plan.calls() - before;
            assert!((1..=2).contains(&trips), "{trips} for {} roles, {ask:?}", roles.len());
        }
    }
}

/// Attacks, row A3: access and worker tokens are no subject tokens.
#[tokio::test]
async fn a3_an_access_token_is_no_id_token() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let access = run(&fixture, &ask(&session.id_token, "backend-worker")).await.unwrap();
    let again = ask(&access.token, "backend-worker");
    assert_eq!(refusal(&fixture, &again).await, Code::InvalidIdToken);
    let refresh = session.refresh_token.unwrap();
    assert_eq!(refusal(&fixture, &ask(&refresh, "backend-worker")).await, Code::InvalidIdToken);
}

#[tokio::test]
async fn a_token_for_tikti_administers_its_own_tenant_only() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    fixture.tenant("root@corp.sys", "beta").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let mut ask = ask(&session.id_token, "tikti");
    ask.tenant = tenant("acme");
    ask.scopes = Some(ScopeSet::parse("tenants:read").unwrap());
    let issued = run(&fixture, &ask).await.unwrap();
    let caller = bearing(&issued.token);
    let reference = TenantRef::parse("acme").unwrap();
    assert_eq!(get_tenant(&fixture.domain, &caller, &reference).await.unwrap(), acme);
    let other = TenantRef::parse("beta").unwrap();
    let refused = get_tenant(&fixture.domain, &caller, &other).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);
    ask.scopes = Some(ScopeSet::parse("roles:read").unwrap());
    let issued = run(&fixture, &ask).await.unwrap();
    let caller = bearing(&issued.token);
    let refused = get_tenant(&fixture.domain, &caller, &reference).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_token_that_would_be_too_large_is_the_asker_s_to_make_smaller() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let mut ask = ask(&session.id_token, "codeq-worker");
    let many = (0..2000).map(|number| format!("event-{number}").try_into().unwrap());
    ask.event_types = Some(many.collect());
    assert_eq!(refusal(&fixture, &ask).await, Code::InvalidArgument);
}

/// A tenant's key exchanges tokens of its tenant only, into its tenant only.
#[tokio::test]
async fn a_tenant_s_key_stays_in_its_tenant() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let beta = fixture.tenant("root@corp.sys", "beta").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let own = |key: &mut ApiKey| key.tenant_id = Some(acme.id.clone());
    let own = fixture.api_key("acme", &[KeyScope::Exchange], own).await;
    let foreign = |key: &mut ApiKey| key.tenant_id = Some(beta.id.clone());
    let foreign = fixture.api_key("beta", &[KeyScope::Exchange], foreign).await;
    let plain = ask(&session.id_token, "backend-worker");
    let elsewhere = Exchange { tenant: tenant("beta"), ..plain.clone() };
    for (key, ask, expected) in [
        (&own, &plain, None),
        (&own, &elsewhere, Some(Code::ApiKeyForbidden)),
        (&foreign, &plain, Some(Code::ApiKeyForbidden)),
        (&foreign, &elsewhere, Some(Code::ApiKeyForbidden)),
    ] {
        let caller = Caller { api_key: Some(key.clone()), ..Caller::default() };
        let code = exchange(&fixture.domain, &caller, ask).await.err().map(|error| error.code());
        assert_eq!(code, expected);
    }
}

/// Attacks, row A4: a registered worker bounds the token, and only who may act for it gets one.
#[tokio::test]
async fn a4_a_registered_worker_bounds_the_token() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["JOBS_OPERATOR"]).await;
    let worker = Worker {
        id: worker_id("worker-01"),
        clients: [ClientId::parse("backend-worker").unwrap()].into(),
        scopes: ScopeSet::parse("jobs:read codeq:claim").unwrap(),
        event_types: [].into(),
        mintable_by: [].into(),
        custom_tokens: false,
        credentials: Credentials::default(),
        status: WorkerStatus::Active,
        wver: 7,
        created_at: fixture.now(),
    };
    fixture.put_worker(&acme.id, &worker).await;
    let by = |email: &'static str| {
        let fixture = &fixture;
        async move {
            let session = fixture.sign_in(email).await;
            let mut ask = ask(&session.id_token, "backend-worker");
            ask.subject = Some("worker-01".to_owned());
            ask
        }
    };
    let ask = by("root@corp.sys").await;
    let issued = run(&fixture, &ask).await.unwrap();
    let claims = verified(&fixture, &issued, "backend-worker");
    assert_eq!((claims.scope.as_str(), claims.wver), ("jobs:read", Some(7)));
    assert!(claims.act.is_some());
    assert_eq!(refusal(&fixture, &by("ann@example.org").await).await, Code::SubjectNotPermitted);
}

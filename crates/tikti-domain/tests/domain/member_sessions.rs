//! Sessions of members: an administrator of a tenant sees and ends those of his tenant, and no other.

use tikti_domain::account::{
    Lookup, Refresh, SignIn, SignInCall, SignedIn, lookup, refresh, sign_in,
};
use tikti_domain::audit::{Action, AuditQuery, list_events};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{TenantRef, UserId};
use tikti_domain::page::PageRequest;
use tikti_domain::tenancy::{
    end_member_sessions, get_tenant, list_member_sessions, list_members, remove_member,
    revoke_member,
};
use tikti_domain::testing::{FaultPlan, Fixture, PASSWORD, bearing, keyed};
use tikti_domain::user::{GlobalRole, User};
use tikti_domain::{Caller, Domain};

const ROOT: &str = "root@corp.sys";
const ANN: &str = "ann@example.org";

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn code<T>(outcome: Result<T, Error>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

/// Two tenants, `acme` and `other`, of both of which Ann is a member.
struct World {
    fixture: Fixture,
    ann: User,
    root: Caller,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin(ROOT).await;
        let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        for slug in ["acme", "other"] {
            let tenant = fixture.tenant(ROOT, slug).await;
            fixture.member(&tenant.id, &ann, &["TENANT_USER"]).await;
        }
        let root = bearing(&fixture.sign_in(ROOT).await.id_token);
        Self { fixture, ann, root }
    }

    /// A member of `tenant` with these roles, as a caller.
    async fn member(&self, tenant: &str, email: &str, role: &str) -> Caller {
        let user = self.fixture.user(email, GlobalRole::CompanyEmployee).await;
        let tenant = TenantRef::parse(tenant).unwrap();
        let domain = &self.fixture.domain;
        let tenant = get_tenant(domain, &self.root, &tenant).await.unwrap();
        self.fixture.member(&tenant.id, &user, &[role]).await;
        bearing(&self.fixture.sign_in(email).await.id_token)
    }

    /// Ann signs in, in this tenant.
    async fn ann_in(&self, tenant: &str) -> SignedIn {
        let ask = SignIn {
            call: SignInCall::Open,
            email: Email::parse(ANN).unwrap(),
            password: PASSWORD.to_owned().into(),
            tenant: Some(TenantRef::parse(tenant).unwrap()),
            client: None,
            return_secure_token: true,
        };
        sign_in(&self.fixture.domain, &Caller::default(), &ask).await.unwrap()
    }

    async fn listed(&self, caller: &Caller, tenant: &str) -> Result<Vec<String>, Code> {
        let tenant = TenantRef::parse(tenant).unwrap();
        let (mut token, mut found) = (None, Vec::new());
        loop {
            let ask = PageRequest::new(Some(1), token).unwrap();
            let asked = (&tenant, &self.ann.id, &ask);
            let page = list_member_sessions(&self.fixture.domain, caller, asked).await;
            let page = page.map_err(|error| error.code())?;
            let tenants = page.items.iter().map(|session| session.tenant_id.as_ref().unwrap());
            found.extend(tenants.map(ToString::to_string));
            token = page.next;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn end(&self, caller: &Caller, tenant: &str) -> Option<Code> {
        let tenant = TenantRef::parse(tenant).unwrap();
        code(end_member_sessions(&self.fixture.domain, caller, (&tenant, &self.ann.id)).await)
    }

    /// The details of the events of this kind in the tenant's chain.
    async fn events(&self, tenant: &str) -> Vec<serde_json::Value> {
        let query = AuditQuery {
            from: None,
            to: None,
            action: Some(Action::SessionsEnd),
            actor: None,
            page: PageRequest::new(None, None).unwrap(),
        };
        let tenant = TenantRef::parse(tenant).unwrap();
        let page = list_events(&self.fixture.domain, &self.root, (&tenant, &query)).await.unwrap();
        page.items.iter().map(|link| serde_json::from_str(&link.event).unwrap()).collect()
    }
}

async fn is_alive(domain: &Domain, session: &SignedIn) -> bool {
    let ask = Lookup { id_token: session.id_token.clone(), memberships: false };
    let looked_up = code(lookup(domain, &keyed(), &ask).await);
    let ask = Refresh { token: session.refresh_token.clone().unwrap(), tenant: None };
    let refreshed = code(refresh(domain, &ask).await);
    let is_dead =
        (looked_up, refreshed) == (Some(Code::TokenRevoked), Some(Code::InvalidRefreshToken));
    assert!(is_dead || (looked_up, refreshed) == (None, None), "{looked_up:?} {refreshed:?}");
    !is_dead
}

#[tokio::test]
async fn t7_an_administrator_sees_and_ends_the_sessions_of_his_tenant_alone() {
    let world = World::new().await;
    let bob = world.member("acme", "bob@example.org", "TENANT_ADMIN").await;
    let mut ours = vec![world.ann_in("acme").await];
    let theirs = world.ann_in("other").await;
    ours.push(world.ann_in("acme").await);
    let acme = ours[0].tenant_id.as_ref().unwrap().to_string();
    let other = theirs.tenant_id.as_ref().unwrap().to_string();
    // So does an administrator of the deployment: the path names the tenant.
    for caller in [&bob, &world.root] {
        assert_eq!(world.listed(caller, "acme").await.unwrap(), [acme.clone(), acme.clone()]);
    }
    assert_eq!(world.listed(&world.root, "other").await.unwrap(), [other]);
    assert_eq!(world.listed(&bob, "other").await, Err(Code::TenantNotFound));
    assert_eq!(world.end(&bob, "other").await, Some(Code::TenantNotFound));

    assert_eq!(world.end(&bob, "acme").await, None);
    // At every replica, at once.
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let replica = world.fixture.replica(7, &plan).await;
    for domain in [&world.fixture.domain, &replica] {
        for session in &ours {
            assert!(!is_alive(domain, session).await);
        }
    }
    assert!(is_alive(&world.fixture.domain, &theirs).await);
    assert_eq!(world.listed(&bob, "acme").await, Ok(vec![]));
    assert_eq!(world.listed(&world.root, "other").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_end_of_sessions_is_told_once_in_the_tenants_chain() {
    let world = World::new().await;
    let bob = world.member("acme", "bob@example.org", "TENANT_ADMIN").await;
    // Of none there is nothing to tell.
    assert_eq!(world.end(&bob, "acme").await, None);
    assert!(world.events("acme").await.is_empty());
    let (_first, _second) = (world.ann_in("acme").await, world.ann_in("acme").await);
    assert_eq!(world.end(&bob, "acme").await, None);
    assert_eq!(world.end(&bob, "acme").await, None);
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["target"], world.ann.id.as_str());
    assert_eq!(events[0]["details"], serde_json::json!({"sessions": "2"}));
    assert!(world.events("other").await.is_empty());
}

#[tokio::test]
async fn t7_who_is_no_member_is_answered_as_if_there_were_nobody() {
    let world = World::new().await;
    let bob = world.member("acme", "bob@example.org", "TENANT_ADMIN").await;
    let elsewhere = world.fixture.user("eve@example.org", GlobalRole::CompanyEmployee).await;
    let domain = &world.fixture.domain;
    let nobody = UserId::parse("nobody").unwrap();
    let mut calls = Vec::new();
    for (seed, id) in [(3, &elsewhere.id), (4, &nobody)] {
        let plan = FaultPlan::crash_after(u64::MAX - 1);
        let replica = world.fixture.replica(seed, &plan).await;
        let ask = PageRequest::new(None, None).unwrap();
        let listed = list_member_sessions(&replica, &bob, (&acme(), id, &ask)).await;
        assert_eq!(code(listed), Some(Code::UserNotFound));
        let ended = end_member_sessions(&replica, &bob, (&acme(), id)).await;
        assert_eq!(code(ended), Some(Code::UserNotFound));
        calls.push(plan.calls());
    }
    assert_eq!(calls[0], calls[1], "as many reads");
    // Whoever was removed is none any more, and keeps what he has elsewhere.
    let session = world.ann_in("other").await;
    let acme = world.ann_in("acme").await.tenant_id.unwrap();
    remove_member(domain, &acme, &world.ann.id, world.fixture.now()).await.unwrap();
    assert_eq!(world.end(&bob, "acme").await, Some(Code::UserNotFound));
    assert!(is_alive(domain, &session).await);
}

#[tokio::test]
async fn each_needs_its_own_scope_held_now() {
    let world = World::new().await;
    let clerk = world.member("acme", "clerk@example.org", "TENANT_USER").await;
    assert_eq!(world.listed(&clerk, "acme").await, Err(Code::PermissionDenied));
    assert_eq!(world.end(&clerk, "acme").await, Some(Code::PermissionDenied));
    let bob = world.member("acme", "bob@example.org", "TENANT_ADMIN").await;
    let ask = PageRequest::new(None, None).unwrap();
    let bobs = list_members(&world.fixture.domain, &world.root, (&acme(), &ask)).await;
    let is_bob = |email: &Email| email.as_str() == "bob@example.org";
    let mut bobs = bobs.unwrap().items.into_iter();
    let bobs = bobs.find(|member| member.email.as_ref().is_some_and(is_bob)).unwrap();
    world.fixture.clock.advance(1);
    let user = &bobs.membership.user_id;
    revoke_member(&world.fixture.domain, &world.root, (&acme(), user)).await.unwrap();
    assert_eq!(world.end(&bob, "acme").await, Some(Code::Unauthenticated));
}

#[tokio::test]
async fn a_page_token_is_good_for_this_list_of_this_tenant_alone() {
    let world = World::new().await;
    for _ in 0..2 {
        world.ann_in("acme").await;
        world.ann_in("other").await;
    }
    let domain = &world.fixture.domain;
    let ask = PageRequest::new(Some(1), None).unwrap();
    let page = list_member_sessions(domain, &world.root, (&acme(), &world.ann.id, &ask)).await;
    let ask = PageRequest::new(Some(1), page.unwrap().next).unwrap();
    let other = TenantRef::parse("other").unwrap();
    let refused = list_member_sessions(domain, &world.root, (&other, &world.ann.id, &ask)).await;
    assert_eq!(code(refused), Some(Code::InvalidArgument));
    let own = bearing(&world.ann_in("acme").await.id_token);
    let refused = tikti_domain::account::list_sessions(domain, &own, &ask).await;
    assert_eq!(code(refused), Some(Code::InvalidArgument));
}

//! Two operations on one tenant, call by call in an order that a seed decides: a role is deleted while an
//! exchange by it runs, a tenant while its administrator makes a client. Nothing is left that belongs to
//! nobody, and what began after the other had ended sees it.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use secrecy::SecretString;
use tikti_domain::error::{Code, Error};
use tikti_domain::etag::Precondition;
use tikti_domain::id::{ClientId, RoleName, Slug, TenantId, TenantRef};
use tikti_domain::integrity::verify;
use tikti_domain::random::Random;
use tikti_domain::scope::ScopeSet;
use tikti_domain::tenancy::{
    CreateTenant, PutRole, add_member, create_client, create_role, create_tenant, delete_role,
    delete_tenant, get_tenant,
};
use tikti_domain::testing::{FaultPlan, Fixture, bearing, keyed, redis_is_chosen};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::{GlobalRole, User};
use tikti_domain::{Caller, Domain};

use crate::clients::{acme, new};

/// How often two operations are run against one another.
fn runs() -> u64 {
    // What is tried in full on the embedded engine is not about the engine.
    if redis_is_chosen() { 334 } else { 1000 }
}

/// How two operations ended.
struct Ended<A, B> {
    first: A,
    second: B,
    /// The second one had ended before the first began.
    was_late: bool,
}

/// Runs two futures, each until it waits, in an order that the seed decides. In some orders both go evenly,
/// in others one of them is far ahead.
async fn interleaved<A: Future, B: Future>(
    seed: u64,
    first: A,
    second: B,
) -> Ended<A::Output, B::Output> {
    let dice = Random::seeded(seed);
    let throw = || dice.bytes::<1>().unwrap()[0];
    let share = throw();
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut first_output, mut second_output) = (None, None);
    let (mut has_begun, mut was_late) = (false, false);
    poll_fn(|context| {
        if second_output.is_some() || (first_output.is_none() && throw() < share) {
            was_late |= !has_begun && second_output.is_some();
            has_begun = true;
            if let Poll::Ready(output) = first.as_mut().poll(context) {
                first_output = Some(output);
            }
        } else if let Poll::Ready(output) = second.as_mut().poll(context) {
            second_output = Some(output);
        }
        if first_output.is_some() && second_output.is_some() {
            return Poll::Ready(());
        }
        // It may be the other one's turn, whom nobody wakes.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    Ended { first: first_output.unwrap(), second: second_output.unwrap(), was_late }
}

struct World {
    fixture: Fixture,
    /// Waits before every call of the store.
    replica: Domain,
    root: Caller,
    ann: User,
    ann_token: SecretString,
}

fn clerk() -> RoleName {
    RoleName::parse("CLERK").unwrap()
}

fn ask_for_bills(id_token: &SecretString) -> Exchange {
    Exchange {
        id_token: id_token.clone(),
        audience: ClientId::parse("bills").unwrap(),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: Some(acme()),
        tenant_header: None,
    }
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let replica = fixture.replica(2, &FaultPlan::wait_before_each()).await;
        let tenant = fixture.tenant("root@corp.sys", "acme").await;
        let ann = fixture.user("ann@corp.sys", GlobalRole::CompanyEmployee).await;
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let world = Self {
            ann_token: fixture.sign_in("ann@corp.sys").await.id_token,
            fixture,
            replica,
            root,
            ann,
        };
        world.make_role().await;
        world.fixture.member(&tenant.id, &world.ann, &["CLERK"]).await;
        let ask = new("bills", "bills:read");
        let domain = &world.fixture.domain;
        Box::pin(create_client(domain, &world.root, (&acme(), &ask))).await.unwrap();
        world
    }

    async fn make_role(&self) {
        let ask = PutRole {
            name: clerk(),
            permissions: ScopeSet::parse("bills:read").unwrap(),
            precondition: Precondition::None,
        };
        create_role(&self.fixture.domain, &self.root, &acme(), &ask).await.unwrap();
    }

    /// A role is deleted while somebody exchanges by it; says whether he still got a token.
    async fn drop_role(&self, seed: u64) -> bool {
        let (caller, ask, name, tenant) =
            (keyed(), ask_for_bills(&self.ann_token), clerk(), acme());
        let ended = interleaved(
            seed,
            Box::pin(exchange(&self.replica, &caller, &ask)),
            Box::pin(delete_role(&self.replica, &self.root, (&tenant, &name))),
        )
        .await;
        ended.second.unwrap();
        let got = is_ok(ended.first, &[Code::ScopeNotPermitted], seed);
        assert!(!(got && ended.was_late), "run {seed}: a token by a role that was gone");
        let later = exchange(&self.fixture.domain, &caller, &ask).await;
        assert!(!is_ok(later, &[Code::ScopeNotPermitted], seed), "run {seed}");
        self.make_role().await;
        got
    }

    /// A tenant is deleted while its administrator makes a client; says whether that was made.
    async fn drop_tenant(&self, seed: u64) -> bool {
        let (domain, now) = (&self.fixture.domain, self.fixture.now());
        let id = TenantId::parse(&format!("dropped-{seed}")).unwrap();
        let slug = Slug::parse(&format!("slug-{seed}")).unwrap();
        let ask = CreateTenant { slug, name: None, id: Some(id.clone()) };
        Box::pin(create_tenant(domain, &self.root, &ask)).await.unwrap();
        let roles = [RoleName::parse("TENANT_ADMIN").unwrap()].into();
        add_member(domain, &id, &self.ann.id, roles, now).await.unwrap();

        let (caller, tenant) = (bearing(&self.ann_token), TenantRef::from(&id));
        let ask = new("bills", "bills:read");
        let ended = interleaved(
            seed,
            Box::pin(create_client(&self.replica, &caller, (&tenant, &ask))),
            Box::pin(delete_tenant(&self.replica, &id, now)),
        )
        .await;
        ended.second.unwrap();
        let gone = [Code::TenantNotFound, Code::TenantDisabled];
        let made = is_ok(ended.first, &gone, seed);
        assert!(!(made && ended.was_late), "run {seed}: a client of a tenant that was gone");
        let found = get_tenant(domain, &self.root, &tenant).await;
        assert!(!is_ok(found, &gone[..1], seed), "run {seed}");
        made
    }

    /// Every key that names a tenant which was dropped.
    async fn left_behind(&self) -> BTreeSet<String> {
        let mut left = BTreeSet::new();
        let mut walk = self.fixture.store().walk(self.fixture.now()).await.unwrap();
        while let Some(page) = walk.next().await.unwrap() {
            for (key, _) in page.records {
                let key = String::from_utf8(key.as_bytes().to_vec()).unwrap();
                left.extend(key.contains("dropped-").then_some(key));
            }
        }
        left
    }
}

/// Fails for what is neither done nor one of these refusals.
fn is_ok<T>(outcome: Result<T, Error>, refusals: &[Code], seed: u64) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => {
            assert!(refusals.contains(&error.code()), "run {seed}: {error:?}");
            false
        }
    }
}

#[tokio::test]
async fn whoever_goes_first_nothing_of_a_deleted_role_or_tenant_is_left() {
    let world = Box::pin(World::new()).await;
    let (mut exchanged, mut made, mut dropped) = ([0, 0], [0, 0], BTreeSet::new());
    for seed in 0..runs() {
        if seed % 2 == 0 {
            exchanged[usize::from(Box::pin(world.drop_role(seed)).await)] += 1;
        } else {
            made[usize::from(Box::pin(world.drop_tenant(seed)).await)] += 1;
            dropped.insert(format!("dropped-{seed}"));
        }
    }
    println!("refused and done: exchanges {exchanged:?}, clients {made:?}");
    // Otherwise the orders were no different orders.
    assert!(exchanged.iter().chain(&made).all(|count| *count > 0), "{exchanged:?} {made:?}");
    for key in world.left_behind().await {
        let is_kept = dropped.iter().any(|id| {
            key == format!("t:{id}/tenant/")
                || key == format!("s:{id}/claim/")
                || key.starts_with(&format!("a:{id}/"))
        });
        assert!(is_kept, "{key} is of nobody");
    }
    let (store, now) = (world.fixture.store(), world.fixture.now());
    let report = verify(store, now, &mut |_| ()).await.unwrap();
    assert_eq!((report.findings, report.pending), (Vec::new(), 0));
}

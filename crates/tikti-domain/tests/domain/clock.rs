//! A clock that jumps back, by an hour, a day, and to 1970: nothing that was stored is lost, what is done
//! meanwhile succeeds, and everything fits together afterwards.

use std::collections::BTreeSet;

use secrecy::SecretString;
use tikti_domain::account::{Lookup, SignedIn, delete_user, lookup};
use tikti_domain::clock::Timestamp;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::integrity::{IntegrityReport, verify};
use tikti_domain::page::PageRequest;
use tikti_domain::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, Swept, sweep};
use tikti_domain::tenancy::{delete_tenant, get_tenant, list_tenants};
use tikti_domain::tenant::Tenant;
use tikti_domain::testing::{FaultPlan, Fixture, PASSWORD, START, bearing, keyed};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::{GlobalRole, User};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Where the clock jumps to.
fn jumps() -> [Timestamp; 3] {
    let start = START.as_millis();
    [start - HOUR, start - DAY, 0].map(Timestamp::from_millis)
}

/// A deployment with an administrator, a tenant and a member, whose sessions are an instant old.
struct World {
    fixture: Fixture,
    acme: Tenant,
    ann: User,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await;
        let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
        fixture.member(&acme.id, &ann, &["JOBS_OPERATOR"]).await;
        Self { fixture, acme, ann }
    }

    async fn look_up(&self, token: &SecretString) -> Option<Code> {
        let ask = Lookup { id_token: token.clone(), memberships: true };
        lookup(&self.fixture.domain, &keyed(), &ask).await.err().map(|error: Error| error.code())
    }

    async fn exchanged(&self, token: &SecretString) -> Option<Code> {
        let ask = Exchange {
            id_token: token.clone(),
            audience: ClientId::parse("backend-worker").unwrap(),
            scopes: None,
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: None,
            tenant_header: None,
        };
        exchange(&self.fixture.domain, &keyed(), &ask).await.err().map(|error| error.code())
    }

    /// What both say of a token.
    async fn judged(&self, session: &SignedIn) -> (Option<Code>, Option<Code>) {
        (self.look_up(&session.id_token).await, self.exchanged(&session.id_token).await)
    }

    async fn sign_in(&self) -> SignedIn {
        self.fixture.sign_in("ann@example.org").await
    }

    async fn create_tenant(&self, slug: &str) -> Tenant {
        self.fixture.tenant("root@corp.sys", slug).await
    }

    async fn verify(&self) -> IntegrityReport {
        verify(self.fixture.store(), self.fixture.now(), &mut |_| ()).await.unwrap()
    }

    async fn assert_clean(&self, when: Timestamp) {
        let report = self.verify().await;
        assert_eq!((report.findings, report.pending), (Vec::new(), 0), "{when:?}");
    }

    /// Sweeps until there is nothing more to do.
    async fn sweep(&self) -> Swept {
        let (mut cursor, mut total) = (SweepCursor::default(), Swept::default());
        loop {
            let swept = sweep(&self.fixture.domain, &mut cursor, self.fixture.now()).await.unwrap();
            total.finished += swept.finished;
            total.failed += swept.failed;
            total.reclaimed += swept.reclaimed;
            if !swept.more {
                return total;
            }
        }
    }

    /// Two deletions whose processes die after their intents.
    async fn die(&self, seed: u64, tenant: &Tenant, user: &User) {
        let now = self.fixture.now();
        let replica = self.fixture.replica(seed, &FaultPlan::crash_after(2)).await;
        delete_tenant(&replica, &tenant.id, now).await.unwrap_err();
        // Where he administers a tenant is looked at first, which takes two calls.
        let replica = self.fixture.replica(seed + 1, &FaultPlan::crash_after(4)).await;
        delete_user(&replica, &user.id, now).await.unwrap_err();
    }
}

#[tokio::test]
async fn what_was_stored_is_there_and_tokens_of_the_future_are_refused_until_it_returns() {
    for back in jumps() {
        let world = World::new().await;
        let before = world.sign_in().await;
        assert_eq!(world.judged(&before).await, (None, None));
        world.fixture.clock.set(back);
        // `iat` is beyond the skew.
        let refused = (Some(Code::InvalidIdToken), Some(Code::InvalidIdToken));
        assert_eq!(world.judged(&before).await, refused, "{back:?}");
        let meanwhile = world.sign_in().await;
        assert_eq!(world.judged(&meanwhile).await, (None, None), "{back:?}");
        world.assert_clean(back).await;
        world.fixture.clock.set(START);
        assert_eq!(world.judged(&before).await, (None, None), "{back:?}");
        assert_eq!(world.judged(&world.sign_in().await).await, (None, None), "{back:?}");
        world.assert_clean(back).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_back_by_less_than_the_skew_refuses_nothing() {
    let world = World::new().await;
    let before = world.sign_in().await;
    world.fixture.clock.set(Timestamp::from_millis(START.as_millis() - 60_000));
    assert_eq!(world.judged(&before).await, (None, None));
}

#[tokio::test]
async fn what_is_made_while_it_is_back_is_there_when_it_returns() {
    for back in jumps() {
        let world = World::new().await;
        world.fixture.clock.set(back);
        let made = world.create_tenant("made").await;
        let ben = world.fixture.user("ben@example.org", GlobalRole::CompanyEmployee).await;
        world.fixture.member(&made.id, &ben, &["JOBS_OPERATOR"]).await;
        let session = world.fixture.sign_in("ben@example.org").await;
        assert_eq!(world.judged(&session).await, (None, None), "{back:?}");
        let gone = world.create_tenant("gone").await;
        delete_tenant(&world.fixture.domain, &gone.id, back).await.unwrap();
        world.assert_clean(back).await;

        world.fixture.clock.set(START);
        world.assert_clean(back).await;
        let root = bearing(&world.fixture.sign_in("root@corp.sys").await.id_token);
        for name in ["made", made.id.as_str()] {
            let name = TenantRef::parse(name).unwrap();
            assert_eq!(get_tenant(&world.fixture.domain, &root, &name).await.unwrap(), made);
        }
        let page = PageRequest::new(None, None).unwrap();
        let listed = list_tenants(&world.fixture.domain, &root, &page).await.unwrap().items;
        let listed: BTreeSet<_> = listed.into_iter().map(|tenant| tenant.id).collect();
        assert_eq!(listed, [world.acme.id.clone(), made.id.clone()].into());
        // An idToken lives for an hour of its own time.
        let expired = (START.as_millis() - back.as_millis() > HOUR).then_some(Code::TokenExpired);
        assert_eq!(world.judged(&session).await, (expired, expired), "{back:?}");
        let again = world.fixture.sign_in("ben@example.org").await;
        assert_eq!(world.judged(&again).await, (None, None), "{back:?}");
    }
}

#[tokio::test]
async fn a_sweep_with_a_clock_that_is_back_takes_nothing_and_does_its_work_later() {
    for back in jumps() {
        let world = World::new().await;
        let session = world.sign_in().await;
        let (one, two) = (world.create_tenant("one").await, world.create_tenant("two").await);
        let ben = world.fixture.user("ben@example.org", GlobalRole::CompanyEmployee).await;
        let eve = world.fixture.user("eve@example.org", GlobalRole::CompanyEmployee).await;
        world.die(11, &one, &ben).await;

        world.fixture.clock.set(back);
        assert_eq!(world.sweep().await, Swept::default(), "{back:?}");
        let report = world.verify().await;
        assert_eq!((report.findings, report.pending), (Vec::new(), 2), "{back:?}");
        // What begins while it is back is finished when it is a minute old, and nothing else is.
        world.die(21, &two, &eve).await;
        world.fixture.clock.advance(SWEEP_AFTER_MILLIS);
        let swept = world.sweep().await;
        assert_eq!((swept.finished, swept.failed), (2, 0), "{back:?}");
        assert_eq!(world.fixture.reload(&ben).await.id, ben.id);

        world.fixture.clock.set(START.plus_millis(SWEEP_AFTER_MILLIS));
        let swept = world.sweep().await;
        assert_eq!((swept.finished, swept.failed), (2, 0), "{back:?}");
        assert_eq!(world.sweep().await.finished, 0, "{back:?}");
        world.assert_clean(back).await;
        assert_eq!(world.judged(&session).await, (None, None), "{back:?}");
        for email in ["ben@example.org", "eve@example.org"] {
            let refused = world.fixture.try_sign_in(email, PASSWORD).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidLoginCredentials);
        }
        assert_eq!(world.fixture.reload(&world.ann).await.id, world.ann.id);
    }
}

/// The same milliseconds over again: ids of users, tenants and sessions differ by what is random.
#[tokio::test]
async fn ids_that_are_made_in_the_same_millisecond_again_differ() {
    let world = World::new().await;
    let mut ids = BTreeSet::new();
    for round in 0..3 {
        world.fixture.clock.set(START);
        for number in 0..20 {
            let email = format!("user{round}-{number}@example.org");
            let user = world.fixture.user(&email, GlobalRole::CompanyEmployee).await;
            ids.insert(user.id.to_string());
            ids.insert(world.create_tenant(&format!("t{round}-{number}")).await.id.to_string());
            ids.insert(session_of(&world.sign_in().await));
            world.fixture.clock.advance(1);
        }
    }
    assert_eq!(ids.len(), 3 * 20 * 3);
    world.assert_clean(START).await;
}

fn session_of(session: &SignedIn) -> String {
    let token = secrecy::ExposeSecret::expose_secret(&session.id_token);
    let claims = tikti_token::peek(token).unwrap();
    claims.claims().get("sid").unwrap().to_string()
}

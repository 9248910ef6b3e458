//! Somebody who is active always administers a tenant, and whoever is active and administers one counts:
//! whatever happens at once, whoever dies, and whoever wakes late.

use std::pin::Pin;
use std::sync::Arc;

use secrecy::SecretString;
use tikti_store::FaultPlan;

use super::delays::run_until;
use super::world::{assert_clean, is_left_out, open_replica, sweep_all};
use crate::account::change_user::change_user;
use crate::account::delete_user;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{OperationId, RoleName, TenantId, TenantRef, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::record::Record;
use crate::sweep::SWEEP_AFTER_MILLIS;
use crate::tenancy::tenant_admins::{TenantAdmins, administers};
use crate::tenancy::{MemberName, add_member, delete_member, remove_member, update_member};
use crate::testing::{Fixture, bearing};
use crate::user::{GlobalRole, User, UserChange, UserStatus};

/// A deployment with somebody who may change everything.
struct Arena {
    fixture: Fixture,
    replica: Domain,
    root: UserId,
    cases: u32,
}

/// Two tenants, which two users administer and nobody else.
struct Things {
    /// A token of somebody who may change everything.
    root: SecretString,
    tenants: [TenantId; 2],
    ann: UserId,
    bob: UserId,
}

/// What is done to a user, in the first or the second tenant where it is about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Suspend,
    Reactivate,
    Delete,
    Add(usize),
    Remove(usize),
    Promote(usize),
    Demote(usize),
}

impl Act {
    async fn to(self, user: &UserId, things: &Things, domain: &Domain) -> Result<(), Error> {
        let (root, now) = (bearing(&things.root), domain.clock.now());
        let role = |name: &str| [RoleName::parse(name).unwrap()].into();
        let tenant = |number: usize| &things.tenants[number];
        match self {
            Self::Suspend => set(domain, user, UserStatus::Suspended).await,
            Self::Reactivate => set(domain, user, UserStatus::Active).await,
            Self::Delete => delete_user(domain, user, now).await,
            Self::Add(number) => {
                add_member(domain, tenant(number), user, role("TENANT_ADMIN"), now).await?;
                Ok(())
            }
            Self::Remove(number) => {
                let (tenant, name) =
                    (TenantRef::from(tenant(number)), MemberName::Id(user.clone()));
                delete_member(domain, &root, (&tenant, &name)).await.map(|_| ())
            }
            Self::Promote(number) | Self::Demote(number) => {
                let is_up = matches!(self, Self::Promote(_));
                let roles = role(if is_up { "TENANT_ADMIN" } else { "TENANT_USER" });
                let tenant = TenantRef::from(tenant(number));
                update_member(domain, &root, (&tenant, user, &roles)).await.map(|_| ())
            }
        }
    }

    /// Makes of a user who is active and administers both tenants one to whom this can be done.
    async fn prepare(self, user: &UserId, things: &Things, domain: &Domain) {
        let before = match self {
            Self::Reactivate => Self::Suspend,
            Self::Add(number) => Self::Remove(number),
            Self::Promote(number) => Self::Demote(number),
            Self::Suspend | Self::Delete | Self::Remove(_) | Self::Demote(_) => return,
        };
        before.to(user, things, domain).await.unwrap();
    }

    /// Whether it was done, by what a repeated call says.
    fn is_done(self, outcome: &Result<(), Error>) -> bool {
        let Err(error) = outcome else { return true };
        match self {
            Self::Delete | Self::Remove(_) => error.code() == Code::UserNotFound,
            Self::Add(_) => error.code() == Code::MemberExists,
            Self::Suspend | Self::Reactivate | Self::Promote(_) | Self::Demote(_) => false,
        }
    }
}

async fn set(domain: &Domain, user: &UserId, status: UserStatus) -> Result<(), Error> {
    let change = UserChange { status: Some(status), ..UserChange::default() };
    change_user(domain, user, &change, domain.clock.now()).await.map(|_| ())
}

impl Arena {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let root = fixture.admin("root@corp.sys").await.id;
        let replica = open_replica(&fixture, 2).await;
        Self { fixture, replica, root, cases: 0 }
    }

    async fn things(&mut self) -> Things {
        self.cases += 1;
        let (fixture, number) = (&self.fixture, self.cases);
        let mut users = Vec::new();
        for name in ["ann", "bob"] {
            let email = format!("{name}{number}@example.org");
            users.push(fixture.user(&email, GlobalRole::CompanyEmployee).await);
        }
        let mut tenants = Vec::new();
        for name in ["one", "two"] {
            let tenant = fixture.tenant("root@corp.sys", &format!("{name}-{number}")).await.id;
            for user in &users {
                fixture.member(&tenant, user, &["TENANT_ADMIN"]).await;
            }
            remove_member(&fixture.domain, &tenant, &self.root, fixture.now()).await.unwrap();
            tenants.push(tenant);
        }
        let [ann, bob] = <[User; 2]>::try_from(users).unwrap().map(|user| user.id);
        let root = fixture.sign_in("root@corp.sys").await.id_token;
        Things { root, tenants: tenants.try_into().unwrap(), ann, bob }
    }

    /// Makes the replica's store fail as planned.
    fn fail(&mut self, plan: &Arc<FaultPlan>) {
        self.replica.store = self.fixture.domain.store.with_faults(Arc::clone(plan));
    }

    /// Waits for every write that somebody has begun and not waited for.
    async fn land(&self) {
        let none = keyspace::intent(&OperationId::default());
        self.fixture.domain.store.delete(&none).await.unwrap();
    }

    /// Takes everything under way for dead.
    async fn sweep(&self, when: &str) {
        self.land().await;
        self.fixture.clock.advance(SWEEP_AFTER_MILLIS);
        assert_eq!(sweep_all(&self.fixture.domain, self.fixture.now()).await.failed, 0, "{when}");
    }

    async fn user(&self, user: &UserId) -> Option<User> {
        let key = keyspace::user(user);
        let stored = self.fixture.domain.store.get(&key, self.fixture.now()).await.unwrap();
        User::load(&key, stored.as_ref()).unwrap()
    }

    /// Whether the user is active and administers the tenant, by his own records.
    async fn administers(&self, user: &UserId, tenant: &TenantId) -> bool {
        let key = keyspace::member(tenant, user);
        let stored = self.fixture.domain.store.get(&key, self.fixture.now()).await.unwrap();
        let member = Membership::decode_optional(&key, stored.as_ref()).unwrap();
        let is_active = self.user(user).await.is_some_and(|user| user.is_active());
        is_active && member.is_some_and(|member| administers(&member.roles))
    }

    /// Fails unless each tenant has somebody who is active and administers it, everybody who does counts
    /// and nobody else, nobody is leaving, and all records fit together.
    async fn assert_sound(&self, things: &Things, when: &str) {
        let (store, now) = (&self.fixture.domain.store, self.fixture.now());
        for tenant in &things.tenants {
            let mut expected = Vec::new();
            for user in [&things.ann, &things.bob] {
                if self.administers(user, tenant).await {
                    expected.push(user.clone());
                }
            }
            assert!(!expected.is_empty(), "{when}");
            let key = keyspace::tenant_admins(tenant);
            let stored = store.get(&key, now).await.unwrap();
            let admins = TenantAdmins::decode_optional(&key, stored.as_ref()).unwrap().unwrap();
            assert_eq!(admins.user_ids, expected.into_iter().collect(), "{when}");
        }
        for user in [&things.ann, &things.bob] {
            let leaving = self.user(user).await.map(|user| user.leaving).unwrap_or_default();
            assert!(leaving.is_empty(), "{when}");
        }
        assert_clean(store, now, when).await;
    }
}

/// The ways to cease to administer the first tenant.
const ENDS: [Act; 4] = [Act::Suspend, Act::Delete, Act::Remove(0), Act::Demote(0)];

/// Ann's end waits in the middle of it while all of Bob's happens.
async fn end_each_other(first: Act, second: Act) {
    let mut arena = Arena::new().await;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        let when = format!("{first:?} at wait {stops}, {second:?}");
        let things = arena.things().await;
        let mut running: Pin<Box<_>> = Box::pin(first.to(&things.ann, &things, &arena.replica));
        let early = run_until(&mut running, stops).await;
        let is_over = early.is_some();
        arena.land().await;
        let second = second.to(&things.bob, &things, &arena.fixture.domain).await;
        let first = match early {
            Some(first) => first,
            None => running.await,
        };
        assert_ne!(first.is_ok(), second.is_ok(), "{when}: {first:?} {second:?}");
        let refused = first.and(second).unwrap_err();
        assert_eq!(refused.code(), Code::LastAdmin, "{when}");
        arena.assert_sound(&things, &when).await;
        if is_over {
            return;
        }
    }
}

#[tokio::test]
async fn of_two_who_administer_a_tenant_and_end_each_other_one_is_left_wherever_the_first_one_waits()
 {
    for first in ENDS {
        for second in ENDS {
            Box::pin(end_each_other(first, second)).await;
        }
    }
}

/// Ann leaves the first tenant and cannot leave the second one, since Bob administers it no more by then.
/// The store fails at every call, of which each wait has a third: what a call means depends on few waits.
async fn refused_half_way(end: Act) {
    let mut refused = 0;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        // A world for each: what a verification costs grows with what is stored.
        let mut arena = Arena::new().await;
        for calls in (u64::from(stops % 3)..).step_by(3) {
            let when = format!("{end:?} at wait {stops}, dead after {calls} calls");
            let things = arena.things().await;
            let plan = FaultPlan::wait_and_crash_after(calls);
            arena.fail(&plan);
            let mut running: Pin<Box<_>> = Box::pin(end.to(&things.ann, &things, &arena.replica));
            let early = run_until(&mut running, stops).await;
            let is_over = early.is_some();
            let domain = &arena.fixture.domain;
            let told = match early {
                Some(told) => told,
                None => {
                    arena.land().await;
                    let _ = Act::Demote(1).to(&things.bob, &things, domain).await;
                    running.await
                }
            };
            // She could leave by now: what she was refused must not happen any more.
            Act::Promote(1).to(&things.bob, &things, domain).await.unwrap();
            arena.sweep(&when).await;
            let is_left = arena.user(&things.ann).await.is_some_and(|ann| ann.is_active());
            match &told {
                Ok(()) => assert!(!is_left, "{when}"),
                Err(Error::Refused(refusal)) => {
                    assert_eq!(refusal.code, Code::LastAdmin, "{when}");
                    assert!(is_left, "{when}");
                    refused += 1;
                }
                // Nobody was told anything.
                Err(_) => {}
            }
            arena.assert_sound(&things, &when).await;
            if plan.calls() <= calls {
                if is_over {
                    assert!(refused > 0);
                    return;
                }
                break;
            }
        }
    }
}

#[tokio::test]
async fn who_was_told_that_he_is_the_last_of_one_of_his_tenants_stays_in_all_whatever_call_fails() {
    for end in [Act::Suspend, Act::Delete] {
        Box::pin(refused_half_way(end)).await;
    }
}

/// What makes or unmakes somebody who counts.
const ACTS: [Act; 7] = [
    Act::Suspend,
    Act::Reactivate,
    Act::Delete,
    Act::Add(1),
    Act::Remove(1),
    Act::Promote(1),
    Act::Demote(1),
];

/// The process dies at every call.
async fn dies_everywhere(act: Act) {
    for calls in (0..).filter(|calls| !is_left_out(*calls)) {
        // A world for each: what a verification costs grows with what is stored.
        let mut arena = Arena::new().await;
        let when = format!("{act:?}, dead after {calls} calls");
        let things = arena.things().await;
        act.prepare(&things.ann, &things, &arena.fixture.domain).await;
        let plan = FaultPlan::crash_after(calls);
        arena.fail(&plan);
        let told = act.to(&things.ann, &things, &arena.replica).await;
        arena.sweep(&when).await;
        arena.assert_sound(&things, &when).await;
        let again = act.to(&things.ann, &things, &arena.fixture.domain).await;
        assert!(act.is_done(&again), "{when}: {again:?}");
        arena.assert_sound(&things, &when).await;
        if plan.calls() <= calls {
            told.unwrap();
            return;
        }
    }
}

/// The process sleeps through a sweep at every wait.
async fn sleeps_everywhere(act: Act) {
    let mut arena = Arena::new().await;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        let when = format!("{act:?} slept at wait {stops}");
        let things = arena.things().await;
        act.prepare(&things.ann, &things, &arena.fixture.domain).await;
        let mut running: Pin<Box<_>> = Box::pin(act.to(&things.ann, &things, &arena.replica));
        if run_until(&mut running, stops).await.is_some() {
            return;
        }
        arena.sweep(&when).await;
        arena.assert_sound(&things, &when).await;
        match running.await {
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => panic!("{when}: {error:?}"),
        }
        arena.assert_sound(&things, &when).await;
    }
}

#[tokio::test]
async fn who_administers_a_tenant_counts_after_a_sweep_wherever_a_process_died() {
    for act in ACTS {
        Box::pin(dies_everywhere(act)).await;
    }
}

#[tokio::test]
async fn who_administers_a_tenant_counts_wherever_a_process_slept_through_a_sweep() {
    for act in ACTS {
        Box::pin(sleeps_everywhere(act)).await;
    }
}

/// One waits in the middle of what it does to Ann, the other happens to her from beginning to end.
async fn meet(first: Act, second: Act, is_swept: bool) {
    let mut arena = Arena::new().await;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        let when = format!("{first:?} at wait {stops}, {second:?}, swept: {is_swept}");
        let things = arena.things().await;
        let mut acts = vec![first];
        acts.extend((second != first).then_some(second));
        for act in acts {
            act.prepare(&things.ann, &things, &arena.fixture.domain).await;
        }
        let mut running: Pin<Box<_>> = Box::pin(first.to(&things.ann, &things, &arena.replica));
        if run_until(&mut running, stops).await.is_some() {
            return;
        }
        arena.land().await;
        if is_swept {
            arena.sweep(&when).await;
        }
        let second = second.to(&things.ann, &things, &arena.fixture.domain).await;
        for outcome in [second, running.await] {
            assert!(matches!(outcome, Ok(()) | Err(Error::Refused(_))), "{when}: {outcome:?}");
        }
        arena.assert_sound(&things, &when).await;
    }
}

async fn meet_all(is_swept: bool) {
    let all = [Act::Suspend, Act::Reactivate, Act::Delete, Act::Add(0), Act::Promote(1)];
    for first in all {
        for second in all {
            Box::pin(meet(first, second, is_swept)).await;
        }
    }
}

#[tokio::test]
async fn two_who_change_whether_somebody_counts_fit_together_wherever_the_first_one_waits() {
    meet_all(false).await;
}

#[tokio::test]
async fn who_changed_whether_somebody_counts_and_was_taken_for_dead_wakes_and_all_fits_together() {
    meet_all(true).await;
}

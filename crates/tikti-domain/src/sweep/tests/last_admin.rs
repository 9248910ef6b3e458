//! The last administrator is told no, and whatever fails then, stays.

use std::sync::Arc;

use tikti_store::FaultPlan;

use super::delays::run_until;
use super::world::{assert_clean, is_left_out, open_replica, sweep_all};
use crate::account::change_user::change_user;
use crate::account::delete_user;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{OperationId, UserId};
use crate::intent::{Intent, Work};
use crate::keyspace;
use crate::record::Record;
use crate::sweep::{SWEEP_AFTER_MILLIS, finish};
use crate::testing::Fixture;
use crate::user::{GlobalRole, User, UserChange, UserStatus};

/// Two administrators.
async fn two(fixture: &Fixture) -> (UserId, UserId) {
    (fixture.admin("root@corp.sys").await.id, fixture.admin("other@corp.sys").await.id)
}

/// Waits for every write that somebody has begun and not waited for.
async fn land(fixture: &Fixture) {
    fixture.domain.store.delete(&keyspace::intent(&OperationId::default())).await.unwrap();
}

async fn lives(fixture: &Fixture, user: &UserId) -> bool {
    let key = keyspace::user(user);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
    User::load(&key, stored.as_ref()).unwrap().is_some()
}

/// Appoints another administrator, takes everything under way for dead, and fails if the user who was
/// told no is gone, or the one who was told yes is not.
async fn settles(fixture: &Fixture, user: &UserId, told: &Result<(), Error>, when: &str) {
    fixture.admin(&format!("next-to-{user}@corp.sys")).await;
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    assert_eq!(sweep_all(&fixture.domain, fixture.now()).await.failed, 0, "{when}");
    match told {
        Ok(()) => assert!(!lives(fixture, user).await, "{when}"),
        Err(Error::Refused(refusal)) => match refusal.code {
            Code::LastAdmin => assert!(lives(fixture, user).await, "{when}"),
            // The sweep was quicker.
            Code::UserNotFound => assert!(!lives(fixture, user).await, "{when}"),
            code => panic!("{when}: {code:?}"),
        },
        // Nobody was told anything.
        Err(_) => {}
    }
    assert_clean(&fixture.domain.store, fixture.now(), when).await;
}

#[tokio::test]
async fn a_deletion_that_was_refused_never_happens_whatever_call_fails() {
    for calls in (0..).filter(|calls| !is_left_out(*calls)) {
        let fixture = Fixture::new().await;
        let root = fixture.admin("root@corp.sys").await;
        let mut replica = open_replica(&fixture, 2).await;
        let plan = FaultPlan::crash_after(calls);
        replica.store = replica.store.with_faults(Arc::clone(&plan));
        let told = delete_user(&replica, &root.id, fixture.now()).await;
        settles(&fixture, &root.id, &told, &format!("after {calls} calls")).await;
        if plan.calls() <= calls {
            assert_eq!(told.unwrap_err().code(), Code::LastAdmin);
            return;
        }
    }
}

/// The other administrator goes while the deletion is under way, and the store fails at every call.
#[tokio::test]
async fn a_deletion_that_is_refused_half_way_never_happens_whatever_call_fails() {
    let mut refused = 0;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        for calls in (0..).filter(|calls| !is_left_out(*calls)) {
            let when = format!("at wait {stops}, dead after {calls} calls");
            let fixture = Fixture::new().await;
            let (root, other) = two(&fixture).await;
            let mut replica = open_replica(&fixture, 2).await;
            let plan = FaultPlan::wait_and_crash_after(calls);
            replica.store = replica.store.with_faults(Arc::clone(&plan));
            let mut running = Box::pin(delete_user(&replica, &root, fixture.now()));
            let early = run_until(&mut running, stops).await;
            let is_over = early.is_some();
            let told = match early {
                Some(told) => told,
                None => {
                    land(&fixture).await;
                    let _ = delete_user(&fixture.domain, &other, fixture.now()).await;
                    running.await
                }
            };
            settles(&fixture, &root, &told, &when).await;
            refused += u32::from(told.is_err_and(|error| error.code() == Code::LastAdmin));
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

/// What is under way.
async fn under_way(fixture: &Fixture) -> Vec<(OperationId, Work)> {
    let mut found = Vec::new();
    for shard in 0..keyspace::INTENT_SHARDS {
        let shard = keyspace::of_intents(shard);
        let store = &fixture.domain.store;
        let page = store.scan(&shard, keyspace::INTENT, None, 100, fixture.now()).await.unwrap();
        for (id, stored) in page.entries {
            let operation = OperationId::parse(std::str::from_utf8(&id).unwrap()).unwrap();
            let intent = Intent::decode(&keyspace::intent(&operation), &stored).unwrap();
            found.push((operation, intent.work));
        }
    }
    found
}

/// A sweep has read the intent, and sleeps for days while the deletion itself is refused.
#[tokio::test]
async fn a_sweep_that_is_slow_does_not_carry_on_what_was_refused_meanwhile() {
    let fixture = Fixture::new().await;
    let (root, other) = two(&fixture).await;
    let replica = open_replica(&fixture, 2).await;
    let mut running = Box::pin(delete_user(&replica, &root, fixture.now()));
    let mut intents = Vec::new();
    while intents.is_empty() {
        assert!(run_until(&mut running, 1).await.is_none());
        land(&fixture).await;
        intents = under_way(&fixture).await;
    }
    delete_user(&fixture.domain, &other, fixture.now()).await.unwrap();
    let told = running.await;
    assert_eq!(told.as_ref().unwrap_err().code(), Code::LastAdmin);
    fixture.admin("another@corp.sys").await;
    fixture.clock.advance(3 * 24 * 3_600_000);
    assert_eq!(intents.len(), 1);
    for (operation, work) in intents {
        finish(&fixture.domain, &operation, &work, fixture.now()).await.unwrap();
    }
    settles(&fixture, &root, &told, "a slow sweep").await;
}

/// The ways to stop being an administrator who can be relied on.
#[derive(Clone, Copy, Debug)]
enum End {
    Suspension,
    Demotion,
    Deletion,
}

impl End {
    const ALL: [Self; 3] = [Self::Suspension, Self::Demotion, Self::Deletion];

    async fn of(self, domain: &Domain, user: &UserId) -> Result<(), Error> {
        let now = domain.clock.now();
        let none = UserChange::default();
        let change = match self {
            Self::Suspension => UserChange { status: Some(UserStatus::Suspended), ..none },
            Self::Demotion => UserChange { role: Some(GlobalRole::CompanyEmployee), ..none },
            Self::Deletion => return delete_user(domain, user, now).await,
        };
        change_user(domain, user, &change, now).await.map(|_| ())
    }
}

/// How many of these are administrators who may act as such.
async fn active(fixture: &Fixture, users: [&UserId; 2]) -> usize {
    let mut active = 0;
    for user in users {
        let key = keyspace::user(user);
        let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
        let found = User::load(&key, stored.as_ref()).unwrap();
        active += usize::from(found.is_some_and(|user| user.is_active_admin()));
    }
    active
}

async fn end_each_other(first: End, second: End) {
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        let when = format!("{first:?} at wait {stops}, {second:?}");
        let fixture = Fixture::new().await;
        let (root, other) = two(&fixture).await;
        let replica = open_replica(&fixture, 2).await;
        let mut running = Box::pin(first.of(&replica, &root));
        let early = run_until(&mut running, stops).await;
        let is_over = early.is_some();
        land(&fixture).await;
        let second = second.of(&fixture.domain, &other).await;
        let first = match early {
            Some(first) => first,
            None => running.await,
        };
        assert_ne!(first.is_ok(), second.is_ok(), "{when}");
        let refused = first.and(second).unwrap_err();
        assert_eq!(refused.code(), Code::LastAdmin, "{when}");
        assert_eq!(active(&fixture, [&root, &other]).await, 1, "{when}");
        assert_clean(&fixture.domain.store, fixture.now(), &when).await;
        if is_over {
            return;
        }
    }
}

#[tokio::test]
async fn of_two_administrators_who_end_each_other_at_once_one_is_left_wherever_the_first_one_waits()
{
    for first in End::ALL {
        for second in End::ALL {
            end_each_other(first, second).await;
        }
    }
}

/// While an administrator is being deleted he is suspended and made active again, and relied on.
#[tokio::test]
async fn a_deletion_takes_nobody_away_who_came_back_and_is_the_last_one() {
    let mut kept = 0;
    for stops in (1..).filter(|stops| !is_left_out(u64::from(*stops))) {
        let when = format!("at wait {stops}");
        let fixture = Fixture::new().await;
        let (root, other) = two(&fixture).await;
        let replica = open_replica(&fixture, 2).await;
        let mut running = Box::pin(delete_user(&replica, &other, fixture.now()));
        if run_until(&mut running, stops).await.is_some() {
            break;
        }
        land(&fixture).await;
        let _ = End::Suspension.of(&fixture.domain, &other).await;
        let back = UserChange { status: Some(UserStatus::Active), ..UserChange::default() };
        let _ = change_user(&fixture.domain, &other, &back, fixture.now()).await;
        let _ = End::Suspension.of(&fixture.domain, &root).await;
        let deleted = running.await;
        kept += u32::from(deleted.is_err_and(|error| error.code() == Code::LastAdmin));
        assert_eq!(active(&fixture, [&root, &other]).await, 1, "{when}");
        assert_clean(&fixture.domain.store, fixture.now(), &when).await;
    }
    assert!(kept > 0);
}

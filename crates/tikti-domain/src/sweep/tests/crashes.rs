//! A process dies, or the store fails once, at every single call: what is visible is right at once,
//! one sweep makes it clean and has queued every mail that follows, and the operation can be repeated
//! before and after.
//!
//! Faults are tried at every call on the embedded engine, and at every fifth on Redis, where a call takes so
//! much longer.

use std::fmt::Write;
use std::sync::Arc;

use tikti_store::FaultPlan;

use super::world::{Case, Operation, World, is_left_out};
use crate::error::Error;
use crate::sweep::{SweepCursor, sweep};

type Fault = fn(u64) -> Arc<FaultPlan>;

/// Repeats the operation; fails unless it is done then.
async fn repeat(world: &World, case: &Case, when: &str) {
    let was_done = case.is_done(&world.fixture).await;
    match case.run(&world.fixture.domain).await {
        Ok(()) => {}
        Err(Error::Refused(refusal)) => {
            assert!(case.operation.says_that_it_was_done(refusal.code), "{when}: {refusal}");
            assert!(was_done, "{when}: {refusal}");
        }
        Err(error) => panic!("{when}: {error:?}"),
    }
    assert!(case.is_done(&world.fixture).await, "{when}");
}

/// Lets the operation fail at every one of these calls in turn; gives how many it makes.
async fn fails_at(calls: impl Iterator<Item = u64>, operation: Operation, fault: Fault) -> u64 {
    for calls in calls {
        // A world for each: what a verification costs grows with what is stored.
        let mut world = World::new().await;
        let mut made = 0;
        for sweep_first in [true, false] {
            let when = format!("{operation:?} after {calls} calls, sweep first: {sweep_first}");
            let case = world.case(operation).await;
            let plan = fault(calls);
            world.fail(&plan);
            let outcome = case.run(&world.replica).await;
            made = plan.calls();
            let faulty = made > calls;
            let done = case.is_done(&world.fixture).await;
            match outcome {
                Ok(()) => assert!(done, "{when}"),
                Err(error) => assert!(faulty, "{when}: {error:?}"),
            }
            if sweep_first {
                assert_eq!(world.sweep().await.failed, 0, "{when}");
                world.assert_clean(&when).await;
                world.assert_told(&case, &when).await;
                // What was seen to be done stays done.
                assert!(!done || case.is_done(&world.fixture).await, "{when}");
                repeat(&world, &case, &when).await;
                world.assert_clean(&when).await;
            } else {
                repeat(&world, &case, &when).await;
                assert_eq!(world.sweep().await.failed, 0, "{when}");
                world.assert_clean(&when).await;
                assert!(case.is_done(&world.fixture).await, "{when}");
            }
            world.assert_told(&case, &when).await;
        }
        if made <= calls {
            return made;
        }
    }
    unreachable!("an operation ends")
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_nothing_that_one_sweep_does_not_mend() {
    let mut summary = String::from("crash injection:");
    for operation in Operation::ALL {
        let chosen = (0..).filter(|calls| !is_left_out(*calls));
        let calls = Box::pin(fails_at(chosen, operation, FaultPlan::crash_after)).await;
        write!(summary, " {operation:?} {calls} calls,").unwrap();
    }
    println!("{summary} clean");
}

#[tokio::test]
async fn a_store_that_fails_once_at_any_call_leaves_nothing_that_one_sweep_does_not_mend() {
    let mut summary = String::from("failure injection:");
    for operation in Operation::ALL {
        let chosen = (0..).filter(|calls| !is_left_out(*calls));
        let calls = Box::pin(fails_at(chosen, operation, FaultPlan::fail_once_after)).await;
        write!(summary, " {operation:?} {calls} calls,").unwrap();
    }
    println!("{summary} clean");
}

/// Lets the sweep die at every call in turn, after the operation has died at every call in turn.
async fn sweep_fails_everywhere(operation: Operation) -> (u64, u64) {
    let mut most = 0;
    for calls in (0..).filter(|calls| !is_left_out(*calls)) {
        // A world for each: what a verification costs grows with what is stored.
        let mut world = World::new().await;
        let when = format!("{operation:?} after {calls} calls, then a sweep that dies");
        let case = world.case(operation).await;
        let plan = FaultPlan::crash_after(calls);
        world.fail(&plan);
        let _ = case.run(&world.replica).await;
        let made = plan.calls();
        world.age();
        for sweep_calls in 0.. {
            let plan = FaultPlan::crash_after(sweep_calls);
            world.fail(&plan);
            let mut cursor = SweepCursor::default();
            let swept = sweep(&world.replica, &mut cursor, world.fixture.now()).await;
            case.is_done(&world.fixture).await;
            if plan.calls() <= sweep_calls {
                assert_eq!(swept.unwrap().failed, 0, "{when}");
                most = most.max(sweep_calls);
                break;
            }
        }
        world.assert_clean(&when).await;
        world.assert_told(&case, &when).await;
        repeat(&world, &case, &when).await;
        world.assert_clean(&when).await;
        world.assert_told(&case, &when).await;
        if made <= calls {
            return (made, most);
        }
    }
    unreachable!("an operation ends")
}

#[tokio::test]
async fn a_sweep_that_dies_at_any_call_is_carried_on_by_the_next() {
    let mut summary = String::from("crash injection, then into the sweep:");
    for operation in Operation::ALL {
        let (calls, sweep_calls) = Box::pin(sweep_fails_everywhere(operation)).await;
        write!(summary, " {operation:?} {calls} and {sweep_calls} calls,").unwrap();
    }
    println!("{summary} clean");
}

//! A process is merely slow: it stops before every single write, is taken for dead and swept, and
//! then goes on. On Redis it stops at every fifth wait.

use std::fmt::Write;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::world::{Operation, World, is_left_out};
use crate::error::Error;
use crate::integrity::{Rule, verify};

/// Runs a future until it has waited `stops` times; gives its output if it ended before.
pub(super) async fn run_until<F: Future>(
    future: &mut Pin<Box<F>>,
    stops: u32,
) -> Option<F::Output> {
    let mut waited = 0;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            waited += 1;
            if waited == stops { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

/// Where an operation stops, in turn.
fn waits() -> impl Iterator<Item = u32> {
    (1..).filter(|stops| !is_left_out(u64::from(*stops)))
}

/// Lets the operation sleep through a sweep at every wait in turn; gives the last stop that was one.
async fn sleeps_everywhere(operation: Operation) -> u32 {
    let world = World::new().await;
    let mut last = 0;
    for stops in waits() {
        let when = format!("{operation:?} slept at wait {stops}");
        let case = world.case(operation).await;
        let mut running = Box::pin(case.run(&world.replica));
        if run_until(&mut running, stops).await.is_some() {
            return last;
        }
        last = stops;
        let swept = world.sweep().await;
        assert_eq!(swept.failed, 0, "{when}");
        world.assert_clean(&when).await;
        let swept_to = case.is_done(&world.fixture).await;
        let outcome = running.await;
        let done = case.is_done(&world.fixture).await;
        match outcome {
            Ok(()) => assert!(done, "{when}"),
            Err(Error::Refused(refusal)) => {
                // What was given up stays undone; what was carried on stays done.
                assert_eq!(done, swept_to, "{when}: {refusal}");
                assert_eq!(done, operation.takes_away(), "{when}: {refusal}");
            }
            Err(error) => panic!("{when}: {error:?}"),
        }
        world.assert_clean(&when).await;
        world.sweep().await;
        world.assert_clean(&when).await;
        assert_eq!(case.is_done(&world.fixture).await, done, "{when}");
        world.assert_told(&case, &when).await;
    }
    unreachable!("an operation ends")
}

#[tokio::test]
async fn an_operation_that_wakes_late_does_no_harm() {
    let mut summary = String::from("late waking, up to wait:");
    for operation in Operation::ALL {
        let stops = Box::pin(sleeps_everywhere(operation)).await;
        write!(summary, " {operation:?} {stops},").unwrap();
    }
    println!("{summary} clean");
}

/// Lets the operation sleep through a sweep at every wait, and die at every wait after that.
async fn sleeps_and_dies_everywhere(operation: Operation) {
    for stops in waits() {
        // A world for each: what a verification costs grows with what is stored.
        let world = World::new().await;
        for more in waits() {
            let when = format!("{operation:?} slept at wait {stops} and died {more} later");
            let case = world.case(operation).await;
            let mut running = Box::pin(case.run(&world.replica));
            if run_until(&mut running, stops).await.is_some() {
                return;
            }
            world.sweep().await;
            let died = run_until(&mut running, more).await.is_none();
            drop(running);
            world.sweep().await;
            // A claim is the one thing that no fence keeps away; whoever wants the name gets it.
            let report = verify(world.store(), world.fixture.now(), &mut |_| ()).await.unwrap();
            let claims = [Rule::EmailClaimWithoutUser, Rule::NameClaimWithoutTenant];
            let others: Vec<_> =
                report.findings.iter().filter(|found| !claims.contains(&found.rule)).collect();
            assert_eq!((others, report.pending), (Vec::new(), 0), "{when}");
            let again = case.run(&world.fixture.domain).await;
            assert!(again.is_ok() || case.is_done(&world.fixture).await, "{when}: {again:?}");
            world.assert_clean(&when).await;
            if !died {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_operation_that_wakes_late_and_dies_leaves_a_name_that_is_free_at_most() {
    let all = [
        Operation::CreateAdmin,
        Operation::ChangeEmail,
        Operation::CreateTenantOfId,
        Operation::CreateTenantOfOneName,
        Operation::AddMember,
    ];
    for operation in all {
        Box::pin(sleeps_and_dies_everywhere(operation)).await;
    }
}

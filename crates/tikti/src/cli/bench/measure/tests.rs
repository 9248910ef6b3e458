//! Is what was measured of the server told, whatever becomes of the baselines?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tikti_load::{Broken, Client, Outcome};

use super::*;
use crate::cli::bench::scenario::Make;

/// Does at once what it is told for the number of its call.
struct Told<F>(F);

impl<F: Fn() -> Outcome + Send> Client for Told<F> {
    fn call(&mut self, _: u64) -> Outcome {
        (self.0)()
    }
}

fn clients(count: usize, outcome: impl Fn() -> Outcome + Send + Clone + 'static) -> Clients {
    boxed((0..count).map(|_| Told(outcome.clone())).collect())
}

fn load(rate: Option<f64>) -> Load {
    Load::of_requests(rate, 3)
}

/// Three calls of one client that all are good, beside a baseline.
fn measure_beside(stop: &Stop, rate: Option<f64>, make: Make) -> Measured {
    let mut subject = Subject::bare("lookup", clients(1, || Outcome::Good));
    let work = Work::Alone(make);
    subject.baselines.push(Baseline { name: "alone", what: "without sign-ins", work });
    let (load, bar) = (load(rate), Progress::hidden());
    let bench = Bench { load: &load, stop, bar: &bar };
    bench.run(&mut subject).unwrap().unwrap()
}

/// A baseline that is good when it is taken first, and then `again`.
fn then(again: impl Fn() -> Outcome + Send + Clone + 'static) -> (Make, Arc<AtomicU64>) {
    let made = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&made);
    let make = move || {
        let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
        let again = again.clone();
        Ok(clients(2, move || if is_first { Outcome::Good } else { again() }))
    };
    (Box::new(make), made)
}

#[test]
fn a_baseline_has_new_connections_when_it_is_taken_again() {
    let (make, made) = then(|| Outcome::Good);
    let measured = measure_beside(&Stop::default(), None, make);
    assert_eq!(made.load(Ordering::Relaxed), 2);
    assert!(measured.baselines[0].after.is_some());
    assert!(measured.is_whole && !measured.is_interrupted);
}

#[test]
fn a_baseline_that_fails_when_it_is_taken_again_takes_nothing_away() {
    let limited = || Outcome::Refused { status: 429, code: "RATE_LIMITED".to_owned() };
    let (make, _) = then(limited);
    let measured = measure_beside(&Stop::default(), None, make);
    assert_eq!(measured.ran.tally.good(), 3);
    let taken = &measured.baselines[0];
    assert_eq!(taken.after, None);
    assert_eq!(
        taken.after_failed.as_deref(),
        Some("the baseline alone failed: HTTP 429 RATE_LIMITED")
    );
}

#[test]
fn who_ends_it_in_the_last_baseline_has_ended_it_and_has_the_whole_of_the_server() {
    let stop = Stop::default();
    let asked = stop.clone();
    let (make, _) = then(move || {
        asked.ask();
        Outcome::Broken(Broken("given up".to_owned()))
    });
    let measured = measure_beside(&stop, None, make);
    assert!(measured.is_interrupted && measured.is_whole);
    let taken = &measured.baselines[0];
    assert_eq!((taken.after, taken.after_failed.as_deref()), (None, None));
}

#[test]
fn beside_a_server_of_another_machine_only_it_itself_is_measured() {
    let mut subject = Subject::bare("isolation", clients(1, || Outcome::Good));
    subject.payloads = vec![("/v1/a".to_owned(), b"{}".to_vec())];
    for work in [
        Work::Echo { requests: Vec::new(), clients: 1 },
        Work::Alone(then(|| Outcome::Good).0),
        Work::Raw { make: Box::new(raw::hmacs), each: 1 },
    ] {
        subject.baselines.push(Baseline { name: "any", what: "any", work });
    }
    subject.is_away();
    assert!(matches!(&subject.baselines[..], [Baseline { work: Work::Alone(_), .. }]));
    assert!(subject.payloads.is_empty());
}

#[test]
fn each_connection_of_a_paced_baseline_has_one_turn_that_is_not_counted() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let make = move || {
        let counted = Arc::clone(&counted);
        Ok(clients(4, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Outcome::Good
        }))
    };
    let measured = measure_beside(&Stop::default(), Some(10.0), Box::new(make));
    let taken = &measured.baselines[0];
    // In 200 ms two are due at 10 a second.
    let good = [Some(taken.before), taken.after].map(|point| point.unwrap().good);
    assert_eq!(good, [2, 2]);
    assert_eq!(calls.load(Ordering::Relaxed), 2 * (4 + 2));
}

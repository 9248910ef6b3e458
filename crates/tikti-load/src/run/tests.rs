//! Do the loops count what they should? By a time that is made, so that nothing depends on a machine.

use super::*;

/// A time that passes where somebody waits, and nowhere else.
#[derive(Default)]
struct Made(AtomicU64);

impl Time for Made {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn rest(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
    }
}

/// A server that takes as long for each call as it is told, and answers what it is told.
struct Served<'a, F> {
    time: &'a Made,
    answer: F,
}

impl<F: Fn(u64) -> (Duration, Outcome) + Send> Client for Served<'_, F> {
    fn call(&mut self, turn: u64) -> Outcome {
        let (takes, outcome) = (self.answer)(turn);
        self.time.rest(takes);
        outcome
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

fn good_after(milliseconds: u32) -> (Duration, Outcome) {
    (MILLISECOND * milliseconds, Outcome::Good)
}

/// Turns without an end to what is late.
fn paced(rate: f64, requests: u64) -> (impl Iterator<Item = Turn>, Duration) {
    let end = End::Requests(requests);
    (Pace { rate, warm_up: Duration::ZERO, end }.turns(0, 1), Duration::MAX)
}

/// What an open loop finds of a server that takes a millisecond for a request and, once, a second for the
/// hundredth, at 100 requests a second.
fn stalled() -> Tally {
    let time = Made::default();
    let answer = |turn| good_after(if turn == 99 { 1000 } else { 1 });
    let mut client = Served { time: &time, answer };
    one_of_open_loop(&mut client, paced(100.0, 1000), &time, (&|| false, &AtomicU64::new(0)))
}

#[test]
fn a_stall_is_charged_for_everything_that_should_have_been_asked_meanwhile() {
    let tally = stalled();
    assert_eq!(tally.good(), 1000);
    // By hand: request 99 + n is due 10 n ms after the one that stalls, and is answered n ms after the end of
    // the stall, so that it takes 1000 - 9 n ms, until it is in time again.
    let expected = |bound: u64| (0..=111).filter(|n| 1000 - 9 * n >= bound).count() as u64;
    for bound in [2, 10, 100, 500, 990] {
        // A histogram tells three digits.
        let found = tally.at_least(Duration::from_millis(bound) - MILLISECOND / 2);
        assert_eq!(found, expected(bound), "{bound} ms");
    }
    assert_eq!(tally.at_least(Duration::from_millis(1005)), 0);
    // A loop that asks when it comes to asking would have seen one slow request of a thousand.
    assert!(tally.latency(0.9).unwrap() > Duration::from_millis(50));
    assert!(tally.latency(0.88).unwrap() < 2 * MILLISECOND);
}

#[test]
fn a_closed_loop_sees_the_stall_once() {
    let time = Made::default();
    let mut client =
        Served { time: &time, answer: |turn| good_after(if turn == 99 { 1000 } else { 1 }) };
    let done = AtomicU64::new(0);
    let goes_on = || done.load(Ordering::Relaxed) < 1000;
    let tally = one_of_closed_loop(&mut client, 0.., &time, (&goes_on, &|| false, &done));
    assert_eq!((tally.good(), tally.at_least(2 * MILLISECOND)), (1000, 1));
    // Nothing was due at any time.
    assert_eq!(tally.lateness(1.0), None);
}

#[test]
fn lateness_tells_what_the_generator_waited_itself() {
    let late = stalled().lateness(1.0).unwrap();
    // The first after the stall was due 10 ms behind the one that stalled.
    let expected = Duration::from_millis(990);
    assert!(late >= expected && late < expected + expected / 500, "{late:?}");
}

#[test]
fn a_warm_up_is_asked_and_not_counted() {
    let time = Made::default();
    let mut client = Served { time: &time, answer: |_| good_after(1) };
    let (warm_up, end) = (Duration::from_millis(50), End::Requests(7));
    let turns = Pace { rate: 100.0, warm_up, end }.turns(0, 1);
    let done = AtomicU64::new(0);
    let tally = one_of_open_loop(&mut client, (turns, Duration::MAX), &time, (&|| false, &done));
    assert_eq!((tally.good(), done.into_inner()), (7, 7));
    // The twelfth request is due at 110 ms.
    assert_eq!(time.now(), Duration::from_millis(111));
}

#[test]
fn a_client_whose_server_is_gone_rests_and_gives_up() {
    let time = Made::default();
    let gone = || (Duration::ZERO, Outcome::Broken(Broken("gone".to_owned())));
    let mut client = Served { time: &time, answer: |_| gone() };
    let tally =
        one_of_closed_loop(&mut client, 0.., &time, (&|| true, &|| false, &AtomicU64::new(0)));
    assert_eq!(tally.failed(), u64::from(GIVES_UP_AFTER));
    assert_eq!(time.now(), REST * GIVES_UP_AFTER);

    // One answer, be it a refusal, and it goes on.
    let refused = || (Duration::ZERO, Outcome::Refused { status: 503, code: String::new() });
    let answer = |turn: u64| if turn.is_multiple_of(99) { refused() } else { gone() };
    let mut client = Served { time: &time, answer };
    let done = AtomicU64::new(0);
    let goes_on = || done.load(Ordering::Relaxed) < 500;
    let tally = one_of_closed_loop(&mut client, 0.., &time, (&goes_on, &|| false, &done));
    assert_eq!(tally.failed(), 500);
}

#[test]
fn a_rate_above_what_the_server_can_ends_and_what_was_not_sent_counts_as_that() {
    let time = Made::default();
    // Ten a second are asked for, of a server that does one.
    let mut client = Served { time: &time, answer: |_| good_after(1000) };
    let (turns, _) = paced(10.0, 100);
    let last = Duration::from_millis(14_900);
    let done = AtomicU64::new(0);
    let tally = one_of_open_loop(&mut client, (turns, last), &time, (&|| false, &done));
    // One at each whole second, the last of them at 14 s.
    assert_eq!((tally.good(), tally.failed()), (15, 85));
    let not_sent = crate::tally::Failed::Broken(NOT_SENT.to_owned());
    assert_eq!(Vec::from_iter(tally.failures()), [(&not_sent, 85)]);
    assert_eq!(time.now(), Duration::from_secs(15));
}

#[test]
fn a_client_of_a_silent_server_gives_up_by_the_time_that_went_by() {
    let silent = |_| (Duration::from_secs(12), Outcome::Broken(Broken("timed out".to_owned())));
    let time = Made::default();
    let mut client = Served { time: &time, answer: silent };
    let none = &AtomicU64::new(0);
    let tally = one_of_closed_loop(&mut client, 0.., &time, (&|| true, &|| false, none));
    assert_eq!(tally.failed(), 3);

    let time = Made::default();
    let mut client = Served { time: &time, answer: silent };
    let tally = one_of_open_loop(&mut client, paced(1.0, 3600), &time, (&|| false, none));
    // Three without an answer, and the rest was not sent.
    let counts = Vec::from_iter(tally.failures().map(|(_, count)| count));
    assert_eq!((tally.failed(), counts), (3600, vec![3597, 3]));
    assert_eq!(time.now(), Duration::from_secs(36));
}

#[test]
fn a_call_that_the_end_cuts_off_is_not_counted() {
    let (stop, time) = (Stop::default(), Made::default());
    let asked = stop.clone();
    let answer = move |turn| match turn {
        4 => {
            asked.ask();
            (Duration::ZERO, Outcome::Broken(Broken("cut".to_owned())))
        }
        _ => good_after(0),
    };
    let mut clients = [Served { time: &time, answer }];
    let watch = Watch { stop: &stop, tell: &|_| {} };
    let ran = closed_loop(&mut clients, End::Requests(1000), watch).unwrap();
    assert_eq!((ran.tally.good(), ran.tally.failed()), (4, 0));

    // Its connection knows of an end that the loop does not.
    let answer = |turn| match turn {
        3.. => (Duration::ZERO, Outcome::Broken(Broken(GIVEN_UP.to_owned()))),
        _ => good_after(0),
    };
    let mut clients = [Served { time: &time, answer }];
    let (stop, end) = (Stop::default(), End::Requests(10));
    let watch = Watch { stop: &stop, tell: &|_| {} };
    let ran = closed_loop(&mut clients, end, watch).unwrap();
    assert_eq!((ran.tally.good(), ran.tally.failed()), (3, 0));
    let pace = Pace { rate: 1e6, warm_up: Duration::ZERO, end };
    let ran = open_loop(&mut clients, pace, watch).unwrap();
    assert_eq!((ran.tally.good(), ran.tally.failed()), (3, 0));
}

#[test]
fn so_many_requests_are_made_whatever_the_number_of_clients() {
    let stop = Stop::default();
    for clients in [1, 3, 8] {
        let time = Made::default();
        let served = |_| Served { time: &time, answer: |_| good_after(0) };
        let mut all = Vec::from_iter((0..clients).map(served));
        let watch = Watch { stop: &stop, tell: &|_| {} };
        let ran = closed_loop(&mut all, End::Requests(1000), watch).unwrap();
        assert_eq!((ran.tally.good(), ran.tally.failed()), (1000, 0), "{clients}");
    }
}

#[test]
fn in_however_short_a_time_each_client_asks_once_and_no_more() {
    let (stop, time) = (Stop::default(), Made::default());
    let served = |_| Served { time: &time, answer: |_| good_after(0) };
    let mut all = Vec::from_iter((0..5).map(served));
    let watch = Watch { stop: &stop, tell: &|_| {} };
    let ran = closed_loop(&mut all, End::After(Duration::ZERO), watch).unwrap();
    assert_eq!(ran.tally.good(), 5);
}

#[test]
fn a_loop_that_is_asked_to_stop_gives_what_it_has() {
    let stop = Stop::default();
    let time = Made::default();
    let asked = stop.clone();
    let answer = move |turn| {
        if turn == 41 {
            asked.ask();
        }
        good_after(0)
    };
    let mut clients = [Served { time: &time, answer }];
    let watch = Watch { stop: &stop, tell: &|_| {} };
    let ran = closed_loop(&mut clients, End::After(Duration::from_secs(3600)), watch).unwrap();
    assert_eq!(ran.tally.good(), 42);
    let pace =
        Pace { rate: 1.0, warm_up: Duration::ZERO, end: End::After(Duration::from_secs(3600)) };
    let ran = open_loop(&mut clients, pace, watch).unwrap();
    assert_eq!(ran.tally.good(), 0);
}

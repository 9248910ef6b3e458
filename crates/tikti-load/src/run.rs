//! How do many clients ask at the same time? In a closed loop, or at times that were fixed beforehand.
//!
//! A loop ends when it is over or when it is asked to, and gives what was measured until then. No server makes it
//! last: an open loop ends a little after its last request is due, and what was not sent until then counts as
//! failed; where nothing is answered any more, a client gives up. A call that is cut off by the end is not counted.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::client::{Client, Outcome};
use crate::connection::{Broken, GIVEN_UP};
use crate::pace::{End, Pace, Turn};
use crate::stop::Stop;
use crate::tally::Tally;
use crate::thread::be_punctual;
use crate::time::{Clock, Time};

/// Time for all threads of an open loop to be there before its first request is due.
const START: Duration = Duration::from_millis(20);
/// How often whoever watches is told.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// A client of a closed loop rests after a call without an answer: a server that is gone is not asked as fast
/// as a processor can.
const REST: Duration = Duration::from_millis(10);
/// It gives up after so many in a row.
const GIVES_UP_AFTER: u32 = 100;
/// Whichever loop, a client gives up after so long without an answer.
const SILENT: Duration = Duration::from_secs(30);
/// For so long after the last request is due an open loop goes on sending what is behind its time.
const GRACE: Duration = Duration::from_secs(5);
/// Why a request of an open loop was not sent: the server was so slow that its turn never came.
pub const NOT_SENT: &str = "not sent: too far behind its time";

/// Who watches a loop.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Ends it early.
    pub stop: &'a Stop,
    /// Is told now and then how many calls there were.
    pub tell: &'a dyn Fn(u64),
}

/// What a loop did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What came of its calls.
    pub tally: Tally,
    /// How long those took together that were counted.
    pub time: Duration,
}

impl Ran {
    /// Good calls a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.tally.good() as f64 / self.time.as_secs_f64()
    }
}

/// Has each client do one thing after the other until the `end`; in however short a time, each does one.
///
/// # Errors
/// The system gives no thread.
pub fn closed_loop<C: Client>(clients: &mut [C], end: End, watch: Watch<'_>) -> io::Result<Ran> {
    let count = clients.len();
    let (left, limit) = match end {
        End::Requests(requests) => (AtomicU64::new(requests), None),
        End::After(time) => (AtomicU64::new(u64::MAX), Some(time)),
    };
    let clock = Clock::begin();
    let stop = || watch.stop.is_asked();
    let tally = run(clients, watch, |place, client, done| {
        let turns = (place as u64..).step_by(count);
        let has_asked = Cell::new(false);
        let goes_on = || {
            let is_first = !has_asked.replace(true);
            let is_over = !is_first && limit.is_some_and(|limit| clock.now() >= limit);
            // The last question: what is taken is done.
            !is_over && !stop() && take(&left)
        };
        one_of_closed_loop(client, turns, &clock, (&goes_on, &stop, done))
    })?;
    Ok(Ran { tally, time: clock.now() })
}

/// Asks at a fixed rate, by clients that take turns.
///
/// # Errors
/// The system gives no thread.
pub fn open_loop<C: Client>(clients: &mut [C], pace: Pace, watch: Watch<'_>) -> io::Result<Ran> {
    let count = clients.len();
    let clock = Clock::begin();
    let stop = || watch.stop.is_asked();
    let tally = run(clients, watch, |place, client, done| {
        be_punctual();
        let later = |turn: Turn| Turn { due: turn.due.saturating_add(START), ..turn };
        let turns = pace.turns(place, count).map(later);
        let last = pace.last_due().saturating_add(START + GRACE);
        one_of_open_loop(client, (turns, last), &clock, (&stop, done))
    })?;
    Ok(Ran { tally, time: clock.now().saturating_sub(START + pace.warm_up) })
}

/// Whether there was a piece of work left; it is the caller's now.
fn take(left: &AtomicU64) -> bool {
    let less = |left: u64| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
}

fn one_of_closed_loop(
    client: &mut impl Client,
    turns: impl Iterator<Item = u64>,
    time: &impl Time,
    (goes_on, is_stopped, done): (&dyn Fn() -> bool, &dyn Fn() -> bool, &AtomicU64),
) -> Tally {
    let mut tally = Tally::default();
    let mut silence = Silence::default();
    for turn in turns {
        if silence.is_too_long(time.now()) || silence.calls >= GIVES_UP_AFTER || !goes_on() {
            break;
        }
        let begun = time.now();
        let outcome = client.call(turn);
        if is_cut(&outcome, is_stopped) {
            break;
        }
        tally.record(&outcome, time.now().saturating_sub(begun), None);
        done.fetch_add(1, Ordering::Relaxed);
        silence.hear(&outcome, begun);
        if silence.calls > 0 {
            time.rest(REST);
        }
    }
    tally
}

fn one_of_open_loop(
    client: &mut impl Client,
    (mut turns, last): (impl Iterator<Item = Turn>, Duration),
    time: &impl Time,
    (is_stopped, done): (&dyn Fn() -> bool, &AtomicU64),
) -> Tally {
    let mut tally = Tally::default();
    let mut silence = Silence::default();
    while let Some(Turn { number, due, counts }) = turns.next() {
        time.wait_until(due, is_stopped);
        if is_stopped() {
            break;
        }
        let begun = time.now();
        if begun > last || silence.is_too_long(begun) {
            let rest = turns.filter(|turn| turn.counts).count() as u64;
            tally.not_made(NOT_SENT, u64::from(counts).saturating_add(rest));
            break;
        }
        let outcome = client.call(number);
        if is_cut(&outcome, is_stopped) {
            break;
        }
        silence.hear(&outcome, begun);
        if counts {
            // From when it was due: whatever kept it from being sent then is waited for as well.
            let late = begun.saturating_sub(due);
            tally.record(&outcome, time.now().saturating_sub(due), Some(late));
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    tally
}

/// Whether a call was cut off by the end, of this loop or of all: that says nothing of the server.
fn is_cut(outcome: &Outcome, is_stopped: &dyn Fn() -> bool) -> bool {
    matches!(outcome, Outcome::Broken(Broken(why)) if why == GIVEN_UP || is_stopped())
}

/// Calls in a row that had no answer.
#[derive(Default)]
struct Silence {
    calls: u32,
    /// When the first of them began.
    since: Option<Duration>,
}

impl Silence {
    fn hear(&mut self, outcome: &Outcome, begun: Duration) {
        if matches!(outcome, Outcome::Broken(_)) {
            self.calls = self.calls.saturating_add(1);
            self.since.get_or_insert(begun);
        } else {
            *self = Self::default();
        }
    }

    fn is_too_long(&self, now: Duration) -> bool {
        self.since.is_some_and(|since| now.saturating_sub(since) >= SILENT)
    }
}

/// Runs each client on a thread of its own, tells how far they are, and adds up what they did.
fn run<C: Client>(
    clients: &mut [C],
    watch: Watch<'_>,
    one: impl Fn(usize, &mut C, &AtomicU64) -> Tally + Sync,
) -> io::Result<Tally> {
    let done = AtomicU64::new(0);
    let (one, done) = (&one, &done);
    thread::scope(|scope| {
        let (ended, tallies) = mpsc::channel();
        for (place, client) in clients.iter_mut().enumerate() {
            let ended = ended.clone();
            let work = move || {
                client.begin();
                // Whoever waits for it is gone only where a thread could not be started.
                let _ = ended.send(one(place, client, done));
            };
            let started = thread::Builder::new().spawn_scoped(scope, work);
            if let Err(cause) = started {
                watch.stop.ask();
                return Err(cause);
            }
        }
        drop(ended);
        let mut all = Tally::default();
        loop {
            match tallies.recv_timeout(TOLD_EVERY) {
                Ok(tally) => all.add(&tally),
                Err(RecvTimeoutError::Timeout) => (watch.tell)(done.load(Ordering::Relaxed)),
                Err(RecvTimeoutError::Disconnected) => return Ok(all),
            }
        }
    })
}

#[cfg(test)]
mod tests;

//! What came of many calls? Counts of each outcome, and the latencies of the good ones.
//!
//! A call that failed is counted by what it failed by and has no latency: a refusal is cheaper than what is
//! measured. Tallies of several clients add up to what one tally of all of them would be.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::Outcome;

/// The longest latency that is told from longer ones.
const LONGEST: Duration = Duration::from_secs(60);
/// Latencies are told from each other to this many digits.
const DIGITS: u8 = 3;
/// A server that calls each refusal something else fills no memory.
const MAX_KINDS: usize = 32;

/// Calls that failed by the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failed {
    /// The server said no.
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What the server calls it, or nothing.
        code: String,
    },
    /// There was no answer, and why.
    Broken(String),
}

/// What came of many calls.
#[derive(Clone, Debug)]
pub struct Tally {
    /// From when a call was due to its end, in nanoseconds; of the good ones.
    whole: Histogram<u64>,
    /// From when a call was due to when it began; of all that had a time. None in a closed loop, which has none.
    late: Option<Histogram<u64>>,
    failed: BTreeMap<Failed, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { whole: histogram(), late: None, failed: BTreeMap::new() }
    }
}

#[expect(clippy::expect_used, reason = "a histogram is refused for its digits and bounds alone")]
fn histogram() -> Histogram<u64> {
    let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
    Histogram::new_with_max(longest, DIGITS).expect("bounds that are right")
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Tally {
    /// Counts one call that ended `whole` after it was due, and began `late` after that; where it was not due at
    /// any time, `whole` after it began.
    pub fn record(&mut self, outcome: &Outcome, whole: Duration, late: Option<Duration>) {
        if let Some(late) = late {
            self.late.get_or_insert_with(histogram).saturating_record(nanoseconds(late));
        }
        let failed = match outcome {
            Outcome::Good => return self.whole.saturating_record(nanoseconds(whole)),
            Outcome::Refused { status, code } => {
                Failed::Refused { status: *status, code: code.clone() }
            }
            Outcome::Broken(broken) => Failed::Broken(broken.0.clone()),
        };
        self.count(failed, 1);
    }

    /// Counts calls that were not made, and why.
    pub fn not_made(&mut self, why: &str, count: u64) {
        if count > 0 {
            self.count(Failed::Broken(why.to_owned()), count);
        }
    }

    /// Adds what another client did.
    pub fn add(&mut self, other: &Self) {
        // Refused only where the other's values do not fit: all have the same bounds.
        let _ = self.whole.add(&other.whole);
        if let Some(late) = &other.late {
            let _ = self.late.get_or_insert_with(histogram).add(late);
        }
        for (failed, count) in &other.failed {
            self.count(failed.clone(), *count);
        }
    }

    fn count(&mut self, failed: Failed, count: u64) {
        let is_known = self.failed.len() < MAX_KINDS || self.failed.contains_key(&failed);
        let failed = if is_known { failed } else { Failed::Broken("other failures".to_owned()) };
        *self.failed.entry(failed).or_default() += count;
    }

    /// Calls that were done.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.whole.len()
    }

    /// Calls that were not.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// What they failed by, and how many: refusals by status and code, then what had no answer.
    pub fn failures(&self) -> impl Iterator<Item = (&Failed, u64)> {
        self.failed.iter().map(|(failed, count)| (failed, *count))
    }

    /// The latency that this share of the good calls did not exceed; none where no call was good.
    #[must_use]
    pub fn latency(&self, share: f64) -> Option<Duration> {
        let value = || Duration::from_nanos(self.whole.value_at_quantile(share));
        (!self.whole.is_empty()).then(value)
    }

    /// By how much calls began too late, as [`Tally::latency`]; of all calls that had a time.
    #[must_use]
    pub fn lateness(&self, share: f64) -> Option<Duration> {
        let late = self.late.as_ref().filter(|late| !late.is_empty());
        late.map(|late| Duration::from_nanos(late.value_at_quantile(share)))
    }

    /// How many good calls took at least `time`, as far as latencies are told from each other.
    #[must_use]
    pub fn at_least(&self, time: Duration) -> u64 {
        self.whole.count_between(nanoseconds(time), u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connection::Broken;

    fn refused(code: &str) -> Outcome {
        Outcome::Refused { status: 429, code: code.to_owned() }
    }

    fn of(calls: &[(Outcome, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (outcome, milliseconds) in calls {
            tally.record(outcome, Duration::from_millis(*milliseconds), None);
        }
        tally
    }

    #[test]
    fn what_failed_is_counted_by_what_it_failed_by_and_has_no_latency() {
        let closed = Outcome::Broken(Broken("closed".to_owned()));
        let tally = of(&[
            (Outcome::Good, 5),
            (refused("RATE_LIMITED"), 900),
            (closed, 800),
            (refused("RATE_LIMITED"), 900),
        ]);
        assert_eq!((tally.good(), tally.failed()), (1, 3));
        let refused = Failed::Refused { status: 429, code: "RATE_LIMITED".to_owned() };
        assert_eq!(
            Vec::from_iter(tally.failures()),
            [(&refused, 2), (&Failed::Broken("closed".to_owned()), 1)]
        );
        assert!(tally.latency(1.0).unwrap() < Duration::from_millis(6));
    }

    #[test]
    fn where_nothing_was_good_there_is_no_latency() {
        assert_eq!(of(&[(refused(""), 1)]).latency(0.5), None);
        assert_eq!(Tally::default().lateness(0.5), None);
    }

    #[test]
    fn a_server_that_calls_each_refusal_something_else_fills_no_memory() {
        let calls = Vec::from_iter((0..1_000).map(|number| (refused(&number.to_string()), 1)));
        let tally = of(&calls);
        assert_eq!(tally.failed(), 1_000);
        assert!(tally.failures().count() <= MAX_KINDS + 1);
    }

    proptest! {
        #[test]
        fn tallies_add_up_to_the_tally_of_all(
            latencies in prop::collection::vec(0_u64..5_000, 1..200),
            split in 0_usize..200,
        ) {
            let calls = Vec::from_iter(latencies.iter().map(|latency| (Outcome::Good, *latency)));
            let (one, other) = calls.split_at(split.min(calls.len()));
            let mut added = of(one);
            added.add(&of(other));
            let whole = of(&calls);
            for share in [0.0, 0.5, 0.9, 0.99, 1.0] {
                prop_assert_eq!(added.latency(share), whole.latency(share));
            }
            // The oracle of a quantile is the sorted list, to three digits.
            let mut sorted = latencies.clone();
            sorted.sort_unstable();
            let middle = Duration::from_millis(sorted[(sorted.len() - 1) / 2]);
            let found = whole.latency(0.5).unwrap();
            prop_assert!(found >= middle && found <= middle + middle / 500 + Duration::from_nanos(2));
        }
    }
}

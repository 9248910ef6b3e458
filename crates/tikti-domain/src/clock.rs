//! The only reading of time.
//!
//! Everything else takes `now` as a parameter, so that a decision can be replayed and a test can
//! move the clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use tikti_store::Timestamp;

/// What [`Clock::running`] of the machine counts from.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where time comes from: the machine, or, in tests, a hand.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Moved by tests.
    Manual(Arc<Hands>),
}

/// In milliseconds.
#[derive(Debug)]
struct Hands {
    /// Since the Unix epoch.
    now: AtomicU64,
    /// By how much time has gone on.
    running: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::set`] or [`Clock::advance`].
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        let now = AtomicU64::new(start.as_millis());
        Self(Source::Manual(Arc::new(Hands { now, running: AtomicU64::new(0) })))
    }

    /// The time now. A machine whose clock stands before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
            }
            Source::Manual(hands) => Timestamp::from_millis(hands.now.load(Ordering::SeqCst)),
        }
    }

    /// For how long time has gone on since a moment of this process: to measure what no setting of the clock
    /// may change. It never goes back; a machine that sleeps may not count its sleep.
    #[must_use]
    pub fn running(&self) -> Duration {
        match &self.0 {
            Source::System => BEGAN.elapsed(),
            Source::Manual(hands) => Duration::from_millis(hands.running.load(Ordering::SeqCst)),
        }
    }

    /// Sets a manual clock, as an operator does: no time passes. The machine's clock stays as it is.
    pub fn set(&self, now: Timestamp) {
        if let Source::Manual(hands) = &self.0 {
            hands.now.store(now.as_millis(), Ordering::SeqCst);
        }
    }

    /// Lets `millis` milliseconds pass on a manual clock.
    pub fn advance(&self, millis: u64) {
        self.set(self.now().plus_millis(millis));
        if let Source::Manual(hands) = &self.0 {
            hands.running.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

/// Whole seconds since the Unix epoch, as JWT claims need them.
#[must_use]
pub fn seconds(time: Timestamp) -> u64 {
    time.as_millis() / 1000
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-22T02:00:00.000Z`.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{instant:.3}")
}

/// Reads RFC 3339 with any offset; `None` for any other text and for a time before 1970.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(instant.as_millisecond()).ok().map(Timestamp::from_millis)
}

/// Year and month of `time` in UTC, as `2026-11`.
pub(crate) fn year_month(time: Timestamp) -> String {
    rfc3339(time).chars().take(7).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc3339_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp::from_millis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp::from_millis(1_769_532_214_005)), "2026-01-27T16:43:34.005Z");
        assert_eq!(year_month(Timestamp::from_millis(1_769_532_214_005)), "2026-01");
    }

    #[test]
    fn reads_rfc3339_with_any_offset() {
        for (text, millis) in [
            ("2026-01-27T16:43:34.005Z", Some(1_769_532_214_005)),
            ("2026-01-27T18:43:34+02:00", Some(1_769_532_214_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-01-27", None),
            ("1769532214005", None),
        ] {
            assert_eq!(parse_rfc3339(text), millis.map(Timestamp::from_millis), "{text}");
        }
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        let shared = clock.clone();
        clock.advance(10);
        assert_eq!(shared.now(), Timestamp::from_millis(15));
    }

    #[test]
    fn a_clock_that_is_set_runs_on_as_before() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        clock.advance(10);
        clock.set(Timestamp::from_millis(3));
        assert_eq!((clock.now().as_millis(), clock.running()), (3, Duration::from_millis(10)));
        let system = Clock::system();
        assert!(system.running() <= system.clone().running());
    }
}

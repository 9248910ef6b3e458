//! When is a token renewed, and how bad is it that it was not? Pure: the time is given.
//!
//! At two thirds of its life, then again after 1, 2, 4, … 60 seconds, for as long as it takes. The time is that
//! of the wall, as a token's is: a machine may have been suspended.
//!
//! Spec: Command line, `worker run`.

use std::time::Duration;

use tikti_store::Timestamp;

/// Longest time between two looks at the clock, and between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The renewal of one token.
pub(super) struct Schedule {
    life: Duration,
    ends_at: Timestamp,
    next_at: Timestamp,
    failures: u32,
}

/// How a token stands that is due; the worse later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Renewed in time.
    Fresh,
    /// Not renewed, and there is time.
    Failing,
    /// Less than a tenth of its life is left.
    Ending,
    Ended,
}

impl Schedule {
    /// Of a token that was got `now` and lives for `life`.
    pub(super) fn of(life: Duration, renewed_after: Option<Duration>, now: Timestamp) -> Self {
        let renewed_after = renewed_after.unwrap_or(life * 2 / 3);
        Self { life, ends_at: after(now, life), next_at: after(now, renewed_after), failures: 0 }
    }

    /// How long to sleep before the next look at the clock.
    pub(super) fn pause(&self, now: Timestamp) -> Duration {
        between(now, self.next_at).min(LONGEST_PAUSE)
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.next_at
    }

    /// Tries again later, each time twice as late.
    pub(super) fn failed(&mut self, now: Timestamp) {
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(6));
        self.next_at = after(now, pause.min(LONGEST_PAUSE));
        self.failures += 1;
    }

    pub(super) fn stage(&self, now: Timestamp) -> Stage {
        let left = self.left(now);
        match self.failures {
            0 => Stage::Fresh,
            _ if left.is_zero() => Stage::Ended,
            _ if left < self.life / 10 => Stage::Ending,
            _ => Stage::Failing,
        }
    }

    /// What is left of the token's life.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        between(now, self.ends_at)
    }
}

fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.plus_millis(duration.as_millis().try_into().unwrap_or(u64::MAX))
}

fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::from_millis(later.as_millis().saturating_sub(earlier.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_token_is_renewed_at_two_thirds_of_its_life_and_the_clock_is_looked_at_often() {
        let schedule = Schedule::of(Duration::from_secs(900), None, at(1000));
        assert!(!schedule.is_due(at(1599)) && schedule.is_due(at(1600)));
        for (now, pause) in [(1000, 60), (1590, 10), (1600, 0), (5000, 0)] {
            assert_eq!(schedule.pause(at(now)).as_secs(), pause, "{now}");
        }
        let schedule = Schedule::of(Duration::from_secs(900), Some(Duration::from_secs(1)), at(0));
        assert!(!schedule.is_due(at(0)) && schedule.is_due(at(1)));
    }

    #[test]
    fn attempts_become_rarer_up_to_a_minute_and_never_end() {
        let mut schedule = Schedule::of(Duration::from_secs(900), None, at(0));
        let mut now = 600;
        let pauses = Vec::from_iter((0..9).map(|_| {
            schedule.failed(at(now));
            let pause = schedule.pause(at(now)).as_secs();
            now += pause;
            assert!(schedule.is_due(at(now)));
            pause
        }));
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_token_that_was_not_renewed_is_warned_of_before_it_ends() {
        let mut schedule = Schedule::of(Duration::from_secs(900), None, at(0));
        assert_eq!(schedule.stage(at(600)), Stage::Fresh);
        schedule.failed(at(600));
        for (now, stage) in [
            (600, Stage::Failing),
            (810, Stage::Failing),
            (811, Stage::Ending),
            (900, Stage::Ended),
        ] {
            assert_eq!(schedule.stage(at(now)), stage, "{now}");
        }
        // An attempt falls into the time in which the end is near: attempts are at most a minute apart.
        assert!(LONGEST_PAUSE < Duration::from_secs(900 / 10));
    }
}

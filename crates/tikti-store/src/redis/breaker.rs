//! Is it worth asking this server now, or is it certain enough that it would not answer?
//!
//! Closed: everything passes. Open: nothing passes until the next trial is due; then one call may
//! try to connect while the others go on failing at once. Invariant: pure; the time is given, and a
//! trial that nobody finishes ends by itself.
//!
//! Spec: Storage, "reconnect with jittered backoff", "recovery by itself within 2 s".

use std::time::Duration;

use tokio::time::Instant;

use super::connection::CONNECT_LIMIT;
use super::jitter::Jitter;

/// So many connections broken in a row open it, although connecting works. What counts is the
/// connections: one that many requests share says no more about its server than any other.
const LOSSES: u32 = 5;

/// The state of one server.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    losses: u32,
    /// Failures to connect since the last success.
    failures: u32,
    /// When the next trial is due; `None` is closed.
    next_trial: Option<Instant>,
}

/// What a call may do.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Permit {
    /// Use what is there, or connect.
    Pass,
    /// Connect anew, and say what came of it.
    Trial,
    /// Fail at once.
    Refuse,
}

impl Breaker {
    /// Asks before a call.
    pub(super) fn permit(&mut self, now: Instant) -> Permit {
        match self.next_trial {
            None => Permit::Pass,
            Some(due) if now < due => Permit::Refuse,
            Some(_) => {
                // The trial takes this long at most. If nobody says what came of it, since its call
                // was dropped, another may try then.
                self.next_trial = Some(now + CONNECT_LIMIT);
                Permit::Trial
            }
        }
    }

    /// Whether [`Breaker::permit`] would refuse.
    pub(super) fn is_resting(&self, now: Instant) -> bool {
        self.next_trial.is_some_and(|due| now < due)
    }

    /// A connection was made, or a request was answered.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A connection could not be made.
    pub(super) fn could_not_connect(&mut self, now: Instant, jitter: &Jitter) {
        self.failures = self.failures.saturating_add(1);
        self.next_trial = Some(now + self.wait(jitter));
    }

    /// A connection broke, or a request on it was not answered in time.
    pub(super) fn lost(&mut self, now: Instant, jitter: &Jitter) {
        self.losses = self.losses.saturating_add(1);
        if self.losses >= LOSSES && self.next_trial.is_none() {
            self.next_trial = Some(now + self.wait(jitter));
        }
    }

    fn wait(&self, jitter: &Jitter) -> Duration {
        jitter.wait_after(self.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::jitter::LONGEST;

    fn jitter() -> Jitter {
        Jitter::new([1; 16])
    }

    fn after_failures(count: usize, now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        (0..count).for_each(|_| breaker.could_not_connect(now, &jitter()));
        breaker
    }

    #[test]
    fn passes_while_the_server_answers() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(breaker.permit(now), Permit::Pass);
            breaker.lost(now, &jitter());
            breaker.succeeded();
        }
    }

    #[test]
    fn one_failure_to_connect_refuses_until_the_trial_is_due() {
        let now = Instant::now();
        let mut breaker = after_failures(1, now);
        assert!(breaker.is_resting(now));
        assert_eq!(breaker.permit(now), Permit::Refuse);
        assert!(!breaker.is_resting(now + Duration::from_millis(20)));
        assert_eq!(breaker.permit(now + Duration::from_millis(20)), Permit::Trial);
    }

    #[test]
    fn losses_in_a_row_open_it_and_a_success_forgets_them() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        (1..LOSSES).for_each(|_| breaker.lost(now, &jitter()));
        assert_eq!(breaker.permit(now), Permit::Pass);
        breaker.succeeded();
        (1..LOSSES).for_each(|_| breaker.lost(now, &jitter()));
        assert_eq!(breaker.permit(now), Permit::Pass);
        breaker.lost(now, &jitter());
        assert_eq!(breaker.permit(now), Permit::Refuse);
    }

    #[test]
    fn one_trial_at_a_time() {
        let now = Instant::now();
        let mut breaker = after_failures(3, now);
        let due = now + LONGEST;
        assert_eq!(breaker.permit(due), Permit::Trial);
        assert_eq!(breaker.permit(due), Permit::Refuse);
        assert_eq!(breaker.permit(due + CONNECT_LIMIT / 2), Permit::Refuse);
    }

    #[test]
    fn a_trial_that_was_dropped_makes_room_for_the_next() {
        let now = Instant::now();
        let mut breaker = after_failures(1, now);
        assert_eq!(breaker.permit(now + LONGEST), Permit::Trial);
        assert_eq!(breaker.permit(now + LONGEST + CONNECT_LIMIT), Permit::Trial);
    }

    #[test]
    fn the_first_success_closes_it() {
        let now = Instant::now();
        let mut breaker = after_failures(8, now);
        breaker.succeeded();
        assert_eq!(breaker.permit(now), Permit::Pass);
        // And the next failure begins with the shortest wait again.
        breaker.could_not_connect(now, &jitter());
        assert_eq!(breaker.permit(now + Duration::from_millis(20)), Permit::Trial);
    }

    #[test]
    fn however_often_it_failed_the_next_trial_is_due_within_half_a_second() {
        for failures in 1..60 {
            let now = Instant::now();
            let mut breaker = after_failures(failures, now);
            assert_eq!(breaker.permit(now + LONGEST), Permit::Trial, "{failures}");
        }
    }
}

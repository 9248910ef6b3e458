//! What time is it in a loop, and how is the next request waited for?
//!
//! Since the beginning of the loop, so that a test can have a time of its own.

use std::thread;
use std::time::{Duration, Instant};

/// The longest that a wait goes on without a look at whether it is still wanted.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// The time of one loop.
pub(crate) trait Time {
    /// Since the loop began.
    fn now(&self) -> Duration;

    /// Waits until then, unless `is_over` meanwhile.
    fn wait_until(&self, due: Duration, is_over: &dyn Fn() -> bool) {
        loop {
            let left = due.saturating_sub(self.now());
            if left.is_zero() || is_over() {
                return;
            }
            self.rest(left.min(LOOKS_EVERY));
        }
    }

    /// Lets so much time pass.
    fn rest(&self, time: Duration);
}

/// The time of this machine.
pub(crate) struct Clock {
    begin: Instant,
}

impl Clock {
    /// One that begins now.
    pub(crate) fn begin() -> Self {
        Self { begin: Instant::now() }
    }
}

impl Time for Clock {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn rest(&self, time: Duration) {
        thread::park_timeout(time);
    }
}

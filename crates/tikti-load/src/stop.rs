//! How does a loop end early? Whoever wants that asks for it; loops and calls look now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks loops, and the calls in them, to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks every loop that has this one, those that begin later as well.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

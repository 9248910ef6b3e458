//! What if the process had died here? For tests of whoever builds on the store.
//!
//! A store with a fault plan counts its calls, and from the one that was named on, every call fails
//! as if the process had died before making it. Invariant: a call that fails has not reached the
//! engine.
//!
//! Spec: Storage, "a crash between two steps is finished later".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::StoreError;
use crate::store::Store;

/// Shared by the handles of one store that fails on purpose.
#[derive(Debug)]
pub struct FaultPlan {
    calls: AtomicU64,
    /// The first call that fails, and the last.
    fails: std::ops::RangeInclusive<u64>,
}

/// The reason of a failure on purpose.
#[derive(Debug, thiserror::Error)]
#[error("a test stopped the store here")]
struct OnPurpose;

impl FaultPlan {
    /// Lets `calls` calls pass and fails all that follow: a crash.
    #[must_use]
    pub fn crash_after(calls: u64) -> Arc<Self> {
        Arc::new(Self { calls: AtomicU64::new(0), fails: calls + 1..=u64::MAX })
    }

    /// Lets `calls` calls pass, fails one, and lets the others pass: a hiccup.
    #[must_use]
    pub fn fail_once_after(calls: u64) -> Arc<Self> {
        Arc::new(Self { calls: AtomicU64::new(0), fails: calls + 1..=calls + 1 })
    }

    /// How many calls were made, those that failed included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn step(&self) -> Result<(), StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fails.contains(&call) {
            return Err(StoreError::unavailable("being tested", OnPurpose));
        }
        Ok(())
    }
}

impl Store {
    /// Another handle of the same store, whose calls fail as `plan` says.
    #[must_use]
    pub fn with_faults(&self, plan: Arc<FaultPlan>) -> Self {
        let mut store = self.clone();
        store.faults = Some(plan);
        store
    }
}

//! What if the process had died here, or somebody else had come first? For tests of whoever builds on the
//! store.
//!
//! A store with a fault plan counts its calls, and from the one that was named on, every call fails
//! as if the process had died before making it; or it waits once before every call or every write, so that
//! whoever polls decides who goes next. Invariant: a call that fails has not reached the engine.
//!
//! Spec: Storage, "a crash between two steps is finished later".

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use crate::error::StoreError;
use crate::store::Store;

/// Shared by the handles of one store that fails on purpose.
#[derive(Debug)]
pub struct FaultPlan {
    calls: AtomicU64,
    /// The first call that fails, and the last.
    fails: std::ops::RangeInclusive<u64>,
    waits: Waits,
}

/// Before which calls there is a wait.
#[derive(Clone, Copy, Debug)]
enum Waits {
    Never,
    Writes,
    All,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// It reads records, or does not change them one by one.
    Read,
    /// It changes records.
    Write,
}

/// The reason of a failure on purpose.
#[derive(Debug, thiserror::Error)]
#[error("a test stopped the store here")]
struct OnPurpose;

impl FaultPlan {
    /// Lets `calls` calls pass and fails all that follow: a crash.
    #[must_use]
    pub fn crash_after(calls: u64) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicU64::new(0),
            fails: calls + 1..=u64::MAX,
            waits: Waits::Never,
        })
    }

    /// Lets `calls` calls pass, fails one, and lets the others pass: a hiccup.
    #[must_use]
    pub fn fail_once_after(calls: u64) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicU64::new(0),
            fails: calls + 1..=calls + 1,
            waits: Waits::Never,
        })
    }

    /// Fails none, and waits once before each: its future is pending there, and awake at once.
    #[must_use]
    #[expect(clippy::reversed_empty_ranges, reason = "no call fails")]
    pub fn wait_before_each() -> Arc<Self> {
        Arc::new(Self { calls: AtomicU64::new(0), fails: 1..=0, waits: Waits::All })
    }

    /// The same, before each write alone: all that a write goes by has been read there.
    #[must_use]
    #[expect(clippy::reversed_empty_ranges, reason = "no call fails")]
    pub fn wait_before_writes() -> Arc<Self> {
        Arc::new(Self { calls: AtomicU64::new(0), fails: 1..=0, waits: Waits::Writes })
    }

    /// Waits once before each write, and fails all calls after `calls` calls.
    #[must_use]
    pub fn wait_and_crash_after(calls: u64) -> Arc<Self> {
        let fails = calls + 1..=u64::MAX;
        Arc::new(Self { calls: AtomicU64::new(0), fails, waits: Waits::Writes })
    }

    /// How many calls were made, those that failed included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn step(&self, next: Call) -> Step {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = self.fails.contains(&call);
        let waits = match self.waits {
            Waits::Never => false,
            Waits::Writes => next == Call::Write,
            Waits::All => true,
        };
        Step { waits, fails }
    }
}

/// What happens before a call. A type of its own, and no `async fn`: the futures around it nest as deeply as
/// the compiler follows.
#[derive(Debug, Default)]
pub(crate) struct Step {
    waits: bool,
    fails: bool,
}

impl Future for Step {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waits {
            self.waits = false;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.fails {
            return Poll::Ready(Err(StoreError::unavailable("being tested", OnPurpose)));
        }
        Poll::Ready(Ok(()))
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

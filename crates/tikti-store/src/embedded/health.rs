//! Does this process still know what is on the disk?
//!
//! After a commit that failed on its way to the disk, or a committer thread that ended, it does
//! not: what was written may be there or not, and what LMDB maps may differ from what a restart
//! would find. Invariant: once that has happened, no read and no write is answered from the engine.
//! A restart reads the last root that is whole, and knows again.
//!
//! Spec: Storage, "Every acknowledged write survives"; docs/decisions/0001.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::StoreError;

/// Shared by the reads and the committer of one open store.
#[derive(Clone, Default)]
pub(super) struct Health {
    lost: Arc<AtomicBool>,
}

/// Why everything is refused.
#[derive(Debug, thiserror::Error)]
#[error(
    "an earlier commit did not end properly, so what is on the disk is not known: restart the \
     process"
)]
struct RestartNeeded;

impl Health {
    /// Refuses once the state of the engine is unknown.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.lost.load(Ordering::Acquire) {
            return Err(StoreError::unavailable("waiting for a restart", RestartNeeded));
        }
        Ok(())
    }

    /// Remembers that the state is unknown from here on.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// Watches a piece of work that must not end in a panic.
    pub(super) fn watch(&self) -> Watch<'_> {
        Watch { health: self }
    }
}

/// See [`Health::watch`].
pub(super) struct Watch<'a> {
    health: &'a Health,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.lose();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_panic_under_watch_loses_it_for_every_handle() {
        let health = Health::default();
        drop(health.watch());
        health.check().unwrap();
        let watched = health.clone();
        let thread = std::thread::spawn(move || {
            let _watch = watched.watch();
            panic!("as the committer thread might");
        });
        assert!(thread.join().is_err());
        let refused = health.check().unwrap_err();
        assert_eq!(refused.to_string(), "the store is unavailable while waiting for a restart");
        assert!(refused.source().unwrap().to_string().ends_with("restart the process"));
    }
}

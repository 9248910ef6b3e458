//! When is it? A point in time as the store compares it.
//!
//! Invariant: milliseconds since the Unix epoch, always handed in by the caller. Nothing in this
//! crate can make one from a clock.
//!
//! Spec: Storage, "the contract takes `now` from the caller".

use serde::{Deserialize, Serialize};

/// A point in time, in milliseconds since the Unix epoch; in a record, that bare number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Takes milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Gives milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Moves forward by `millis`, and stays at the last representable moment beyond it.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

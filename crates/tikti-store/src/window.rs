//! How often did it happen lately? Counters for rate limits.
//!
//! Time is cut into windows of equal length, and each window has a counter of its own, named by the
//! window's number, so that a counter never has to be reset. A sliding count is made of the current
//! window and the one before: whoever asks weighs them. Invariant: a counter belongs to no
//! transaction, is not a record, and is not durable: a crash may forget it.
//!
//! Spec: Storage, "`count_in_window` for rate limits"; Operations, "sliding window of two fixed
//! windows".

use crate::key::Key;
use crate::timestamp::Timestamp;

/// What is counted, and in which window it is now.
pub(crate) struct Window<'a> {
    pub(crate) key: &'a Key,
    /// The window's number since the epoch.
    pub(crate) number: u64,
    /// How long a window is, in milliseconds; at least 1.
    pub(crate) length_millis: u64,
    /// How much of the window is over, in milliseconds.
    pub(crate) elapsed_millis: u64,
}

impl<'a> Window<'a> {
    pub(crate) fn at(key: &'a Key, length_millis: u64, now: Timestamp) -> Self {
        let length_millis = length_millis.max(1);
        let number = now.as_millis() / length_millis;
        let elapsed_millis = now.as_millis() % length_millis;
        Self { key, number, length_millis, elapsed_millis }
    }
}

/// What the counters of two windows say, the call that asked included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowCount {
    /// Calls in the current window.
    pub current: u64,
    /// Calls in the window before.
    pub previous: u64,
    /// How much of the current window is over, in milliseconds.
    pub elapsed_millis: u64,
}

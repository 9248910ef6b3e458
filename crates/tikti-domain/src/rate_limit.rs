//! How much is too much, and when does a repeat make sense?
//!
//! Pure: a [`Limit`] judges the counters of two fixed windows as one sliding window. The current window
//! counts whole, the one before as much as of it still lies within a window's length from now.
//! Invariant: what is counted in one fixed window never exceeds the limit, and whoever asks again after
//! the time that he was told is let through, unless others used it up.
//!
//! Spec: Operations, "Rate limits" (sliding window of two fixed windows).

use tikti_store::WindowCount;

pub(crate) use buckets::{Buckets, Tag};

mod buckets;

const MINUTE_MILLIS: u64 = 60_000;
const HOUR_MILLIS: u64 = 3_600_000;

/// So many of something in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most of them; 0 is no limit.
    pub most: u64,
    /// Length of the window in milliseconds.
    pub window_millis: u64,
}

impl Limit {
    /// At most so many in a minute.
    #[must_use]
    pub const fn per_minute(most: u64) -> Self {
        Self { most, window_millis: MINUTE_MILLIS }
    }

    /// At most so many in an hour.
    #[must_use]
    pub const fn per_hour(most: u64) -> Self {
        Self { most, window_millis: HOUR_MILLIS }
    }

    /// So many times as many in the same time.
    #[must_use]
    pub(crate) const fn times(self, factor: u64) -> Self {
        Self { most: self.most.saturating_mul(factor), ..self }
    }

    /// Whether there is a limit at all.
    pub(crate) const fn is_on(self) -> bool {
        self.most > 0
    }

    /// Twice as many in twice the time: the same pace, with more at once.
    pub(crate) const fn relaxed(self) -> Self {
        let window_millis = self.window_millis.saturating_mul(2);
        Self { window_millis, ..self.times(2) }
    }

    /// Whether the last of what was counted is within the limit; it stands in the count already.
    pub(crate) fn allows(self, counted: WindowCount) -> bool {
        let window = u128::from(self.window_millis);
        let left = window.saturating_sub(u128::from(counted.elapsed_millis));
        let weighed = u128::from(counted.current) * window + u128::from(counted.previous) * left;
        weighed <= u128::from(self.most) * window
    }

    /// Milliseconds until one more would be within the limit, if nobody else asks; 0 where it is now.
    pub(crate) fn wait_millis(self, counted: WindowCount) -> u64 {
        let window = u128::from(self.window_millis);
        let left = window.saturating_sub(u128::from(counted.elapsed_millis));
        let (most, current, previous) =
            (u128::from(self.most), u128::from(counted.current), u128::from(counted.previous));
        let wait = if current < most {
            // Until this window ends only the one before gets lighter.
            let room = (most - current - 1) * window;
            (previous * left).saturating_sub(room).div_ceil(previous.max(1))
        } else {
            // This window is full. In the next one it is the one before, and has to get lighter.
            let room = most.saturating_sub(1) * window;
            left + (current * window).saturating_sub(room).div_ceil(current.max(1))
        };
        u64::try_from(wait).unwrap_or(u64::MAX)
    }

    /// Milliseconds that the block of this number lasts, counted from 1: a window, then twice as long
    /// each time.
    pub(crate) fn backoff_millis(self, strikes: u32, longest_millis: u64) -> u64 {
        let times = 1_u64.checked_shl(strikes.saturating_sub(1)).unwrap_or(u64::MAX);
        self.window_millis.saturating_mul(times).min(longest_millis)
    }
}

/// `Retry-After` for a wait: whole seconds, never too few, at least one.
pub(crate) fn retry_after_seconds(wait_millis: u64) -> u64 {
    wait_millis.div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests;

//! How long to wait before the next try, so that many that failed together do not return together?
//!
//! Invariant: no randomness is made here. The sequence is drawn from the seed that the caller of
//! `open` gave, so two replicas wait differently.
//!
//! Spec: Storage, "reconnect with jittered backoff".

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The first wait; every further one doubles it.
const FIRST: Duration = Duration::from_millis(20);
/// The longest wait.
pub(super) const LONGEST: Duration = Duration::from_millis(500);

/// A sequence of numbers that no two seeds share.
pub(super) struct Jitter(AtomicU64);

impl Jitter {
    /// Takes the seed of the write ids: sixteen random bytes.
    pub(super) fn new(seed: [u8; 16]) -> Self {
        let seed = u128::from_le_bytes(seed);
        let folded = (seed >> 64) ^ (seed & u128::from(u64::MAX));
        Self(AtomicU64::new(u64::try_from(folded).unwrap_or(u64::MAX)))
    }

    /// How long to wait after `failures` failures in a row: between half and all of 20 ms doubled
    /// each time, 500 ms at most.
    pub(super) fn wait_after(&self, failures: u32) -> Duration {
        let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
        let whole = doubled.min(LONGEST);
        let half = whole / 2;
        let span = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(self.draw() % (span + 1))
    }

    /// `SplitMix64`: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_published_sequence() {
        // The first two numbers for seed 0 in the reference implementation of SplitMix64.
        let jitter = Jitter::new([0; 16]);
        assert_eq!(jitter.draw(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(jitter.draw(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn doubles_up_to_half_a_second_and_keeps_at_least_half() {
        let jitter = Jitter::new([7; 16]);
        let wholes = [20, 20, 40, 80, 160, 320, 500, 500].map(Duration::from_millis);
        for (failures, whole) in wholes.into_iter().enumerate() {
            for _ in 0..50 {
                let wait = jitter.wait_after(u32::try_from(failures).unwrap());
                assert!(wait >= whole / 2 && wait <= whole, "{failures}: {wait:?}");
            }
        }
        assert!(jitter.wait_after(u32::MAX) <= LONGEST);
    }

    #[test]
    fn two_seeds_wait_differently() {
        let waits = |seed| {
            let jitter = Jitter::new([seed; 16]);
            // A seed of two equal halves would fold to nothing.
            (0..8).map(|_| jitter.wait_after(9)).collect::<Vec<_>>()
        };
        let mut other = [0; 16];
        other[3] = 1;
        let other = Jitter::new(other);
        assert_ne!(waits(0), (0..8).map(|_| other.wait_after(9)).collect::<Vec<_>>());
    }
}

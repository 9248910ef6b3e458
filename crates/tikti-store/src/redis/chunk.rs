//! How many records are asked for at once, so that the reply arrives in time?
//!
//! As many as fit into about 4 MiB, if they are as large as the largest that came last. Invariant: at
//! least one, and 64 at most; after large ones it grows again step by step.
//!
//! Spec: Storage, "time-outs on every call".

use std::sync::atomic::{AtomicUsize, Ordering};

const MOST: usize = 64;
const REPLY_BYTES: usize = 4 * 1024 * 1024;
/// How many times as many may follow on records that turned out small.
const GROWTH: usize = 4;

/// The size of the next chunk. Shared: what one listing has met, the next expects.
pub(super) struct Chunk(AtomicUsize);

impl Chunk {
    /// Begins with the most, for what is usually small.
    pub(super) fn most() -> Self {
        Self(AtomicUsize::new(MOST))
    }

    /// Begins with fewer, for what may be anything.
    pub(super) fn careful() -> Self {
        Self(AtomicUsize::new(MOST / GROWTH))
    }

    /// How many to ask for.
    pub(super) fn size(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Learns from what has come.
    pub(super) fn learn(&self, found: &[Option<Vec<u8>>]) {
        let Some(largest) = found.iter().flatten().map(Vec::len).max() else { return };
        let fitting = REPLY_BYTES / largest.max(1);
        let most = MOST.min(self.size().saturating_mul(GROWTH));
        self.0.store(fitting.clamp(1, most), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinks_at_once_and_grows_step_by_step() {
        let chunk = Chunk::careful();
        assert_eq!((Chunk::most().size(), chunk.size()), (64, 16));
        let sizes = [
            // Whatever was there before, one that is larger than a whole reply comes alone.
            (vec![10, 5 << 20], 1),
            (vec![10], 4),
            (vec![], 4),
            (vec![0], 16),
            (vec![1 << 20, 0], 4),
            (vec![10], 16),
            (vec![10], 64),
            (vec![10], 64),
            (vec![512 << 10], 8),
        ];
        for (bytes, expected) in sizes {
            let found = bytes.iter().map(|bytes| Some(vec![0; *bytes]));
            chunk.learn(&found.chain([None]).collect::<Vec<_>>());
            assert_eq!(chunk.size(), expected, "{bytes:?}");
        }
    }
}

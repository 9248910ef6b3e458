//! Where are the counters of an engine that has one process? In its memory.
//!
//! Invariant: bounded. A counter is dropped when its window and the next are over; where more than
//! [`MAX_COUNTERS`] are alive at once, all of them are dropped, which lets somebody try once more
//! rather than let memory grow without end.
//!
//! Spec: Storage, "`count_in_window` for rate limits".

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::key::Key;
use crate::window::{Window, WindowCount};

const MAX_COUNTERS: usize = 1 << 20;
/// How many calls pass between two looks at what is over.
const CALLS_PER_CLEANING: u64 = 4096;

#[derive(Default)]
pub(super) struct Windows(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    calls: u64,
    counters: HashMap<(Key, u64), Counter>,
}

struct Counter {
    count: u64,
    /// From when on nobody asks for it any more, in milliseconds since the epoch.
    over_millis: u64,
}

impl Windows {
    pub(super) fn count(&self, window: &Window<'_>) -> WindowCount {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now_millis = window
            .number
            .saturating_mul(window.length_millis)
            .saturating_add(window.elapsed_millis);
        state.calls += 1;
        if state.calls.is_multiple_of(CALLS_PER_CLEANING) {
            state.counters.retain(|_, counter| now_millis < counter.over_millis);
            if state.counters.len() > MAX_COUNTERS {
                state.counters.clear();
            }
        }
        let over_millis = window.number.saturating_add(2).saturating_mul(window.length_millis);
        let counter = state
            .counters
            .entry((window.key.clone(), window.number))
            .or_insert(Counter { count: 0, over_millis });
        counter.count += 1;
        let current = counter.count;
        let before = window.number.checked_sub(1).map(|number| (window.key.clone(), number));
        let previous = before.and_then(|before| state.counters.get(&before));
        WindowCount {
            current,
            previous: previous.map_or(0, |counter| counter.count),
            elapsed_millis: window.elapsed_millis,
        }
    }
}

//! Where are the counters of an engine that has one process? In its memory.
//!
//! Invariant: bounded. A counter is dropped when its window and the next are over; where more than
//! [`MAX_COUNTERS`] are alive at once, half of them are dropped, those with the lowest counts. So a flood of
//! names that are each counted once or twice drops its own, and not those of somebody who is near a limit.
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

impl Counters {
    /// Where more than `most` are alive, keeps half as many: the highest, and of those that are equal any.
    fn shrink(&mut self, most: usize) {
        if self.counters.len() <= most {
            return;
        }
        let keep = most / 2;
        let mut counts: Vec<u64> = self.counters.values().map(|counter| counter.count).collect();
        let (higher, least, _) = counts.select_nth_unstable_by(keep, |one, other| other.cmp(one));
        let least = *least;
        let mut equals = keep - higher.iter().filter(|count| **count > least).count();
        self.counters.retain(|_, counter| {
            let is_kept = counter.count > least || (counter.count == least && equals > 0);
            if is_kept && counter.count == least {
                equals -= 1;
            }
            is_kept
        });
    }
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
            state.shrink(MAX_COUNTERS);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Kind, Partition};

    fn counters(counts: impl IntoIterator<Item = u64>) -> Counters {
        let mut counters = Counters::default();
        for (number, count) in counts.into_iter().enumerate() {
            let key = Key::new(&Partition::new("l", &number.to_string()), Kind::new("count"), "");
            counters.counters.insert((key, 0), Counter { count, over_millis: 1 });
        }
        counters
    }

    fn left(counters: &Counters) -> Vec<u64> {
        let mut left: Vec<_> = counters.counters.values().map(|counter| counter.count).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn a_flood_of_names_drops_its_own_counters_and_not_the_high_ones() {
        let mut flooded = counters(std::iter::repeat_n(1, 1000).chain([7, 100, 9]));
        flooded.shrink(100);
        assert_eq!(flooded.counters.len(), 50);
        assert_eq!(left(&flooded).split_off(47), [7, 9, 100]);
        let mut few = counters(0..100);
        few.shrink(100);
        assert_eq!(few.counters.len(), 100);
        let mut high = counters(0..200);
        high.shrink(100);
        assert_eq!(left(&high), (150..200).collect::<Vec<_>>());
        let mut equal = counters(std::iter::repeat_n(5, 101));
        equal.shrink(100);
        assert_eq!(equal.counters.len(), 50);
    }
}

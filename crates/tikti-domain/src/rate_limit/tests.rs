//! The sliding count against a plain list of times.

use proptest::prelude::*;

use super::*;

/// What two counters would say of a list of times, a call at `now` included.
fn counted(times: &[u64], window_millis: u64, now: u64) -> WindowCount {
    let number = now / window_millis;
    let in_window = |wanted: u64| {
        let count = times.iter().filter(|time| **time / window_millis == wanted).count();
        u64::try_from(count).unwrap()
    };
    WindowCount {
        current: in_window(number) + 1,
        previous: number.checked_sub(1).map_or(0, in_window),
        elapsed_millis: now % window_millis,
    }
}

/// As [`counted`], without the call.
fn before(times: &[u64], window_millis: u64, now: u64) -> WindowCount {
    let counted = counted(times, window_millis, now);
    WindowCount { current: counted.current - 1, ..counted }
}

/// The sliding count of calls that are spread evenly over the window before, by another road: each of
/// them counts as much as is left of its window.
fn estimate(times: &[u64], window_millis: u64, now: u64) -> f64 {
    let counted = counted(times, window_millis, now);
    let left = (window_millis - counted.elapsed_millis) as f64 / window_millis as f64;
    counted.current as f64 + (0..counted.previous).map(|_| left).sum::<f64>()
}

#[derive(Clone, Debug)]
struct Story {
    limit: Limit,
    /// Pauses between calls in milliseconds.
    pauses: Vec<u64>,
}

fn stories() -> impl Strategy<Value = Story> {
    let pause = prop_oneof![Just(0_u64), 0..300_u64, 0..4000_u64];
    (1..20_u64, 100..2000_u64, prop::collection::vec(pause, 1..120)).prop_map(
        |(most, window_millis, pauses)| Story { limit: Limit { most, window_millis }, pauses },
    )
}

/// The times of calls, and which of them were let through; all are counted.
fn run(story: &Story) -> Vec<(u64, bool)> {
    let (limit, mut now) = (story.limit, 10_000);
    let mut times = Vec::new();
    let mut calls = Vec::new();
    for pause in &story.pauses {
        now += pause;
        calls.push((now, limit.allows(counted(&times, limit.window_millis, now))));
        times.push(now);
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn allows_what_the_weighed_count_of_a_list_of_times_allows(story in stories()) {
        let Limit { most, window_millis } = story.limit;
        let mut times = Vec::new();
        for (now, allowed) in run(&story) {
            let estimate = estimate(&times, window_millis, now);
            // Fractions of a call apart the two agree; on the edge rounding may fall either way.
            if (estimate - most as f64).abs() > 1e-6 {
                prop_assert_eq!(allowed, estimate <= most as f64);
            }
            times.push(now);
        }
    }

    #[test]
    fn no_fixed_window_lets_more_through_than_the_limit(story in stories()) {
        let Limit { most, window_millis } = story.limit;
        let calls = run(&story);
        for (start, _) in &calls {
            let same = |time: u64| time / window_millis == start / window_millis;
            let passed = calls.iter().filter(|(time, allowed)| *allowed && same(*time)).count();
            prop_assert!(u64::try_from(passed).unwrap() <= most);
        }
    }

    #[test]
    fn whoever_asks_seldom_enough_is_never_refused(story in stories()) {
        let Limit { most, window_millis } = story.limit;
        let calls = run(&story);
        for (now, allowed) in &calls {
            let earliest = now.saturating_sub(2 * window_millis);
            let lately = calls.iter().filter(|(time, _)| (earliest..=*now).contains(time)).count();
            prop_assert!(*allowed || u64::try_from(lately).unwrap() > most);
        }
    }

    #[test]
    fn the_wait_is_exact(story in stories()) {
        let limit = story.limit;
        let mut times = Vec::new();
        for (now, _) in run(&story) {
            times.push(now);
            let wait = limit.wait_millis(before(&times, limit.window_millis, now));
            let asks = |after: u64| {
                limit.allows(counted(&times, limit.window_millis, now + after))
            };
            prop_assert!(asks(wait), "after {wait}");
            prop_assert!(wait == 0 || !asks(wait - 1), "before {wait}");
        }
    }

    #[test]
    fn the_local_bucket_lets_through_whatever_the_sliding_window_does(story in stories()) {
        // Whoever keeps to the limit, in every stretch of a window's length, never empties the bucket.
        let limit = story.limit;
        let buckets = Buckets::default();
        let mut taken: Vec<u64> = Vec::new();
        for (now, _) in run(&story) {
            let lately = taken.iter().filter(|time| now - **time < limit.window_millis).count();
            if u64::try_from(lately).unwrap() < limit.most {
                let now_at = crate::clock::Timestamp::from_millis(now);
                prop_assert!(buckets.take(&[0; 16], limit, now_at).is_ok());
                taken.push(now);
            }
        }
    }
}

#[test]
fn a_full_window_weighs_on_the_next_until_it_is_light_enough() {
    let limit = Limit::per_minute(10);
    let counted =
        |current, previous, elapsed_millis| WindowCount { current, previous, elapsed_millis };
    for (count, allowed, wait) in [
        (counted(10, 0, 0), true, 66_000),
        (counted(9, 0, 0), true, 0),
        (counted(11, 0, 30_000), false, 30_000 + 10_910),
        (counted(1, 10, 0), false, 12_000),
        (counted(1, 10, 6_000), true, 6_000),
        (counted(1, 9, 0), true, 6_667),
        (counted(0, 1_000, 0), false, 59_460),
    ] {
        assert_eq!((limit.allows(count), limit.wait_millis(count)), (allowed, wait), "{count:?}");
    }
    assert_eq!(Limit::per_hour(1).wait_millis(counted(1, 0, 0)), 2 * 3_600_000);
}

#[test]
fn blocks_double_to_the_longest() {
    let limit = Limit::per_minute(10);
    let minutes = |strikes| limit.backoff_millis(strikes, 900_000) / 60_000;
    assert_eq!([1, 2, 3, 4, 5, 6, 64, 65, u32::MAX].map(minutes), [1, 2, 4, 8, 15, 15, 15, 15, 15]);
}

#[test]
fn retry_after_is_whole_seconds_and_never_too_few() {
    assert_eq!([0, 1, 1000, 1001, 60_000].map(retry_after_seconds), [1, 1, 1, 2, 60]);
}

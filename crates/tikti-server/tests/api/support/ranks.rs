//! Do two samples of times differ?

use std::time::Duration;

/// The rank test of Mann and Whitney: how many standard deviations the ranks of the second lie from
/// where they would be if both were drawn alike; and the ratio of the medians.
pub(crate) fn compare(one: &[Duration], other: &[Duration]) -> (f64, f64) {
    let mut all: Vec<_> = one.iter().map(|time| (*time, 0)).collect();
    all.extend(other.iter().map(|time| (*time, 1)));
    all.sort_unstable();
    let ranks = all.iter().enumerate().filter(|(_, (_, side))| *side == 1);
    let sum: f64 = ranks.map(|(rank, _)| rank as f64 + 1.0).sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let mean = m * (n + m + 1.0) / 2.0;
    let deviation = (n * m * (n + m + 1.0) / 12.0).sqrt();
    ((sum - mean) / deviation, median(other) / median(one))
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2].as_secs_f64()
}

#[test]
fn the_rank_test_tells_samples_apart_that_differ() {
    let times = |from: u64| (from..from + 100).map(Duration::from_millis).collect::<Vec<_>>();
    let (z, ratio) = compare(&times(100), &times(100));
    assert!(z.abs() < 1.0 && (ratio - 1.0).abs() < 0.01, "{z} {ratio}");
    assert!(compare(&times(100), &times(200)).0 > 10.0);
    assert!(compare(&times(200), &times(100)).0 < -10.0);
}

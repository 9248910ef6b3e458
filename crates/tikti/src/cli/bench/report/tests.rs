//! Does a report say what was measured, to people and to programs?

use std::time::Duration;

use serde_json::{Value, json};
use tikti_load::{Broken, Outcome, Tally};

use super::*;

fn tally(good: u64, failures: &[Outcome]) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..good {
        tally.record(&Outcome::Good, Duration::from_millis(2), Some(Duration::from_millis(1)));
    }
    for failure in failures {
        tally.record(failure, Duration::ZERO, None);
    }
    tally
}

fn refused(status: u16, code: &str) -> Outcome {
    Outcome::Refused { status, code: code.to_owned() }
}

fn ran(good: u64, failures: &[Outcome]) -> Ran {
    Ran { tally: tally(good, failures), time: Duration::from_secs(10) }
}

fn point(throughput: f64) -> Point {
    Point { good: 1_000, throughput, p50_ms: 1.0, p99_ms: 4.0 }
}

fn measured(ran: Ran, after: Option<Point>) -> Measured {
    let (name, what) = ("echo", "bare HTTP echo");
    let (before, after_failed, tally) = (point(100.0), None, Tally::default());
    let taken = Taken { name, what, each: 1, before, after, after_failed, tally };
    Measured { ran, beside: None, baselines: vec![taken], is_interrupted: false, is_whole: true }
}

/// Of a lookup; `is_open` at 50 requests a second.
fn report(measured: &Measured, is_open: bool) -> Report {
    let ours = Point::of(&measured.ran, 1);
    Report {
        scenario: "lookup",
        server: "http://127.0.0.1:8080".to_owned(),
        kind: if is_open { "open" } else { "closed" },
        rate: is_open.then_some(50.0),
        connections: 4,
        result: Found::of(&measured.ran, is_open),
        beside: None,
        baselines: rows(&measured.baselines, ours, is_open),
        sessions_left: None,
        interrupted: measured.is_interrupted,
        is_whole: measured.is_whole,
        is_here: true,
        user: None,
        tenant: None,
    }
}

#[test]
fn a_report_has_every_number_with_its_unit_and_the_ratio_to_the_median() {
    let measured = measured(ran(600, &[]), Some(point(140.0)));
    let value = serde_json::to_value(report(&measured, false)).unwrap();
    assert_eq!(
        value,
        json!({
            "scenario": "lookup",
            "server": "http://127.0.0.1:8080",
            "loop": "closed",
            "connections": 4,
            "good": 600,
            "failed": 0,
            "durationSeconds": 10.0,
            "throughput": 60.0,
            "latencyMs": { "p50": 2.001, "p90": 2.001, "max": 2.001 },
            "failures": [],
            "baselines": [
                { "name": "echo", "of": "throughput", "before": 100.0, "after": 140.0, "median": 120.0, "ratio": 0.5 },
            ],
            "interrupted": false,
        })
    );
}

#[test]
fn an_open_loop_is_compared_by_its_latencies() {
    let measured = measured(ran(1_000, &[]), None);
    let value = serde_json::to_value(report(&measured, true)).unwrap();
    assert_eq!(value["rate"], 50.0);
    assert_eq!(value["sentLateP99Ms"], 1.0);
    assert_eq!(
        value["baselines"],
        json!([
            { "name": "echo", "of": "p50Ms", "before": 1.0, "median": 1.0, "ratio": 2.001 },
            { "name": "echo", "of": "p99Ms", "before": 4.0, "median": 4.0, "ratio": 0.5002 },
        ])
    );
    // Of what one call did 64 times, the slowest call tells nothing of the slowest time.
    let mut many = measured;
    many.baselines[0].each = 64;
    let value = serde_json::to_value(report(&many, true)).unwrap();
    assert_eq!(value["baselines"].as_array().unwrap().len(), 1);
}

#[test]
fn failures_are_rows_by_status_and_code_and_fail_the_command() {
    let broken = Outcome::Broken(Broken("the server closed the connection".to_owned()));
    let failures = [refused(429, "RATE_LIMITED"), broken, refused(429, "RATE_LIMITED")];
    let report = report(&measured(ran(1, &failures), None), false);
    let value: Value = serde_json::to_value(&report).unwrap();
    assert_eq!(
        value["failures"],
        json!([
            { "count": 2, "status": 429, "reason": "RATE_LIMITED" },
            { "count": 1, "reason": "the server closed the connection" },
        ])
    );
    let failure = report.judge().unwrap_err();
    assert_eq!(failure.message, "3 of 4 calls failed, most by HTTP 429 RATE_LIMITED");
    assert!(failure.next.unwrap().contains("limits.enabled: false"));
}

#[test]
fn what_a_person_reads_has_the_same_numbers() {
    let failed = [refused(503, "OVERLOADED")];
    let report = report(&measured(ran(600, &failed), Some(point(140.0))), false);
    assert_eq!(
        report.people(),
        "\
scenario    lookup
server      http://127.0.0.1:8080
how         closed loop, 4 connections
calls       600 good, 1 failed, in 10 s
throughput  60/s
latency     p50 2.001  p90 2.001  max 2.001 ms

BASELINE        OF  BEFORE  AFTER  MEDIAN  RATIO
bare HTTP echo  /s  100     140    120     0.5

FAILED  STATUS  REASON
1       503     OVERLOADED"
    );
}

#[test]
fn a_quantile_of_too_few_calls_is_not_told() {
    for (good, shown) in [
        (999, vec!["max", "p50", "p90"]),
        (1_000, vec!["max", "p50", "p90", "p99"]),
        (9_999, vec!["max", "p50", "p90", "p99"]),
        (10_000, vec!["max", "p50", "p90", "p99", "p99.9"]),
    ] {
        let value = serde_json::to_value(Found::of(&ran(good, &[]), true)).unwrap();
        let names = Vec::from_iter(value["latencyMs"].as_object().unwrap().keys());
        let mut names = Vec::from_iter(names.into_iter().map(String::as_str));
        names.sort_unstable();
        assert_eq!(names, shown, "{good}");
    }
    // One that is compared has too few, whichever it is.
    let count = |ours, before, after: Option<u64>| {
        let mut measured = measured(ran(ours, &[]), after.map(|_| point(1.0)));
        measured.baselines[0].before.good = before;
        if let (Some(point), Some(good)) = (&mut measured.baselines[0].after, after) {
            point.good = good;
        }
        report(&measured, true).baselines.len()
    };
    assert_eq!(count(1_000, 1_000, Some(1_000)), 2);
    for few in [(999, 1_000, Some(1_000)), (1_000, 999, None), (1_000, 1_000, Some(999))] {
        assert_eq!(count(few.0, few.1, few.2), 1, "{few:?}");
    }
}

#[test]
fn what_counted_nothing_is_no_success() {
    let failure = report(&measured(ran(0, &[]), None), false).judge().unwrap_err();
    assert_eq!(failure.message, "not one call was counted");
    assert!(report(&measured(ran(1, &[]), None), false).judge().is_ok());
}

#[test]
fn a_baseline_that_failed_afterwards_is_told_with_the_report_and_fails_the_command() {
    let mut measured = measured(ran(600, &[]), None);
    measured.baselines[0].after_failed = Some("the baseline echo failed: HTTP 429".to_owned());
    let report = report(&measured, false);
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["good"], 600);
    assert_eq!(value["baselines"][0]["afterFailed"], "the baseline echo failed: HTTP 429");
    assert!(report.people().contains("100     failed  100     0.6"), "{}", report.people());
    let failure = report.judge().unwrap_err();
    assert_eq!(failure.message, "the baseline echo failed: HTTP 429, when it was measured again");
}

#[test]
fn a_rate_that_is_too_high_is_told_as_that() {
    let failures = [Outcome::Broken(Broken(NOT_SENT.to_owned()))];
    let failure = report(&measured(ran(1, &failures), None), true).judge().unwrap_err();
    assert!(failure.next.unwrap().contains("a lower --rate"));
}

#[test]
fn what_a_person_should_know_is_one_line_each() {
    let mut report = report(&measured(ran(1, &[]), None), false);
    assert_eq!(report.notes(), Vec::<String>::new());
    report.is_here = false;
    report.interrupted = true;
    (report.sessions_left, report.user) = (Some(3), Some("ann@example.org".to_owned()));
    let [away, ended, left] = report.notes().try_into().unwrap();
    assert!(away.contains("another machine"), "{away}");
    assert!(ended.contains("not all of the baselines"), "{ended}");
    assert!(
        left.contains("`tikti session revoke --user ann@example.org --tenant TENANT --yes`"),
        "{left}"
    );
    report.is_whole = false;
    assert!(report.notes()[1].contains("until then"));
    report.tenant = Some("codecompany".to_owned());
    assert!(report.notes()[2].contains("--tenant codecompany --yes`"));
}

#[test]
fn numbers_have_four_digits_that_count() {
    for (value, shown) in [
        (0.123_456, 0.1235),
        (12_345.678, 12_346.0),
        (99.999_9, 100.0),
        (0.0, 0.0),
        (1.0 / 3.0, 0.3333),
    ] {
        assert_eq!(rounded(value).to_bits(), f64::to_bits(shown), "{value}");
    }
    assert!(rounded(f64::NAN).is_nan());
}

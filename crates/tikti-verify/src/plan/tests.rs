//! Is every combination of age and past planned as the page of decisions says?

use super::*;

const TIMES: Times = Times {
    shortest_life: Duration::from_secs(30),
    longest_life: Duration::from_secs(3_600),
    longest_outage: Duration::from_secs(86_400),
    refetch_interval: Duration::from_secs(10),
};

const NOTHING: Plan = Plan { starts: false, waits: false };
const BEHIND: Plan = Plan { starts: true, waits: false };
const FIRST: Plan = Plan { starts: true, waits: true };
const JOIN: Plan = Plan { starts: false, waits: true };

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn keys_age_from_fresh_over_due_and_stale_to_missing() {
    let at = Instant::now();
    let confirmed = Some(Confirmed { at, life: seconds(300) });
    let after = |age: u64| Freshness::of(confirmed, &TIMES, at + seconds(age));
    assert_eq!(after(0), Freshness::Fresh);
    assert_eq!(after(224), Freshness::Fresh);
    assert_eq!(after(225), Freshness::Due);
    assert_eq!(after(299), Freshness::Due);
    assert_eq!(after(300), Freshness::Stale);
    assert_eq!(after(86_400), Freshness::Stale);
    assert_eq!(after(86_401), Freshness::Missing);
    assert_eq!(Freshness::of(None, &TIMES, at), Freshness::Missing);
}

#[test]
fn only_who_has_no_key_or_old_ones_waits() {
    let now = Instant::now();
    let mut book = Book::default();
    assert_eq!(book.plan(Freshness::Fresh, now), NOTHING);
    assert_eq!(book.plan(Freshness::Due, now), BEHIND);
    assert_eq!(book.plan(Freshness::Stale, now), FIRST);
    assert_eq!(book.plan(Freshness::Missing, now), FIRST);
    book.started(now);
    assert_eq!(book.plan(Freshness::Fresh, now), NOTHING);
    assert_eq!(book.plan(Freshness::Due, now), NOTHING);
    assert_eq!(book.plan(Freshness::Stale, now), JOIN);
    assert_eq!(book.plan(Freshness::Missing, now), JOIN);
}

#[test]
fn after_a_failure_stale_keys_serve_and_nobody_asks_before_the_pause_is_over() {
    let now = Instant::now();
    let mut book = Book::default();
    book.started(now);
    book.failed(now);
    assert_eq!(book.plan(Freshness::Stale, now), NOTHING);
    assert_eq!(book.plan(Freshness::Missing, now), NOTHING);
    let later = now + seconds(1);
    assert_eq!(book.plan(Freshness::Stale, later), BEHIND);
    assert_eq!(book.plan(Freshness::Missing, later), FIRST);
    book.started(later);
    assert_eq!(book.plan(Freshness::Stale, later), NOTHING);
}

#[test]
fn a_failure_of_long_ago_does_not_say_that_the_issuer_is_away() {
    let now = Instant::now();
    let mut book = Book::default();
    book.started(now);
    book.failed(now);
    // The pause of a second, and the longest one: with requests coming it would have been asked since.
    assert_eq!(book.plan(Freshness::Stale, now + seconds(31)), BEHIND);
    let hours_later = now + seconds(36_000);
    assert_eq!(book.plan(Freshness::Stale, hours_later), FIRST);
    book.started(hours_later);
    assert_eq!(book.plan(Freshness::Stale, hours_later), JOIN);
    book.failed(hours_later);
    assert_eq!(book.plan(Freshness::Stale, hours_later), NOTHING, "it has just been heard");
}

#[test]
fn who_is_served_during_an_outage_does_not_begin_to_wait_for_a_slow_fetch() {
    let now = Instant::now();
    let mut book = Book::default();
    book.failed(now);
    book.started(now + seconds(2));
    for age in [2, 31, 32, 600] {
        assert_eq!(book.plan(Freshness::Stale, now + seconds(age)), NOTHING, "after {age} s");
    }
}

#[test]
fn pauses_double_up_to_half_a_minute_and_end_with_a_success() {
    let now = Instant::now();
    let mut book = Book::default();
    let mut pauses = Vec::new();
    for _ in 0..40 {
        book.failed(now);
        pauses.push((book.not_before().unwrap() - now).as_secs());
    }
    assert_eq!(pauses[..7], [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(pauses.last(), Some(&30));
    book.succeeded();
    assert_eq!((book.failures(), book.not_before()), (0, None));
}

#[test]
fn unknown_key_ids_start_one_fetch_in_each_interval() {
    let start = Instant::now();
    let mut book = Book::default();
    let mut starts = 0;
    for millis in 0..60_000_u64 {
        let now = start + Duration::from_millis(millis);
        if book.plan_for_unknown(&format!("kid-{millis}"), &TIMES, now).starts {
            starts += 1;
            book.started(now);
            book.succeeded();
        }
    }
    assert_eq!(starts, 6);
    assert_eq!(book.held_back(), 60_000 - 6);
}

#[test]
fn a_stranger_is_remembered_for_two_intervals_and_not_waited_for() {
    let now = Instant::now();
    let mut book = Book::default();
    book.remember_stranger("gone", &TIMES, now);
    book.remember_stranger("gone", &TIMES, now + seconds(5));
    assert_eq!(book.plan_for_unknown("gone", &TIMES, now + seconds(19)), NOTHING);
    book.started(now + seconds(19));
    assert_eq!(book.plan_for_unknown("gone", &TIMES, now + seconds(19)), NOTHING);
    assert_eq!(book.plan_for_unknown("new", &TIMES, now + seconds(19)), JOIN);
    book.succeeded();
    assert_eq!(book.plan_for_unknown("gone", &TIMES, now + seconds(29)), FIRST);
}

#[test]
fn the_longest_times_that_are_built_can_be_counted_with() {
    let longest = Duration::from_hours(366 * 24);
    let times = Times { longest_life: longest, refetch_interval: longest, ..TIMES };
    let now = Instant::now();
    let confirmed = Confirmed { at: now, life: longest };
    assert_eq!(confirmed.due_at(), now + longest * 3 / 4);
    assert_eq!(Freshness::of(Some(confirmed), &times, now), Freshness::Fresh);
    let mut book = Book::default();
    book.started(now);
    book.succeeded();
    book.remember_stranger("gone", &times, now);
    assert_eq!(book.plan_for_unknown("gone", &times, now), NOTHING);
    assert_eq!(book.plan_for_unknown("new", &times, now), NOTHING);
}

#[test]
fn memory_of_strangers_is_bounded() {
    let now = Instant::now();
    let mut book = Book::default();
    for number in 0..10_000 {
        book.remember_stranger(&number.to_string(), &TIMES, now);
    }
    assert_eq!(book.strangers.len(), MAX_STRANGERS);
    assert_eq!(book.plan_for_unknown("9999", &TIMES, now), NOTHING);
    assert_eq!(book.plan_for_unknown("0", &TIMES, now), FIRST);
}

#[test]
fn an_outage_holds_unknown_key_ids_back_too() {
    let now = Instant::now();
    let mut book = Book::default();
    for _ in 0..6 {
        book.failed(now);
    }
    assert_eq!(book.plan_for_unknown("kid", &TIMES, now + seconds(29)), NOTHING);
    assert_eq!(book.plan_for_unknown("kid", &TIMES, now + seconds(30)), FIRST);
}

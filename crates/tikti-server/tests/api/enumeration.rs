//! What does a stranger learn of who has an account?
//!
//! Attacks, row E6; Domain, rule 7.

use std::time::{Duration, Instant};

use serde_json::json;
use tikti_domain::testing::put_user;
use tikti_domain::user::UserStatus;

use crate::support::{Place, Server};

const TRIES: usize = 400;
const CASES: [&str; 3] = ["nobody@example.org", "ann@example.org", "gone@example.org"];

/// Unknown, active and suspended, each with a wrong password, in turns.
#[tokio::test]
async fn e6_whether_an_address_is_known_shows_in_no_byte_and_no_gross_difference_of_time() {
    // Servers run on the thread of their test: twelve hundred requests need no log.
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let place = Place::new();
    place
        .prepare(async |domain| {
            put_user(domain, "ann@example.org", UserStatus::Active).await;
            put_user(domain, "gone@example.org", UserStatus::Suspended).await;
        })
        .await;
    let server = Server::start_with(place, |config| {
        config.domain.settings.limits.enabled = false;
    })
    .await;
    let mut replies = Vec::new();
    let mut times = CASES.map(|_| Vec::new());
    for round in 0..TRIES {
        for step in 0..CASES.len() {
            // Whoever is first in a round is another one each time.
            let case = (round + step) % CASES.len();
            let ask = json!({"email": CASES[case], "password": "not the password"});
            let began = Instant::now();
            let reply = server.post("/v1/accounts/signIn").json(ask).send().await;
            times[case].push(began.elapsed());
            reply.assert_refusal(401, "INVALID_LOGIN_CREDENTIALS");
            replies.push(reply.shape());
        }
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{:?}", replies[0]);
    for case in 1..CASES.len() {
        let (z, ratio) = compare(&times[0], &times[case]);
        println!("{} against {}: z {z:.2}, medians {ratio:.3}", CASES[0], CASES[case]);
        // A leak would be bcrypt itself, spent or not: far beyond. The rest is a busy machine's.
        assert!((0.5..=2.0).contains(&ratio), "{}: medians differ {ratio} times", CASES[case]);
    }
}

/// The rank test of Mann and Whitney: how many standard deviations the ranks of the second lie from
/// where they would be if both were drawn alike; and the ratio of the medians.
fn compare(one: &[Duration], other: &[Duration]) -> (f64, f64) {
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

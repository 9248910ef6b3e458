//! What becomes of acknowledged writes while the network and the servers fail?
//!
//! Writers keep a journal of what they were told (`writers`) while a scenario breaks things, and
//! then the journals are compared with what is stored: nothing that was acknowledged may be lost,
//! and nothing may have happened twice in effect. Each scenario reports a line on stdout, with the
//! longest time from the end of a fault to the next successful write; slow machines are not failed
//! for it.

mod cluster;
mod lag;
mod sentinel;
mod standalone;
mod writers;

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use tikti_store::{Entry, OpenOptions, RedisOptions, Store};
use tokio::time::sleep;

use self::writers::{Tally, Writers};
use crate::support::{NOW, key, options, say};

/// A scenario under way: its writers, and what it has to report.
struct Scenario {
    name: &'static str,
    store: Store,
    writers: Writers,
    rounds: u32,
    recovered_within: Duration,
}

impl Scenario {
    /// Begins to write to the store at `url`.
    async fn start(name: &'static str, url: &str, wait_replicas: u32) -> Self {
        let redis = RedisOptions { wait_replicas, ..RedisOptions::default() };
        let store = Store::open(url, OpenOptions { redis, ..options("test") }).await.unwrap();
        let writers = Writers::start(&store);
        Self { name, store, writers, rounds: 0, recovered_within: Duration::ZERO }
    }

    /// Waits until some more writes are acknowledged, so that what follows happens at a random
    /// moment of a busy time.
    async fn let_write(&mut self) {
        self.rounds += 1;
        self.writers.wait_for(1 + random_below(40)).await;
    }

    /// Waits, after a fault has ended, until a write succeeds.
    async fn recover(&mut self) {
        const LIMIT: Duration = Duration::from_secs(20);
        const PAUSE: Duration = Duration::from_millis(20);
        let begin = Instant::now();
        while let Err(error) = self.store.put(&key("probe"), Entry::new(b"x"), NOW).await {
            assert!(begin.elapsed() < LIMIT, "{}: no write succeeds: {error}", self.name);
            sleep(PAUSE).await;
        }
        self.recovered_within = self.recovered_within.max(begin.elapsed());
    }

    /// Ends the writers, and compares their journals with what is stored at `url`.
    async fn end(self, url: &str) -> Tally {
        let journals = self.writers.stop().await;
        drop(self.store);
        let store = Store::open(url, options("test")).await.unwrap();
        let mut tally = Tally::default();
        for journal in journals {
            journal.check(&store, &mut tally).await;
        }
        let Tally { acknowledged, lost, doubled, .. } = tally;
        say(&format!(
            "faults: {}: rounds {}, acknowledged {acknowledged}, lost {lost}, doubled {doubled}, \
             recovered within {} ms",
            self.name,
            self.rounds,
            self.recovered_within.as_millis()
        ));
        assert!(acknowledged > 0, "{}: nothing was written", self.name);
        tally
    }

    /// As [`Scenario::end`], where nothing may be lost or doubled.
    async fn end_without_loss(self, url: &str) {
        let name = self.name;
        let tally = self.end(url).await;
        assert_eq!((tally.lost, tally.doubled), (0, 0), "{name}: {:#?}", tally.findings);
    }
}

fn random_below(end: u64) -> u64 {
    RandomState::new().hash_one(0) % end
}

/// The first number behind `name` in a text such as `INFO replication`.
fn number_after(info: &str, name: &str) -> u64 {
    let (_, rest) = info.split_once(name).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

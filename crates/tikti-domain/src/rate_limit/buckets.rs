//! Who is far over a limit, as this process alone has seen it? Told without asking the store.
//!
//! A bucket holds as many tokens as its limit says, and is filled again within the limit's window. What
//! is kept of it is the moment at which it will be full: one number. It may be closed until a moment
//! that the store has named. Invariant: bounded. A bucket that is full and open is forgotten; where
//! all places are taken by others, a new one is not kept, which costs the store a question and lets
//! nobody through.
//!
//! Spec: Operations, "a local bucket in front spares the round trip".

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Limit;
use crate::clock::Timestamp;
use crate::secret::TAG_BYTES;

/// Names what is counted: a keyed hash, so that nobody can read from memory or store what it was.
pub(crate) type Tag = [u8; TAG_BYTES];

/// How many buckets are kept: some megabytes.
const MOST_BUCKETS: usize = 1 << 16;
/// How long after one look for full buckets another one makes sense, in milliseconds.
const CLEANING_MILLIS: u64 = 1000;
/// Nothing is closed for longer, in milliseconds: what says so was written before the clock jumped
/// back.
const LONGEST_MILLIS: u64 = 24 * 3_600_000;

/// The buckets of this process.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<Table>);

#[derive(Default)]
struct Table {
    buckets: HashMap<Tag, Bucket>,
    cleaned_at_millis: u64,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// When it is full again, in microseconds since the epoch.
    full_at_micros: u64,
    /// Until when nothing is taken from it, in milliseconds since the epoch.
    closed_until_millis: u64,
}

impl Buckets {
    /// Takes a token.
    ///
    /// # Errors
    /// The milliseconds until there is one.
    pub(crate) fn take(&self, tag: &Tag, limit: Limit, now: Timestamp) -> Result<(), u64> {
        let mut table = self.lock();
        let bucket = table.find(tag);
        match bucket.wait_millis(limit, now) {
            0 => {
                table.keep(tag, bucket.spent(limit, now), now);
                Ok(())
            }
            wait => Err(wait),
        }
    }

    /// Takes a token, whether or not there is one.
    pub(crate) fn spend(&self, tag: &Tag, limit: Limit, now: Timestamp) {
        let mut table = self.lock();
        let bucket = table.find(tag).spent(limit, now);
        table.keep(tag, bucket, now);
    }

    /// Whether there is no token, or the bucket is closed.
    pub(crate) fn is_spent(&self, tag: &Tag, limit: Limit, now: Timestamp) -> bool {
        self.lock().find(tag).wait_millis(limit, now) > 0
    }

    /// Closes a bucket until a moment.
    pub(crate) fn close(&self, tag: &Tag, until: Timestamp, now: Timestamp) {
        let mut table = self.lock();
        let bucket = Bucket { closed_until_millis: until.as_millis(), ..table.find(tag) };
        table.keep(tag, bucket, now);
    }

    /// Milliseconds for which the bucket is still closed; 0 where it is open.
    pub(crate) fn closed_millis(&self, tag: &Tag, now: Timestamp) -> u64 {
        self.lock().find(tag).closed_millis(now)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// A bucket as it is; one that is not kept is full and open.
    fn find(&self, tag: &Tag) -> Bucket {
        self.buckets.get(tag).copied().unwrap_or_default()
    }

    fn keep(&mut self, tag: &Tag, bucket: Bucket, now: Timestamp) {
        if self.buckets.len() >= MOST_BUCKETS && !self.buckets.contains_key(tag) {
            self.clean(now);
            if self.buckets.len() >= MOST_BUCKETS {
                return;
            }
        }
        self.buckets.insert(*tag, bucket);
    }

    /// Forgets what is full and open. Looks at all buckets, so not more often than once a second.
    fn clean(&mut self, now: Timestamp) {
        if now.as_millis().abs_diff(self.cleaned_at_millis) < CLEANING_MILLIS {
            return;
        }
        self.cleaned_at_millis = now.as_millis();
        let now_micros = micros(now);
        self.buckets.retain(|_, bucket| {
            bucket.full_at_micros > now_micros || bucket.closed_millis(now) > 0
        });
    }
}

impl Bucket {
    /// How much time the bucket needs to be full, in microseconds: never more than an empty one needs,
    /// also after the clock jumped back.
    fn lack_micros(self, limit: Limit, now: Timestamp) -> u64 {
        self.full_at_micros.saturating_sub(micros(now)).min(capacity_micros(limit))
    }

    fn wait_millis(self, limit: Limit, now: Timestamp) -> u64 {
        let lack_after = self.lack_micros(limit, now).saturating_add(pace_micros(limit));
        let wait = lack_after.saturating_sub(capacity_micros(limit)).div_ceil(1000);
        wait.max(self.closed_millis(now))
    }

    fn closed_millis(self, now: Timestamp) -> u64 {
        let left = self.closed_until_millis.saturating_sub(now.as_millis());
        if left > LONGEST_MILLIS { 0 } else { left }
    }

    fn spent(self, limit: Limit, now: Timestamp) -> Self {
        let lack = self.lack_micros(limit, now).saturating_add(pace_micros(limit));
        Self { full_at_micros: micros(now).saturating_add(lack), ..self }
    }
}

/// The time that one token takes.
fn pace_micros(limit: Limit) -> u64 {
    (limit.window_millis.saturating_mul(1000) / limit.most.max(1)).max(1)
}

/// The time that all tokens take.
fn capacity_micros(limit: Limit) -> u64 {
    pace_micros(limit).saturating_mul(limit.most.max(1))
}

fn micros(time: Timestamp) -> u64 {
    time.as_millis().saturating_mul(1000)
}

impl fmt::Debug for Buckets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Buckets({} kept)", self.lock().buckets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = [1; TAG_BYTES];

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + millis)
    }

    #[test]
    fn gives_all_it_holds_at_once_and_then_at_its_pace() {
        let (buckets, limit) = (Buckets::default(), Limit::per_minute(6));
        for _ in 0..6 {
            buckets.take(&TAG, limit, at(0)).unwrap();
        }
        assert_eq!(buckets.take(&TAG, limit, at(0)), Err(10_000));
        assert_eq!(buckets.take(&TAG, limit, at(9_999)), Err(1));
        buckets.take(&TAG, limit, at(10_000)).unwrap();
        assert_eq!(buckets.take(&TAG, limit, at(10_000)), Err(10_000));
        assert!(buckets.is_spent(&TAG, limit, at(10_000)));
        for _ in 0..6 {
            buckets.take(&TAG, limit, at(70_000)).unwrap();
        }
    }

    #[test]
    fn what_is_spent_beyond_the_last_token_costs_no_more_than_an_empty_bucket() {
        let (buckets, limit) = (Buckets::default(), Limit::per_minute(6));
        for _ in 0..1000 {
            buckets.spend(&TAG, limit, at(0));
        }
        assert!(buckets.is_spent(&TAG, limit, at(10_000)));
        assert!(!buckets.is_spent(&TAG, limit, at(20_000)));
    }

    #[test]
    fn a_closed_one_gives_nothing_until_its_time() {
        let (buckets, limit) = (Buckets::default(), Limit::per_minute(6));
        buckets.close(&TAG, at(5_000), at(0));
        assert_eq!(buckets.take(&TAG, limit, at(1)), Err(4_999));
        assert_eq!(buckets.closed_millis(&TAG, at(4_999)), 1);
        buckets.take(&TAG, limit, at(5_000)).unwrap();
    }

    #[test]
    fn a_clock_that_jumps_back_closes_nothing_for_ever() {
        let (buckets, limit) = (Buckets::default(), Limit::per_minute(6));
        for _ in 0..6 {
            buckets.take(&TAG, limit, at(1_000_000)).unwrap();
        }
        assert!(buckets.take(&TAG, limit, at(0)).unwrap_err() <= 10_000);
        buckets.close(&TAG, at(LONGEST_MILLIS + 1), at(LONGEST_MILLIS));
        assert_eq!(buckets.closed_millis(&TAG, at(0)), 0);
    }

    #[test]
    fn a_flood_of_names_fills_no_memory_and_lets_nobody_through() {
        let (buckets, limit) = (Buckets::default(), Limit::per_minute(60));
        let name = |number: usize| {
            let mut tag = [0; TAG_BYTES];
            tag[..8].copy_from_slice(&number.to_le_bytes());
            tag
        };
        for _ in 0..60 {
            buckets.spend(&TAG, limit, at(0));
        }
        for number in 0..2 * MOST_BUCKETS {
            buckets.spend(&name(number), limit, at(0));
        }
        assert_eq!(buckets.lock().buckets.len(), MOST_BUCKETS);
        assert!(buckets.is_spent(&TAG, limit, at(0)));
        // The others have had one token each and are full again after a second: there is room.
        buckets.spend(&name(usize::MAX), limit, at(1_000));
        assert_eq!(buckets.lock().buckets.len(), 2);
        assert!(!format!("{buckets:?}").contains('['));
    }
}

//! When are keys fetched, and who waits for it?
//!
//! Pure: what is held, what has happened and the time go in, a [`Plan`] comes out. The invariant:
//! at most one fetch runs at a time, and what strangers send never starts more than one in each
//! refetch interval.
//!
//! Spec: Tokens and keys, "Signing keys". Why: docs/decisions/0040.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The first pause after a fetch that did not succeed; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// For how many refetch intervals a `kid` that the issuer does not publish is no reason to ask again.
/// Not for long: the replica that was asked may not have known of a new key yet.
const STRANGER_INTERVALS: u32 = 2;
/// How many of them are remembered; the limit on all fetches holds beyond that.
const MAX_STRANGERS: usize = 64;

/// The configured times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Bounds of what `Cache-Control` may say.
    pub(crate) shortest_life: Duration,
    pub(crate) longest_life: Duration,
    /// How old keys may become while the issuer is away.
    pub(crate) longest_outage: Duration,
    /// How far apart fetches for unknown key ids are.
    pub(crate) refetch_interval: Duration,
}

/// When the keys that are held were last confirmed, and for how long that is good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    pub(crate) at: Instant,
    pub(crate) life: Duration,
}

impl Confirmed {
    /// A quarter of the life is left for fetching, so that with steady traffic nobody waits.
    pub(crate) fn due_at(&self) -> Instant {
        self.at + self.life * 3 / 4
    }
}

/// How far the keys that are held can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// There are none, or the issuer has been away for too long: nothing verifies.
    Missing,
    /// The issuer confirmed them within the time that it named.
    Fresh,
    /// The same, and it is time to ask again.
    Due,
    /// That time is over.
    Stale,
}

impl Freshness {
    pub(crate) fn of(confirmed: Option<Confirmed>, times: &Times, now: Instant) -> Self {
        let Some(confirmed) = confirmed else { return Self::Missing };
        let age = now.saturating_duration_since(confirmed.at);
        if age > times.longest_outage.max(confirmed.life) {
            Self::Missing
        } else if age >= confirmed.life {
            Self::Stale
        } else if now >= confirmed.due_at() {
            Self::Due
        } else {
            Self::Fresh
        }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Begin a fetch.
    pub(crate) starts: bool,
    /// Wait until the one that runs is over.
    pub(crate) waits: bool,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(crate) struct Book {
    is_in_flight: bool,
    last_start: Option<Instant>,
    /// In a row.
    failures: u32,
    not_before: Option<Instant>,
    strangers: VecDeque<(Box<str>, Instant)>,
    held_back: u64,
}

impl Book {
    /// Plans for a request whose key may be among those that are held.
    pub(crate) fn plan(&self, freshness: Freshness, now: Instant) -> Plan {
        let may_start = !self.is_in_flight && self.not_before.is_none_or(|time| time <= now);
        let may_wait = self.is_in_flight || may_start;
        match freshness {
            Freshness::Fresh => Plan::default(),
            Freshness::Due => Plan { starts: may_start, waits: false },
            // A key may have been revoked meanwhile, so the issuer is heard first; where it is
            // known to be away, what is held is better than a standstill.
            Freshness::Stale => Plan { starts: may_start, waits: may_wait && !self.is_away(now) },
            Freshness::Missing => Plan { starts: may_start, waits: may_wait },
        }
    }

    /// Plans for a request that names `kid`, which is not among the keys that are held.
    pub(crate) fn plan_for_unknown(&mut self, kid: &str, times: &Times, now: Instant) -> Plan {
        self.strangers.retain(|(_, until)| *until > now);
        let is_stranger = self.strangers.iter().any(|(stranger, _)| **stranger == *kid);
        if self.is_in_flight && !is_stranger {
            return Plan { starts: false, waits: true };
        }
        let is_too_soon = self.last_start.is_some_and(|last| now < last + times.refetch_interval)
            || self.not_before.is_some_and(|time| now < time);
        if is_stranger || is_too_soon {
            self.held_back = self.held_back.saturating_add(1);
            return Plan::default();
        }
        Plan { starts: true, waits: true }
    }

    /// Whether a fetch failed so lately that the next one need not be waited for. That of a server
    /// which was idle since says nothing of the issuer now. The fetch that runs is judged by its
    /// beginning, so that a long time limit does not turn who is served into who waits.
    fn is_away(&self, now: Instant) -> bool {
        let asked_at = self.last_start.filter(|_| self.is_in_flight).unwrap_or(now);
        self.not_before.is_some_and(|time| asked_at <= time + LONGEST_PAUSE)
    }

    /// Remembers that the issuer does not publish `kid`, of which it was asked by a fetch that began
    /// because of it: one that ran already may have begun before the key was made.
    pub(crate) fn remember_stranger(&mut self, kid: &str, times: &Times, now: Instant) {
        if self.strangers.iter().any(|(stranger, _)| **stranger == *kid) {
            return;
        }
        if self.strangers.len() >= MAX_STRANGERS {
            self.strangers.pop_front();
        }
        let until = now + times.refetch_interval * STRANGER_INTERVALS;
        self.strangers.push_back((kid.into(), until));
    }

    pub(crate) fn started(&mut self, now: Instant) {
        self.is_in_flight = true;
        self.last_start = Some(now);
    }

    pub(crate) fn succeeded(&mut self) {
        self.is_in_flight = false;
        self.failures = 0;
        self.not_before = None;
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        self.is_in_flight = false;
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause);
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.is_in_flight
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    pub(crate) fn held_back(&self) -> u64 {
        self.held_back
    }
}

#[cfg(test)]
mod tests;

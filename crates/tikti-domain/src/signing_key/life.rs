//! What may a signing key do at a moment? A pure function of what is stored of all keys, the settings, and
//! the moment.
//!
//! | state | from | in the JWKS | signs |
//! |---|---|---|---|
//! | published | it is stored | yes | no |
//! | active | its `activatesAt` | yes | yes |
//! | retiring | its successor's `activatesAt` | yes | no |
//! | removed | that, and the longest life of a token, the refresh interval and twice the skew | no | no |
//! | revoked | it is stored as such | no | no |
//!
//! Keys take turns in the order of their `activatesAt`. A key's successor is the next one in that order which
//! was not revoked before its own turn: that it was revoked later brings no earlier key back, so whoever was
//! removed stays removed. Invariant: at most one key is active. Where none is, because all clocks but this one
//! are ahead, the first of the published ones signs before its time.
//!
//! Spec: Tokens and keys, "Signing keys: a pure function of time". Why: docs/decisions/0035.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SigningKeyRecord;
use crate::client::MAX_TOKEN_TTL_SECONDS;
use crate::clock::Timestamp;
use crate::settings::Settings;

/// The least difference of clocks that the life of a key allows for, where verification allows none: a key is
/// known some moments after its `createdAt`, since it has to be written first.
const LEAST_SKEW: Duration = Duration::from_millis(2_500);

/// How far ahead of all others a clock is taken to be at the most that was set wrong.
pub(super) const WRONG_CLOCK_MILLIS: u64 = 3_600_000;

/// How long a key is removed before its private part is destroyed.
const DESTROYED_AFTER_MILLIS: u64 = 24 * 3_600_000;

/// The times of the settings that a key's life follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    /// How long verifiers may hold the JWKS.
    pub jwks_max_age: Duration,
    /// How often each replica reads the keys.
    pub refresh_interval: Duration,
    /// Clock difference that verification allows; some seconds at least.
    pub skew: Duration,
    /// The longest life of a token that a key may sign.
    pub longest_token_life: Duration,
    /// After how long a key is followed by another one by itself; never where it is absent.
    pub rotate_every: Option<Duration>,
}

impl KeyTimes {
    /// The times of these settings. An idToken may be the longest-lived token that a key signs.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let longest = Duration::from_secs(MAX_TOKEN_TTL_SECONDS);
        Self {
            jwks_max_age: settings.jwks_max_age,
            refresh_interval: settings.key_refresh_interval,
            skew: settings.skew.max(LEAST_SKEW),
            longest_token_life: longest.max(settings.id_token_ttl),
            rotate_every: settings.keys_rotate_every,
        }
    }

    /// From when on a key signs that is made at `now`: every replica and every verifier knows it by then.
    #[must_use]
    pub fn activates_at(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(millis(self.jwks_max_age + self.refresh_interval + 2 * self.skew))
    }

    /// For how long a verifier may hold a JWKS that was read `age` ago. A replica that reads on promises all of
    /// it. One that cannot promises so much less that nobody holds what it served when a key begins that was made
    /// since: of all that it read, none is believed longer than the interval and `jwks_max_age` after the read.
    pub(super) fn may_be_held(&self, age: Duration) -> Duration {
        self.jwks_max_age.saturating_sub(age.saturating_sub(self.refresh_interval))
    }

    /// When a key is removed whose successor signs from `succeeded_at` on; until then somebody may take a token of
    /// it. A replica that has not read of a successor that signed at once signs on for the refresh interval.
    fn removed_at(&self, succeeded_at: Timestamp) -> Timestamp {
        let most = self.longest_token_life + self.refresh_interval + 2 * self.skew;
        succeeded_at.plus_millis(millis(most))
    }

    /// Until when somebody may take a token of a key that was revoked: the replica that reads of it last has
    /// served it until then, and a verifier has held that for as long as it may.
    fn forgotten_at(&self, revoked_at: Timestamp) -> Timestamp {
        revoked_at.plus_millis(millis(self.jwks_max_age + self.refresh_interval + 2 * self.skew))
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Verifiers learn of it; it signs nothing yet.
    Published,
    /// It signs.
    Active,
    /// It signs no more; its tokens are good until they end.
    Retiring,
    /// No token of it is alive.
    Removed,
    /// It was revoked, and its tokens with it.
    Revoked,
}

impl KeyState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] =
        [Self::Published, Self::Active, Self::Retiring, Self::Removed, Self::Revoked];

    /// The name on the wire, such as `published`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Removed => "removed",
            Self::Revoked => "revoked",
        }
    }

    /// Whether verifiers are told of a key in this state.
    const fn is_published(self) -> bool {
        matches!(self, Self::Published | Self::Active | Self::Retiring)
    }
}

/// The times of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dates {
    pub(super) created_at: Timestamp,
    pub(super) activates_at: Timestamp,
    pub(super) revoked_at: Option<Timestamp>,
}

impl From<&SigningKeyRecord> for Dates {
    fn from(record: &SigningKeyRecord) -> Self {
        let SigningKeyRecord { created_at, activates_at, revoked_at, .. } = *record;
        Self { created_at, activates_at, revoked_at }
    }
}

impl Dates {
    /// Whether the key signed, or would have, before it was revoked.
    fn has_a_turn(&self) -> bool {
        self.revoked_at.is_none_or(|revoked_at| self.activates_at < revoked_at)
    }
}

/// One key, and when its turn ends.
#[derive(Clone, Copy, Debug)]
struct Life {
    dates: Dates,
    /// Its successor's `activatesAt`.
    succeeded_at: Option<Timestamp>,
}

/// The lives of all keys, in the order in which they are stored; a key is named by its place there.
#[derive(Clone, Debug)]
pub(super) struct Lives {
    lives: Vec<Life>,
    times: KeyTimes,
}

impl Lives {
    pub(super) fn of(dates: impl IntoIterator<Item = Dates>, times: KeyTimes) -> Self {
        let mut lives: Vec<_> =
            dates.into_iter().map(|dates| Life { dates, succeeded_at: None }).collect();
        let mut turns: Vec<usize> = (0..lives.len()).collect();
        // Of two that begin at one moment the newer one signs; of two that are as new, the one stored later.
        turns
            .sort_by_key(|key| lives.get(*key).map(|l| (l.dates.activates_at, l.dates.created_at)));
        let mut next = None;
        for key in turns.into_iter().rev() {
            if let Some(life) = lives.get_mut(key) {
                life.succeeded_at = next;
                if life.dates.has_a_turn() {
                    next = Some(life.dates.activates_at);
                }
            }
        }
        Self { lives, times }
    }

    /// What the key may do at `now`.
    pub(super) fn state(&self, key: usize, now: Timestamp) -> KeyState {
        self.lives.get(key).map_or(KeyState::Removed, |life| self.state_of(life, now))
    }

    fn state_of(&self, life: &Life, now: Timestamp) -> KeyState {
        // Whoever's clock was ahead when he revoked it meant it no less.
        if life.dates.revoked_at.is_some() {
            return KeyState::Revoked;
        }
        if now < life.dates.activates_at {
            return KeyState::Published;
        }
        match life.succeeded_at {
            Some(at) if self.times.removed_at(at) <= now => KeyState::Removed,
            Some(at) if at <= now => KeyState::Retiring,
            Some(_) | None => KeyState::Active,
        }
    }

    /// Whether the key was removed so long ago that its private part may be destroyed: by a clock that is ahead by
    /// hours it is not, when all others sign with it still.
    pub(super) fn is_long_removed(&self, key: usize, now: Timestamp) -> bool {
        let since = |life: &Life| life.succeeded_at.map(|at| self.times.removed_at(at));
        let since = self.lives.get(key).and_then(since);
        let is_removed = self.state(key, now) == KeyState::Removed;
        is_removed && since.is_some_and(|at| at.plus_millis(DESTROYED_AFTER_MILLIS) <= now)
    }

    /// When the key's state changes next, and into which, as far as that is known at `now`.
    pub(super) fn next_change(&self, key: usize, now: Timestamp) -> Option<(Timestamp, KeyState)> {
        let life = self.lives.get(key)?;
        self.changes(life).into_iter().flatten().find(|at| now < *at).map(|at| {
            let becomes = self.state_of(life, at);
            (at, becomes)
        })
    }

    /// The moments at which a key's state changes, earliest first.
    fn changes(&self, life: &Life) -> [Option<Timestamp>; 3] {
        if life.dates.revoked_at.is_some() {
            return [None; 3];
        }
        let removed_at = life.succeeded_at.map(|at| self.times.removed_at(at));
        [Some(life.dates.activates_at), life.succeeded_at, removed_at]
    }

    /// The longest span around `now` in which no state changes: its first moment, and the first one after it.
    pub(super) fn span(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let changes = || self.lives.iter().flat_map(|life| self.changes(life)).flatten();
        let from = changes().filter(|at| *at <= now).max();
        let until = changes().filter(|at| now < *at).min();
        let (first, last) = (Timestamp::from_millis(0), Timestamp::from_millis(u64::MAX));
        (from.unwrap_or(first), until.unwrap_or(last))
    }

    /// The key that signs at `now`: the active one. Before all of them it is the first to come: nothing came
    /// before it, or all that did was revoked, and another replica's clock was ahead when it was made.
    pub(super) fn signer(&self, now: Timestamp) -> Option<usize> {
        let states = || (0..self.lives.len()).map(|key| (key, self.state(key, now)));
        let active = states().find(|(_, state)| *state == KeyState::Active);
        let published = || {
            let published = states().filter(|(_, state)| *state == KeyState::Published);
            published.min_by_key(|(key, _)| self.lives.get(*key).map(|l| l.dates.activates_at))
        };
        active.or_else(published).map(|(key, _)| key)
    }

    /// The keys that verifiers are told of at `now`, newest first.
    pub(super) fn published(&self, now: Timestamp) -> Vec<usize> {
        let mut keys = self.newest_first();
        keys.retain(|key| self.state(*key, now).is_published());
        keys
    }

    /// The keys that heads of the audit are verified with, newest first: also those that were removed, since a
    /// head has no expiry. What a revoked key has signed may be a thief's.
    pub(super) fn witnesses(&self) -> Vec<usize> {
        let mut keys = self.newest_first();
        keys.retain(|key| self.lives.get(*key).is_some_and(|life| life.dates.revoked_at.is_none()));
        keys
    }

    fn newest_first(&self) -> Vec<usize> {
        let mut keys: Vec<usize> = (0..self.lives.len()).collect();
        keys.sort_by_key(|key| self.lives.get(*key).map(|life| life.dates.created_at));
        keys.reverse();
        keys
    }

    /// Until when somebody may take a token of the key, if nothing is done to it after `now`; absent for a key
    /// that has signed nothing yet.
    pub(super) fn tokens_alive_until(&self, key: usize, now: Timestamp) -> Option<Timestamp> {
        let life = self.lives.get(key)?;
        let Dates { revoked_at, .. } = life.dates;
        if let Some(revoked_at) = revoked_at {
            return Some(self.times.forgotten_at(revoked_at));
        }
        match self.state_of(life, now) {
            KeyState::Published if self.signer(now) != Some(key) => None,
            _ => Some(self.times.removed_at(life.succeeded_at.unwrap_or(now))),
        }
    }

    /// Whether nothing needs the key any more: it signs nothing, and nobody takes a token of it.
    pub(super) fn is_safe_to_retire(&self, key: usize, now: Timestamp) -> bool {
        let is_over = match self.state(key, now) {
            KeyState::Published | KeyState::Active => false,
            KeyState::Retiring | KeyState::Removed | KeyState::Revoked => true,
        };
        is_over && self.tokens_alive_until(key, now).is_none_or(|until| until < now)
    }

    /// The keys that sign at `now` or may do so later.
    pub(super) fn to_sign(&self, now: Timestamp) -> impl Iterator<Item = usize> {
        let may_sign = move |key: &usize| {
            matches!(self.state(*key, now), KeyState::Published | KeyState::Active)
        };
        (0..self.lives.len()).filter(may_sign)
    }

    fn begins(&self, key: usize) -> Option<Timestamp> {
        self.lives.get(key).map(|life| life.dates.activates_at)
    }

    /// Whether a key to come is waited for: not one that begins an hour later than a key of now would, as it was
    /// made by a clock that was wrong.
    fn is_awaited(&self, key: usize, now: Timestamp) -> bool {
        let latest = self.times.activates_at(now).plus_millis(WRONG_CLOCK_MILLIS);
        self.begins(key) <= Some(latest)
    }

    /// Whether a server that starts at `now` has to be able to sign with the key: it signs, or is waited for.
    pub(super) fn is_needed(&self, key: usize, now: Timestamp) -> bool {
        self.signer(now) == Some(key) || self.is_awaited(key, now)
    }

    /// The key that signs next, where one is known at `now` and waited for; not one that cannot be opened here,
    /// as `opens` says, or this replica would sign nothing in its turn, and could not make another.
    pub(super) fn pending(&self, now: Timestamp, opens: impl Fn(usize) -> bool) -> Option<usize> {
        let signer = self.signer(now);
        let waiting = (0..self.lives.len())
            .filter(|key| self.state(*key, now) == KeyState::Published && signer != Some(*key));
        let awaited = waiting.filter(|key| self.is_awaited(*key, now) && opens(*key));
        awaited.min_by_key(|key| self.begins(*key))
    }

    /// Whether the newest key is so old that it is to be followed by another one by itself; `opens` as with
    /// [`Lives::pending`].
    pub(super) fn is_rotation_due(&self, now: Timestamp, opens: impl Fn(usize) -> bool) -> bool {
        let Some(every) = self.times.rotate_every else { return false };
        let Some(life) = self.signer(now).and_then(|key| self.lives.get(key)) else { return false };
        let due_at = life.dates.activates_at.plus_millis(millis(every));
        due_at <= now && self.pending(now, opens).is_none()
    }
}

#[cfg(test)]
mod tests;

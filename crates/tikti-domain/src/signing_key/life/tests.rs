//! Every history of up to four keys, moment by moment, against an oracle that lives through the table.
//!
//! The times are some milliseconds each, so that "every moment" can be taken at its word: a key signs 11 ms
//! after it was made, and is removed 15 ms after its successor signs. A history is made of what operators can
//! do, at the moments at which something changes and one before and after.

use super::*;

const LEAD: u64 = 11;
const LINGER: u64 = 15;
const LIFE: u64 = 10;
const REFRESH: u64 = 3;
const MAX_AGE: u64 = 6;
const SKEW: u64 = 1;
/// When the first key is made: clocks that jump back do not pass the beginning of time.
const BEGIN: u64 = 100;

fn times() -> KeyTimes {
    KeyTimes {
        jwks_max_age: Duration::from_millis(MAX_AGE),
        refresh_interval: Duration::from_millis(REFRESH),
        skew: Duration::from_millis(SKEW),
        longest_token_life: Duration::from_millis(LIFE),
        rotate_every: Some(Duration::from_millis(40)),
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The table, lived through: whose turn it is at each moment, and since when it is not.
struct Oracle<'a>(&'a [Dates]);

impl Oracle<'_> {
    fn turn(&self, now: u64) -> Option<usize> {
        let begun = self.0.iter().enumerate().filter(|(_, key)| {
            let came_to_it = key.revoked_at.is_none_or(|revoked| revoked > key.activates_at);
            key.activates_at <= at(now) && came_to_it
        });
        begun
            .max_by_key(|(number, key)| (key.activates_at, key.created_at, *number))
            .map(|(n, _)| n)
    }

    fn state(&self, key: usize, now: u64) -> KeyState {
        let dates = self.0[key];
        let begins = dates.activates_at.as_millis();
        if dates.revoked_at.is_some() {
            return KeyState::Revoked;
        }
        if now < begins {
            return KeyState::Published;
        }
        match (begins..=now).find(|moment| self.turn(*moment) != Some(key)) {
            None => KeyState::Active,
            Some(successor) if now < successor + LINGER => KeyState::Retiring,
            Some(_) => KeyState::Removed,
        }
    }

    fn signer(&self, now: u64) -> Option<usize> {
        let is = |key: &usize, state| self.state(*key, now) == state;
        let active = (0..self.0.len()).find(|key| is(key, KeyState::Active));
        let published = (0..self.0.len()).filter(|key| is(key, KeyState::Published));
        active.or_else(|| published.min_by_key(|key| (self.0[*key].activates_at, *key)))
    }

    fn jwks(&self, now: u64) -> Vec<usize> {
        let told = [KeyState::Published, KeyState::Active, KeyState::Retiring];
        let mut keys: Vec<_> = (0..self.0.len()).collect();
        keys.retain(|key| told.contains(&self.state(*key, now)));
        keys.sort_by_key(|key| std::cmp::Reverse((self.0[*key].created_at, *key)));
        keys
    }
}

/// What the world has seen so far.
#[derive(Clone)]
struct World {
    now: u64,
    /// All versions of the record, and since when each was there.
    versions: Vec<(u64, Vec<Dates>)>,
    /// Whether a key was to sign at once.
    at_once: Vec<bool>,
    /// The latest `iat` of a token by each key, of any replica.
    signed: Vec<Option<u64>>,
    /// Whether it was in the JWKS and left it.
    left: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Rotate,
    RevokeAll,
    Revoke(usize),
}

impl World {
    fn new() -> Self {
        let mut world =
            Self { now: BEGIN, versions: vec![], at_once: vec![], signed: vec![], left: vec![] };
        world.add(vec![], true);
        world
    }

    fn keys(&self) -> Vec<Dates> {
        self.versions.last().map(|(_, keys)| keys.clone()).unwrap_or_default()
    }

    fn add(&mut self, mut keys: Vec<Dates>, at_once: bool) {
        let activates = if at_once { self.now } else { self.now + LEAD };
        keys.push(Dates {
            created_at: at(self.now),
            activates_at: at(activates),
            revoked_at: None,
        });
        self.versions.push((self.now, keys));
        self.at_once.push(at_once);
        self.signed.push(None);
        self.left.push(false);
    }

    /// What an operator does; `None` where it would change nothing.
    fn act(mut self, act: Act) -> Option<Self> {
        let mut keys = self.keys();
        let now = Some(at(self.now));
        match act {
            Act::Rotate => {}
            Act::RevokeAll => {
                let lived = keys.iter_mut().filter(|key| key.revoked_at.is_none());
                lived.for_each(|key| key.revoked_at = now);
            }
            Act::Revoke(key) if keys[key].revoked_at.is_some() => return None,
            Act::Revoke(key) => keys[key].revoked_at = now,
        }
        self.add(keys, !matches!(act, Act::Rotate));
        Some(self)
    }

    /// One moment passes: every replica signs, whatever version it has read within the interval, and
    /// whichever way its clock is off.
    fn live(&mut self) {
        let known_since = self.now - REFRESH;
        let replaced = |number: usize| self.versions.get(number + 1).map(|(since, _)| *since);
        for (number, (_, keys)) in self.versions.iter().enumerate() {
            if replaced(number).is_some_and(|since| since <= known_since) {
                continue;
            }
            let lives = Lives::of(keys.iter().copied(), times());
            for clock in self.now - SKEW..=self.now + SKEW {
                if let Some(key) = lives.signer(at(clock)) {
                    self.signed[key] = self.signed[key].max(Some(clock));
                }
            }
        }
        self.check();
        self.now += 1;
    }

    fn check(&mut self) {
        let (now, keys) = (self.now, self.keys());
        let lives = Lives::of(keys.iter().copied(), times());
        let signer = lives.signer(at(now)).expect("there is always one that signs");
        assert!(lives.published(at(now)).contains(&signer));
        let known_to_all = keys[signer].created_at.as_millis() + MAX_AGE + REFRESH;
        assert!(self.at_once[signer] || known_to_all <= now, "{signer} at {now}: {keys:?}");
        for (key, dates) in keys.iter().enumerate() {
            let is_told = lives.published(at(now)).contains(&key);
            assert!(!(is_told && self.left[key]), "{key} came back at {now}: {keys:?}");
            self.left[key] = !is_told;
            for clock in now - SKEW..=now + SKEW {
                let is_alive = self.signed[key].is_some_and(|iat| clock <= iat + LIFE + SKEW);
                let is_lost = !lives.published(at(clock)).contains(&key);
                assert!(
                    !is_alive || !is_lost || dates.revoked_at.is_some(),
                    "{key} is missed at {clock}: {keys:?}"
                );
                let is_safe = lives.is_safe_to_retire(key, at(now));
                assert!(!is_alive || !is_safe || dates.revoked_at.is_some());
            }
        }
    }
}

/// Compares all that is said of one version of the record with the oracle, and looks at clocks that jump: by as
/// much as a token lives, either way.
fn compare(keys: &[Dates], (from, until): (u64, u64)) {
    let (oracle, lives) = (Oracle(keys), Lives::of(keys.iter().copied(), times()));
    let mut signers = Vec::new();
    let mut told = Vec::new();
    for now in from..until {
        for key in 0..keys.len() {
            let state = oracle.state(key, now);
            assert_eq!(lives.state(key, at(now)), state, "{key} at {now}: {keys:?}");
            let next = (now + 1..until).find(|later| oracle.state(key, *later) != state);
            let said = lives.next_change(key, at(now)).filter(|(when, _)| *when < at(until));
            let next = next.map(|later| (at(later), oracle.state(key, later)));
            assert_eq!(said, next, "{key} after {now}: {keys:?}");
        }
        signers.push(oracle.signer(now));
        told.push(oracle.jwks(now));
        assert_eq!(lives.signer(at(now)), oracle.signer(now), "{now}: {keys:?}");
        assert_eq!(lives.published(at(now)), oracle.jwks(now), "{now}: {keys:?}");
        let (first, end) = lives.span(at(now));
        assert!(first <= at(now) && at(now) < end);
        let before =
            now.checked_sub(from + 1).map(|before| (told[before as usize].clone(), before));
        if let Some((before, _)) = before.filter(|_| first < at(now)) {
            assert_eq!(before, oracle.jwks(now), "nothing changes within a span");
        }
    }
    // Of two replicas whose clocks are off by anything, whatever is taken by its times is taken by its key.
    for (signs, signer) in signers.iter().enumerate() {
        let Some(signer) = signer else { continue };
        let soonest = signs.saturating_sub(SKEW as usize);
        let latest = (signs + (LIFE + SKEW) as usize).min(told.len() - 1);
        for told in &told[soonest..=latest] {
            assert!(told.contains(signer), "{signer} signs at {signs}: {keys:?}");
        }
    }
}

fn explore(mut world: World, more: usize) -> usize {
    const PAUSES: [u64; 6] = [0, 1, LEAD - 1, LEAD, LEAD + 1, LEAD + LINGER];
    let keys = world.keys();
    let now = world.now;
    compare(&keys, (now - LIFE - SKEW, now + LEAD + LINGER + LIFE));
    let mut seen = 1;
    for passed in 0..=LEAD + LINGER + 2 {
        if more > 0 && PAUSES.contains(&passed) {
            let single = (0..keys.len()).map(Act::Revoke);
            for act in [Act::Rotate, Act::RevokeAll].into_iter().chain(single) {
                seen += world.clone().act(act).map_or(0, |next| explore(next, more - 1));
            }
        }
        world.live();
    }
    seen
}

#[test]
fn every_history_of_four_keys_is_as_the_table_says_at_every_moment() {
    let seen = explore(World::new(), 3);
    assert!(seen > 8_000, "{seen}");
}

#[test]
fn the_shipped_times_are_those_of_the_specification() {
    let settings = Settings::shipped("https://api.tikti.test").unwrap();
    let times = KeyTimes::of(&settings);
    assert_eq!(times.activates_at(at(0)), at(450_000));
    assert_eq!(times.removed_at(at(0)), at(3_750_000));
    // Where clocks are said to agree, there is still the time that it takes to write a key.
    for (skew, lead) in [(0, 335_000), (2_499, 335_000), (2_500, 335_000), (2_501, 335_002)] {
        let mut exact = settings.clone();
        exact.skew = Duration::from_millis(skew);
        assert_eq!(KeyTimes::of(&exact).activates_at(at(0)), at(lead), "{skew}");
    }
    let mut longer = settings;
    longer.id_token_ttl = Duration::from_hours(24);
    assert_eq!(KeyTimes::of(&longer).removed_at(at(0)), at((86_400 + 150) * 1000));
}

#[test]
fn nobody_holds_a_set_without_a_key_when_it_begins_however_long_its_replica_read_nothing() {
    let made = 50;
    let begins = times().activates_at(at(made)).as_millis();
    for read in 0..=made {
        for served in read..begins + 100 {
            let held_for = times().may_be_held(Duration::from_millis(served - read));
            let is_held_at_all = !held_for.is_zero();
            let held_until = served + millis(held_for);
            assert!(!is_held_at_all || held_until <= begins - 2 * SKEW, "{read} {served}");
        }
    }
    let held = |age| millis(times().may_be_held(Duration::from_millis(age)));
    assert_eq!([0, REFRESH, REFRESH + 1, REFRESH + MAX_AGE].map(held), [MAX_AGE, MAX_AGE, 5, 0]);
}

#[test]
fn a_key_that_a_wrong_clock_made_is_not_waited_for() {
    let hour = 3_600_000;
    let first = Dates { created_at: at(0), activates_at: at(0), revoked_at: None };
    let with = |ahead: u64| {
        let created_at = at(1_000 + ahead);
        let activates_at = times().activates_at(created_at);
        Lives::of([first, Dates { created_at, activates_at, revoked_at: None }], times())
    };
    assert_eq!(with(0).pending(at(1_000), |_| true), Some(1));
    assert_eq!(with(hour).pending(at(1_000), |_| true), Some(1));
    assert_eq!(with(hour + 1).pending(at(1_000), |_| true), None);
    assert_eq!(with(hour + 1).signer(at(1_000)), Some(0));
}

#[test]
fn a_rotation_is_due_once_the_newest_key_is_old_and_none_waits() {
    let key = |activates: u64| Dates {
        created_at: at(activates),
        activates_at: at(activates),
        revoked_at: None,
    };
    let one = Lives::of([key(100)], times());
    assert!(!one.is_rotation_due(at(139), |_| true));
    assert!(one.is_rotation_due(at(140), |_| true));
    let two = Lives::of([key(100), key(150)], times());
    assert!(!two.is_rotation_due(at(149), |_| true));
    assert!(!two.is_rotation_due(at(189), |_| true));
    assert!(two.is_rotation_due(at(190), |_| true));
    // One that cannot be opened here is not waited for.
    assert!(two.is_rotation_due(at(149), |key| key != 1));
    assert_eq!(two.pending(at(149), |key| key != 1), None);
    let three = Lives::of([key(100), key(150), key(155)], times());
    assert_eq!(three.pending(at(149), |key| key != 1), Some(2));
    let never = Lives::of([key(100)], KeyTimes { rotate_every: None, ..times() });
    assert!(!never.is_rotation_due(at(10_000), |_| true));
}

//! Which calls make up a random history?
//!
//! Invariant: keys are few and times close together, so that calls meet: overwritten, expired,
//! deleted, stale and taken records all come up.

use proptest::prelude::*;

use crate::{Key, Kind, Partition};

/// Keys by number. The first half is one partition; kinds and ids are mixed in both.
pub(super) const KEYS: usize = 12;

#[derive(Clone, Debug)]
pub(super) enum Call {
    Get(usize),
    GetMany(Vec<usize>),
    Put(usize, NewValue),
    Delete(usize),
    PutIfAbsent(usize, NewValue),
    /// Expects what this key was when it was last read, which may be long ago.
    PutIfEquals(usize, NewValue),
    Take(usize),
    Scan {
        like: usize,
        after: Option<usize>,
        limit: usize,
    },
    Transact {
        reads: Vec<usize>,
        changes: Vec<(usize, Option<NewValue>)>,
        end: End,
    },
    /// Somebody else writes to a key between what the transaction reads and what it commits.
    Contend {
        reads: Vec<usize>,
        theirs: (usize, Option<NewValue>),
        changes: Vec<(usize, Option<NewValue>)>,
    },
    Wait {
        millis: u64,
    },
}

#[derive(Clone, Debug)]
pub(super) struct NewValue {
    pub(super) bytes: Vec<u8>,
    pub(super) ttl_millis: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Commit,
    RollBack,
}

pub(super) fn call() -> impl Strategy<Value = Call> {
    let key = || 0..KEYS;
    let keys = || prop::collection::vec(0..KEYS / 2, 0..4);
    let change = || (0..KEYS / 2, prop::option::of(new_value()));
    let changes = || prop::collection::vec(change(), 0..4);
    let end = prop_oneof![3 => Just(End::Commit), 1 => Just(End::RollBack)];
    prop_oneof![
        3 => key().prop_map(Call::Get),
        1 => prop::collection::vec(key(), 0..5).prop_map(Call::GetMany),
        4 => (key(), new_value()).prop_map(|(key, value)| Call::Put(key, value)),
        1 => key().prop_map(Call::Delete),
        2 => (key(), new_value()).prop_map(|(key, value)| Call::PutIfAbsent(key, value)),
        3 => (key(), new_value()).prop_map(|(key, value)| Call::PutIfEquals(key, value)),
        1 => key().prop_map(Call::Take),
        2 => (key(), prop::option::of(key()), 1..5_usize)
            .prop_map(|(like, after, limit)| Call::Scan { like, after, limit }),
        3 => (keys(), changes(), end)
            .prop_map(|(reads, changes, end)| Call::Transact { reads, changes, end }),
        2 => (keys(), change(), changes())
            .prop_map(|(reads, theirs, changes)| Call::Contend { reads, theirs, changes }),
        2 => (0..30_u64).prop_map(|millis| Call::Wait { millis }),
    ]
}

fn new_value() -> impl Strategy<Value = NewValue> {
    (prop::collection::vec(any::<u8>(), 0..6), prop::option::weighted(0.4, 0..40_u64))
        .prop_map(|(bytes, ttl_millis)| NewValue { bytes, ttl_millis })
}

pub(super) fn key(number: usize) -> Key {
    const IDS: [&[u8]; 3] = [b"", b"a", b"a/\xff"];
    let partitions = [Partition::new("p", "x"), Partition::global()];
    Key::new(&partitions[number / 6], kind(number), IDS[number % 3])
}

pub(super) fn kind(number: usize) -> Kind {
    const KINDS: [Kind; 2] = [Kind::new("one"), Kind::new("two")];
    KINDS[number % 2]
}

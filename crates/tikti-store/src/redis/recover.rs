//! A write was sent and no answer came: what do the records that are there now say about it?
//!
//! Invariant: nothing here asks a server, and where what is there does not prove an outcome, it is
//! unknown. In particular a record that is not as expected is no conflict: our own write may have
//! happened and been overwritten since. Nor is a deletion proven by a record that is gone: it may
//! still be on its way, and would take along what is written after its answer. A request is sent
//! again only if it expects the very write that it replaces, which is never there again: whichever
//! copy of the request comes late fails.
//!
//! Spec: Storage, "after a time-out the engine recognises its own write".

use crate::batch::{Batch, Change, Expectation};
use crate::envelope::{Stored, raw_is_live};
use crate::key::Key;
use crate::timestamp::Timestamp;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has been executed.
    Happened,
    /// It has not been executed, or not yet, and may be sent again.
    MayBeSentAgain,
    /// Nobody can tell, or it must not be sent again.
    Unknown,
}

/// Judges by `found`, which gives what is stored under a key of the batch, expired or not.
pub(super) fn outcome<'a>(batch: &Batch, found: impl Fn(&Key) -> Option<&'a [u8]>) -> Outcome {
    // A write id is never used twice, and a batch happens as a whole: one record proves all.
    let is_ours = |change: &Change| match change {
        Change::Put { key, record } => found(key) == Some(record.raw()),
        Change::Delete { .. } => false,
    };
    if batch.changes.iter().any(is_ours) {
        return Outcome::Happened;
    }
    let holds = |expectation: &Expectation| {
        is_as_expected(found(&expectation.key), expectation.expected.as_ref(), batch.now)
    };
    if is_guarded(batch) && batch.expectations.iter().all(holds) {
        Outcome::MayBeSentAgain
    } else {
        Outcome::Unknown
    }
}

/// The keys that [`outcome`] asks for.
pub(super) fn keys(batch: &Batch) -> Vec<Key> {
    let expected = batch.expectations.iter().map(|expectation| &expectation.key);
    expected.chain(batch.changes.iter().map(Change::key)).cloned().collect()
}

fn is_as_expected(found: Option<&[u8]>, expected: Option<&Stored>, now: Timestamp) -> bool {
    match expected {
        Some(expected) => found == Some(expected.raw()),
        None => found.is_none_or(|raw| !raw_is_live(raw, now)),
    }
}

/// Whether an execution makes an expectation of the next one fail, for ever. An absence does not: what
/// was put may be deleted again before a late copy of the request arrives.
fn is_guarded(batch: &Batch) -> bool {
    batch.expectations.iter().any(|Expectation { key, expected }| {
        expected.is_some() && batch.changes.iter().any(|change| change.key() == key)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Outcome::{Happened, MayBeSentAgain, Unknown};
    use super::*;
    use crate::envelope::{Entry, WriteIds};
    use crate::key::{Kind, Partition};

    const NOW: Timestamp = Timestamp::from_millis(1000);

    fn key(id: &str) -> Key {
        Key::new(&Partition::global(), Kind::new("record"), id)
    }

    /// Records of the key `a`, and one of `b`, each by another write.
    struct Records {
        old: Stored,
        ours: Stored,
        ours_expired: Stored,
        theirs: Stored,
        expired: Stored,
        ours_b: Stored,
    }

    fn records() -> Records {
        let ids = WriteIds::new([3; 16]);
        let seal = |id, entry| Stored::seal(&key(id), entry, &ids).unwrap();
        let (live, expired) = (Entry::new(b"same"), Entry::new(b"same").expires_at(NOW));
        Records {
            old: seal("a", live),
            ours: seal("a", live),
            ours_expired: seal("a", expired),
            theirs: seal("a", live),
            expired: seal("a", expired),
            ours_b: seal("b", live),
        }
    }

    fn put(id: &str, record: &Stored) -> Change {
        Change::Put { key: key(id), record: record.clone() }
    }

    fn delete(id: &str) -> Change {
        Change::Delete { key: key(id) }
    }

    fn expect(expected: Option<&Stored>) -> Expectation {
        Expectation { key: key("a"), expected: expected.cloned() }
    }

    fn batch(expectations: Vec<Expectation>, changes: Vec<Change>) -> Batch {
        Batch { now: NOW, expectations, changes }
    }

    /// The outcomes where nothing, `old`, `ours`, `theirs`, and an expired record of others is there
    /// under `a`, and nothing under `b`.
    fn outcomes(batch: &Batch, records: &Records) -> [Outcome; 5] {
        let Records { old, ours, theirs, expired, .. } = records;
        [None, Some(old), Some(ours), Some(theirs), Some(expired)].map(|there| {
            let stored: BTreeMap<_, _> =
                there.map(|record| (key("a"), record)).into_iter().collect();
            outcome(batch, |key| stored.get(key).map(|record| record.raw()))
        })
    }

    #[test]
    fn decides_by_what_is_there() {
        let records = records();
        let Records { old, ours, ours_expired, ours_b, .. } = &records;
        let (absent, equals) = (|| vec![expect(None)], || vec![expect(Some(old))]);
        let table = [
            (
                "put",
                batch(vec![], vec![put("a", ours)]),
                [Unknown, Unknown, Happened, Unknown, Unknown],
            ),
            (
                "delete",
                batch(vec![], vec![delete("a")]),
                [Unknown, Unknown, Unknown, Unknown, Unknown],
            ),
            (
                "put if absent",
                batch(absent(), vec![put("a", ours)]),
                [Unknown, Unknown, Happened, Unknown, Unknown],
            ),
            (
                "put if equal",
                batch(equals(), vec![put("a", ours)]),
                [Unknown, MayBeSentAgain, Happened, Unknown, Unknown],
            ),
            (
                "delete if equal",
                batch(equals(), vec![delete("a")]),
                [Unknown, MayBeSentAgain, Unknown, Unknown, Unknown],
            ),
            (
                "put what is expired already, if absent",
                batch(absent(), vec![put("a", ours_expired)]),
                [Unknown, Unknown, Unknown, Unknown, Unknown],
            ),
            (
                "delete if absent",
                batch(absent(), vec![delete("a")]),
                [Unknown, Unknown, Unknown, Unknown, Unknown],
            ),
            (
                "put another, if absent",
                batch(absent(), vec![put("b", ours_b)]),
                [Unknown, Unknown, Unknown, Unknown, Unknown],
            ),
            (
                "put both, if equal",
                batch(equals(), vec![put("a", ours), put("b", ours_b)]),
                [Unknown, MayBeSentAgain, Happened, Unknown, Unknown],
            ),
        ];
        for (name, batch, expected) in table {
            assert_eq!(outcomes(&batch, &records), expected, "{name}");
        }
    }

    #[test]
    fn one_record_of_a_batch_proves_all_of_it() {
        let Records { old, ours, ours_b, theirs, .. } = records();
        let both = batch(vec![expect(Some(&old))], vec![put("a", &ours), put("b", &ours_b)]);
        let stored = BTreeMap::from([(key("a"), theirs.raw()), (key("b"), ours_b.raw())]);
        assert_eq!(outcome(&both, |key| stored.get(key).copied()), Happened);
    }

    #[test]
    fn asks_for_every_key_of_a_batch() {
        let Records { ours_b, .. } = records();
        let batch = batch(vec![expect(None)], vec![put("b", &ours_b), delete("c")]);
        assert_eq!(keys(&batch), ["a", "b", "c"].map(key));
    }
}

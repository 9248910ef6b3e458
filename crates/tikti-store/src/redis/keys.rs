//! What is a record called on a server, and what is everything else that stands beside it?
//!
//! ```text
//! {<partition>}/<kind>/<id>             a record: a string
//! {<partition>}/<kind>                  the ids of the listed records of a kind: a sorted set
//! {<partition>}/#<kind>/<number>/<id>   a counter of one window: a string
//! {g}/#format                           the marker: which format the whole database has
//! ```
//!
//! Invariant: the partition is the hash tag, so everything of a partition has one slot. Kinds have
//! neither `#` nor `/`, so no name is two of these things.
//!
//! Spec: Storage, "partitions are hash tags".

use super::servers::Slot;
use crate::key::{Key, Partition};
use crate::window::Window;

const MARKER: &[u8] = b"{g}/#format";

/// What a name that was found on a server is the name of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    Record(Key),
    /// The set of the listed ids of the kind of this key, whose own id is empty.
    Index(Key),
    /// A counter, or the marker.
    Internal,
    /// Nothing that this program has written.
    Foreign,
}

impl Name {
    pub(super) fn parse(name: &[u8]) -> Self {
        if name == MARKER {
            return Self::Internal;
        }
        let Some((partition, rest)) = split_partition(name) else {
            return Self::Foreign;
        };
        if let Some(counter) = rest.strip_prefix(b"#") {
            return Self::parse_counter(partition, counter);
        }
        let has_id = rest.contains(&b'/');
        let separator: &[u8] = if has_id { b"" } else { b"/" };
        match Key::parse(&[partition, b"/", rest, separator].concat()) {
            Some(key) if has_id => Self::Record(key),
            Some(key) => Self::Index(key),
            None => Self::Foreign,
        }
    }

    /// `<kind>/<number>/<id>`.
    fn parse_counter(partition: &[u8], counter: &[u8]) -> Self {
        let mut parts = counter.splitn(3, |byte| *byte == b'/');
        let (Some(kind), Some(number), Some(_id)) = (parts.next(), parts.next(), parts.next())
        else {
            return Self::Foreign;
        };
        let is_kind = Key::parse(&[partition, b"/", kind, b"/"].concat()).is_some();
        let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        if is_kind && is_number { Self::Internal } else { Self::Foreign }
    }
}

/// `{<partition>}/<rest>`.
fn split_partition(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let tagged = name.strip_prefix(b"{")?;
    let end = tagged.iter().position(|byte| *byte == b'}')?;
    let (partition, rest) = tagged.split_at_checked(end)?;
    let rest = rest.strip_prefix(b"}/")?;
    (!partition.contains(&b'/')).then_some((partition, rest))
}

/// The name of a record.
pub(super) fn record(key: &Key) -> Vec<u8> {
    [&index(key), b"/".as_slice(), key.id()].concat()
}

/// The name of the set of the listed ids of the kind of `key`.
pub(super) fn index(key: &Key) -> Vec<u8> {
    let partition = key.partition().as_str().as_bytes();
    [b"{", partition, b"}/", key.kind().as_bytes()].concat()
}

/// The name of the counter of `window` or of another with this number.
pub(super) fn counter(window: &Window<'_>, number: u64) -> Vec<u8> {
    let key = window.key;
    let partition = key.partition().as_str().as_bytes();
    let number = number.to_string();
    [b"{", partition, b"}/#", key.kind().as_bytes(), b"/", number.as_bytes(), b"/", key.id()]
        .concat()
}

pub(super) fn slot(partition: &Partition) -> Slot {
    Slot::of(partition.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Kind;
    use crate::timestamp::Timestamp;

    const USER: Kind = Kind::new("user");

    fn key(id: &[u8]) -> Key {
        Key::new(&Partition::new("u", "a/{b}%"), USER, id)
    }

    #[test]
    fn names_are_the_documented_ones() {
        let alone = Key::new(&Partition::global(), USER, "");
        assert_eq!(record(&alone), b"{g}/user/");
        assert_eq!(index(&alone), b"{g}/user");
        assert_eq!(record(&key(b"\0/\xff")), b"{u:a%2F%7Bb%7D%25}/user/\0/\xff");
        let window = Window::at(&alone, 1000, Timestamp::from_millis(7900));
        assert_eq!(counter(&window, window.number), b"{g}/#user/7/");
    }

    #[test]
    fn reads_back_every_record_and_index_that_it_names() {
        for id in [&b""[..], b"a", b"/", b"a/b", b"#", b"{}", b"\0\xff/"] {
            assert_eq!(Name::parse(&record(&key(id))), Name::Record(key(id)));
            assert_eq!(Name::parse(&index(&key(id))), Name::Index(key(b"")));
        }
    }

    #[test]
    fn knows_what_else_is_its_own() {
        for id in [&b""[..], b"a", b"/"] {
            let key = key(id);
            let window = Window::at(&key, 1, Timestamp::from_millis(u64::MAX));
            assert_eq!(Name::parse(&counter(&window, window.number)), Name::Internal);
        }
        assert_eq!(Name::parse(b"{g}/#format"), Name::Internal);
    }

    #[test]
    fn names_of_others_are_foreign() {
        for name in [
            &b""[..],
            b"user",
            b"g/user/",
            b"{g}",
            b"{g}user/a",
            b"{g}/",
            b"{}/user/",
            b"{g}/User/",
            b"{g}/#user/x/",
            b"{g}/#user/1",
            b"{g}/#user//",
            b"{g}/#/1/",
            b"{t}/#format",
            b"{\xff}/user/",
            b"{a/b}/user/",
        ] {
            assert_eq!(Name::parse(name), Name::Foreign, "{}", name.escape_ascii());
        }
    }
}

//! What is a record called, and what may change together with it?
//!
//! A key is `<partition>/<kind>/<id>`. Invariant: two different triples never make the same bytes.
//! Neither partition nor kind can hold a `/`, so the first two of them end the parts; an id may
//! hold every byte. All ids of one kind in one partition are neighbours, in the order of their
//! bytes, which is what `scan` walks.
//!
//! Spec: Storage, "keys are byte strings of the form".

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::StoreError;

/// The longest key, partition and kind included, in bytes. LMDB itself stops at 511.
pub const MAX_KEY_BYTES: usize = 480;

/// The unit of atomicity and of sharding: all its keys live on one node and can change together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Arc<str>);

impl Partition {
    /// Names the partition `prefix:id`.
    ///
    /// Every byte outside `[A-Za-z0-9._-]` is percent-encoded, in both parts: different pairs stay
    /// different, and `/` (the end of a partition), `:` (the end of a prefix) and `{}` (hash tags
    /// of a Redis cluster) cannot be smuggled in.
    #[must_use]
    pub fn new(prefix: &'static str, id: &str) -> Self {
        let mut name = String::with_capacity(prefix.len() + 1 + id.len());
        push_encoded(&mut name, prefix);
        name.push(':');
        push_encoded(&mut name, id);
        Self(name.into())
    }

    /// Names the one partition of what belongs to the deployment as a whole.
    #[must_use]
    pub fn global() -> Self {
        Self("g".into())
    }

    /// Gives the encoded name, as it stands in keys.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition({self})")
    }
}

fn push_encoded(name: &mut String, text: &str) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(usize::from);
            name.push('%');
            name.extend(digits.iter().filter_map(|digit| HEX.get(*digit)));
        }
    }
}

/// What a record is, such as `user`. One kind has one meaning and one encoding of its values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kind(&'static str);

impl Kind {
    /// Names a kind. Meant for constants, where a bad name stops the compiler:
    ///
    /// ```
    /// const USER: tikti_store::Kind = tikti_store::Kind::new("user");
    /// ```
    ///
    /// # Panics
    /// If `name` is not one or more of `[a-z_]`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a kind has a name");
        let mut rest = name.as_bytes();
        while let [first, tail @ ..] = rest {
            assert!(matches!(*first, b'a'..=b'z' | b'_'), "a kind is made of a to z and _");
            rest = tail;
        }
        Self(name)
    }

    /// Gives the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The full name of one record. Ordered by its bytes. A clone is cheap.
///
/// A record with an id is one of many and stands in the list of its kind, which `scan` gives. The
/// record with the empty id is the only one of its kind in its partition and stands in no list, so
/// it is the cheaper one to write: see the contract.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    bytes: Bytes,
    partition: Partition,
    kind_bytes: usize,
}

impl Key {
    /// Names the record `id` of this kind in this partition. The length is checked when used.
    #[must_use]
    pub fn new(partition: &Partition, kind: Kind, id: impl AsRef<[u8]>) -> Self {
        let id = id.as_ref();
        let mut bytes = prefix(partition, kind.as_str());
        bytes.extend_from_slice(id);
        let kind_bytes = kind.as_str().len();
        Self { bytes: bytes.into(), partition: partition.clone(), kind_bytes }
    }

    /// Reads a whole key, as an engine stores it; `None` where no key looks like that.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(3, |byte| *byte == b'/');
        let (partition, kind, _id) = (parts.next()?, parts.next()?, parts.next()?);
        let partition = std::str::from_utf8(partition).ok()?;
        let in_partition = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':' | b'%')
        };
        let in_kind = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
        let fits = !partition.is_empty()
            && partition.bytes().all(in_partition)
            && !kind.is_empty()
            && kind.iter().all(in_kind);
        fits.then(|| Self {
            bytes: Bytes::copy_from_slice(bytes),
            partition: Partition(partition.into()),
            kind_bytes: kind.len(),
        })
    }

    /// Gives the partition that this key belongs to.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Gives the name of the kind of the record.
    #[must_use]
    pub fn kind(&self) -> &str {
        let start = self.partition.as_str().len() + 1;
        let kind = self.bytes.get(start..start + self.kind_bytes).unwrap_or_default();
        std::str::from_utf8(kind).unwrap_or_default()
    }

    /// Says whether the record stands in the list of its kind: whether it has an id.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        !self.id().is_empty()
    }

    /// Gives the id within partition and kind.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        let start = self.partition.as_str().len() + self.kind_bytes + 2;
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Gives the whole key, as an engine stores it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Refuses a key that not every engine could store.
    pub(crate) fn check_size(&self) -> Result<(), StoreError> {
        if self.bytes.len() > MAX_KEY_BYTES {
            return Err(StoreError::too_large("key", self.bytes.len(), MAX_KEY_BYTES));
        }
        Ok(())
    }
}

/// Everything in front of the ids of one kind in one partition, the last `/` included.
pub(crate) fn prefix(partition: &Partition, kind: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(partition.as_str().len() + kind.len() + 2 + 32);
    bytes.extend_from_slice(partition.as_str().as_bytes());
    bytes.push(b'/');
    bytes.extend_from_slice(kind.as_bytes());
    bytes.push(b'/');
    bytes
}

/// Printable whatever the id holds, so that an error can name the record on a terminal.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes.escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const USER: Kind = Kind::new("user");

    #[test]
    fn has_three_parts_and_keeps_every_byte_of_the_id() {
        let partition = Partition::new("u", "01J");
        let key = Key::new(&partition, USER, [0, b'/', 0xff]);
        assert_eq!(key.as_bytes(), b"u:01J/user/\0/\xff");
        assert_eq!(key.id(), [0, b'/', 0xff]);
        assert_eq!((key.partition(), key.kind()), (&partition, "user"));
        assert_eq!(key.to_string(), r"u:01J/user/\x00/\xff");
    }

    #[test]
    fn encodes_partitions_so_that_no_two_are_the_same() {
        let ids = ["a/b", "a%2Fb", "a:b", "{a}", "a", "A", "", "é", "a b", "a.b", "%", "%25", "g"];
        let names: BTreeSet<_> = ids
            .iter()
            .flat_map(|id| [Partition::new("u", id), Partition::new("t", id)])
            .chain([Partition::global()])
            .collect();
        assert_eq!(names.len(), 2 * ids.len() + 1);
        assert_eq!(Partition::new("u", "a/b:{c}%").as_str(), "u:a%2Fb%3A%7Bc%7D%25");
    }

    #[test]
    fn reads_back_every_key_it_makes_and_nothing_else() {
        for id in [&b""[..], b"a", b"a/b", b"\0\xff/"] {
            for partition in [Partition::global(), Partition::new("u", "a/{b}%")] {
                let key = Key::new(&partition, USER, id);
                let parsed = Key::parse(key.as_bytes()).unwrap();
                assert_eq!(parsed, key);
                assert_eq!((parsed.partition(), parsed.kind()), (&partition, "user"));
                assert_eq!((parsed.id(), parsed.is_listed()), (id, !id.is_empty()));
            }
        }
        for foreign in
            [&b""[..], b"g", b"g/user", b"/user/", b"g//", b"g/User/", b"{g}/user/", b"\xff/user/"]
        {
            assert_eq!(Key::parse(foreign), None, "{}", foreign.escape_ascii());
        }
    }

    #[test]
    fn measures_the_whole_key() {
        let partition = Partition::global();
        let longest = MAX_KEY_BYTES - "g/user/".len();
        assert!(Key::new(&partition, USER, vec![0; longest]).check_size().is_ok());
        let refused = Key::new(&partition, USER, vec![0; longest + 1]).check_size();
        assert!(matches!(
            refused,
            Err(StoreError::TooLarge { what: "key", size_bytes: 481, limit_bytes: 480 })
        ));
    }
}

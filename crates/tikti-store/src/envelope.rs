//! What is stored around a value, and is it still what was written?
//!
//! ```text
//! byte 0       version of this layout, 1
//! bytes 1-4    CRC32C, little endian, of everything behind it and then of the key
//! bytes 5-20   write id: no two writes have the same
//! bytes 21-28  expiry in milliseconds since the Unix epoch, little endian; all ones is never
//! bytes 29-    the caller's value
//! ```
//!
//! Invariant: a [`Stored`] exists only for bytes whose checksum was right for their key. The key
//! is in the checksum so that a record that turns up under another key is damage as well.
//!
//! Spec: Storage, "each value carries a random write id" and "Values carry a checksum".

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::Key;
use crate::timestamp::Timestamp;

/// The largest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

const VERSION: u8 = 1;
/// Stands for no expiry. The millisecond that it takes away is the last of all.
const NEVER: u64 = u64::MAX;
const CHECKSUM_BYTES: usize = 4;
const WRITE_ID_BYTES: usize = 16;
const EXPIRY_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + CHECKSUM_BYTES + WRITE_ID_BYTES + EXPIRY_BYTES;

/// A value to be written, and until when it counts.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    value: &'a [u8],
    expires_at: Option<Timestamp>,
}

impl<'a> Entry<'a> {
    /// Takes a value that does not expire.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self { value, expires_at: None }
    }

    /// Makes it absent from `at` on, that millisecond included. The last representable moment is
    /// never.
    #[must_use]
    pub const fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

/// A record as it was read. Equal when it is the very same write. A clone is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The whole envelope: what conditions compare.
    raw: Bytes,
    expires_at: Option<Timestamp>,
}

impl Stored {
    /// Gives the bytes that were put.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.raw.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Gives the first millisecond at which the record is absent.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Gives the whole envelope: what a copy or a backup of the record holds.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Takes what [`Stored::as_bytes`] gave for the record at `key`.
    ///
    /// # Errors
    /// `TooLarge` for a key that cannot be stored, `Corrupt` for bytes that are not what was written
    /// under this key.
    pub fn parse(key: &Key, bytes: &[u8]) -> Result<Self, StoreError> {
        key.check_size()?;
        Ok(Self::open(key, bytes)?.to_stored())
    }

    /// Wraps a value for `key`, under a write id that was never used before.
    pub(crate) fn seal(key: &Key, entry: Entry<'_>, ids: &WriteIds) -> Result<Self, StoreError> {
        key.check_size()?;
        if entry.value.len() > MAX_VALUE_BYTES {
            return Err(StoreError::too_large("value", entry.value.len(), MAX_VALUE_BYTES));
        }
        let expires_at = entry.expires_at.filter(|at| at.as_millis() != NEVER);
        let write_id = ids.next();
        let expiry = expires_at.map_or(NEVER, Timestamp::as_millis).to_le_bytes();

        let parts: [&[u8]; 4] = [&write_id, &expiry, entry.value, key.as_bytes()];
        let checksum = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));

        let mut raw = Vec::with_capacity(HEADER_BYTES + entry.value.len());
        raw.push(VERSION);
        raw.extend_from_slice(&checksum.to_le_bytes());
        raw.extend_from_slice(&write_id);
        raw.extend_from_slice(&expiry);
        raw.extend_from_slice(entry.value);
        Ok(Self { raw: raw.into(), expires_at })
    }

    /// Checks what an engine holds under `key`.
    ///
    /// Nothing is copied: a record that turns out to be expired costs its checksum only.
    pub(crate) fn open<'a>(key: &Key, raw: &'a [u8]) -> Result<Opened<'a>, StoreError> {
        let damaged = |what| StoreError::Corrupt { key: key.clone(), what };
        // A damaged page can claim any length for it, so this comes before the first byte is read.
        if raw.len() > HEADER_BYTES + MAX_VALUE_BYTES {
            return Err(damaged("it is longer than any record"));
        }
        let Some((version, rest)) = raw.split_first() else {
            return Err(damaged("it is empty"));
        };
        if *version != VERSION {
            return Err(damaged("its layout is of an unknown version"));
        }
        let header = rest.split_first_chunk::<CHECKSUM_BYTES>().and_then(|(checksum, covered)| {
            let (_write_id, tail) = covered.split_first_chunk::<WRITE_ID_BYTES>()?;
            let (expiry, _value) = tail.split_first_chunk::<EXPIRY_BYTES>()?;
            Some((checksum, covered, expiry))
        });
        let Some((checksum, covered, expiry)) = header else {
            return Err(damaged("it is shorter than its header"));
        };
        let computed = crc32c::crc32c_append(crc32c::crc32c(covered), key.as_bytes());
        if computed != u32::from_le_bytes(*checksum) {
            return Err(damaged("its checksum does not match"));
        }
        let expires_at = match u64::from_le_bytes(*expiry) {
            NEVER => None,
            millis => Some(Timestamp::from_millis(millis)),
        };
        Ok(Opened { raw, expires_at })
    }

    /// The whole envelope, as an engine stores it.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        is_live(self.expires_at, now)
    }
}

/// Says how long the value is, not what it is: values hold secrets.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("value_bytes", &self.value().len())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An envelope whose checksum was right, still in the memory of the engine.
pub(crate) struct Opened<'a> {
    raw: &'a [u8],
    expires_at: Option<Timestamp>,
}

impl<'a> Opened<'a> {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        is_live(self.expires_at, now)
    }

    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub(crate) fn raw(&self) -> &'a [u8] {
        self.raw
    }

    #[inline]
    pub(crate) fn to_stored(&self) -> Stored {
        Stored { raw: Bytes::copy_from_slice(self.raw), expires_at: self.expires_at }
    }
}

fn is_live(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|at| now < at)
}

/// Says whether an envelope that was never checked counts as live, by its header alone. One that is
/// too short to have a header does: damage is not absence.
pub(crate) fn raw_is_live(raw: &[u8], now: Timestamp) -> bool {
    let expiry = raw.get(HEADER_BYTES - EXPIRY_BYTES..).and_then(<[u8]>::first_chunk);
    let Some(expiry) = expiry.map(|expiry| u64::from_le_bytes(*expiry)) else {
        return true;
    };
    expiry == NEVER || now.as_millis() < expiry
}

/// The source of write ids: a random start from the caller, and then counting.
///
/// Two stores opened with different seeds meet with a probability of about 2^-64 a pair of writes;
/// within one, ids cannot repeat before 2^64 writes.
pub(crate) struct WriteIds {
    seed: u128,
    issued: AtomicU64,
}

impl WriteIds {
    pub(crate) fn new(seed: [u8; WRITE_ID_BYTES]) -> Self {
        Self { seed: u128::from_le_bytes(seed), issued: AtomicU64::new(0) }
    }

    fn next(&self) -> [u8; WRITE_ID_BYTES] {
        // Only uniqueness matters here, no other memory is published with the number.
        let count = self.issued.fetch_add(1, Ordering::Relaxed);
        self.seed.wrapping_add(u128::from(count)).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Kind, Partition};

    fn key(id: &str) -> Key {
        Key::new(&Partition::global(), Kind::new("record"), id)
    }

    fn seal(entry: Entry<'_>) -> Stored {
        Stored::seal(&key("a"), entry, &WriteIds::new([7; 16])).unwrap()
    }

    #[test]
    fn gives_back_what_was_sealed() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let sealed = seal(Entry::new(b"value").expires_at(at));
        let opened = Stored::open(&key("a"), sealed.raw()).unwrap().to_stored();
        assert_eq!(opened, sealed);
        assert_eq!((opened.value(), opened.expires_at()), (&b"value"[..], Some(at)));
    }

    #[test]
    fn layout_is_the_documented_one() {
        let sealed = seal(Entry::new(b"v").expires_at(Timestamp::from_millis(258)));
        let mut expected = vec![1];
        expected.extend_from_slice(&sealed.raw()[1..5]);
        expected.extend_from_slice(&[7; 16]);
        expected.extend_from_slice(&[2, 1, 0, 0, 0, 0, 0, 0, b'v']);
        assert_eq!(sealed.raw(), expected);
        let mut covered = expected[5..].to_vec();
        covered.extend_from_slice(b"g/record/a");
        assert_eq!(sealed.raw()[1..5], crc32c::crc32c(&covered).to_le_bytes());
    }

    #[test]
    fn names_every_flipped_bit_and_every_truncation() {
        let sealed = seal(Entry::new(b"value").expires_at(Timestamp::from_millis(5)));
        for bit in 0..sealed.raw().len() * 8 {
            let mut raw = sealed.raw().to_vec();
            raw[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Stored::open(&key("a"), &raw), Err(StoreError::Corrupt { .. })));
        }
        for length in 0..sealed.raw().len() {
            let raw = &sealed.raw()[..length];
            assert!(matches!(Stored::open(&key("a"), raw), Err(StoreError::Corrupt { .. })));
        }
    }

    #[test]
    fn refuses_a_record_under_another_key() {
        let sealed = seal(Entry::new(b"value"));
        assert!(matches!(
            Stored::open(&key("b"), sealed.raw()),
            Err(StoreError::Corrupt { key: named, .. }) if named == key("b")
        ));
    }

    #[test]
    fn is_absent_from_the_millisecond_of_expiry_on() {
        let sealed = seal(Entry::new(b"").expires_at(Timestamp::from_millis(10)));
        assert!(sealed.is_live(Timestamp::from_millis(9)));
        assert!(!sealed.is_live(Timestamp::from_millis(10)));
        assert!(seal(Entry::new(b"")).is_live(Timestamp::from_millis(u64::MAX)));
        let at_the_epoch = seal(Entry::new(b"").expires_at(Timestamp::from_millis(0)));
        assert!(!at_the_epoch.is_live(Timestamp::from_millis(0)));
        let reopened = Stored::open(&key("a"), at_the_epoch.raw()).unwrap();
        assert!(!reopened.is_live(Timestamp::from_millis(0)));
        let last = seal(Entry::new(b"").expires_at(Timestamp::from_millis(u64::MAX)));
        assert_eq!(last.expires_at(), None);
    }

    /// As a damaged page might claim; the checksum is right, so nothing else refuses it.
    #[test]
    fn refuses_a_length_that_no_record_has() {
        let mut raw = seal(Entry::new(&[0; MAX_VALUE_BYTES])).raw().to_vec();
        assert!(Stored::open(&key("a"), &raw).is_ok());
        raw.push(0);
        let mut covered = raw[1 + CHECKSUM_BYTES..].to_vec();
        covered.extend_from_slice(key("a").as_bytes());
        raw[1..=CHECKSUM_BYTES].copy_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
        let refused = Stored::open(&key("a"), &raw).err().unwrap();
        assert!(refused.to_string().ends_with("it is longer than any record"), "{refused}");
    }

    #[test]
    fn same_bytes_written_twice_are_two_writes() {
        let ids = WriteIds::new([0xff; 16]);
        let first = Stored::seal(&key("a"), Entry::new(b"same"), &ids).unwrap();
        let second = Stored::seal(&key("a"), Entry::new(b"same"), &ids).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn debug_does_not_show_the_value() {
        let shown = format!("{:?}", seal(Entry::new(b"secret")));
        assert_eq!(shown, "Stored { value_bytes: 6, expires_at: None, .. }");
    }
}

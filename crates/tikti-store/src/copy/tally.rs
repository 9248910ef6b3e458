//! Do two stores hold the same? By number and checksum of their records, in whatever order they are
//! walked.

use crate::envelope::Stored;
use crate::key::Key;

/// A number of records and what they add up to, in any order.
///
/// The checksum is a sum over 64 bits of each record, made of two CRC32Cs of its key and its whole
/// envelope. It finds accidents, not intent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many records were added.
    pub records: u64,
    /// Their checksum.
    pub checksum: u64,
}

impl Tally {
    /// Adds a record.
    pub fn add(&mut self, key: &Key, record: &Stored) {
        let (key, record) = (key.as_bytes(), record.as_bytes());
        let forth = crc32c::crc32c_append(crc32c::crc32c(key), record);
        let back = crc32c::crc32c_append(crc32c::crc32c(record), key);
        self.records += 1;
        self.checksum = self.checksum.wrapping_add(mix(u64::from(forth) << 32 | u64::from(back)));
    }
}

/// Spreads every bit over all others, so that sums of similar records do not cancel out: the
/// finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators").
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

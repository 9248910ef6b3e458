//! In which of the 16384 slots of a cluster does a partition lie?
//!
//! Invariant: the same as every server computes it, CRC16 (XMODEM) of the hash tag.
//!
//! Spec: Storage, "partitions are hash tags". Redis cluster specification, "Key distribution model".

/// How many slots a cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// A slot. On a single server every slot has the same master.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Slot(u16);

impl Slot {
    /// The slot of a partition; `hash_tag` is its name, without braces.
    pub(super) fn of(hash_tag: &[u8]) -> Self {
        Self(crc16(hash_tag) % SLOTS)
    }

    /// From 0 to 16383.
    pub(super) fn number(self) -> u16 {
        self.0
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x1021;
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ POLYNOMIAL }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_the_check_value_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn agrees_with_what_a_server_answers() {
        // `CLUSTER KEYSLOT` of Redis 7.0.15.
        for (tag, slot) in [("", 0), ("g", 7233), ("foo", 12182), ("u:42", 8980)] {
            assert_eq!(Slot::of(tag.as_bytes()).number(), slot, "{tag}");
        }
    }
}

//! Which commands are sent, and how long does a server keep a record?
//!
//! Invariant: what is expired is judged by the caller's clock and by what is stored. The server's own
//! time to live only gives back space; it is relative, since the server has another clock, and ends
//! an hour later.
//!
//! Spec: Storage, "a server's own TTL is set an hour later and only reclaims space".

use redis::Cmd;

use super::keys;
use crate::envelope::Stored;
use crate::key::Key;
use crate::maintenance::RECLAIM_AFTER_MILLIS;
use crate::timestamp::Timestamp;

/// About a century. What lives longer is given to the server without an end: servers add the time to
/// their own and refuse what does not fit their integers.
pub(super) const MAX_TTL_MILLIS: u64 = 100 * 366 * 24 * 3_600_000;

/// How long the server has to keep `record`, in milliseconds from `now`; `None` is for ever.
pub(super) fn ttl_millis(record: &Stored, now: Timestamp) -> Option<u64> {
    let left = record.expires_at()?.as_millis().saturating_sub(now.as_millis());
    Some(left.saturating_add(RECLAIM_AFTER_MILLIS)).filter(|ttl| *ttl <= MAX_TTL_MILLIS)
}

pub(super) fn get(key: &Key) -> Cmd {
    on_record("GET", key)
}

pub(super) fn delete(key: &Key) -> Cmd {
    on_record("DEL", key)
}

pub(super) fn get_and_delete(key: &Key) -> Cmd {
    on_record("GETDEL", key)
}

pub(super) fn set(key: &Key, record: &Stored, now: Timestamp) -> Cmd {
    let mut command = on_record("SET", key);
    command.arg(record.raw());
    push_ttl(&mut command, record, now);
    command
}

pub(super) fn set_if_absent(key: &Key, record: &Stored, now: Timestamp) -> Cmd {
    let mut command = set(key, record, now);
    command.arg("NX");
    command
}

/// An extension of KVRocks: 1 done, 0 the value differs, -1 no such key. It drops a time to live that
/// is not given again.
pub(super) fn compare_and_set(key: &Key, old: &[u8], record: &Stored, now: Timestamp) -> Cmd {
    let mut command = on_record("CAS", key);
    command.arg(old).arg(record.raw());
    push_ttl(&mut command, record, now);
    command
}

fn on_record(name: &str, key: &Key) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(keys::record(key));
    command
}

fn push_ttl(command: &mut Cmd, record: &Stored, now: Timestamp) {
    if let Some(ttl_millis) = ttl_millis(record, now) {
        command.arg("PX").arg(ttl_millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Entry, WriteIds};
    use crate::key::{Kind, Partition};

    fn record(expires_at: Option<u64>) -> Stored {
        let key = Key::new(&Partition::global(), Kind::new("code"), "");
        let entry = Entry::new(b"v");
        let entry = expires_at.map_or(entry, |at| entry.expires_at(Timestamp::from_millis(at)));
        Stored::seal(&key, entry, &WriteIds::new([1; 16])).unwrap()
    }

    #[test]
    fn a_server_keeps_a_record_for_an_hour_longer() {
        let now = Timestamp::from_millis(1_000_000);
        for (expires_at, expected) in [
            (None, None),
            (Some(1_000_500), Some(3_600_500)),
            (Some(1_000_000), Some(3_600_000)),
            (Some(0), Some(3_600_000)),
            (Some(u64::MAX - 1), None),
            (Some(u64::MAX), None),
            (Some(1_000_000 + MAX_TTL_MILLIS - RECLAIM_AFTER_MILLIS), Some(MAX_TTL_MILLIS)),
            (Some(1_000_001 + MAX_TTL_MILLIS - RECLAIM_AFTER_MILLIS), None),
        ] {
            assert_eq!(ttl_millis(&record(expires_at), now), expected, "{expires_at:?}");
        }
    }

    #[test]
    fn a_replaced_record_gets_its_time_to_live_again() {
        let key = Key::new(&Partition::global(), Kind::new("code"), "");
        let (record, now) = (record(Some(5)), Timestamp::from_millis(3));
        let command = compare_and_set(&key, b"old", &record, now);
        let packed = command.get_packed_command();
        assert!(packed.ends_with(b"$2\r\nPX\r\n$7\r\n3600002\r\n"), "{}", packed.escape_ascii());
    }
}

//! Which server do the sentinels call the master?
//!
//! Pure: what sentinels said goes in. Invariant: the newest configuration wins, and among equals
//! what most sentinels say; an old master that came back is not in it, whatever it says of itself.
//!
//! Spec: Storage, `redis+sentinel://`, "the newest version of it wins".

use redis::{Cmd, Value, cmd};

use super::connection::Reply;
use super::topology::{announced, text};
use super::url::Address;

/// What one sentinel says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Opinion {
    /// Grows with every failover.
    pub(super) epoch: u64,
    pub(super) master: Address,
}

/// What to ask a sentinel.
pub(super) fn questions(master: &str) -> [Cmd; 2] {
    let mut state = cmd("SENTINEL");
    state.arg("MASTER").arg(master);
    let mut address = cmd("SENTINEL");
    address.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    [state, address]
}

/// Reads the answers; `None` if the sentinel does not know the master.
pub(super) fn read(asked: &Address, replies: &[Reply]) -> Option<Opinion> {
    let [Ok(Value::Array(state)), Ok(Value::Array(address))] = replies else { return None };
    let mut state = state.chunks(2);
    let epoch = state.find_map(|pair| {
        let [name, value] = pair else { return None };
        (text(name)? == "config-epoch").then(|| text(value)).flatten()
    });
    let epoch = epoch?.parse().ok()?;
    let [host, port] = address.as_slice() else { return None };
    let master = announced(asked, &text(host)?, text(port)?.parse().ok()?);
    Some(Opinion { epoch, master })
}

/// The newest opinion.
pub(super) fn newest(opinions: &[Opinion]) -> Option<&Opinion> {
    let supporters = |opinion: &Opinion| opinions.iter().filter(|other| *other == opinion).count();
    opinions.iter().max_by_key(|opinion| (opinion.epoch, supporters(opinion)))
}

/// Whether a server calls itself a master.
pub(super) fn is_master(role: &Reply) -> bool {
    let Ok(Value::Array(role)) = role else { return false };
    role.first().and_then(text).is_some_and(|role| role == "master")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn words(words: &[&str]) -> Reply {
        Ok(Value::Array(words.iter().map(|word| bulk(word)).collect()))
    }

    fn opinion(epoch: u64, host: &str) -> Opinion {
        Opinion { epoch, master: Address { host: host.to_owned(), port: 6379 } }
    }

    #[test]
    fn reads_epoch_and_address() {
        let asked = Address { host: "s".to_owned(), port: 26379 };
        let state = ["name", "m", "ip", "old", "flags", "master", "config-epoch", "12", "x", "y"];
        let replies = [words(&state), words(&["new", "6379"])];
        assert_eq!(read(&asked, &replies), Some(opinion(12, "new")));
        assert_eq!(read(&asked, &[words(&state), Ok(Value::Nil)]), None);
        assert_eq!(read(&asked, &[words(&["name", "m"]), words(&["new", "6379"])]), None);
    }

    #[test]
    fn the_newest_epoch_wins_and_among_equals_the_majority() {
        let opinions = [opinion(1, "old"), opinion(2, "b"), opinion(1, "old"), opinion(2, "a")];
        assert_eq!(newest(&opinions).map(|opinion| opinion.epoch), Some(2));
        let opinions = [opinion(2, "b"), opinion(2, "a"), opinion(2, "b"), opinion(1, "old")];
        assert_eq!(newest(&opinions), Some(&opinion(2, "b")));
        assert_eq!(newest(&[]), None);
    }

    #[test]
    fn only_a_master_says_that_it_is_one() {
        assert!(is_master(&words(&["master", "0"])));
        assert!(!is_master(&words(&["slave", "a"])));
        assert!(!is_master(&Ok(Value::Nil)));
    }
}

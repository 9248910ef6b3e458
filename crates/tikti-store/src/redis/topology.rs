//! Which server is the master of a slot?
//!
//! Pure: what nodes said goes in, the newest of it comes out. Invariant: what a node says counts as
//! a whole, never mixed with what another says; the newest epoch wins, and among equals what most
//! nodes say. A master that was replaced and does not know it has an old epoch.
//!
//! Spec: Storage, "an old master that comes back accepts writes until it is told otherwise".

use redis::Value;

use super::slot::{SLOTS, Slot};
use super::url::Address;

/// Who serves what, as one node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Topology {
    /// Grows with every change.
    epoch: u64,
    /// Sorted, and apart from each other.
    ranges: Vec<Range>,
    /// Replicas, which know the topology as well.
    replicas: Vec<Address>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Range {
    first: u16,
    last: u16,
    master: Address,
}

impl Topology {
    /// One server for everything.
    pub(super) fn single(master: Address, epoch: u64) -> Self {
        let ranges = vec![Range { first: 0, last: SLOTS - 1, master }];
        Self { epoch, ranges, replicas: Vec::new() }
    }

    /// Reads what the node at `asked` answered to `CLUSTER INFO` and `CLUSTER SLOTS`; `None` if it
    /// cannot be read or names no master at all.
    pub(super) fn read(asked: &Address, info: &Value, slots: &Value) -> Option<Self> {
        let epoch = read_epoch(info)?;
        let Value::Array(lines) = slots else { return None };
        let (mut ranges, mut replicas) = (Vec::new(), Vec::new());
        for line in lines {
            let Value::Array(line) = line else { return None };
            let [Value::Int(first), Value::Int(last), master, others @ ..] = line.as_slice() else {
                return None;
            };
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            ranges.push(Range { first, last, master: address(asked, master)? });
            replicas.extend(others.iter().filter_map(|other| address(asked, other)));
        }
        ranges.sort();
        replicas.sort();
        replicas.dedup();
        (!ranges.is_empty()).then_some(Self { epoch, ranges, replicas })
    }

    /// The newest of what several nodes say, or of what is known.
    pub(super) fn newest(views: &[Self]) -> Option<Self> {
        let newest = views.iter().map(|view| view.epoch).max()?;
        let supporters = |view: &Self| views.iter().filter(|other| view.agrees(other)).count();
        let mut best: Option<(usize, &Self)> = None;
        for view in views.iter().filter(|view| view.epoch == newest) {
            let count = supporters(view);
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, view));
            }
        }
        best.map(|(_, view)| view.clone())
    }

    fn agrees(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.ranges == other.ranges
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The master of a slot; `None` if nobody serves it.
    pub(super) fn master_of(&self, slot: Slot) -> Option<&Address> {
        let slot = slot.number();
        let behind = self.ranges.partition_point(|range| range.first <= slot);
        let range = self.ranges.get(behind.checked_sub(1)?)?;
        (slot <= range.last).then_some(&range.master)
    }

    /// Every master once.
    pub(super) fn masters(&self) -> Vec<Address> {
        let mut masters: Vec<_> = self.ranges.iter().map(|range| range.master.clone()).collect();
        masters.sort();
        masters.dedup();
        masters
    }

    /// Every server that knows the topology.
    pub(super) fn members(&self) -> impl Iterator<Item = Address> {
        self.masters().into_iter().chain(self.replicas.clone())
    }

    /// The first slot without a master, if there is one.
    pub(super) fn first_unserved(&self) -> Option<u16> {
        let mut next = 0;
        for range in &self.ranges {
            if range.first > next {
                break;
            }
            next = next.max(range.last.saturating_add(1));
        }
        (next < SLOTS).then_some(next)
    }
}

/// The newest epoch that a node knows, by its answer to `CLUSTER INFO`.
pub(super) fn read_epoch(info: &Value) -> Option<u64> {
    let info = text(info)?;
    let epoch = info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:"));
    epoch?.trim().parse().ok()
}

/// What a bulk or simple string says.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// An address that a node announced, with the host that was asked where it names none.
pub(super) fn announced(asked: &Address, host: &str, port: u16) -> Address {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // A node that knows no name for another says `?`, and one that knows no address of its own
    // nothing: then it is where it was asked.
    let host = if matches!(host, "" | "?") { asked.host.as_str() } else { host };
    Address { host: host.to_owned(), port }
}

fn address(asked: &Address, node: &Value) -> Option<Address> {
    let Value::Array(node) = node else { return None };
    let [host, Value::Int(port), ..] = node.as_slice() else { return None };
    let host = if matches!(host, Value::Nil) { String::new() } else { text(host)? };
    Some(announced(asked, &host, u16::try_from(*port).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![bulk(host), Value::Int(port), bulk("id"), Value::Array(Vec::new())])
    }

    fn line(first: i64, last: i64, nodes: &[Value]) -> Value {
        Value::Array([&[Value::Int(first), Value::Int(last)], nodes].concat())
    }

    fn view(epoch: u64, lines: &[Value]) -> Option<Topology> {
        let info = bulk(&format!("cluster_state:ok\r\ncluster_current_epoch:{epoch}\r\nx:1\r\n"));
        Topology::read(&at("asked", 1), &info, &Value::Array(lines.to_vec()))
    }

    fn whole(epoch: u64, host: &str) -> Topology {
        view(epoch, &[line(0, 16383, &[node(host, 1)])]).unwrap()
    }

    #[test]
    fn reads_ranges_in_any_order_with_their_replicas() {
        let lines = [
            line(8192, 16383, &[node("b", 2), node("c", 3)]),
            line(0, 8191, &[node("", 9), node("?", 4)]),
        ];
        let topology = view(7, &lines).unwrap();
        assert_eq!(topology.epoch(), 7);
        assert_eq!(topology.first_unserved(), None);
        assert_eq!(topology.masters(), [at("asked", 9), at("b", 2)]);
        let members: Vec<_> = topology.members().collect();
        assert_eq!(members, [at("asked", 9), at("b", 2), at("asked", 4), at("c", 3)]);
        for tag in ["g", "foo", "u:42", "123456789"] {
            let slot = Slot::of(tag.as_bytes());
            let expected = if slot.number() < 8192 { at("asked", 9) } else { at("b", 2) };
            assert_eq!(topology.master_of(slot), Some(&expected), "{tag}");
        }
    }

    #[test]
    fn a_slot_that_nobody_serves_has_no_master() {
        // foo is in slot 12182.
        let slot = Slot::of(b"foo");
        for (first, last, is_served, unserved) in
            [(0, 12181, false, 12182), (12183, 16383, false, 0), (12182, 12182, true, 0)]
        {
            let topology = view(1, &[line(first, last, &[node("a", 1)])]).unwrap();
            assert_eq!(topology.master_of(slot).is_some(), is_served, "{first}-{last}");
            assert_eq!(topology.first_unserved(), Some(unserved));
        }
    }

    #[test]
    fn refuses_to_read_what_names_no_master_or_is_no_topology() {
        assert_eq!(view(1, &[]), None);
        assert_eq!(view(1, &[line(0, 16384 * 8, &[node("a", 1)])]), None);
        assert_eq!(view(1, &[line(0, 1, &[])]), None);
        assert_eq!(Topology::read(&at("a", 1), &bulk("x:1\r\n"), &Value::Array(Vec::new())), None);
        let info = bulk("cluster_current_epoch:1\r\n");
        assert_eq!(Topology::read(&at("a", 1), &info, &Value::Nil), None);
    }

    #[test]
    fn the_newest_epoch_wins_over_any_number() {
        let views = vec![whole(3, "old"), whole(4, "new"), whole(3, "old"), whole(3, "old")];
        assert_eq!(Topology::newest(&views), Some(whole(4, "new")));
    }

    #[test]
    fn among_equals_what_most_nodes_say_wins() {
        let views = vec![whole(4, "a"), whole(4, "b"), whole(4, "b"), whole(3, "a")];
        assert_eq!(Topology::newest(&views), Some(whole(4, "b")));
        assert_eq!(Topology::newest(&[]), None);
    }
}

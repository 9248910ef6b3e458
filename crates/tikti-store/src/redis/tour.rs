//! Has a walk over the servers seen everything, although servers restart and slots move?
//!
//! Pure: what servers say about themselves goes in. A cursor means something only to the run of a
//! server that gave it. What a master serves is known by its own words, its epoch among them: a master
//! that was given a slot, or takes one over, speaks differently from then on. Invariant: the tour is
//! over when every master speaks as it did before it was walked.
//!
//! Spec: Storage, "Engine B".

use std::collections::BTreeMap;

use super::info::Info;
use super::servers::Master;

/// How often a master is begun, and how often the servers are gone round.
pub(super) const MAX_STARTS: u32 = 8;

/// A run of a server, from its start to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    id: String,
    /// For those that give no id of the run: in a container every process has the same number.
    uptime_seconds: u64,
}

impl Run {
    /// Reads `INFO server`.
    pub(super) fn read(info: &str) -> Self {
        let info = Info::read(info);
        let field = |name| info.field(name).unwrap_or_default();
        if let Some(id) = info.field("run_id") {
            return Self { id: id.to_owned(), uptime_seconds: 0 };
        }
        let uptime_seconds = field("uptime_in_seconds").parse().unwrap_or(0);
        Self { id: field("process_id").to_owned(), uptime_seconds }
    }

    /// Whether this is the same as one that was seen earlier.
    pub(super) fn continues(&self, earlier: &Self) -> bool {
        self.id == earlier.id && self.uptime_seconds >= earlier.uptime_seconds
    }
}

/// What each master says that it serves.
pub(super) type Words = BTreeMap<Master, String>;

/// What a node says about itself in `CLUSTER NODES`: its epoch, its slots, and those that are on their
/// way to it or from it.
pub(super) fn own_words(nodes: &str) -> String {
    let is_own = |line: &&str| line.split(' ').nth(2).is_some_and(|flags| flags.contains("myself"));
    let own = nodes.lines().find(is_own).unwrap_or_default();
    // id, address, flags, master, ping, pong, epoch, link, and then the slots.
    let words = own.split(' ').enumerate().filter(|(place, _)| *place == 6 || *place > 7);
    words.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// What was walked, and what the masters said before that.
#[derive(Default)]
pub(super) struct Tour {
    walked: BTreeMap<Master, (String, u32)>,
    rounds: u32,
}

impl Tour {
    /// The masters that have to be walked now, or again; `None` where the servers have changed too
    /// often. All of them are walked before this is asked again.
    pub(super) fn next_round(&mut self, now: &Words) -> Option<Vec<Master>> {
        let mut due = Vec::new();
        for (master, words) in now {
            let (before, times) = self.walked.remove(master).unwrap_or_default();
            let times = if before == *words { times } else { 0 };
            // Keys go one by one to where a slot is moved to, and no epoch tells: what was not there
            // yet the first time is there the second.
            let needed = if words.contains('[') { 2 } else { 1 };
            if times < needed {
                due.push(master.clone());
            }
            self.walked.insert(master.clone(), (words.clone(), times + u32::from(times < needed)));
        }
        self.rounds += 1;
        (due.is_empty() || self.rounds <= MAX_STARTS).then_some(due)
    }

    /// This one was not walked to its end, since it is no master any more.
    pub(super) fn skip(&mut self, master: &Master) {
        self.walked.remove(master);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::url::Address;

    fn at(host: &str) -> Master {
        Master(Address { host: host.to_owned(), port: 1 })
    }

    fn words(masters: Said<'_>) -> Words {
        masters.iter().map(|(host, words)| (at(host), (*words).to_owned())).collect()
    }

    #[test]
    fn a_run_is_known_by_its_id_or_by_what_can_only_grow() {
        let redis = |id: &str| format!("# Server\r\nprocess_id:1\r\nrun_id:{id}\r\n");
        let kvrocks =
            |uptime: u64| format!("# Server\r\nprocess_id:1\r\nuptime_in_seconds:{uptime}\r\n");
        for (earlier, later, is_same) in [
            (redis("a"), redis("a"), true),
            (redis("a"), redis("b"), false),
            (kvrocks(5), kvrocks(5), true),
            (kvrocks(5), kvrocks(6), true),
            (kvrocks(5), kvrocks(4), false),
            (kvrocks(5), kvrocks(6).replace(":1", ":2"), false),
            (String::new(), String::new(), true),
        ] {
            assert_eq!(Run::read(&later).continues(&Run::read(&earlier)), is_same, "{later}");
        }
    }

    #[test]
    fn own_words_are_the_epoch_and_the_slots() {
        let nodes = "a1 h:1@2 master - 0 7 1 connected 0-5\n\
                     b2 h:3@4 myself,master - 0 9 2 connected 6-9 [93->-a1]\n";
        assert_eq!(own_words(nodes), "2 6-9 [93->-a1]");
        assert_eq!(own_words(""), "");
    }

    /// What masters say, each by its name.
    type Said<'a> = &'a [(&'a str, &'a str)];

    /// Rounds, each with what the masters say, and who is walked then.
    fn assert_rounds(rounds: &[(Said<'_>, &[&str])]) {
        let mut tour = Tour::default();
        for (said, expected) in rounds {
            let expected: Vec<_> = expected.iter().map(|host| at(host)).collect();
            assert_eq!(tour.next_round(&words(said)), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn it_is_over_when_nothing_has_changed() {
        assert_rounds(&[(&[("a", ""), ("b", "")], &["a", "b"]), (&[("a", ""), ("b", "")], &[])]);
    }

    #[test]
    fn whoever_took_something_over_is_walked_again() {
        let before: Said<'_> = &[("a", "1 0-5"), ("b", "2 6-9")];
        assert_rounds(&[
            (before, &["a", "b"]),
            (&[("a", "3 0-6"), ("b", "2 7-9")], &["a", "b"]),
            (&[("a", "3 0-6"), ("b", "2 7-9")], &[]),
        ]);
        let replaced: Said<'_> = &[("a", "1 0-5"), ("c", "3 6-9")];
        assert_rounds(&[(before, &["a", "b"]), (replaced, &["c"]), (replaced, &[])]);
        // There and back again.
        let back: Said<'_> = &[("a", "3 0-5"), ("b", "4 6-9")];
        assert_rounds(&[(before, &["a", "b"]), (back, &["a", "b"]), (back, &[])]);
    }

    #[test]
    fn an_open_slot_is_walked_twice() {
        let open: Said<'_> = &[("a", "1 0-5 [6-<-b]"), ("b", "2 6-9 [6->-a]"), ("c", "3 10-16383")];
        assert_rounds(&[(open, &["a", "b", "c"]), (open, &["a", "b"]), (open, &[])]);
    }

    #[test]
    fn whoever_was_skipped_and_comes_back_is_walked() {
        let mut tour = Tour::default();
        let (one, other) = (words(&[("a", "")]), words(&[("b", "")]));
        assert_eq!(tour.next_round(&one), Some(vec![at("a")]));
        tour.skip(&at("a"));
        assert_eq!(tour.next_round(&other), Some(vec![at("b")]));
        assert_eq!(tour.next_round(&one), Some(vec![at("a")]));
        assert_eq!(tour.next_round(&one), Some(vec![]));
    }

    #[test]
    fn servers_that_go_on_changing_end_it() {
        let mut tour = Tour::default();
        let mut round = |number: u32| tour.next_round(&words(&[("a", &number.to_string())]));
        for number in 0..MAX_STARTS {
            assert_eq!(round(number), Some(vec![at("a")]));
        }
        assert_eq!(round(MAX_STARTS), None);
    }
}

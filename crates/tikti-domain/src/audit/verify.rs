//! Was an event of a chain changed, dropped, moved or put in since it was written?
//!
//! A pure function over links in the order in which they stand: it needs no store, no key and one link
//! at a time, so that whoever keeps an export can prove it anywhere. Invariant: what it passes is the chain
//! from where it began, link by link; and what it names is the first thing that is wrong. Without a head
//! nobody can tell that the newest events were cut off.
//!
//! Spec: Authorization, "Audit".

use super::chain::{self, Head, Link, NO_HASH};
use crate::clock::Timestamp;

/// What was done to a log; each names the number of the first event that is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampering {
    /// An event is not the one that was written.
    #[error("event {seq} was changed")]
    Changed {
        /// Its number.
        seq: u64,
    },
    /// An event is whole by itself, but was not written behind the one that stands before it.
    #[error("event {seq} was not written behind the one before it: one of the two was replaced")]
    Replaced {
        /// The number of the second one.
        seq: u64,
    },
    /// Events are missing between others.
    #[error("event {seq} is missing, the next one that is there is {next}")]
    Dropped {
        /// The first that is missing.
        seq: u64,
        /// The first that is there again.
        next: u64,
    },
    /// An event stands in another's place, and is not missing where the log goes on.
    #[error("event {seq} stands behind event {before}: their order was changed")]
    Reordered {
        /// The one that comes too late.
        seq: u64,
        /// The one that stands in its place.
        before: u64,
    },
    /// There is one event too many.
    #[error("an event of number {seq} was inserted")]
    Inserted {
        /// The number that it bears.
        seq: u64,
    },
    /// The log begins with an event that lies before its checkpoint.
    #[error(
        "the log begins with event {seq}, and its checkpoint says that it begins behind {begin}"
    )]
    OtherBegin {
        /// The first that is there.
        seq: u64,
        /// The last that is to be gone.
        begin: u64,
    },
    /// The log ends before its head.
    #[error("the log ends with event {last}, and its head says {head}: its tail was cut off")]
    Cut {
        /// The last that is there.
        last: u64,
        /// The last that there was when the head was signed.
        head: u64,
    },
    /// The head is the one of another chain, or the whole log was written anew.
    #[error("event {seq} is not the one that the head names")]
    OtherHead {
        /// The number of the head.
        seq: u64,
    },
}

impl Tampering {
    /// A name for programs, stable.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "changed",
            Self::Replaced { .. } => "replaced",
            Self::Dropped { .. } => "dropped",
            Self::Reordered { .. } => "reordered",
            Self::Inserted { .. } => "inserted",
            Self::OtherBegin { .. } => "otherBegin",
            Self::Cut { .. } => "cut",
            Self::OtherHead { .. } => "otherHead",
        }
    }

    /// The number of the first bad event.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match *self {
            Self::Changed { seq }
            | Self::Replaced { seq }
            | Self::Dropped { seq, .. }
            | Self::Reordered { seq, .. }
            | Self::Inserted { seq }
            | Self::OtherBegin { seq, .. }
            | Self::OtherHead { seq } => seq,
            Self::Cut { last, .. } => last.saturating_add(1),
        }
    }
}

/// Verifies a log: its links in the order in which they stand, `None` for what is no link at all.
///
/// `begin` is the last link before the first, by a checkpoint that is believed; without one the log begins
/// with the first event that there ever was. `head` is where the log ended once, by a head that is
/// believed; the log may have grown since. Gives where it ends now: number 0 for an empty one.
///
/// # Errors
/// The first [`Tampering`].
pub fn verify(
    links: impl IntoIterator<Item = Option<Link>>,
    begin: Option<&Head>,
    head: Option<&Head>,
) -> Result<Head, Tampering> {
    let nothing = Head { seq: 0, chained_at: Timestamp::from_millis(0), hash: NO_HASH.to_owned() };
    let mut last = begin.cloned().unwrap_or(nothing);
    must_be(head, &last)?;
    let mut links = links.into_iter();
    while let Some(link) = links.next() {
        match link.filter(|link| is_whole(link) || link.seq != last.seq.saturating_add(1)) {
            Some(link) if follows(&link, &last) => {
                last = Head { seq: link.seq, chained_at: link.chained_at, hash: link.hash };
                must_be(head, &last)?;
            }
            Some(link) if begin.is_some_and(|at| *at == last && link.seq <= at.seq) => {
                return Err(Tampering::OtherBegin { seq: link.seq, begin: last.seq });
            }
            doubtful => return Err(name(doubtful.as_ref(), last.seq.saturating_add(1), links)),
        }
    }
    match head {
        Some(head) if head.seq > last.seq => Err(Tampering::Cut { last: last.seq, head: head.seq }),
        Some(_) | None => Ok(last),
    }
}

/// Whether a link's own hash is the one of what it holds.
fn is_whole(link: &Link) -> bool {
    link.hash == chain::hash(link.seq, link.chained_at, &link.prev_hash, &link.event)
}

fn follows(link: &Link, last: &Head) -> bool {
    link.seq == last.seq.saturating_add(1)
        && link.prev_hash == last.hash
        && link.chained_at >= last.chained_at
}

fn must_be(head: Option<&Head>, link: &Head) -> Result<(), Tampering> {
    match head {
        Some(head) if head.seq == link.seq && head != link => {
            Err(Tampering::OtherHead { seq: head.seq })
        }
        Some(_) | None => Ok(()),
    }
}

/// What was done, where `found` stands in the place of number `expected`. What stands behind tells.
fn name(
    found: Option<&Link>,
    expected: u64,
    rest: impl Iterator<Item = Option<Link>>,
) -> Tampering {
    let (mut comes_later, mut again, mut most) = (false, false, 0);
    for seq in rest.flatten().map(|link| link.seq) {
        comes_later |= seq == expected;
        again |= found.is_some_and(|found| found.seq == seq);
        most = most.max(seq);
    }
    let Some(found) = found else {
        // No link, or one whose number fits and whose text does not.
        return if comes_later {
            Tampering::Inserted { seq: expected }
        } else {
            Tampering::Changed { seq: expected }
        };
    };
    let seq = found.seq;
    if seq == expected && !comes_later {
        return Tampering::Replaced { seq };
    }
    if !is_whole(found) && !comes_later {
        // Its number was changed too, or nothing but that.
        return Tampering::Changed { seq: expected };
    }
    if seq <= expected || again || comes_later && seq > most.saturating_add(1) {
        return Tampering::Inserted { seq };
    }
    if comes_later {
        Tampering::Reordered { seq: expected, before: seq }
    } else {
        Tampering::Dropped { seq: expected, next: seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of this many events.
    fn log(count: u64) -> Vec<Option<Link>> {
        let mut prev_hash = NO_HASH.to_owned();
        let link = |seq: u64| {
            let chained_at = Timestamp::from_millis(1_769_532_214_000 + seq / 3);
            let event = format!("{{\"id\":\"{seq}\",\"action\":\"role.create\"}}");
            let hash = chain::hash(seq, chained_at, &prev_hash, &event);
            let prev_hash = std::mem::replace(&mut prev_hash, hash.clone());
            Some(Link { seq, chained_at, prev_hash, hash, event })
        };
        (1..=count).map(link).collect()
    }

    fn head_of(log: &[Option<Link>], seq: usize) -> Head {
        let Link { seq, chained_at, hash, .. } = log[seq - 1].clone().unwrap();
        Head { seq, chained_at, hash }
    }

    fn rehashed(mut link: Link) -> Link {
        link.hash = chain::hash(link.seq, link.chained_at, &link.prev_hash, &link.event);
        link
    }

    #[test]
    fn a_whole_log_passes_with_and_without_a_head() {
        let all = log(20);
        for seq in 1..=20 {
            let head = head_of(&all, seq);
            assert_eq!(verify(all.clone(), None, Some(&head)), Ok(head_of(&all, 20)));
            let rest = all[seq..].to_vec();
            assert_eq!(verify(rest, Some(&head), None), Ok(head_of(&all, 20)));
        }
        assert_eq!(verify(log(0), None, None).unwrap().seq, 0);
    }

    /// A way to tamper with the log at an index.
    type Tamper = fn(&mut Vec<Option<Link>>, usize);

    #[test]
    fn everything_that_is_done_to_a_log_is_named_with_the_first_number() {
        let changed: [Tamper; 7] = [
            |log, at| log[at].as_mut().unwrap().event.push(' '),
            |log, at| log[at].as_mut().unwrap().hash.make_ascii_uppercase(),
            |log, at| log[at].as_mut().unwrap().prev_hash.replace_range(0..1, "x"),
            |log, at| log[at].as_mut().unwrap().chained_at = Timestamp::from_millis(5),
            |log, at| log[at].as_mut().unwrap().seq += 1,
            |log, at| log[at].as_mut().unwrap().seq = 1 << 60,
            |log, at| log[at] = None,
        ];
        for at in 0..20 {
            let seq = at as u64 + 1;
            let named = |tamper: Tamper| {
                let mut log = log(20);
                tamper(&mut log, at);
                verify(log, None, None)
            };
            for tamper in changed {
                assert_eq!(named(tamper), Err(Tampering::Changed { seq }));
            }
            if at < 19 {
                let dropped = named(|log, at| drop(log.remove(at)));
                assert_eq!(dropped, Err(Tampering::Dropped { seq, next: seq + 1 }));
                let swapped = named(|log, at| log.swap(at, at + 1));
                assert_eq!(swapped, Err(Tampering::Reordered { seq, before: seq + 1 }));
                let moved = named(|log, at| {
                    let link = log.remove(at);
                    log.push(link);
                });
                assert_eq!(moved, Err(Tampering::Reordered { seq, before: seq + 1 }));
            }
            let doubled = named(|log, at| log.insert(at, log[at].clone()));
            assert_eq!(doubled, Err(Tampering::Inserted { seq }));
        }
    }

    #[test]
    fn an_event_that_was_put_in_is_named_whatever_number_it_bears() {
        let forged: [fn(Link) -> Link; 4] = [
            |link| link,
            |link| rehashed(Link { event: "{}".to_owned(), ..link }),
            |link| Link { event: "{}".to_owned(), ..link },
            |link| rehashed(Link { prev_hash: NO_HASH.to_owned(), ..link }),
        ];
        for forge in forged {
            for at in 0..20 {
                let mut all = log(20);
                let link = forge(all[at].clone().unwrap());
                all.insert(at, Some(link));
                let seq = at as u64 + 1;
                assert_eq!(verify(all, None, None), Err(Tampering::Inserted { seq }));
            }
        }
        let mut all = log(20);
        let stranger = rehashed(Link { seq: 99, ..all[3].clone().unwrap() });
        all.insert(7, Some(stranger));
        assert_eq!(verify(all, None, None), Err(Tampering::Inserted { seq: 99 }));
    }

    #[test]
    fn a_replaced_event_is_named_where_it_no_longer_fits() {
        for at in 0..19 {
            let mut all = log(20);
            let link = all[at].clone().unwrap();
            all[at] = Some(rehashed(Link { event: "{}".to_owned(), ..link }));
            let seq = at as u64 + 2;
            assert_eq!(verify(all, None, None), Err(Tampering::Replaced { seq }));
        }
    }

    #[test]
    fn a_log_that_begins_elsewhere_than_its_checkpoint_says_is_named() {
        let all = log(20);
        let (begin, head) = (head_of(&all, 8), head_of(&all, 18));
        let from = |first: usize| all[first - 1..].to_vec();
        assert_eq!(verify(from(9), Some(&begin), Some(&head)).unwrap().seq, 20);
        for first in 1..=8 {
            let seq = first as u64;
            let early = verify(from(first), Some(&begin), Some(&head));
            assert_eq!(early, Err(Tampering::OtherBegin { seq, begin: 8 }));
        }
        for first in 10..=20 {
            let late = verify(from(first), Some(&begin), Some(&head));
            assert_eq!(late, Err(Tampering::Dropped { seq: 9, next: first as u64 }));
        }
        // Behind a checkpoint of the same number over another chain.
        let other = Head { hash: NO_HASH.to_owned(), ..begin.clone() };
        assert_eq!(verify(from(9), Some(&other), None), Err(Tampering::Replaced { seq: 9 }));
        // Cut at both ends, it is named by its beginning; at its end alone, by that.
        let both = verify(all[9..15].to_vec(), Some(&begin), Some(&head));
        assert_eq!(both, Err(Tampering::Dropped { seq: 9, next: 10 }));
        let tail = verify(all[8..15].to_vec(), Some(&begin), Some(&head));
        assert_eq!(tail, Err(Tampering::Cut { last: 15, head: 18 }));
        let nothing = verify(Vec::new(), Some(&begin), Some(&head));
        assert_eq!(nothing, Err(Tampering::Cut { last: 8, head: 18 }));
        assert_eq!(verify(Vec::new(), Some(&begin), Some(&begin)).unwrap(), begin);
    }

    #[test]
    fn a_head_tells_of_a_tail_that_was_cut_and_of_a_log_that_was_written_anew() {
        let all = log(20);
        let head = head_of(&all, 20);
        for kept in 0..20 {
            let cut = verify(all[..kept].to_vec(), None, Some(&head)).unwrap_err();
            assert_eq!(cut, Tampering::Cut { last: kept as u64, head: 20 });
            assert_eq!(cut.seq(), kept as u64 + 1);
        }
        let mut last = all.clone();
        let link = last[19].clone().unwrap();
        last[19] = Some(rehashed(Link { event: "{}".to_owned(), ..link }));
        assert_eq!(verify(last.clone(), None, None).unwrap().seq, 20);
        assert_eq!(verify(last, None, Some(&head)), Err(Tampering::OtherHead { seq: 20 }));
    }
}

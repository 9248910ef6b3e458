//! When is what servers say about their topology believed, although it is older than what is known?
//!
//! Epochs only grow while a cluster lives; one that was made anew, or restored, begins again with a
//! small one. But an old master that comes back speaks with an older epoch as well, and would take
//! writes that are lost. Invariant: the word of an old epoch counts only where everybody who would
//! know better has given up the newer one with its own words, or has been silent for a minute.
//!
//! Spec: Storage, "the newest version of it wins".

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::url::Address;

/// Who says nothing for so long is not coming back in a moment: longer than a restart, a failover, or
/// the stumbling of a network.
const LONG_SILENCE: Duration = Duration::from_secs(60);
/// The longest time between two questions without an answer that are one silence. Nobody asks while
/// all is well, so what lies further apart does not tell.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// Somebody who would know the newest topology: a master of what is known, or a sentinel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// It answers with this epoch.
    Says(u64),
    /// It has not answered for so long.
    Silent(Duration),
}

/// Whether a topology of the epoch `told`, the newest that anybody tells, replaces one of the epoch
/// `known`.
pub(super) fn is_credible(known: u64, told: u64, witnesses: &[Witness]) -> bool {
    let has_given_up = |witness: &Witness| match witness {
        Witness::Says(epoch) => *epoch < known,
        Witness::Silent(duration) => *duration >= LONG_SILENCE,
    };
    told >= known || (!witnesses.is_empty() && witnesses.iter().all(has_given_up))
}

/// Who has not answered, and since when.
#[derive(Default)]
pub(super) struct Silences {
    since: BTreeMap<Address, Instant>,
    asked: Option<Instant>,
}

impl Silences {
    /// Notes who of all that were asked `now` has said which epoch, and makes witnesses of them.
    pub(super) fn note(
        &mut self,
        now: Instant,
        said: impl IntoIterator<Item = (Address, Option<u64>)>,
    ) -> Vec<Witness> {
        let is_one = self.asked.is_some_and(|asked| now.duration_since(asked) <= LONGEST_GAP);
        let mut before = std::mem::take(&mut self.since);
        self.asked = Some(now);
        let mut witnesses = Vec::new();
        for (address, epoch) in said {
            witnesses.push(match epoch {
                Some(epoch) => Witness::Says(epoch),
                None => {
                    let since = before.remove(&address).filter(|_| is_one).unwrap_or(now);
                    self.since.insert(address, since);
                    Witness::Silent(now.duration_since(since))
                }
            });
        }
        witnesses
    }
}

#[cfg(test)]
mod tests {
    use super::Witness::{Says, Silent};
    use super::*;

    const SHORT: Witness = Silent(Duration::from_secs(59));
    const LONG: Witness = Silent(LONG_SILENCE);

    #[test]
    fn an_older_epoch_counts_only_when_nobody_holds_the_newer_one() {
        for (told, witnesses, expected) in [
            // As new as what is known, or newer: whoever says it.
            (8, &[Says(7), SHORT][..], true),
            (7, &[SHORT, SHORT], true),
            // Made anew: all say so themselves.
            (2, &[Says(2), Says(2), Says(0)], true),
            // Made anew elsewhere, or one machine is gone for good.
            (2, &[LONG, LONG], true),
            (2, &[Says(2), LONG], true),
            // An old master is back, and the others are there, or away for a moment.
            (6, &[Says(7), LONG], false),
            (6, &[Says(6), Says(7)], false),
            (6, &[SHORT, SHORT], false),
            (6, &[LONG, SHORT], false),
            (6, &[Says(6), SHORT], false),
            (6, &[], false),
        ] {
            assert_eq!(is_credible(7, told, witnesses), expected, "{told} {witnesses:?}");
        }
    }

    #[test]
    fn a_silence_lasts_while_it_is_asked_into() {
        let (a, b) =
            (Address { host: "a".to_owned(), port: 1 }, Address { host: "b".to_owned(), port: 1 });
        let (mut silences, begin) = (Silences::default(), Instant::now());
        let mut note = |seconds: u64, of_b: Option<u64>| {
            let now = begin + Duration::from_secs(seconds);
            silences.note(now, [(a.clone(), None), (b.clone(), of_b)])
        };
        let silent = |seconds| Silent(Duration::from_secs(seconds));
        assert_eq!(note(0, None), [silent(0), silent(0)]);
        assert_eq!(note(10, Some(3)), [silent(10), Says(3)]);
        assert_eq!(note(20, None), [silent(20), silent(0)]);
        // Nobody asked for a while: all may have been well.
        assert_eq!(note(31, None), [silent(0), silent(0)]);
        assert_eq!(note(32, None), [silent(1), silent(1)]);
    }
}

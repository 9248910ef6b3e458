//! When is what servers say about their topology believed, although it is older than what is known?
//!
//! Epochs only grow while a cluster lives; one that was made anew, or restored, begins again with a
//! small one. But an old master that comes back speaks with an older epoch as well, and would take
//! writes that are lost. Invariant: the word of an old epoch counts only where everybody who would
//! know better has given up the newer one with its own words, or has been silent for a minute.
//!
//! Spec: Storage, "the newest version of it wins".

/// Somebody who would know the newest topology: a master of what is known, or a sentinel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// It answers with this epoch.
    Says(u64),
    /// It does not answer.
    Silent,
}

/// Whether a topology of the epoch `told`, the newest that anybody tells, replaces one of the epoch
/// `known`.
pub(super) fn is_credible(known: u64, told: u64, witnesses: &[Witness]) -> bool {
    let has_given_up = |witness: &Witness| match witness {
        Witness::Says(epoch) => *epoch < known,
        Witness::Silent => false,
    };
    told >= known || (!witnesses.is_empty() && witnesses.iter().all(has_given_up))
}

#[cfg(test)]
mod tests {
    use super::Witness::{Says, Silent};
    use super::*;

    #[test]
    fn an_older_epoch_counts_only_when_nobody_holds_the_newer_one() {
        for (told, witnesses, expected) in [
            // As new as what is known, or newer: whoever says it.
            (8, &[Says(7), Silent][..], true),
            (7, &[Silent, Silent], true),
            // Made anew: all say so themselves.
            (2, &[Says(2), Says(2), Says(0)], true),
            // An old master is back, and the others are there, or do not answer.
            (6, &[Says(7), Silent], false),
            (6, &[Says(6), Says(7)], false),
            (6, &[Silent, Silent], false),
            (6, &[Says(6), Silent], false),
            (6, &[], false),
        ] {
            assert_eq!(is_credible(7, told, witnesses), expected, "{told} {witnesses:?}");
        }
    }
}

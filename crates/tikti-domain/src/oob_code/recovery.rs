//! Which changes of address have been undone, so that the codes sent about them are dead?
//!
//! Each change of a user's address has a number, given in the transaction that changes it: the order
//! of the numbers is that in which the changes happened, whatever the clocks of the replicas said. The
//! code that the address before gets has the number. Who redeems it undoes that change and all later
//! ones, so their codes are dead, and only theirs. Invariant: no recovery ends the code of an earlier
//! change; whoever takes an account and then recovers an address of his own is still undone by the one
//! from whom he took it.
//!
//! Spec: HTTP API, Identity, `update`. Why: docs/decisions/0026.

use serde::{Deserialize, Serialize};

use super::OobType;
use crate::clock::Timestamp;

/// Recoveries that are remembered. Beyond it the two latest count as one: what somebody does who has
/// taken the account is later than the change by which he took it.
const MOST: usize = 8;

/// The recoveries of a user whose codes could still be handed in, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recoveries(Vec<Undone>);

/// Changes that one recovery has undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Undone {
    /// The number of the first one.
    first: u64,
    /// The number of the last one.
    last: u64,
    /// When the recovery happened.
    at: Timestamp,
}

impl Recoveries {
    /// Whether there is nothing to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the change of this number was undone.
    pub(crate) fn have_undone(&self, change: u64) -> bool {
        self.0.iter().any(|undone| (undone.first..=undone.last).contains(&change))
    }

    /// Takes note of a recovery that undoes all changes from `first` to `last`, the latest one there is.
    pub(crate) fn add(&mut self, first: u64, last: u64, now: Timestamp) {
        // Twice the life of a code: the clocks of two replicas may differ.
        let kept = 2 * OobType::RecoverEmail.life_millis();
        self.0.retain(|undone| undone.first < first && now < undone.at.plus_millis(kept));
        self.0.push(Undone { first, last, at: now });
        while self.0.len() > MOST
            && let Some(latest) = self.0.pop()
            && let Some(before) = self.0.last_mut()
        {
            before.last = latest.last;
            before.at = latest.at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::START;

    /// The changes below `up_to` that were undone.
    fn undone(recoveries: &Recoveries, up_to: u64) -> Vec<u64> {
        (0..up_to).filter(|change| recoveries.have_undone(*change)).collect()
    }

    #[test]
    fn a_recovery_undoes_its_change_and_the_later_ones_and_no_earlier_one() {
        let mut recoveries = Recoveries::default();
        assert_eq!(undone(&recoveries, 9), [0; 0]);
        // The address of change 2 is recovered first, then that of change 1, then that of a new change.
        recoveries.add(2, 3, START);
        assert_eq!(undone(&recoveries, 9), [2, 3]);
        recoveries.add(1, 4, START);
        assert_eq!(undone(&recoveries, 9), [1, 2, 3, 4]);
        assert_eq!(recoveries.0.len(), 1);
        recoveries.add(6, 7, START);
        assert_eq!(undone(&recoveries, 9), [1, 2, 3, 4, 6, 7]);
    }

    #[test]
    fn a_recovery_is_remembered_for_as_long_as_a_code_could_be_handed_in() {
        let mut recoveries = Recoveries::default();
        recoveries.add(1, 2, START);
        let life = OobType::RecoverEmail.life_millis();
        recoveries.add(4, 5, START.plus_millis(2 * life - 1));
        assert_eq!(undone(&recoveries, 9), [1, 2, 4, 5]);
        recoveries.add(7, 8, START.plus_millis(2 * life));
        assert_eq!(undone(&recoveries, 9), [4, 5, 7, 8]);
    }

    #[test]
    fn however_often_somebody_recovers_his_own_addresses_the_first_change_is_not_undone_by_it() {
        let mut recoveries = Recoveries::default();
        // Change 3 took the account; every second one after that is recovered at once.
        for first in (5..1005).step_by(2) {
            recoveries.add(first, first + 1, START);
            assert!(recoveries.0.len() <= MOST);
            assert!(!recoveries.have_undone(3) && recoveries.have_undone(first), "{first}");
        }
    }
}

//! When is each request of an open loop due?
//!
//! Pure: the times are fixed before the first request is sent, whatever the server does. The clients take
//! turns, so that one that still waits for its reply delays none of the others.

use std::time::Duration;

/// When a loop is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After this time.
    After(Duration),
    /// After so many requests of all clients together.
    Requests(u64),
}

/// How an open loop asks.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests a second, of all clients together; above 0.
    pub rate: f64,
    /// What is asked and not counted, before what is counted.
    pub warm_up: Duration,
    /// How much is counted.
    pub end: End,
}

/// One request of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its place among those of all clients.
    pub number: u64,
    /// When it is due, from the beginning.
    pub due: Duration,
    /// Whether it is past the warm-up.
    pub counts: bool,
}

impl Pace {
    /// The turns of one client of so many, in their order.
    pub fn turns(self, client: usize, of: usize) -> impl Iterator<Item = Turn> {
        let first_counted = self.number_at(self.warm_up);
        let numbers = (client as u64..self.turn_after_last()).step_by(of.max(1));
        numbers.map(move |number| Turn {
            number,
            due: self.due(number),
            counts: number >= first_counted,
        })
    }

    /// How many requests are counted.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.turn_after_last().saturating_sub(self.number_at(self.warm_up))
    }

    /// When the last request is due, from the beginning.
    #[must_use]
    pub fn last_due(&self) -> Duration {
        self.due(self.turn_after_last().saturating_sub(1))
    }

    fn turn_after_last(&self) -> u64 {
        match self.end {
            End::After(time) => self.number_at(self.warm_up.saturating_add(time)),
            End::Requests(count) => self.number_at(self.warm_up).saturating_add(count),
        }
    }

    fn due(&self, number: u64) -> Duration {
        Duration::try_from_secs_f64(number as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// The first request that is not due before this time.
    fn number_at(&self, time: Duration) -> u64 {
        // Saturates: a float that is too large becomes the largest number.
        (time.as_secs_f64() * self.rate).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(rate: f64, warm_up: u64, end: End) -> Pace {
        Pace { rate, warm_up: Duration::from_millis(warm_up), end }
    }

    #[test]
    fn times_are_evenly_apart_and_clients_take_turns() {
        let pace = pace(100.0, 20, End::Requests(3));
        let turn = |number, milliseconds, counts| Turn {
            number,
            due: Duration::from_millis(milliseconds),
            counts,
        };
        assert_eq!(
            Vec::from_iter(pace.turns(0, 2)),
            [turn(0, 0, false), turn(2, 20, true), turn(4, 40, true)]
        );
        assert_eq!(Vec::from_iter(pace.turns(1, 2)), [turn(1, 10, false), turn(3, 30, true)]);
    }

    #[test]
    fn a_time_ends_before_the_first_request_that_is_due_at_its_end() {
        let ends = |milliseconds| {
            let end = End::After(Duration::from_millis(milliseconds));
            pace(100.0, 0, end).turns(0, 1).count()
        };
        assert_eq!([ends(0), ends(1), ends(10), ends(11), ends(1000)], [0, 1, 1, 2, 100]);
    }

    proptest! {
        #[test]
        fn every_number_has_one_client_whatever_their_count(
            rate in 0.5_f64..5_000.0,
            clients in 1_usize..40,
            warm_up in 0_u64..200,
            requests in 0_u64..300,
        ) {
            let pace = pace(rate, warm_up, End::Requests(requests));
            let mut all = Vec::from_iter((0..clients).flat_map(|client| pace.turns(client, clients)));
            all.sort_by_key(|turn| turn.number);
            let numbers = Vec::from_iter(all.iter().map(|turn| turn.number));
            prop_assert_eq!(numbers, Vec::from_iter(0..all.len() as u64));
            prop_assert_eq!(all.iter().filter(|turn| turn.counts).count() as u64, requests);
            prop_assert_eq!(pace.counted(), requests);
            prop_assert_eq!(pace.last_due(), all.last().map_or(Duration::ZERO, |turn| turn.due));
            prop_assert!(all.iter().all(|turn| turn.counts == (turn.due >= pace.warm_up)
                // A due time is a rounded number of nanoseconds.
                || turn.due.abs_diff(pace.warm_up) < Duration::from_micros(1)));
            prop_assert!(all.is_sorted_by_key(|turn| turn.due));
        }
    }
}

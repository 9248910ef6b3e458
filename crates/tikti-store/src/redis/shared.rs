//! Which of a few shared connections does a request go over, and is it worth using?
//!
//! A server works on one connection at a time, and on a KVRocks each connection waits for the disk by
//! itself. So a request takes an unused connection while there is one, made on demand, and else the
//! one with the fewest requests under way, behind which it waits. Invariant: a connection whose end
//! was noticed is given to no later request, and its end is noticed once, however many requests end
//! with it.
//!
//! Spec: Storage, "writes are spread over several connections", "reads are pipelined on multiplexed
//! ones".

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// A connection that rested for longer may have been closed on the way.
const RESTED: Duration = Duration::from_millis(500);

/// A connection, and what is known of it.
pub(super) struct Line {
    pub(super) connection: Connection,
    has_ended: AtomicBool,
    sign: Mutex<Sign>,
}

/// A sign of life: when, and how many connections to the same server had broken before it was asked.
struct Sign {
    at: Instant,
    broken: u64,
}

impl Line {
    /// A connection that was just made.
    pub(super) fn new(connection: Connection, broken: u64) -> Self {
        let sign = Mutex::new(Sign { at: Instant::now(), broken });
        Self { connection, has_ended: AtomicBool::new(false), sign }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// No later request may use it; whether this is noticed for the first time.
    pub(super) fn end(&self) -> bool {
        !self.has_ended.swap(true, Ordering::AcqRel)
    }

    /// It answered what was asked when so many had broken.
    pub(super) fn gave_sign(&self, broken: u64) {
        let mut sign = lock(&self.sign);
        sign.at = Instant::now();
        sign.broken = sign.broken.max(broken);
    }

    /// It answered a moment ago, and no connection has broken since.
    pub(super) fn is_fresh(&self, broken: u64) -> bool {
        let sign = lock(&self.sign);
        sign.broken == broken && sign.at.elapsed() < RESTED
    }
}

/// Places for connections that requests share.
pub(super) struct Shared {
    places: Vec<Place>,
    /// One chooses at a time: two would take the same unused one.
    choosing: Mutex<()>,
}

#[derive(Default)]
struct Place {
    line: tokio::sync::Mutex<Option<Arc<Line>>>,
    under_way: AtomicUsize,
}

/// The place of one request, until it is dropped.
pub(super) struct Seat<'a>(&'a Place);

impl Shared {
    pub(super) fn new(places: usize) -> Self {
        let places = (0..places).map(|_| Place::default()).collect();
        Self { places, choosing: Mutex::default() }
    }

    /// Takes the first place with the fewest requests; none only where there are no places.
    pub(super) fn seat(&self) -> Option<Seat<'_>> {
        let _choosing = lock(&self.choosing);
        let place =
            self.places.iter().min_by_key(|place| place.under_way.load(Ordering::Acquire))?;
        place.under_way.fetch_add(1, Ordering::AcqRel);
        Some(Seat(place))
    }
}

impl<'a> Seat<'a> {
    /// The connection of the place: whoever has it makes it, and the others wait for that.
    pub(super) async fn line(&self) -> tokio::sync::MutexGuard<'a, Option<Arc<Line>>> {
        self.0.line.lock().await
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which place a request got.
    fn number(shared: &Shared, seat: &Seat<'_>) -> usize {
        shared.places.iter().position(|place| std::ptr::eq(place, seat.0)).unwrap()
    }

    #[test]
    fn takes_an_unused_place_and_else_the_one_with_the_fewest_requests() {
        let shared = Shared::new(3);
        let take = || shared.seat().unwrap();
        let first = take();
        drop(take());
        let second = take();
        assert_eq!((number(&shared, &first), number(&shared, &second)), (0, 1));
        let mut more: Vec<_> = (0..5).map(|_| take()).collect();
        let places: Vec<_> = more.iter().map(|seat| number(&shared, seat)).collect();
        assert_eq!(places, [2, 0, 1, 2, 0]);
        // The place in the middle is left by one, and was the emptiest before.
        drop(more.remove(2));
        assert_eq!(number(&shared, &take()), 1);
        drop((first, second, more));
        assert_eq!(number(&shared, &take()), 0);
        assert!(Shared::new(0).seat().is_none());
    }
}

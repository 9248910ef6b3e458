//! Both engines: the conformance suite, and what only one of them promises.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests: a panic is how they fail"
)]

mod compact;
mod conformance;
mod crash;
mod damage;
mod disk_error;
mod embedded;
mod faults;
mod foreign;
mod read_only;
mod redis_engine;
mod redis_outages;
mod round_trips;
mod servers;
mod support;
mod tls;
mod upkeep;
mod wellformed;

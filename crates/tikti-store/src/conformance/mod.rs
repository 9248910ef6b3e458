//! What every engine has to do: the contract, as tests that run against any
//! [`Store`](crate::Store).
//!
//! Each topic has one `run`. It takes `fresh`, which gives an empty store of the engine under test,
//! and panics at the first promise that is not kept. Invariant: no engine opts out of any topic.
//! They need a runtime with several threads: races are real ones.
//!
//! Crashes are not here, because killing an engine is different for each: see the tests of this
//! crate.
//!
//! Spec: Storage, "Both must pass the same conformance suite".
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::future_not_send,
    reason = "these are tests: a panic is how they fail, and each is driven by one task"
)]

pub mod basics;
mod calls;
pub mod cancellation;
pub mod conditions;
pub mod counters;
pub mod expiry;
pub mod histories;
pub mod limits;
mod model;
pub mod races;
pub mod reclaiming;
pub mod scans;
mod support;
pub mod transactions;
pub mod walks;

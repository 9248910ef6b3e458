//! The embedded engine: the conformance suite, and what only it promises.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests: a panic is how they fail"
)]

mod conformance;
mod crash;
mod disk_error;
mod embedded;
mod support;

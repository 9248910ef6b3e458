//! Does the crate, seen from outside, take exactly the tokens that it should, and ask the issuer
//! exactly as often as it may?
//!
//! One binary; each module is one way of asking. The issuer is a real server on a socket of this
//! machine; time is moved, not waited for. Test names begin with the row of the attack catalogue that
//! they cover, where they cover one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop; the lint sees only functions marked as tests"
)]

mod attacks;
mod differential;
mod documents;
mod layer;
mod outage;
mod properties;
mod refresh;
mod support;

//! Does the crate, seen from outside, take exactly the tokens that it should?
//!
//! One binary; each module is one way of asking. Test names begin with the row of the attack
//! catalogue that they cover, where they cover one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop; the lint sees only functions marked as tests"
)]

mod assertion;
mod attacks;
mod audit_head;
mod differential;
mod id_keys;
mod import;
mod keys;
mod legacy;
mod policy;
mod properties;
mod rfc7515;
mod roundtrip;
mod support;

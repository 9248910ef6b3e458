//! The operations over a real store: what each promises, races included.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; this holds for its helpers too"
)]

mod clock;
mod lookup;
mod sign_in;
mod start;
mod tenants;
mod token_exchange;

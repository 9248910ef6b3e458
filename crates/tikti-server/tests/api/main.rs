//! The service from outside: every route over a real socket, a real store and real signatures.
//!
//! The modules mirror the paths of the API. `coverage` fails where a route of the table has no test
//! here, and every server that a test started checks at its end that no secret of it reached the
//! log.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on has failed; these hold for its helpers too"
)]

mod accounts;
mod action;
mod authorization;
mod bad_input;
mod codeq;
mod codes;
mod coverage;
mod doors;
mod enumeration;
mod errors;
mod hang_up;
mod hostile;
mod idempotency;
mod identity;
mod leaks;
mod legacy;
mod lifecycle;
mod limits;
mod logs;
mod mail;
mod oauth2;
mod platform;
mod reserved_members;
mod support;
mod tenants;
mod token;
mod well_known;

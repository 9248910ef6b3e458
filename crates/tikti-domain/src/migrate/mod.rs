//! How does what an older Tikti has stored become what this one stores?
//!
//! | step | file |
//! |---|---|
//! | 1. the old layout is read from its Redis, whole | `read`, into `layout` |
//! | 2. what it means is decided, without I/O | `plan`, with `document`, `users`, `fold` and `tenants` |
//! | 3. each thing is compared with what is here, and made where it is missing | `carry`, with `target` |
//!
//! Invariant: every document of the old layout is counted once in the [`Report`]: taken, present, merged into
//! another, or left, and what is left has a [`Trouble`] that says why. What is here already is never changed.
//! So a migration that stopped anywhere is simply run again, and one that has ended changes nothing.
//!
//! Spec: Real clients, "Older Tikti clients and data"; Operations, "migrate legacy". Why: docs/decisions/0046.

mod carry;
mod document;
mod fold;
mod layout;
mod plan;
mod read;
mod report;
mod target;
mod tenants;
#[cfg(test)]
mod tests;
mod users;

pub use carry::{Stopped, carry_out, compare};
pub use layout::OldLayout;
pub use plan::{Plan, plan};
pub use read::read;
pub use report::{Count, Report, Thing, Trouble, TroubleKind};

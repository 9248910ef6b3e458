//! The network half against real servers.
//!
//! Spec: Storage, "a fault test for Engine B".

mod cluster;
mod refusals;
mod sentinel;
mod sharing;
mod single;
mod support;
mod walking;

//! The program as its users meet it: command lines, exit codes, files, and a running server.
//!
//! Every test has a home directory of its own and an empty environment.

#![cfg(test)] // so that lints know everything here as a test

mod audit;
mod backup;
mod durability;
mod foreign_server;
mod keys;
mod landing_page;
mod lossy_road;
mod profiles;
mod rs_check;
mod serve;
mod session;
mod store;
mod support;
mod usage;
mod user_import;

//! The program as its users meet it: command lines, exit codes, files, and a running server.
//!
//! Every test has a home directory of its own and an empty environment.

#![cfg(test)] // so that lints know everything here as a test

mod aliases;
mod apikey;
mod apply;
mod audit;
mod audit_tail;
mod authz;
mod backup;
mod bench;
mod bootstrap;
mod client;
mod completions;
mod config;
mod dev_mail;
mod durability;
mod exact;
mod exact_forms;
mod examples;
mod foreign_server;
mod keyring;
mod keys;
mod landing_page;
mod logout;
mod long_lists;
mod lossy_road;
mod member;
mod migrate;
mod one_request;
mod profiles;
mod refresh;
mod role;
mod rs_check;
mod serve;
mod session;
mod sessions;
mod store;
mod support;
mod tenant;
mod tenant_world;
mod token_revoke;
mod usage;
mod user;
mod user_import;
mod worker;
mod worker_provision;
mod worker_run;

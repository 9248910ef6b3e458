//! The `tikti` program: the server and its client in one binary.
//!
//! Nothing happens before the command line is parsed, so that `--version` and `--help` answer at
//! once; nothing is printed but through [`output`], and the exit code is always one of [`exit`].
//!
//! Spec: Command line.
#![forbid(unsafe_code)]

mod base_url;
mod cli;
mod clock;
mod context;
mod env_file;
mod exit;
mod http_client;
mod input;
mod interrupt;
mod keyring;
mod next_step;
mod output;
mod pages;
mod private_file;
mod profile;
mod progress;
mod session;
mod shown;
mod yaml;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}

//! The embedded engine: one process, one directory, LMDB.
//!
//! Reads run on the calling thread, from the memory map, without waiting for writers. Writes go to
//! one committer thread that puts whatever is waiting into one LMDB transaction: one wait for the
//! disk, however many writers. Invariant: no write is answered before the commit that holds it
//! has returned, and a batch is applied whole or not at all.
//!
//! - `directory`: may this process use the directory? Creation, lock, file system.
//! - `environment`: is this our data? Opening LMDB, the marker record, the only `unsafe`.
//! - `engine`: reads, and the way to the committer.
//! - `committer`: group commit.
//!
//! What LMDB lacks is added above it: checksums by `envelope`. What it cannot tell apart from an
//! absent record is damage to its own tree pages; a data file that was cut short while nobody had
//! it open ends the process with SIGBUS when a missing page is read.
//!
//! Spec: Storage, "Engine A: embedded".

mod committer;
mod directory;
mod engine;
mod environment;

pub(crate) use engine::Embedded;

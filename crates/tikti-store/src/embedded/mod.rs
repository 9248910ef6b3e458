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
//! - `health`: whether an earlier failure made the state of the engine unknown.
//!
//! What LMDB lacks is added above it: checksums and a largest size by `envelope`. The precondition
//! that remains is that the data file at rest is well formed. LMDB trusts its tree pages, so damage
//! to one of them can pass for an absent record or make LMDB read outside its map, and a file that
//! was cut short lacks pages: either can end the process with SIGSEGV or SIGBUS.
//!
//! Spec: Storage, "Engine A: embedded".

mod committer;
mod directory;
mod engine;
mod environment;
mod health;

pub(crate) use engine::Embedded;

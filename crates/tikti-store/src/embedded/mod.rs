//! The embedded engine: one process, one directory, LMDB.
//!
//! Reads run on the calling thread, from the memory map, without waiting for writers. Writes go to
//! one committer thread that puts whatever is waiting into one LMDB transaction: one wait for the
//! disk, however many writers. Invariant: no write is answered before the commit that holds it
//! has returned, and a batch is applied whole or not at all.
//!
//! - `directory`: may this process use the directory? Creation, locks.
//! - `file_system`: is there another machine between the map and the disk?
//! - `header`, `pages`: is the data file well formed? Read without LMDB, which trusts it.
//!   `soundness`: when that is looked at.
//! - `environment`: is this our data? Opening LMDB, the marker record, the only `unsafe`.
//! - `engine`: reads, and the way to the committer.
//! - `committer`: group commit.
//! - `upkeep`: walks, reclaiming, figures. `compact`: giving back free space.
//! - `windows`: counters for rate limits.
//! - `health`: whether an earlier failure made the state of the engine unknown.
//!
//! What LMDB lacks is added above it: checksums and a largest size by `envelope`; a check of the
//! header at every opening, and of all tree pages where the file is small or shorter than it says,
//! and before a walk over everything. The precondition that remains is that the tree pages of a
//! large file at rest are well formed. LMDB trusts them, so damage to one of them can pass for an
//! absent record or make LMDB read outside its map, which ends the process with SIGSEGV, SIGBUS or
//! SIGABRT.
//!
//! Spec: Storage, "Engine A: embedded".

mod committer;
mod compact;
mod directory;
mod engine;
mod environment;
mod file_system;
mod header;
mod health;
mod pages;
mod soundness;
mod upkeep;
mod windows;

pub(crate) use compact::compact;
pub(crate) use engine::Embedded;
pub(crate) use upkeep::Walk;

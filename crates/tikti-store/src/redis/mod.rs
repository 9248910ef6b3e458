//! The Redis engine: KVRocks in production; Redis and Valkey as well.
//!
//! Records are strings, one a key, and each partition is a hash tag, so all of it lives on one node.
//! What one command can do on one key is one command; what needs more is one script inside `MULTI`
//! and `EXEC`. Invariant: a request whose reply was lost is never simply sent again; what is there
//! decides.
//!
//! - `servers`: the servers behind the URL, and what became of a request. Below it:
//! - `url`: what a store URL says; `tls`, `connection`: how one server is reached.
//! - `node`: the connections to one server; `shared`: those that several requests use; `breaker`,
//!   `jitter`: when to try a dead one again.
//! - `topology`, `sentinel`: which server is the master of a slot; `slot`: which slot a partition has;
//!   `directory`: how that is kept up to date; `belief`: when an older one is believed.
//! - `verdict`: what the replies to a request say about whether it was executed.
//! - `course`: where a request goes next; `package`: what a write is on the wire; `reads`: many reads
//!   at once.
//! - `probe`, `info`, `examination`, `marker`: what is found, and refused, at the start.
//! - `keys`: what a record, an index and a counter are called.
//! - `commands`: the commands, and how long a server keeps a record.
//! - `replies`: what a server has answered.
//! - `scripts`: the scripts, and how they are run.
//! - `engine`: reads, takes, counters.
//! - `commit`: how a batch is written; `recover`: what to make of a lost reply.
//! - `tour`: whether a walk has seen everything.
//! - `chunk`: how many records are read at once.
//! - `scan`, `walk`, `load`, `reclaim`, `status`: listings and upkeep.
//! - `foreign`: apart from all that, what another program left on a server.
//!
//! Spec: Storage, "Engine B".

mod all;
mod belief;
mod breaker;
mod chunk;
mod commands;
mod commit;
mod connection;
mod course;
mod directory;
mod engine;
mod examination;
mod foreign;
mod info;
mod jitter;
mod keys;
mod load;
mod marker;
mod node;
mod package;
mod probe;
mod reads;
mod reclaim;
mod recover;
mod replies;
mod scan;
mod scripts;
mod sentinel;
mod servers;
mod shared;
mod slot;
mod status;
mod tls;
mod topology;
mod tour;
mod trouble;
mod url;
mod verdict;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use engine::Redis;
pub use foreign::{Fields, Foreign, Found};
pub(crate) use url::serves;
pub(crate) use walk::Walk;

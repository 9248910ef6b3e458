//! One small contract for keeping records safely, whatever engine is below.
//!
//! A record is a value of up to 1 MiB under a [`Key`], `<partition>/<kind>/<id>`. The store knows
//! nothing of what the bytes mean. What it promises, and what it does not:
//!
//! **A partition is the unit of atomicity and of sharding** ([`Partition`]). Keys of one partition
//! always live together, on one node of a sharded engine, so they can change together. Nothing
//! reaches across: a transaction is bound to one partition, and what spans two is made of steps
//! that the caller can repeat. Reads do cross partitions: [`Store::get_many`].
//!
//! **A record with an id stands in the list of its kind**, which [`Store::scan`] gives in the order of
//! the ids. One without an id stands alone: there is one of its kind in its partition, and no list
//! has it. Alone is the cheapest to write: on a Redis creating or removing a listed record is a
//! transaction, since the list changes with it, and an alone one is one command for one key. Replacing
//! a record by [`Store::put_if`] with [`Expected::Equals`] is one command for both.
//!
//! **Use the cheapest primitive that keeps the rule.** [`Store::put`] and [`Store::delete`] for
//! one key without a condition, [`Store::put_if`] and [`Store::take`] for one key with one,
//! [`Store::transact`] where several keys of a partition must change together. A transaction reads
//! its declared keys from one snapshot, hands them to a function that decides without doing
//! anything else, and commits if nothing that was read has changed. If it has, everything runs
//! again: the function may be called several times and must have no effect but its [`Txn`].
//!
//! **What is compared is the write, not the value.** Every write carries a *write id*, its version,
//! that no other write has. [`Expected::Equals`] holds only while the very record that was read is
//! still there; a record that was replaced by the same bytes is a different one (no ABA), and an
//! engine that lost an answer recognises its own write.
//!
//! **Time comes from the caller.** A record may carry a time of expiry, and every call that could
//! return or judge it is given `now`, [`Store::put`] included, since a server is told how long to keep
//! what it gets. From the millisecond of its expiry on, a record is absent for every call and every
//! condition, whether or not its space has been given back, which [`Store::reclaim`] does
//! [`RECLAIM_AFTER_MILLIS`] later: whoever's clock is less than that ahead takes nothing away that is
//! live for others. This crate reads no clock and makes no randomness.
//!
//! **`Ok` means durable.** A write is answered after it has reached the disk, and a batch of
//! changes is there as a whole or not at all, also when the process or the machine dies in
//! between. The embedded engine loses nothing that it has answered. A server keeps what its own
//! settings keep, which is looked at when the store is opened: `docs/storage.md` says what each of
//! them can lose. [`StoreError::Conflict`], [`StoreError::TooLarge`] and [`StoreError::Misuse`] mean
//! that nothing was written. After [`StoreError::Unavailable`], or when the caller drops the future of
//! a write, the write may or may not have happened: read again before deciding anything on it. An
//! engine that no longer knows what is on its disk answers every later call with `Unavailable` and
//! asks for a restart; until then the outcome is unknown. A full disk is not that: reads go on, and
//! writes succeed as soon as there is room.
//! A server of the Redis protocol is as durable as it is set to be, which [`Store::status`] says.
//!
//! **Sizes are bounded**: a key by [`MAX_KEY_BYTES`], a value by [`MAX_VALUE_BYTES`], a transaction
//! by [`MAX_TRANSACTION_CHANGES`] and [`MAX_TRANSACTION_BYTES`], since everyone waits for its commit.
//!
//! **Damage is named, never returned.** A value is stored with a checksum over itself and its
//! key. A record that fails it is [`StoreError::Corrupt`] for every call that would have read it.
//!
//! **Reads see what was answered before they began**, from any handle of this store.
//! [`Store::get_many`] and a transaction see the keys of a partition at one moment, never half of
//! what changed together. [`Store::scan`] gives ids in order, and each record that stays while the
//! listing runs exactly once.
//!
//! **Counters are not records.** [`Store::count_in_window`] counts calls for rate limits, outside of
//! every transaction; a crash may forget them.
//!
//! **Keeping a store** is apart from using it: [`Store::walk`] over everything, [`Store::load`] into an
//! empty one, [`Store::reclaim`], [`Store::status`]. [`Store::open_read_only`] is for tools, beside a
//! running server, [`Store::compact`] for an embedded store that nobody has open, [`Store::close`] for
//! an end that waits.
//!
//! **A call is finished or dropped.** A transaction that lost against another, and is then neither,
//! keeps others of its partition waiting: do not leave one unpolled and wait for something else.
//!
//! The modules, in reading order: `key` (how a key is built), `envelope` (what is stored around a
//! value), `batch` (the one shape of a write), `store` and `txn` (the contract), `turns` (progress
//! under contention), `maintenance` and `open` (keeping a store), `window` (counters), `embedded` (the
//! engine on LMDB), `redis` (the engine on KVRocks, Redis and Valkey), [`copy`] (from one store into another), `conformance` (the suite that
//! every engine passes), `testing` (faults and real servers for it).
//!
//! Spec: Storage.

mod batch;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
mod embedded;
mod envelope;
mod error;
mod key;
mod maintenance;
mod open;
mod redis;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod timestamp;
mod turns;
mod txn;
mod window;

pub use batch::{MAX_TRANSACTION_BYTES, MAX_TRANSACTION_CHANGES};
pub use envelope::{Entry, MAX_VALUE_BYTES, Stored};
pub use error::{OpenError, StoreError};
pub use key::{Key, Kind, MAX_KEY_BYTES, Partition};
pub use maintenance::{Compacted, RECLAIM_AFTER_MILLIS, Reclaimed, Status, Walk, WalkPage};
pub use redis::{Fields, Foreign, Found};
pub use store::{Expected, OpenOptions, Page, RedisOptions, Statistics, Store, TlsFiles};
#[cfg(feature = "testing")]
pub use testing::FaultPlan;
pub use timestamp::Timestamp;
pub use txn::Txn;
pub use window::WindowCount;

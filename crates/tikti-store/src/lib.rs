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
//! **Use the cheapest primitive that keeps the rule.** [`Store::put`] and [`Store::delete`] for
//! one key without a condition, [`Store::put_if`] and [`Store::take`] for one key with one,
//! [`Store::transact`] where several keys of a partition must change together. A transaction reads
//! its declared keys from one snapshot, hands them to a function that decides without doing
//! anything else, and commits if nothing that was read has changed. If it has, everything runs
//! again: the function may be called several times and must have no effect but its [`Txn`].
//!
//! **What is compared is the write, not the value.** Every write carries a *write id* that no
//! other write has. [`Expected::Equals`] holds only while the very record that was read is still
//! there; a record that was replaced by the same bytes is a different one (no ABA).
//!
//! **Time comes from the caller.** A record may carry a time of expiry, and every call that could
//! return it is given `now`. From the millisecond of its expiry on, a record is absent for every
//! call and every condition, whether or not its space has been reclaimed. This crate reads no
//! clock and makes no randomness.
//!
//! **`Ok` means durable.** A write is answered after it has reached the disk, and a batch of
//! changes is there as a whole or not at all, also when the process or the machine dies in
//! between. [`StoreError::Conflict`], [`StoreError::TooLarge`] and [`StoreError::Misuse`] mean that
//! nothing was written. After [`StoreError::Unavailable`], or when the caller drops the future of a
//! write, the write may or may not have happened: read again before deciding anything on it. An
//! engine that no longer knows what is on its disk answers every later call with `Unavailable` and
//! asks for a restart; until then the outcome is unknown.
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
//! **A call is finished or dropped.** A transaction that lost against another, and is then neither,
//! keeps others of its partition waiting: do not leave one unpolled and wait for something else.
//!
//! The modules, in reading order: `key` (how a key is built), `envelope` (what is stored around a
//! value), `batch` (the one shape of a write), `store` and `txn` (the contract), `turns` (progress
//! under contention), `embedded` (the engine on LMDB), `conformance` (the suite that every engine
//! passes).
//!
//! Spec: Storage.

mod batch;
#[cfg(feature = "conformance")]
pub mod conformance;
mod embedded;
mod envelope;
mod error;
mod key;
mod store;
mod timestamp;
mod turns;
mod txn;

pub use batch::{MAX_TRANSACTION_BYTES, MAX_TRANSACTION_CHANGES};
pub use envelope::{Entry, MAX_VALUE_BYTES, Stored};
pub use error::{OpenError, StoreError};
pub use key::{Key, Kind, MAX_KEY_BYTES, Partition};
pub use store::{Expected, OpenOptions, Page, Statistics, Store};
pub use timestamp::Timestamp;
pub use txn::Txn;

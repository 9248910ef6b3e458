//! Was this operation given up by somebody else?
//!
//! Whoever gives an operation up on behalf of another writes its fence first, in each partition of a
//! user, a tenant or the deployment that the operation writes to. Every step of an operation that
//! adds something there reads its fence in the same transaction and refuses when it stands.
//! Invariant: once a fence stands, its operation adds nothing to that partition any more, however
//! late it wakes. A claim on a name is not fenced: it means nothing without its owner.
//!
//! Spec: Storage, "what crosses partitions". Why: docs/decisions/0015.

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Partition, Txn};

use crate::clock::Timestamp;
use crate::error::{Code, Error, Refusal};
use crate::id::OperationId;
use crate::keyspace;
use crate::record::Record;

/// How long a fence stands, in milliseconds, by whichever clock is ahead, of who puts it up or of the
/// operation: longer than any process can be stopped and still hold a request.
const STANDS_MILLIS: u64 = 24 * 3_600_000;

/// The record: that it is there says it all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fence {}

impl Record for Fence {}

/// Puts the fence of `operation` up, with the commit.
pub(crate) fn put(
    txn: &mut Txn,
    partition: &Partition,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let bytes = Fence {}.encode()?;
    // The operation reads it by its own clock, which may be far ahead of this one.
    let now = now.max(operation.made_at());
    let entry = Entry::new(&bytes).expires_at(now.plus_millis(STANDS_MILLIS));
    Ok(txn.put(&keyspace::fence(partition, operation), entry)?)
}

/// As [`put`], for ever: for an operation that was refused with an intent that may outlive a day.
pub(crate) fn put_for_ever(
    txn: &mut Txn,
    partition: &Partition,
    operation: &OperationId,
) -> Result<(), Error> {
    let bytes = Fence {}.encode()?;
    Ok(txn.put(&keyspace::fence(partition, operation), Entry::new(&bytes))?)
}

/// Whether the fence of `operation` stands; the transaction must have declared its key.
pub(crate) fn stands(
    txn: &Txn,
    partition: &Partition,
    operation: &OperationId,
) -> Result<bool, Error> {
    Ok(txn.get(&keyspace::fence(partition, operation))?.is_some())
}

/// Refuses to go on with an operation that was given up.
///
/// # Errors
/// `CONFLICT`.
pub(crate) fn check(
    txn: &Txn,
    partition: &Partition,
    operation: &OperationId,
) -> Result<(), Error> {
    if stands(txn, partition, operation)? { Err(given_up()) } else { Ok(()) }
}

/// What an operation is told that took so long that it was given up.
pub(crate) fn given_up() -> Error {
    Refusal::new(Code::Conflict, "the operation took too long and was given up: repeat the call")
        .into()
}

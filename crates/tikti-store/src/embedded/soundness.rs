//! When are the pages of the data file looked at, before LMDB trusts them?
//!
//! At every opening where they are few or some are missing, and before a walk over everything, in
//! steps. Invariant: what is looked at is one commit, held in its place by a transaction: LMDB uses
//! none of its pages again while that lasts, whoever writes meanwhile.
//!
//! Spec: Storage, "damage is named, never returned"; docs/decisions/0014.

use std::fs::File;

use heed::{Env, RoTxn, WithoutTls};

use super::header::{Failure, Fault, Header};
use super::pages::Check;
use crate::error::StoreError;

/// Up to this size all tree pages are checked at every opening, which takes some milliseconds.
const CHECKED_AT_OPENING_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How often a header is read again that a writer has changed meanwhile.
const ATTEMPTS: u32 = 64;

type Snapshot = RoTxn<'static, WithoutTls>;

/// Looks at every page that the newest commit needs, where the file is small or shorter than its
/// header says: that is right as long as only free pages are missing.
pub(super) fn check_at_opening(env: &Env<WithoutTls>) -> Result<(), Failure> {
    let file = env.try_clone_inner_file()?;
    let Some((_snapshot, header)) = snapshot(env, &file)? else {
        // A writer that is so busy has the same pages open.
        return Ok(());
    };
    let full_bytes = header.full_bytes();
    if file.metadata()?.len() < full_bytes || full_bytes <= CHECKED_AT_OPENING_MAX_BYTES {
        return Check::begin(file, header)?.finish();
    }
    Ok(())
}

/// Begins to read, and to check the pages of what will be read.
pub(super) fn checked_snapshot(env: &Env<WithoutTls>) -> Result<(Snapshot, Check), StoreError> {
    let begin = || {
        let file = env.try_clone_inner_file()?;
        let found = snapshot(env, &file)?;
        found.map(|(snapshot, header)| Ok((snapshot, Check::begin(file, header)?))).transpose()
    };
    match begin() {
        Ok(Some(begun)) => Ok(begun),
        Ok(None) => Err(StoreError::unavailable("beginning to read", Busy)),
        Err(failure) => Err(read_failure(failure)),
    }
}

/// What a reader is told.
pub(super) fn read_failure(failure: Failure) -> StoreError {
    match failure {
        Failure::Fault(Fault::Damaged(what)) => {
            StoreError::unavailable("reading a damaged data file", Damaged(what))
        }
        Failure::Fault(Fault::Foreign) => {
            StoreError::unavailable("reading a damaged data file", Damaged("it is not LMDB's"))
        }
        Failure::Io(error) => StoreError::unavailable("reading", error),
        Failure::Lmdb(error) => StoreError::unavailable("reading", error),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}: restore a backup")]
struct Damaged(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("its header changed whenever it was read: try again")]
struct Busy;

/// `None` where a writer was always faster.
fn snapshot(env: &Env<WithoutTls>, file: &File) -> Result<Option<(Snapshot, Header)>, Failure> {
    for _ in 0..ATTEMPTS {
        let snapshot = env.clone().static_read_txn()?;
        if let Some(header) = Header::of_commit(file, snapshot.id())? {
            return Ok(Some((snapshot, header)));
        }
    }
    Ok(None)
}

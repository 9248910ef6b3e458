//! Who are the global administrators?
//!
//! One record names them all, so that "the last one" is free of races. Invariant: whoever lives and
//! is an administrator stands in it. He enters it before he comes to life and leaves it before he
//! dies, and he leaves only while another one of the set lives; since that one would have to leave
//! first, somebody is always left. A name in the set whose user does not live means nothing.
//!
//! Spec: Authorization, "Administrative endpoints", `LAST_ADMIN`.

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::keyspace;
use crate::reads::Reads;
use crate::record::Record;
use crate::user::{Admins, User};
use tikti_store::{Entry, StoreError, Txn};

/// Enters a user who is about to come to life by `operation`.
///
/// # Errors
/// `CONFLICT` where the operation was given up; the store's.
pub(super) async fn enter(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::admins();
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            let mut admins = read(txn)?;
            admins.user_ids.insert(user.clone());
            Ok::<_, Error>(txn.put(&key, Entry::new(&admins.encode()?))?)
        })
        .await
}

/// Takes out a user whose creation by `operation` was given up, and sees to it that the creation
/// does not put him in later.
pub(super) async fn give_up(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::admins();
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::put(txn, partition, operation, now)?;
            let mut admins = read(txn)?;
            if admins.user_ids.remove(user) {
                txn.put(&key, Entry::new(&admins.encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Takes out a user who is about to be no administrator any more.
///
/// # Errors
/// `LAST_ADMIN` where no other one lives; the store's.
pub(super) async fn leave(domain: &Domain, user: &UserId, now: Timestamp) -> Result<(), Error> {
    let key = keyspace::admins();
    let reads = [key.clone()];
    loop {
        let Some(other) = find_other(domain, user, now).await? else {
            return Err(Code::LastAdmin.into());
        };
        let left = domain
            .store
            .transact(key.partition(), &reads, now, |txn| {
                let mut admins = read(txn)?;
                if !admins.user_ids.contains(&other) {
                    return Ok(false);
                }
                if admins.user_ids.remove(user) {
                    txn.put(&key, Entry::new(&admins.encode()?))?;
                }
                Ok::<_, Error>(true)
            })
            .await?;
        // Otherwise the other one has left meanwhile: the set is smaller, and the loop ends.
        if left {
            return Ok(());
        }
    }
}

/// Another administrator of the set who lives and is active.
async fn find_other(
    domain: &Domain,
    user: &UserId,
    now: Timestamp,
) -> Result<Option<UserId>, Error> {
    let key = keyspace::admins();
    let stored = domain.store.get(&key, now).await?;
    let admins = Admins::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
    let others: Vec<UserId> = admins.user_ids.into_iter().filter(|other| other != user).collect();
    let keys = others.iter().map(keyspace::user).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    for other in others {
        let found: Option<User> = reads.find_live(&keyspace::user(&other))?;
        if found.is_some_and(|found| found.is_admin() && found.is_active()) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn read(txn: &Txn) -> Result<Admins, Error> {
    let key = keyspace::admins();
    let stored = txn.get(&key).map_err(|error: StoreError| Error::from(error))?;
    Ok(Admins::decode_optional(&key, stored)?.unwrap_or_default())
}

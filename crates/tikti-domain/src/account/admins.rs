//! Who are the global administrators?
//!
//! One record names them all, so that "the last one" is free of races. Invariant: whoever lives and
//! is an administrator stands in it. He enters it before he comes to life and leaves it before he
//! dies, and he leaves only while another one of the set lives; since that one would have to leave
//! first, somebody is always left. A name in the set whose user does not live means nothing.
//!
//! Who is refused is told so only behind a fence: an operation that was refused once never takes its
//! user out, whoever finds its intent and however many administrators there are by then.
//!
//! Spec: Authorization, "Administrative endpoints", `LAST_ADMIN`. Why: docs/decisions/0015.

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

/// Refuses a departure that would be refused, before anything is written.
///
/// # Errors
/// `LAST_ADMIN` where no other one lives; the store's.
pub(super) async fn look_first(
    domain: &Domain,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    match look_around(domain, user, now).await?.other {
        Some(_) => Ok(()),
        None => Err(Code::LastAdmin.into()),
    }
}

/// Takes out a user who is about to be no administrator any more, by `operation`: the same one however
/// often it is carried on.
///
/// # Errors
/// `LAST_ADMIN` where no other one lives: then this operation never takes him out. The store's.
pub(super) async fn leave(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::admins();
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    loop {
        let around = look_around(domain, user, now).await?;
        let left = domain
            .store
            .transact(partition, &reads, now, |txn| {
                if fence::stands(txn, partition, operation)? {
                    return Ok(Some(false));
                }
                let mut admins = read(txn)?;
                match &around.other {
                    Some(other) if admins.user_ids.contains(other) => {
                        if admins.user_ids.remove(user) {
                            txn.put(&key, Entry::new(&admins.encode()?))?;
                        }
                        Ok(Some(true))
                    }
                    None if admins == around.admins => {
                        // Somebody may be carrying the operation on at this moment, or find its
                        // intent later: what was refused is refused for all of them.
                        fence::put_for_ever(txn, partition, operation)?;
                        Ok(Some(false))
                    }
                    Some(_) | None => Ok::<_, Error>(None),
                }
            })
            .await?;
        match left {
            Some(true) => return Ok(()),
            Some(false) => return Err(Code::LastAdmin.into()),
            // Another one has come or gone meanwhile.
            None => {}
        }
    }
}

/// The set as it was seen, and whom a user of it would leave behind.
struct Around {
    admins: Admins,
    /// Another administrator of the set who lives and is active.
    other: Option<UserId>,
}

async fn look_around(domain: &Domain, user: &UserId, now: Timestamp) -> Result<Around, Error> {
    let key = keyspace::admins();
    let stored = domain.store.get(&key, now).await?;
    let admins = Admins::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
    let others: Vec<&UserId> = admins.user_ids.iter().filter(|other| *other != user).collect();
    let keys = others.iter().map(|other| keyspace::user(other)).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let mut other = None;
    for candidate in others {
        let found: Option<User> = reads.find_live(&keyspace::user(candidate))?;
        if found.is_some_and(|found| found.is_admin() && found.is_active()) {
            other = Some(candidate.clone());
            break;
        }
    }
    Ok(Around { admins, other })
}

fn read(txn: &Txn) -> Result<Admins, Error> {
    let key = keyspace::admins();
    let stored = txn.get(&key).map_err(|error: StoreError| Error::from(error))?;
    Ok(Admins::decode_optional(&key, stored)?.unwrap_or_default())
}

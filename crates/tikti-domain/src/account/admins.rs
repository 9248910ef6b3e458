//! Who are the global administrators?
//!
//! One record names them all, so that "the last one" is free of races. Invariant: whoever lives, is an
//! administrator and is active stands in it. He enters it before he becomes so and leaves it before he
//! dies, is suspended or is demoted.
//!
//! Why somebody is always left. Who leaves names another one, who was seen to live, to be an
//! administrator and to be active, and in the transaction that takes the one out the other must stand
//! in the set and not be *moving*. A change of standing is moving from the transaction in which it
//! enters or leaves until the one behind its write to the user, and of each user one change is moving
//! at a time. So between the look and the transaction the other has not changed, or has come back
//! whole: his record says that he is an active administrator. Whatever is to change that must take him
//! out of the same record first, and will find who is left by then. Of two who suspend each other at
//! once, the second finds the first not standing any more and is refused. A suspended administrator is
//! not relied on: he does not stand in the set. One who is being made an administrator is not relied on
//! before his change is over; a deletion that comes in between kills him whatever he is.
//!
//! A name in the set whose user does not live means nothing: its creation is under way.
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
use crate::intent::Way;
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
                    Some(other) if admins.may_rely_on(other) => {
                        // Whatever else is moving him comes too late.
                        let was_moving = admins.moving.remove(user).is_some();
                        if admins.user_ids.remove(user) || was_moving {
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

/// What became of a try to begin a change of standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The user is moving by this operation.
    Moving,
    /// No other one would be left: this operation never takes him out.
    LastAdmin,
    /// The user is moving by another operation, which comes first.
    Busy(OperationId),
    /// The operation was concluded or refused before.
    Over,
}

/// Lets a user enter or leave by `operation`, the same one however often it is carried on, and holds
/// every other change of his standing off until [`conclude`].
///
/// # Errors
/// The store's.
pub(super) async fn begin(
    domain: &Domain,
    user: &UserId,
    (operation, way): (&OperationId, Way),
    now: Timestamp,
) -> Result<Begun, Error> {
    let key = keyspace::admins();
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    loop {
        let around = look_around(domain, user, now).await?;
        let begun = domain
            .store
            .transact(partition, &reads, now, |txn| {
                if fence::stands(txn, partition, operation)? {
                    return Ok(Some(Begun::Over));
                }
                let mut admins = read(txn)?;
                let moved = step(&mut admins, user, (operation, way), &around);
                match moved {
                    Some(Begun::Moving) => txn.put(&key, Entry::new(&admins.encode()?))?,
                    Some(Begun::LastAdmin) => fence::put_for_ever(txn, partition, operation)?,
                    Some(Begun::Busy(_) | Begun::Over) | None => {}
                }
                Ok::<_, Error>(moved)
            })
            .await?;
        // Else another one has come or gone meanwhile.
        if let Some(begun) = begun {
            return Ok(begun);
        }
    }
}

/// Moves a user within the set; `None` where the set is not the one that was looked at.
fn step(
    admins: &mut Admins,
    user: &UserId,
    (operation, way): (&OperationId, Way),
    around: &Around,
) -> Option<Begun> {
    match admins.moving.get(user) {
        Some(by) if by == operation => return Some(Begun::Moving),
        Some(by) => return Some(Begun::Busy(by.clone())),
        None => {}
    }
    match (way, &around.other) {
        (Way::In, _) => {
            admins.user_ids.insert(user.clone());
        }
        (Way::Out, Some(other)) if admins.may_rely_on(other) => {
            admins.user_ids.remove(user);
        }
        (Way::Out, None) if *admins == around.admins => return Some(Begun::LastAdmin),
        (Way::Out, _) => return None,
    }
    admins.moving.insert(user.clone(), operation.clone());
    Some(Begun::Moving)
}

/// Sees to it that `operation`, which has not begun, never does.
pub(super) async fn refuse(
    domain: &Domain,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::admins();
    let partition = key.partition();
    domain
        .store
        .transact(partition, &[], now, |txn| fence::put_for_ever(txn, partition, operation))
        .await
}

/// Ends the move of a user by `operation`, after which it cannot begin again. Call it when it is settled
/// whether the operation has written to the user: nobody else changes where he stands before this.
pub(super) async fn conclude(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let user_key = keyspace::user(user);
    let stored = domain.store.get(&user_key, now).await?;
    let stands = User::load(&user_key, stored.as_ref())?.is_some_and(|user| user.is_active_admin());
    let key = keyspace::admins();
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::put(txn, partition, operation, now)?;
            let mut admins = read(txn)?;
            if admins.moving.get(user) == Some(operation) {
                admins.moving.remove(user);
                if stands {
                    admins.user_ids.insert(user.clone());
                } else {
                    admins.user_ids.remove(user);
                }
                txn.put(&key, Entry::new(&admins.encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
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
    let is_another = |other: &&UserId| *other != user && admins.may_rely_on(other);
    let others: Vec<&UserId> = admins.user_ids.iter().filter(is_another).collect();
    let keys = others.iter().map(|other| keyspace::user(other)).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let mut other = None;
    for candidate in others {
        let found: Option<User> = reads.find_live(&keyspace::user(candidate))?;
        if found.is_some_and(|found| found.is_active_admin()) {
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

#[cfg(test)]
mod tests;

//! Which users are there? The directory, in the order of a hash, a page at a time.
//!
//! An entry `n:<00 to ff>/user/<id>` lists a user; it is written before the user and removed after, so
//! that whoever lives is listed, and an entry whose user does not live means nothing. The partition
//! follows from a hash of the id: ids that are made one after the other do not meet in one place.
//!
//! A page walks the partitions in order and costs its size, and at most one read of each of the 256
//! where they are nearly empty.
//!
//! Spec: HTTP API, "Identity" (`/v1/users`), "Lists"; attacks, row E5.

use tikti_store::Entry;

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::keyspace;
use crate::record::Record;
use crate::tenant::ListEntry;

/// Writes the entry of a user who is about to be made by `operation`.
///
/// # Errors
/// `CONFLICT` where the operation was given up; the store's.
pub(super) async fn enter(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user_entry(user);
    let partition = key.partition();
    let reads = [keyspace::fence(partition, operation)];
    let bytes = ListEntry { token: operation.clone() }.encode()?;
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            Ok::<_, Error>(txn.put(&key, Entry::new(&bytes))?)
        })
        .await
}

/// Removes the entry of a user whose creation by `operation` was given up, and sees to it that the
/// creation does not write it later.
pub(super) async fn give_up(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user_entry(user);
    let partition = key.partition();
    domain
        .store
        .transact(partition, &[], now, |txn| {
            fence::put(txn, partition, operation, now)?;
            Ok::<_, Error>(txn.delete(&key)?)
        })
        .await
}

/// Removes the entry that `operation` has written, if it is still that one and no user lives there, and
/// sees to it that it does not write it later. For an id that other operations may be making at the same
/// time: whoever comes to life enters once more after that.
pub(super) async fn withdraw(
    domain: &Domain,
    (user, lives): (&UserId, bool),
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user_entry(user);
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::put(txn, partition, operation, now)?;
            let entry = ListEntry::decode_optional(&key, txn.get(&key)?)?;
            if !lives && entry.is_some_and(|entry| entry.token == *operation) {
                txn.delete(&key)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Removes the entry of a user who is dead: no id is used again.
pub(super) async fn leave(domain: &Domain, user: &UserId) -> Result<(), Error> {
    Ok(domain.store.delete(&keyspace::user_entry(user)).await?)
}

/// An entry that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    shard: u8,
    id: Vec<u8>,
}

impl Place {
    /// The place that [`Place::bytes`] gave.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (shard, id) = bytes.split_first()?;
        Some(Self { shard: *shard, id: id.to_vec() })
    }

    /// What a page token holds of it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&[self.shard][..], &self.id].concat()
    }
}

/// Up to `size` users behind `after`, in the order of the directory, and the last of them if there are
/// more.
pub(super) async fn walk(
    domain: &Domain,
    after: Option<Place>,
    size: usize,
    now: Timestamp,
) -> Result<(Vec<UserId>, Option<Place>), Error> {
    let first = after.as_ref().map_or(0, |place| place.shard);
    let mut behind = after.map(|place| place.id);
    let mut found: Vec<(Place, UserId)> = Vec::with_capacity(size.saturating_add(1));
    for shard in first..=u8::MAX {
        let partition = keyspace::of_directory(shard);
        loop {
            // One more than was asked for: it says whether there is another page.
            let wanted = size.saturating_add(1).saturating_sub(found.len());
            let from = behind.take();
            let page =
                domain.store.scan(&partition, keyspace::USER, from.as_deref(), wanted, now).await?;
            for (id, _) in &page.entries {
                let parsed = std::str::from_utf8(id).ok().and_then(|id| UserId::parse(id).ok());
                let place = Place { shard, id: id.to_vec() };
                found.extend(parsed.map(|user| (place, user)));
            }
            if found.len() > size {
                found.truncate(size);
                let last = found.last().map(|(place, _)| place.clone());
                return Ok((found.into_iter().map(|(_, user)| user).collect(), last));
            }
            behind = page.next.map(|last| last.to_vec());
            if behind.is_none() {
                break;
            }
        }
    }
    Ok((found.into_iter().map(|(_, user)| user).collect(), None))
}

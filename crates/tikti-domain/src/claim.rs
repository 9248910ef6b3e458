//! Who owns a name? The steps that every claim is made of.
//!
//! A claim holds the id of the record that it was made for; the record itself lives in another
//! partition and is written later. [`put`] claims, or says who was first; [`settle`] makes sure that a
//! record which is not there never comes; [`take_over`] replaces a claim whose owner lost it. Whether
//! an owner has lost the name is the entity's own rule.
//!
//! Spec: Storage, "what crosses partitions". Why this needs no clock: docs/decisions/0008.

use tikti_store::{Entry, Expected, Key, StoreError, Stored};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::record::{Cause, Lasting, Record, Tombstone};

/// What became of a try to claim a name.
pub(crate) enum Claimed<C> {
    /// It is ours.
    Ours,
    /// Somebody was first.
    Held {
        /// What the claim says.
        by: C,
        /// Its bytes, for [`take_over`].
        stored: Stored,
    },
    /// Somebody was first, and is moving the claim at this moment.
    Moving,
}

/// Claims the name at `key`, if nobody has.
pub(crate) async fn put<C: Record + Sync>(
    domain: &Domain,
    key: &Key,
    claim: &C,
    now: Timestamp,
) -> Result<Claimed<C>, Error> {
    let bytes = claim.encode()?;
    match domain.store.put_if(key, Expected::Absent, Entry::new(&bytes), now).await {
        Ok(()) => return Ok(Claimed::Ours),
        Err(StoreError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(match domain.store.get(key, now).await? {
        Some(stored) => Claimed::Held { by: C::decode(key, &stored)?, stored },
        None => Claimed::Moving,
    })
}

/// Replaces a claim that its owner lost; says whether nobody else was quicker.
pub(crate) async fn take_over<C: Record + Sync>(
    domain: &Domain,
    key: &Key,
    lost: &Stored,
    claim: &C,
    now: Timestamp,
) -> Result<bool, Error> {
    let bytes = claim.encode()?;
    match domain.store.put_if(key, Expected::Equals(lost), Entry::new(&bytes), now).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What stands at the key of a claim's owner, once and for all.
pub(crate) enum Owner<T> {
    /// Nothing did, and from now on nothing will: a late creator cannot finish any more.
    Buried,
    /// What was there.
    Found(Lasting<T>),
}

/// Reads the owner of a claim; where there is none, a tombstone takes its place for ever.
pub(crate) async fn settle<T>(domain: &Domain, key: &Key, now: Timestamp) -> Result<Owner<T>, Error>
where
    Lasting<T>: Record,
{
    let tombstone = Tombstone { since: now, cause: Cause::Abandoned };
    let bytes = Lasting::<T>::Tombstone(tombstone).encode()?;
    match domain.store.put_if(key, Expected::Absent, Entry::new(&bytes), now).await {
        Ok(()) => Ok(Owner::Buried),
        Err(StoreError::Conflict { .. }) => {
            let stored = domain.store.get(key, now).await?;
            let stored = stored.ok_or(StoreError::Conflict { key: key.clone() })?;
            Ok(Owner::Found(Lasting::decode(key, &stored)?))
        }
        Err(error) => Err(error.into()),
    }
}

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

/// Replaces a claim that its owner lost, or has given up meanwhile: or of many that claim at once, the
/// last one could be refused for a claim that is gone. Says whether nobody else was quicker.
pub(crate) async fn take_over<C: Record + Sync>(
    domain: &Domain,
    key: &Key,
    lost: &Stored,
    claim: &C,
    now: Timestamp,
) -> Result<bool, Error> {
    let bytes = claim.encode()?;
    for expected in [Expected::Equals(lost), Expected::Absent] {
        match domain.store.put_if(key, expected, Entry::new(&bytes), now).await {
            Ok(()) => return Ok(true),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{OperationId, TenantId};
    use crate::keyspace;
    use crate::tenant::NameClaim;
    use crate::testing::Fixture;

    #[tokio::test]
    async fn a_claim_that_its_owner_has_given_up_meanwhile_is_taken_and_one_of_another_is_not() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let key = keyspace::name_claim("acme");
        let claim = |tenant: &str| NameClaim {
            tenant_id: TenantId::parse(tenant).unwrap(),
            token: OperationId::default(),
        };
        let (first, second) = (claim("t-first"), claim("t-second"));
        put(domain, &key, &first, now).await.unwrap();
        let lost = domain.store.get(&key, now).await.unwrap().unwrap();
        domain.store.delete(&key).await.unwrap();
        assert!(take_over(domain, &key, &lost, &second, now).await.unwrap());
        assert!(!take_over(domain, &key, &lost, &first, now).await.unwrap());
        let stored = domain.store.get(&key, now).await.unwrap().unwrap();
        assert_eq!(NameClaim::decode(&key, &stored).unwrap(), second);
    }
}

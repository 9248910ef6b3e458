//! What happens to signing keys by itself?
//!
//! One that is old is followed by another, and the private part of one that was removed is destroyed a day later.
//! Every replica looks, from memory; whoever finds something to do reads the record, and replaces that very record or
//! does nothing: of many that do it at once, one has.
//!
//! All public parts are kept for good, for heads of the audit have no expiry: some 600 bytes a key, so a
//! deployment that rotates daily has room for four years, and one that rotates as it is shipped for centuries.
//!
//! Spec: Tokens and keys, "Signing keys": rotation, and state removed.

use tikti_store::{Entry, Expected, StoreError, Stored};

use super::SigningKeys;
use super::make::new_kid;
use super::ring::refresh;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::keyspace;
use crate::record::Record;

/// Makes the next key where the newest one has been signing for `keys_rotate_every`; gives its `kid`. Nothing is
/// read where nothing is due.
///
/// # Errors
/// The store's; `OVERLOADED` and `INTERNAL` where no key can be made.
pub async fn rotate_if_due(domain: &Domain, now: Timestamp) -> Result<Option<String>, Error> {
    if !domain.key_ring.is_rotation_due(now) {
        return Ok(None);
    }
    let _one_at_a_time = domain.key_ring.making().await;
    // Another replica may have been quicker: a key is made only if none is there.
    refresh(domain).await?;
    if !domain.key_ring.is_rotation_due(now) {
        return Ok(None);
    }
    let new = domain.key_ring.new_key().await?;
    // A key is made in seconds, or waits for others: verifiers are to know it for its whole lead from now on.
    let now = domain.clock.now();
    let (stored, mut keys) = load(domain, now).await?;
    let times = domain.key_ring.times();
    if !keys.lives(times).is_rotation_due(now, domain.key_ring.opens(&keys)) {
        return Ok(None);
    }
    let kid = new_kid(&keys, now, &domain.random)?;
    let sealing = (domain.key_ring.master_keys(), &domain.random);
    keys.keys.push(new.record(&kid, (now, times.activates_at(now)), sealing)?);
    if !replace(domain, stored.as_ref(), &keys, now).await? {
        return Ok(None);
    }
    tracing::info!(target: "tikti::audit", action = "key.rotate", kid, "the next signing key was made, as it was due");
    Ok(Some(kid))
}

/// Destroys the private parts of keys that were removed a day ago; how many. Not at once: what a clock says that is
/// ahead by an hour or two cannot be undone, and the others may still sign with the key.
///
/// # Errors
/// The store's.
pub async fn destroy_removed(domain: &Domain, now: Timestamp) -> Result<usize, Error> {
    if !domain.key_ring.has_removed(now) {
        return Ok(0);
    }
    let (stored, mut keys) = load(domain, now).await?;
    let lives = keys.lives(domain.key_ring.times());
    let mut destroyed = Vec::new();
    for (number, record) in keys.keys.iter_mut().enumerate() {
        if lives.is_long_removed(number, now) && record.private.take().is_some() {
            destroyed.push(record.kid.clone());
        }
    }
    if destroyed.is_empty() || !replace(domain, stored.as_ref(), &keys, now).await? {
        return Ok(0);
    }
    for kid in &destroyed {
        tracing::info!(target: "tikti::audit", action = "key.destroy", kid, "the private part of a removed signing key was destroyed");
    }
    Ok(destroyed.len())
}

async fn load(domain: &Domain, now: Timestamp) -> Result<(Option<Stored>, SigningKeys), Error> {
    let key = keyspace::signing_keys();
    let stored = domain.store.get(&key, now).await?;
    let keys = SigningKeys::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
    Ok((stored, keys))
}

/// Puts the keys in the place of the record that was read; says whether it was still there.
async fn replace(
    domain: &Domain,
    stored: Option<&Stored>,
    keys: &SigningKeys,
    now: Timestamp,
) -> Result<bool, Error> {
    let (key, bytes) = (keyspace::signing_keys(), keys.encode()?);
    let expected = stored.map_or(Expected::Absent, Expected::Equals);
    match domain.store.put_if(&key, expected, Entry::new(&bytes), now).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    refresh(domain).await?;
    Ok(true)
}

//! When was a key last used?
//!
//! A call that carries a key writes nothing: each replica remembers which keys it has accepted, and writes
//! that down in the background. Invariant: a key costs at most one such write an hour, however many
//! replicas accept it, so what is shown is right to the hour; what a replica has not written when it is
//! killed is lost.
//!
//! Spec: HTTP API, "Tenant administration", API keys (`lastUsedAt`). Why: docs/decisions/0029.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tikti_store::Entry;

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::ApiKeyId;
use crate::keyspace;
use crate::record::Record;

/// How exactly it is known when a key was last used, in milliseconds.
const EXACT_MILLIS: u64 = 3_600_000;

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastUse {
    pub(crate) at: Timestamp,
}

impl Record for LastUse {}

/// The keys that this replica has accepted lately: as many as are in use, since only a key that exists is
/// accepted.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(Mutex<HashMap<ApiKeyId, Use>>);

#[derive(Clone, Copy, Debug)]
struct Use {
    at: Timestamp,
    is_written: bool,
}

impl Use {
    /// Whether a use at `now` is no news.
    fn covers(&self, now: Timestamp) -> bool {
        now < self.at.plus_millis(EXACT_MILLIS)
    }
}

impl KeyUses {
    /// Takes note that a key was accepted.
    pub(crate) fn note(&self, id: &ApiKeyId, now: Timestamp) {
        let mut uses = self.lock();
        // Most calls find their key here, and copy no id.
        match uses.get_mut(id) {
            Some(known) if known.covers(now) => {}
            Some(known) => *known = Use { at: now, is_written: false },
            None => {
                uses.insert(id.clone(), Use { at: now, is_written: false });
            }
        }
    }

    /// What is to be written; forgets what was written and is old.
    fn unwritten(&self, now: Timestamp) -> Vec<(ApiKeyId, Timestamp)> {
        let mut uses = self.lock();
        uses.retain(|_, known| !known.is_written || known.covers(now));
        let open = uses.iter().filter(|(_, known)| !known.is_written);
        open.map(|(id, known)| (id.clone(), known.at)).collect()
    }

    fn written(&self, id: &ApiKeyId, at: Timestamp) {
        if let Some(known) = self.lock().get_mut(id)
            && known.at == at
        {
            known.is_written = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApiKeyId, Use>> {
        // Each call leaves the map whole, whatever happens in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down which keys this replica has accepted since the last call; says how many were written. Call
/// it about twice a minute, from one task.
///
/// # Errors
/// The store's: then the rest is written by a later call.
///
/// Spec: HTTP API, "Tenant administration", API keys.
pub async fn write_key_uses(domain: &Domain, now: Timestamp) -> Result<usize, Error> {
    let mut count = 0;
    for (id, at) in domain.key_uses.unwritten(now) {
        count += usize::from(write(domain, &id, at, now).await?);
        domain.key_uses.written(&id, at);
    }
    Ok(count)
}

async fn write(
    domain: &Domain,
    id: &ApiKeyId,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    let (key, last_use) = (keyspace::api_key(id), keyspace::api_key_use(id));
    let reads = [key.clone(), last_use.clone()];
    let bytes = LastUse { at }.encode()?;
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let known = LastUse::decode_optional(&last_use, txn.get(&last_use)?)?;
            let is_known = known.is_some_and(|known| at < known.at.plus_millis(EXACT_MILLIS));
            // A key that has gone since is no longer used.
            if is_known || txn.get(&key)?.is_none() {
                return Ok(false);
            }
            txn.put(&last_use, Entry::new(&bytes))?;
            Ok::<_, Error>(true)
        })
        .await
}

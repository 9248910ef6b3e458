//! How does a key come to be as its list says?
//!
//! The entry says how the key is to be; whoever changed the entry, or the sweep after him, lets the key
//! follow. Invariants: a key stands only while its entry does. Of two that let it follow at once, or late,
//! the one who has read an earlier entry changes nothing: entries are numbered. A key that goes leaves a
//! fence for a day, so that nobody who has read its entry before puts it back.
//!
//! Spec: Storage, "what crosses partitions". Why: docs/decisions/0029.

use serde::{Deserialize, Serialize};
use tikti_store::Entry;

use crate::api_key::ApiKey;
use crate::audit;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{ApiKeyId, OperationId, TenantId};
use crate::intent::{self, HandlingApiKey};
use crate::keyspace;
use crate::record::Record;

/// An entry of a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedKey {
    /// The operation that made it.
    pub(crate) token: OperationId,
    /// The key as it is to be.
    pub(crate) key: ApiKey,
    /// Whether the key is to go, and the entry after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_going: bool,
}

impl Record for ListedKey {}

impl ListedKey {
    /// The entry of a key that is made by `operation`.
    pub(crate) fn new(key: ApiKey, operation: OperationId) -> Self {
        Self { token: operation, key, is_going: false }
    }
}

/// The entry, unless its key goes or never was.
///
/// # Errors
/// `API_KEY_NOT_FOUND`.
pub(super) fn standing(found: Option<ListedKey>) -> Result<ListedKey, Code> {
    found.filter(|listed| !listed.is_going).ok_or(Code::ApiKeyNotFound)
}

/// Brings a key in line with its entry. May be repeated, at any time, by anybody.
pub(crate) async fn follow(
    domain: &Domain,
    owner: Option<&TenantId>,
    id: &ApiKeyId,
    now: Timestamp,
) -> Result<(), Error> {
    let entry = keyspace::api_key_entry(owner, id);
    let stored = domain.store.get(&entry, now).await?;
    match ListedKey::decode_optional(&entry, stored.as_ref())? {
        None => Ok(()),
        Some(listed) if listed.is_going => {
            remove(domain, id, &listed.token, now).await?;
            strike(domain, owner, (id, &listed.token), now).await
        }
        Some(listed) => put(domain, &listed, now).await,
    }
}

pub(super) async fn put(domain: &Domain, listed: &ListedKey, now: Timestamp) -> Result<(), Error> {
    let key = keyspace::api_key(&listed.key.id);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, &listed.token)];
    let bytes = listed.key.encode()?;
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            let stands = ApiKey::decode_optional(&key, txn.get(&key)?)?;
            let is_newer = stands.is_none_or(|stands| stands.rev < listed.key.rev);
            // Behind the fence the key has gone since the entry was read.
            if is_newer && !fence::stands(txn, partition, &listed.token)? {
                txn.put(&key, Entry::new(&bytes))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Removes a key and when it was last used. It does not come back: `token` is that of its entry.
pub(crate) async fn remove(
    domain: &Domain,
    id: &ApiKeyId,
    token: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_api_key(id);
    domain
        .store
        .transact(&partition, &[], now, |txn| {
            fence::put(txn, &partition, token, now)?;
            txn.delete(&keyspace::api_key_use(id))?;
            Ok::<_, Error>(txn.delete(&keyspace::api_key(id))?)
        })
        .await
}

/// Takes the entry of a key that has gone out of its list.
async fn strike(
    domain: &Domain,
    owner: Option<&TenantId>,
    (id, token): (&ApiKeyId, &OperationId),
    now: Timestamp,
) -> Result<(), Error> {
    let entry = keyspace::api_key_entry(owner, id);
    let reads = [entry.clone()];
    domain
        .store
        .transact(entry.partition(), &reads, now, |txn| {
            let found = ListedKey::decode_optional(&entry, txn.get(&entry)?)?;
            if found.is_some_and(|found| found.is_going && found.token == *token) {
                txn.delete(&entry)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Carries on what has reached its entry, and sees to it that nothing else happens of the operation. May be
/// repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &HandlingApiKey,
    now: Timestamp,
) -> Result<(), Error> {
    let owner = work.tenant_id.as_ref();
    let partition = keyspace::of_api_keys(owner);
    domain
        .store
        .transact(&partition, &[], now, |txn| fence::put(txn, &partition, operation, now))
        .await?;
    follow(domain, owner, &work.key_id, now).await?;
    finish(domain, operation, owner, now).await
}

/// The note to its chain, and the end of the operation.
pub(super) async fn finish(
    domain: &Domain,
    operation: &OperationId,
    owner: Option<&TenantId>,
    now: Timestamp,
) -> Result<(), Error> {
    audit::deliver(domain, operation, &keyspace::of_api_keys(owner), now).await?;
    intent::end(domain, operation).await
}

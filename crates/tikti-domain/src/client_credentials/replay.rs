//! Was this assertion shown before?
//!
//! Whoever sees an assertion could show it again while it lives. So the first time is written down, in the
//! partition of the worker's tenant, and forgotten when no replica would take the assertion any more. Of many
//! at once one is the first. It is looked up before it is counted as the worker's own call, so that whoever has
//! caught a used one cannot use up the worker's limit with it. Invariant: only what the worker has signed is written, and no more of it than
//! the worker may have tokens.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints" (`jti` once). RFC 7523 section 3, point 7.

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Expected, StoreError};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::TenantId;
use crate::keyspace;
use crate::reads::Reads;
use crate::record::Record;

/// An assertion that was shown: the record lives as long as the assertion would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsedAssertion {}

impl Record for UsedAssertion {}

/// Whether the assertion `jti` of a client was written down already.
///
/// # Errors
/// The store's.
pub(super) async fn was_shown(
    domain: &Domain,
    (tenant, client_id, jti): (&TenantId, &str, &str),
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::used_assertion(tenant, client_id, jti);
    let reads = Reads::load(&domain.store, vec![key.clone()], now).await?;
    Ok(reads.stored(&key)?.is_some())
}

/// Writes down that the assertion `jti` of a client was shown, and says whether that is new. `exp` is its end
/// in seconds.
///
/// # Errors
/// The store's: then it counts as shown, or does not.
pub(super) async fn is_first(
    domain: &Domain,
    (tenant, client_id, jti, exp): (&TenantId, &str, &str, u64),
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::used_assertion(tenant, client_id, jti);
    let bytes = UsedAssertion {}.encode()?;
    // A verification takes it in the whole second in which the skew ends.
    let skew = domain.settings.skew.as_secs().saturating_add(1);
    let ends = Timestamp::from_millis(exp.saturating_add(skew).saturating_mul(1000));
    let entry = Entry::new(&bytes).expires_at(ends);
    match domain.store.put_if(&key, Expected::Absent, entry, now).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

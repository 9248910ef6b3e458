//! What becomes of an operation whose process died?
//!
//! Its intent is still there. The sweep finishes every intent older than a minute: what has reached
//! its decisive step, or takes something away, is carried on; anything else is given up behind a
//! fence and tidied up after. Invariant: each step may be repeated and may come late, so that any
//! number of replicas may sweep at once, and an operation that was merely slow does no harm.
//!
//! Spec: Storage, "what crosses partitions". Why: docs/decisions/0015.

use crate::account::{change_email, create_user, delete_user};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::OperationId;
use crate::intent::{Intent, Work};
use crate::keyspace;
use crate::record::Record;
use crate::tenancy::{create_tenant, delete_tenant, members};

/// How old an operation is that is taken for dead, in milliseconds.
pub const SWEEP_AFTER_MILLIS: u64 = 60_000;

/// Intents looked at in each of the sixteen lists, in one call.
const PAGE: usize = 16;
/// Entries looked at for their expiry, in one call.
const RECLAIM_PAGE: usize = 1000;

/// Where the next call goes on. Belongs to one caller; losing it loses nothing.
#[derive(Clone, Debug, Default)]
pub struct SweepCursor {
    /// By list of intents: the last one that was looked at.
    intents: Vec<Option<Vec<u8>>>,
    reclaim: Option<Vec<u8>>,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Operations that were finished or tidied up after.
    pub finished: usize,
    /// Operations that could not be; they are tried again.
    pub failed: usize,
    /// Expired entries whose space was given back.
    pub reclaimed: usize,
    /// Whether another call would find more old operations right now.
    pub more: bool,
}

/// Finishes operations whose processes died, and gives back the space of some expired entries.
///
/// One call looks at up to sixteen intents in each of sixteen lists and at a thousand entries. Call
/// it about twice a minute, and again at once while there is more. An operation that fails is
/// counted, logged at debug level, as it may fail every time, and tried again in a later round.
///
/// # Errors
/// The store's, where the lists cannot be read; what was done stays done.
///
/// Spec: Storage, "a sweeper that any replica runs".
pub async fn sweep(
    domain: &Domain,
    cursor: &mut SweepCursor,
    now: Timestamp,
) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    cursor.intents.resize(usize::from(keyspace::INTENT_SHARDS), None);
    for (shard, after) in (0_u8..).zip(&mut cursor.intents) {
        *after = sweep_shard(domain, shard, after.as_deref(), (&mut swept, now)).await?;
        swept.more |= after.is_some();
    }
    let after = cursor.reclaim.as_deref();
    let reclaimed = domain.store.reclaim(after, RECLAIM_PAGE, now).await?;
    cursor.reclaim = reclaimed.next.map(Into::into);
    swept.reclaimed = reclaimed.reclaimed;
    Ok(swept)
}

/// Sweeps a page of one list; gives where to go on, if there are more old ones.
async fn sweep_shard(
    domain: &Domain,
    shard: u8,
    after: Option<&[u8]>,
    (swept, now): (&mut Swept, Timestamp),
) -> Result<Option<Vec<u8>>, Error> {
    let partition = keyspace::of_intents(shard);
    let page = domain.store.scan(&partition, keyspace::INTENT, after, PAGE, now).await?;
    for (id, stored) in &page.entries {
        let parsed = std::str::from_utf8(id).ok().and_then(|id| OperationId::parse(id).ok());
        let Some(operation) = parsed else {
            tracing::debug!("an intent has no operation's id");
            swept.failed += 1;
            continue;
        };
        let intent = match Intent::decode(&keyspace::intent(&operation), stored) {
            // Ids are in the order of time: all that follow are younger still.
            Ok(intent) if now < intent.since.plus_millis(SWEEP_AFTER_MILLIS) => return Ok(None),
            Ok(intent) => intent,
            Err(error) => {
                tracing::debug!(operation.id = %operation, %error, "an intent cannot be read");
                swept.failed += 1;
                continue;
            }
        };
        match finish(domain, &operation, &intent.work, now).await {
            Ok(()) => swept.finished += 1,
            Err(error) => {
                let code = error.code().as_str();
                tracing::debug!(operation.id = %operation, code, "an operation could not be swept");
                swept.failed += 1;
            }
        }
    }
    Ok(page.next.map(Into::into))
}

/// Finishes one operation, or tidies up after it. May be repeated, at any time.
async fn finish(
    domain: &Domain,
    operation: &OperationId,
    work: &Work,
    now: Timestamp,
) -> Result<(), Error> {
    match work {
        Work::CreateUser(work) => create_user::settle(domain, operation, work, now).await,
        Work::ChangeEmail(work) => change_email::settle(domain, operation, work, now).await,
        Work::DeleteUser(work) => delete_user::resume(domain, operation, work, now).await,
        Work::CreateTenant(work) => create_tenant::settle(domain, operation, work, now).await,
        Work::DeleteTenant(work) => delete_tenant::resume(domain, operation, work, now).await,
        Work::AddMember(work) => members::settle(domain, operation, work, now).await,
        Work::RemoveMember(work) => members::resume(domain, operation, work, now).await,
    }
}

#[cfg(test)]
mod tests;

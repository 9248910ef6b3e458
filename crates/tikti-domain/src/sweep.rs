//! What becomes of an operation whose process died?
//!
//! Its intent is still there. The sweep finishes every intent older than a minute: what has reached
//! its decisive step, or takes something away, is carried on; anything else is given up behind a
//! fence and tidied up after. Invariant: each step may be repeated and may come late, so that any
//! number of replicas may sweep at once, and an operation that was merely slow does no harm. What cannot
//! be read or finished keeps nothing else from being swept.
//!
//! Spec: Storage, "what crosses partitions". Why: docs/decisions/0015.

use tikti_store::{Key, StoreError, Stored};

use crate::account::{change_email, change_user, create_user, delete_user, import_user};
use crate::api_keys;
use crate::audit;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::OperationId;
use crate::intent::{self, Intent, Work};
use crate::keyspace;
use crate::record::Record;
use crate::tenancy::{change_member, create_tenant, delete_tenant, members};

/// How old an operation is that is taken for dead, in milliseconds.
pub const SWEEP_AFTER_MILLIS: u64 = 60_000;

/// Intents looked at in each of the sixteen lists, in one call.
const PAGE: usize = 16;
/// Entries looked at for their expiry, in one call.
const RECLAIM_PAGE: usize = 1000;

/// Where the next call goes on. Belongs to one caller; losing it loses nothing.
#[derive(Clone, Debug, Default)]
pub struct SweepCursor {
    /// By list of intents: how far this round is.
    intents: Vec<Place>,
    reclaim: Option<Vec<u8>>,
}

/// How far a round is in one list of intents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Beginning,
    /// The last one that was looked at.
    Behind(Vec<u8>),
    /// Stays so until the round is over: or those that fail every time would be looked at again and
    /// again while another list has more.
    End,
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
/// it about twice a minute, and again at once while there is more. An operation that fails, or whose
/// intent is damaged, is counted, logged at debug level, as it may fail every time, and tried again in
/// a later round: a round is over when the end of every list was reached.
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
    cursor.intents.resize(usize::from(keyspace::INTENT_SHARDS), Place::Beginning);
    for (shard, place) in (0_u8..).zip(&mut cursor.intents) {
        *place = match &*place {
            Place::Beginning => sweep_shard(domain, shard, None, (&mut swept, now)).await?,
            Place::Behind(last) => {
                sweep_shard(domain, shard, Some(last), (&mut swept, now)).await?
            }
            Place::End => Place::End,
        };
    }
    swept.more = cursor.intents.iter().any(|place| *place != Place::End);
    if !swept.more {
        cursor.intents.fill(Place::Beginning);
    }
    let after = cursor.reclaim.as_deref();
    let reclaimed = domain.store.reclaim(after, RECLAIM_PAGE, now).await?;
    cursor.reclaim = reclaimed.next.map(Into::into);
    swept.reclaimed = reclaimed.reclaimed;
    Ok(swept)
}

/// Sweeps a page of one list; says where to go on, if there are more old ones.
async fn sweep_shard(
    domain: &Domain,
    shard: u8,
    after: Option<&[u8]>,
    (swept, now): (&mut Swept, Timestamp),
) -> Result<Place, Error> {
    let page = intent::page(&domain.store, (shard, PAGE), after, now).await?;
    for (id, stored) in page.entries {
        let (operation, intent) = match read(shard, &id, stored) {
            // Ids are in the order of time: all that follow are younger still.
            Ok((_, intent)) if now < intent.since.plus_millis(SWEEP_AFTER_MILLIS) => {
                return Ok(Place::End);
            }
            Ok(read) => read,
            Err(error) => {
                let intent = id.escape_ascii().to_string();
                tracing::debug!(intent, %error, "an intent cannot be read");
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
    Ok(page.next.map_or(Place::End, Place::Behind))
}

/// What an intent says, if it is whole.
fn read(
    shard: u8,
    id: &[u8],
    stored: Result<Stored, StoreError>,
) -> Result<(OperationId, Intent), Error> {
    let key = Key::new(&keyspace::of_intents(shard), keyspace::INTENT, id);
    let intent = Intent::decode(&key, &stored?)?;
    let operation = OperationId::parse(&String::from_utf8_lossy(id))?;
    Ok((operation, intent))
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
        Work::ImportUser(work) => import_user::settle(domain, operation, work, now).await,
        Work::ChangeEmail(work) => change_email::settle(domain, operation, work, now).await,
        Work::DeleteUser(work) => delete_user::resume(domain, operation, work, now).await,
        Work::CreateTenant(work) => create_tenant::settle(domain, operation, work, now).await,
        Work::DeleteTenant(work) => delete_tenant::resume(domain, operation, work, now).await,
        Work::AddMember(work) => members::settle(domain, operation, work, now).await,
        Work::RemoveMember(work) => members::resume(domain, operation, work, now).await,
        Work::UpdateMember(work) => change_member::settle(domain, operation, work, now).await,
        Work::ChangeStanding(work) => change_user::resume(domain, operation, work, now).await,
        Work::Change(work) => audit::settle(domain, operation, &work.place, now).await,
        Work::HandleApiKey(work) => api_keys::settle(domain, operation, work, now).await,
    }
}

#[cfg(test)]
mod tests;

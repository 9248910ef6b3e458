//! How do events go that are older than they have to be kept?
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. read the old events, link by link: the chain must be whole up to the last of them | nothing has changed |
//! | 2. a signed checkpoint names that last one | the chain begins behind it; the events are still there |
//! | 3. five minutes later they go, oldest first, with the signed heads over them | some are still there |
//!
//! Invariant: no event goes that no checkpoint names, and the checkpoint never goes back, so that any
//! number of replicas may prune at once. Whoever began to read before the checkpoint came is done before
//! the first event goes. What is not whole is not removed, so that pruning never hides a hole: the
//! checkpoint is our word that the events up to it were one chain.
//!
//! Spec: Authorization, "Audit" ("pruning leaves a signed checkpoint", "Kept 30 days at least"). Why:
//! docs/decisions/0025.

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Key, Kind};

use super::chain::{Head, NO_HASH};
use super::tour::Tour;
use super::{Chain, head, read, verify};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error, InternalError};
use crate::keyspace;
use crate::record::Record;

/// How long a checkpoint stands before the events that it names go, in milliseconds: longer than any
/// request takes.
pub const REMOVE_AFTER_MILLIS: u64 = 5 * 60_000;
/// The pause between two tours of all chains, in milliseconds.
const REST_MILLIS: u64 = 10 * 60_000;
/// Old events go by whole days, in milliseconds: a chain gets one checkpoint a day, and not one with every
/// event.
const DAY_MILLIS: u64 = 24 * 3_600_000;
/// Events that one checkpoint goes further than the one before.
const MOST_NAMED: u64 = 1000;
/// Events that are read at a time: one may be of 40 KiB.
const AT_A_TIME: u64 = 50;
/// Records that go in one call, of all chains together.
const MOST_REMOVED: usize = 2000;
/// Records that go in one transaction.
const TOGETHER: usize = 200;

/// Up to where a chain was pruned, as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The number of the last event that was removed, and of events that were.
    pub seq: u64,
    /// When that event was added.
    pub chained_at: Timestamp,
    /// Its hash.
    pub hash: String,
    /// When this was signed.
    pub signed_at: Timestamp,
    /// The same as a compact JWS, `typ` `tikti-audit-head+jwt`, with the claim `pruned`.
    pub jws: String,
}

impl Record for Checkpoint {}

impl Checkpoint {
    /// The last link that is gone.
    fn end(&self) -> Head {
        Head { seq: self.seq, chained_at: self.chained_at, hash: self.hash.clone() }
    }
}

/// Where the next call goes on. Belongs to one caller; losing it loses nothing.
#[derive(Clone, Debug, Default)]
pub struct PruneCursor {
    tour: Tour,
    /// Whether this tour has left something undone that the next one need not wait for.
    is_behind: bool,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Checkpoints that were signed.
    pub checkpoints: usize,
    /// Events and heads that were removed.
    pub removed: usize,
    /// Chains that cannot be read or are not whole; nothing more of them goes until they are.
    pub failed: usize,
    /// Whether another call would find more to do right now.
    pub more: bool,
}

/// Where a chain begins and ends.
struct Ends {
    head: Head,
    checkpoint: Option<Checkpoint>,
}

/// Prunes some chains: of a hundred tenants, and at the beginning of a tour of the deployment's own; a
/// thousand events of each chain at most. Call it about twice a minute, and again at once while there is
/// more.
///
/// # Errors
/// The store's, where it does not answer; `OVERLOADED`; what was done stays done.
pub async fn prune(
    domain: &Domain,
    cursor: &mut PruneCursor,
    now: Timestamp,
) -> Result<Pruned, Error> {
    let mut done = Pruned::default();
    let Some(leg) = cursor.tour.next(domain, now).await? else { return Ok(done) };
    for chain in &leg.chains {
        match prune_chain(domain, chain, &mut done, now).await {
            Ok(is_behind) => cursor.is_behind |= is_behind,
            Err(error) if matches!(error.code(), Code::StoreUnavailable | Code::Overloaded) => {
                return Err(error);
            }
            Err(error) => {
                let chain = keyspace::of_chain(chain);
                tracing::debug!(%chain, %error, "a chain of audit events cannot be pruned");
                done.failed += 1;
            }
        }
    }
    let is_behind = leg.is_last() && std::mem::take(&mut cursor.is_behind);
    done.more = !leg.is_last() || is_behind;
    let rest = if is_behind { 0 } else { REST_MILLIS };
    cursor.tour.pass(leg, now.plus_millis(rest));
    Ok(done)
}

/// One step of one chain; says whether there is more to remove of it at once.
async fn prune_chain(
    domain: &Domain,
    chain: &Chain,
    done: &mut Pruned,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(Ends { head, checkpoint }) = ends(domain, chain, now).await? else {
        return Ok(false);
    };
    let begin = begin_of(checkpoint.as_ref());
    let pair = read::links(domain, chain, [begin.seq, begin.seq.saturating_add(1)], now).await?;
    let mut pair = pair.into_iter().map(|(_, link)| link);
    let (last_gone, first_left) = (pair.next().flatten(), pair.next().flatten());
    // They go oldest first: this one is there while any of them is.
    if let Some(checkpoint) = checkpoint.filter(|_| last_gone.is_some()) {
        if now < checkpoint.signed_at.plus_millis(REMOVE_AFTER_MILLIS) {
            return Ok(false);
        }
        return remove(domain, chain, checkpoint.seq, (done, now)).await;
    }
    if head.seq <= begin.seq {
        return Ok(false);
    }
    let before = cutoff(domain, now);
    if first_left.is_some_and(|link| link.chained_at >= before) {
        return Ok(false);
    }
    let last = last_old(domain, chain, (begin, head.seq, before), now).await?;
    done.checkpoints += usize::from(put(domain, chain, last, now).await?);
    Ok(false)
}

/// Events that were added before then are old.
fn cutoff(domain: &Domain, now: Timestamp) -> Timestamp {
    let kept = u64::try_from(domain.settings.audit_retention.as_millis()).unwrap_or(u64::MAX);
    let before = now.as_millis().saturating_sub(kept);
    Timestamp::from_millis(before - before % DAY_MILLIS)
}

/// Step 1: the last old link that is reached without a gap, of the next thousand.
async fn last_old(
    domain: &Domain,
    chain: &Chain,
    (begin, end, before): (Head, u64, Timestamp),
    now: Timestamp,
) -> Result<Head, Error> {
    let upto = end.min(begin.seq.saturating_add(MOST_NAMED));
    let (first, mut last) = (begin.seq, begin);
    while last.seq < upto {
        let from = last.seq.saturating_add(1);
        let to = upto.min(last.seq.saturating_add(AT_A_TIME));
        for (seq, link) in read::links(domain, chain, from..=to, now).await? {
            if link.as_ref().is_some_and(|link| link.chained_at >= before) {
                return Ok(last);
            }
            match verify([link], Some(&last), None) {
                Ok(reached) => last = reached,
                // What came before it is whole, and may go.
                Err(_) if last.seq > first => return Ok(last),
                Err(wrong) => {
                    let key = keyspace::link(chain, seq).to_string();
                    return Err(InternalError::Record { key, reason: wrong.to_string() }.into());
                }
            }
        }
    }
    Ok(last)
}

/// Step 2. Says whether it is this checkpoint that stands now.
async fn put(domain: &Domain, chain: &Chain, last: Head, now: Timestamp) -> Result<bool, Error> {
    let jws = head::seal(domain, chain, (&last, Some(last.seq)), now).await?;
    let Head { seq, chained_at, hash } = last;
    let bytes = Checkpoint { seq, chained_at, hash, signed_at: now, jws }.encode()?;
    let key = keyspace::checkpoint(chain);
    domain
        .store
        .transact(key.partition(), std::slice::from_ref(&key), now, |txn| {
            let held = Checkpoint::decode_optional(&key, txn.get(&key)?)?;
            // Another replica was quicker, or has come further.
            let is_further = held.is_none_or(|held| held.seq < seq);
            if is_further {
                txn.put(&key, Entry::new(&bytes))?;
            }
            Ok::<_, Error>(is_further)
        })
        .await
}

/// Step 3, within what one call may remove. Says whether something is left.
async fn remove(
    domain: &Domain,
    chain: &Chain,
    upto: u64,
    (done, now): (&mut Pruned, Timestamp),
) -> Result<bool, Error> {
    // The heads first: while the last of the links is there, somebody comes back.
    for kind in [keyspace::SIGNED, keyspace::LINK] {
        loop {
            let limit = TOGETHER.min(MOST_REMOVED.saturating_sub(done.removed));
            if limit == 0 {
                return Ok(true);
            }
            let removed = remove_some(domain, chain, (kind, upto, limit), now).await?;
            done.removed += removed;
            if removed < limit {
                break;
            }
        }
    }
    Ok(false)
}

/// Removes the first records of a kind whose numbers are not above `upto`.
async fn remove_some(
    domain: &Domain,
    chain: &Chain,
    (kind, upto, limit): (Kind, u64, usize),
    now: Timestamp,
) -> Result<usize, Error> {
    let (partition, mut after, mut old) = (keyspace::of_chain(chain), Some(Vec::new()), Vec::new());
    let most = format!("{upto:016x}").into_bytes();
    while let Some(behind) = after.filter(|_| old.len() < limit) {
        let page =
            domain.store.scan(&partition, kind, Some(&behind), limit - old.len(), now).await?;
        let is_over = page.entries.iter().any(|(id, _)| id.as_ref() > most.as_slice());
        let ids = page.entries.iter().map(|(id, _)| id).filter(|id| id.as_ref() <= most.as_slice());
        old.extend(ids.map(|id| Key::new(&partition, kind, id)));
        after = page.next.filter(|_| !is_over).map(Into::into);
    }
    if !old.is_empty() {
        let gone = domain.store.transact(&partition, &[], now, |txn| {
            old.iter().try_for_each(|key| txn.delete(key)).map_err(Error::from)
        });
        gone.await?;
    }
    Ok(old.len())
}

/// The link behind which a chain begins.
fn begin_of(checkpoint: Option<&Checkpoint>) -> Head {
    let nothing = Head { seq: 0, chained_at: Timestamp::from_millis(0), hash: NO_HASH.to_owned() };
    checkpoint.map_or(nothing, Checkpoint::end)
}

/// `None` for a chain without links.
async fn ends(domain: &Domain, chain: &Chain, now: Timestamp) -> Result<Option<Ends>, Error> {
    let keys = [keyspace::head(chain), keyspace::checkpoint(chain)];
    let found = domain.store.get_many(&keys, now).await?;
    let ([head_key, checkpoint_key], [head, checkpoint]) = (&keys, found.as_slice()) else {
        return Ok(None);
    };
    let head = Head::decode_optional(head_key, head.as_ref())?;
    let checkpoint = Checkpoint::decode_optional(checkpoint_key, checkpoint.as_ref())?;
    Ok(head.map(|head| Ends { head, checkpoint }))
}

/// Where a chain begins and ends, by number: behind the first and with the second.
pub(super) async fn bounds(
    domain: &Domain,
    chain: &Chain,
    now: Timestamp,
) -> Result<(Option<Checkpoint>, u64), Error> {
    let ends = ends(domain, chain, now).await?;
    Ok(ends.map_or((None, 0), |ends| (ends.checkpoint, ends.head.seq)))
}

/// The checkpoint of a chain, if events of it were removed.
pub(super) async fn find(
    domain: &Domain,
    chain: &Chain,
    now: Timestamp,
) -> Result<Option<Checkpoint>, Error> {
    let key = keyspace::checkpoint(chain);
    let stored = domain.store.get(&key, now).await?;
    Ok(Checkpoint::decode_optional(&key, stored.as_ref())?)
}

#[cfg(test)]
mod tests;

//! How is something changed in one partition, together with its audit event?
//!
//! Invariant: both are committed in one transaction, so that neither exists alone, wherever a process dies.
//! For what is done to the deployment, to users and to mails; changes of a tenant are made by
//! `tenancy::administer`, which also admits whoever makes them, and operations of several partitions leave
//! their notes themselves.
//!
//! Spec: Authorization, "Audit". Why: docs/decisions/0024.

use tikti_store::{Key, Txn};

use super::{Chain, Draft, NotePlace, deliver, note};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::fence;
use crate::intent::{self, Changing, Work};
use crate::keyspace;
use crate::tenancy::administer::Done;

/// Makes one change in the partition of `place`, with its audit event. `work` may run several times, and has
/// no effect but its transaction, which has declared `keys`.
///
/// The caller decides whether it may happen.
///
/// # Errors
/// What `work` refuses; `CONFLICT` where it took longer than a minute; the store's: then the change may or
/// may not have happened.
pub(crate) async fn change<T: Send>(
    domain: &Domain,
    (place, keys): (NotePlace, &[Key]),
    (chain, draft): (&Chain, &Draft),
    now: Timestamp,
    work: impl Fn(&mut Txn) -> Result<Done<T>, Error> + Send + Sync,
) -> Result<T, Error> {
    let told = |_: &T| draft.clone();
    change_and_tell(domain, (place, keys), (chain, told), now, work).await
}

/// As [`change`], where only the change itself shows what there is to tell of it.
///
/// # Errors
/// Those of [`change`].
pub(crate) async fn change_and_tell<T: Send>(
    domain: &Domain,
    (place, keys): (NotePlace, &[Key]),
    (chain, draft): (&Chain, impl Fn(&T) -> Draft + Send + Sync),
    now: Timestamp,
    work: impl Fn(&mut Txn) -> Result<Done<T>, Error> + Send + Sync,
) -> Result<T, Error> {
    let partition = place.partition();
    let operation = intent::begin(domain, Work::Change(Changing { place }), now).await?;
    let mut reads = keys.to_vec();
    reads.push(keyspace::fence(&partition, &operation));
    let outcome = domain
        .store
        .transact(&partition, &reads, now, |txn| {
            fence::check(txn, &partition, &operation)?;
            match work(txn)? {
                Done::Same(same) => Ok(same),
                Done::Changed(changed) => {
                    note(txn, &partition, &operation, (chain, &draft(&changed)), now)?;
                    Ok::<_, Error>(changed)
                }
            }
        })
        .await;
    if matches!(outcome, Ok(_) | Err(Error::Refused(_))) {
        let delivered = deliver(domain, &operation, &partition, now).await;
        let ended = match delivered {
            Ok(()) => intent::end(domain, &operation).await,
            Err(error) => Err(error),
        };
        intent::rest(&operation, ended);
    }
    outcome
}

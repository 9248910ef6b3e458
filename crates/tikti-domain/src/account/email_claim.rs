//! Whose is an address?
//!
//! The claim in partition `e:` names a user, and it counts while that user's record bears the
//! address. It carries the operation that made it, so that an operation frees its own claim and
//! never a later one of the same user.
//!
//! Who wants an address that is claimed, but not borne, first makes sure that the operation behind
//! the claim adds nothing any more: a tombstone where the user does not exist yet, a fence at a user
//! who lives or whose id was given. Only then is the claim taken over.
//!
//! Spec: Domain, rule 1. Why claims heal themselves: docs/decisions/0008, 0015.

use crate::claim::{self, Claimed, Owner};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error};
use crate::fence;
use crate::keyspace;
use crate::record::{Lasting, Record};
use crate::user::{EmailClaim, User};

/// Claims an address, over a claim that its owner lost if need be.
///
/// # Errors
/// `EMAIL_EXISTS`; the store's.
pub(super) async fn claim_email(
    domain: &Domain,
    email: &Email,
    ours: &EmailClaim,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::email_claim(email);
    let lost = match claim::put(domain, &key, ours, now).await? {
        Claimed::Ours => return Ok(()),
        Claimed::Held { by, stored } if is_lost(domain, email, &by, now).await? => stored,
        Claimed::Held { .. } | Claimed::Moving => return Err(Code::EmailExists.into()),
    };
    match claim::take_over(domain, &key, &lost, ours, now).await? {
        true => Ok(()),
        false => Err(Code::EmailExists.into()),
    }
}

/// Whether the user whom the claim names does not bear the address and never will by this claim.
async fn is_lost(
    domain: &Domain,
    email: &Email,
    claim: &EmailClaim,
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::user(&claim.user_id);
    // An id that was given may be given again: the fence alone keeps its operation away.
    if !claim.given_id {
        match claim::settle::<User>(domain, &key, now).await? {
            Owner::Buried | Owner::Found(Lasting::Tombstone(_)) => return Ok(true),
            Owner::Found(Lasting::Live(user)) if user.bears(email) => return Ok(false),
            Owner::Found(Lasting::Live(_)) => {}
        }
    }
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            let user = User::load(&key, txn.get(&key)?)?;
            if user.is_some_and(|user| user.bears(email)) {
                return Ok(false);
            }
            fence::put(txn, partition, &claim.token, now)?;
            Ok::<_, Error>(true)
        })
        .await
}

/// Frees an address that is still claimed by this very claim.
pub(super) async fn release_email(
    domain: &Domain,
    email: &Email,
    ours: &EmailClaim,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::email_claim(email);
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let stored = EmailClaim::decode_optional(&key, txn.get(&key)?)?;
            if stored.is_some_and(|stored| stored.is_that_of(ours)) {
                txn.delete(&key)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

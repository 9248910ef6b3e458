//! Whose is an address?
//!
//! The claim in partition `e:` names a user, and it counts while that user's record bears the
//! address. It carries the operation that made it, so that an operation frees its own claim and
//! never a later one of the same user.
//!
//! Who wants an address that is claimed, but not borne, first makes sure that the operation behind
//! the claim adds nothing any more: a tombstone where the user does not exist yet, a fence at a user
//! who lives or whose id was given. Only then is the claim taken over. An address that its user may take
//! back is kept from others while he lives, by the claim itself and for as long as that says.
//!
//! Spec: Domain, rule 1. Why it is kept: docs/decisions/0026. Why claims heal themselves: docs/decisions/0008, 0015.

use tikti_store::Entry;

use crate::claim::{self, Claimed, Owner};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::UserId;
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
    let (lost, is_to_be_kept) = match claim::put(domain, &key, ours, now).await? {
        Claimed::Ours => return Ok(()),
        Claimed::Held { by, stored }
            if is_lost(domain, email, (&by, &ours.user_id), now).await? =>
        {
            let was_kept = by.keep || by.kept_until.is_some();
            (stored, was_kept && by.user_id == ours.user_id)
        }
        Claimed::Held { .. } | Claimed::Moving => return Err(Code::EmailExists.into()),
    };
    let ours = EmailClaim { keep: is_to_be_kept, ..ours.clone() };
    match claim::take_over(domain, &key, &lost, &ours, now).await? {
        true => Ok(()),
        false => Err(Code::EmailExists.into()),
    }
}

/// Whether the user whom the claim names does not bear the address and never will by this claim, nor has
/// it kept from `other`.
async fn is_lost(
    domain: &Domain,
    email: &Email,
    (claim, other): (&EmailClaim, &UserId),
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::user(&claim.user_id);
    let is_kept = claim.is_kept_from(other, now);
    // An id that was given may be given again: the fence alone keeps its operation away.
    if !claim.given_id {
        match claim::settle::<User>(domain, &key, now).await? {
            Owner::Buried | Owner::Found(Lasting::Tombstone(_)) => return Ok(true),
            Owner::Found(Lasting::Live(user)) if is_kept || user.holds(email) => return Ok(false),
            Owner::Found(Lasting::Live(_)) => {}
        }
    }
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            let user = User::load(&key, txn.get(&key)?)?;
            if user.is_some_and(|user| is_kept || user.holds(email)) {
                return Ok(false);
            }
            fence::put(txn, partition, &claim.token, now)?;
            Ok::<_, Error>(true)
        })
        .await
}

/// Frees an address that a living user has left, or did not get, if it is still claimed by this very
/// claim; or keeps it from others until `until`, if it is to be or was before. Then it is free without
/// anybody's doing.
pub(super) async fn let_go(
    domain: &Domain,
    email: &Email,
    (ours, is_to_be_kept): (&EmailClaim, bool),
    (until, now): (Timestamp, Timestamp),
) -> Result<(), Error> {
    let key = keyspace::email_claim(email);
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let stored = EmailClaim::decode_optional(&key, txn.get(&key)?)?;
            // Kept once only: a repeated call does not prolong it.
            let ours = stored.filter(|it| it.is_that_of(ours) && it.kept_until.is_none());
            match ours {
                None => {}
                Some(claim) if is_to_be_kept || claim.keep => {
                    let kept = EmailClaim { kept_until: Some(until), ..claim };
                    txn.put(&key, Entry::new(&kept.encode()?).expires_at(until))?;
                }
                Some(_) => txn.delete(&key)?,
            }
            Ok::<_, Error>(())
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

//! Gives a user another address: the old one is free only after the new one is theirs.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. claim the new address | the new address is claimed, the user bears the old one |
//! | 3. in the user's record: the new address, not verified | the user bears the new one, both are claimed |
//! | 4. free the old address, or the new one where step 3 did not happen | done |
//!
//! An address is a user's only while the record bears it: before step 3 the new one signs nobody in,
//! after it the old one does not.
//!
//! Spec: Domain, rule 1. Why: docs/decisions/0015.

use tikti_store::Entry;

use super::email_claim::{claim_email, release_email};
use super::sign_in::find_by_email;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::intent::{self, ChangingEmail, Work};
use crate::keyspace;
use crate::oob_code::{OobCode, OobType};
use crate::record::{Lasting, Record};
use crate::user::{EmailClaim, User};

/// Gives a user another address, not verified yet. Says nothing where the user bears it already.
///
/// The caller decides whether it may happen, and tells the old address.
///
/// # Errors
/// `USER_NOT_FOUND`, `EMAIL_EXISTS`; `CONFLICT` where the address changed at the same moment; the
/// store's: then the change may still happen, or be undone, within minutes.
///
/// Spec: Domain, rule 1; HTTP API, `update`.
pub async fn change_email(
    domain: &Domain,
    user_id: &UserId,
    to: &Email,
    now: Timestamp,
) -> Result<User, Error> {
    change_email_to(domain, user_id, &NewAddress { to, by: None }, now).await
}

/// An address that a user is to get.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewAddress<'a> {
    to: &'a Email,
    /// The code that proves that mail there reaches the user, where there is one.
    by: Option<&'a OobCode>,
}

impl<'a> NewAddress<'a> {
    /// The address that a code speaks of.
    pub(super) fn by(code: &'a OobCode, to: &'a Email) -> Self {
        Self { to, by: Some(code) }
    }

    /// Whether the user is still one who may get it.
    fn check(&self, user: &User) -> Result<(), Code> {
        match self.by {
            Some(code) if !code.fits(user) => Err(Code::InvalidOobCode),
            Some(_) | None => Ok(()),
        }
    }

    /// What else changes in the user's record with the address.
    fn apply(&self, user: &mut User, now: Timestamp) {
        user.email_verified = self.by.is_some();
        user.email_changes = user.email_changes.saturating_add(1);
        if let Some(code) = self.by.filter(|code| code.kind == OobType::RecoverEmail) {
            // Whoever had taken the account is out, with what he could have changed it back with.
            user.ver = user.next_version(now);
            user.recovered_at = Some(now);
            user.recoveries.add(code.change, user.email_changes, now);
        }
    }
}

/// Gives a user another address, as [`change_email`] does; verified where a code proves it.
///
/// # Errors
/// As [`change_email`]; `INVALID_OOB_CODE` where the user is not as the code says any more.
pub(super) async fn change_email_to(
    domain: &Domain,
    user_id: &UserId,
    address: &NewAddress<'_>,
    now: Timestamp,
) -> Result<User, Error> {
    let to = address.to;
    let user = load_user(domain, user_id, now).await?;
    if user.bears(to) {
        return Ok(user);
    }
    // Before anything is written: most addresses that are taken are seen to be.
    if find_by_email(domain, to, now).await?.is_some() {
        return Err(Code::EmailExists.into());
    }
    let work = ChangingEmail {
        user_id: user.id,
        from: user.email,
        from_claim: user.email_claim,
        to: to.clone(),
    };
    let operation = intent::begin(domain, Work::ChangeEmail(work.clone()), now).await?;
    let outcome = change(domain, &operation, (&work, address), now).await;
    if matches!(outcome, Ok(_) | Err(Error::Refused(_))) {
        intent::rest(&operation, settle(domain, &operation, &work, now).await);
    }
    outcome
}

/// Reads a user who lives.
///
/// # Errors
/// `USER_NOT_FOUND`; the store's.
pub(super) async fn load_user(domain: &Domain, id: &UserId, now: Timestamp) -> Result<User, Error> {
    let key = keyspace::user(id);
    let stored = domain.store.get(&key, now).await?;
    Ok(User::load(&key, stored.as_ref())?.ok_or(Code::UserNotFound)?)
}

/// Steps 2 and 3.
async fn change(
    domain: &Domain,
    operation: &OperationId,
    (work, address): (&ChangingEmail, &NewAddress<'_>),
    now: Timestamp,
) -> Result<User, Error> {
    let ours = EmailClaim::new(&work.user_id, operation);
    claim_email(domain, &work.to, &ours, now).await?;
    let key = keyspace::user(&work.user_id);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            let mut user = User::load(&key, txn.get(&key)?)?.ok_or(Code::UserNotFound)?;
            if user.email_claim != work.from_claim || user.email != work.from {
                let message = "the address changed at the same moment: read again";
                return Err(Refusal::new(Code::Conflict, message).into());
            }
            address.check(&user)?;
            user.email = Some(work.to.clone());
            user.email_claim = operation.clone();
            address.apply(&mut user, now);
            txn.put(&key, Entry::new(&Lasting::Live(user.clone()).encode()?))?;
            Ok::<_, Error>(user)
        })
        .await
}

/// Frees whichever address the user does not bear, and sees to it that this does not change again by
/// this operation. May be repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &ChangingEmail,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user(&work.user_id);
    let partition = key.partition();
    let reads = [key.clone()];
    // A claim that a user has left is never borne again: the same address would be claimed anew.
    let borne: Option<OperationId> = domain
        .store
        .transact(partition, &reads, now, |txn| {
            let user = User::load(&key, txn.get(&key)?)?;
            let borne = user.map(|user| user.email_claim);
            if borne.as_ref() != Some(operation) {
                fence::put(txn, partition, operation, now)?;
            }
            Ok::<_, Error>(borne)
        })
        .await?;
    let claim = |token: &OperationId| EmailClaim::new(&work.user_id, token);
    if let Some(from) = &work.from
        && borne.as_ref() != Some(&work.from_claim)
    {
        release_email(domain, from, &claim(&work.from_claim), now).await?;
    }
    if borne.as_ref() != Some(operation) {
        release_email(domain, &work.to, &claim(operation), now).await?;
    }
    intent::end(domain, operation).await
}

//! Gives a user another address: the old one is free only after the new one is theirs.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. claim the new address | the new address is claimed, the user bears the old one |
//! | 3. in the user's record: the new address, not verified | the user bears the new one, both are claimed |
//! | 4. free the old address, or keep it for the user to take back; or free the new one where step 3 did not happen | the mail is not queued |
//! | 5. queue the mail that tells it | the mail goes out, once more perhaps |
//!
//! An address is a user's only while the record bears it: before step 3 the new one signs nobody in,
//! after it the old one does not.
//!
//! No address changes in silence: step 3 writes into the user's record what is to be told, step 5 takes
//! it out again, and there is no further change before that. The sweep does what step 5 did not. An address
//! that was the user's by more than his own word is nobody else's for as long as the mail's code lives.
//!
//! Spec: Domain, rule 1; HTTP API, `update`. Why: docs/decisions/0015, 0026.

use tikti_store::{Entry, Key};

use super::email_claim::{claim_email, let_go, release_email};
use super::own::Own;
use super::send_oob_code::{send_recovery, send_reset};
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
use crate::session::Session;
use crate::user::{EmailClaim, Untold, User};

/// Gives a user another address, not verified yet, and tells the old one. Says nothing where the user
/// bears it already.
///
/// The caller decides whether it may happen.
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
    change_email_to(domain, user_id, &NewAddress { to, by: By::Caller }, now).await
}

/// An address that a user is to get.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewAddress<'a> {
    to: &'a Email,
    by: By<'a>,
}

/// By which right a user gets an address: it is looked at again where the change is decided.
#[derive(Clone, Copy, Debug)]
enum By<'a> {
    /// The caller has seen to it.
    Caller,
    /// Whoever holds the account.
    Holder(&'a Own),
    /// A code, which proves that mail there reaches the user.
    Code(&'a OobCode),
}

impl<'a> NewAddress<'a> {
    /// The address that a code speaks of.
    pub(super) fn by(code: &'a OobCode, to: &'a Email) -> Self {
        Self { to, by: By::Code(code) }
    }

    /// The address that an account's holder wants.
    pub(super) fn of(own: &'a Own, to: &'a Email) -> Self {
        Self { to, by: By::Holder(own) }
    }

    /// Whether it is an old address that comes back.
    fn is_recovery(&self) -> bool {
        matches!(self.by, By::Code(code) if code.kind == OobType::RecoverEmail)
    }

    /// The session that it is asked for in.
    fn session(&self) -> Option<Key> {
        match self.by {
            By::Holder(own) => Some(keyspace::session(&own.user.id, &own.session.id)),
            By::Caller | By::Code(_) => None,
        }
    }

    /// Whether the user is still one who may get it.
    fn check(&self, user: &User, session: Option<&Session>) -> Result<(), Code> {
        match self.by {
            By::Code(code) if !code.fits(user) => Err(Code::InvalidOobCode),
            By::Holder(own) => own.check_still(user, session),
            By::Code(_) | By::Caller => Ok(()),
        }
    }

    /// What else changes in the user's record with the address.
    fn apply(&self, user: &mut User, from: Option<&Email>, now: Timestamp) {
        user.email_changes = user.email_changes.saturating_add(1);
        user.email_verified = matches!(self.by, By::Code(_));
        user.untold = from.cloned().map(Untold::Left);
        if let By::Code(code) = self.by
            && code.kind == OobType::RecoverEmail
        {
            // Whoever had taken the account is out, with what he could have changed it back with, and
            // with the password: he has set it, or knows it.
            user.ver = user.next_version(now);
            user.password_hash = None;
            user.untold = Some(Untold::Recovered);
            user.recovered_at = Some(now);
            user.recoveries.add(code.change, user.email_changes, now);
        }
    }
}

/// Gives a user another address, as [`change_email`] does; verified where a code proves it.
///
/// # Errors
/// As [`change_email`]; `INVALID_OOB_CODE` where the user is not as the code says any more;
/// `TOKEN_REVOKED`, `USER_DISABLED` where he does not hold the account any more.
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
    // The change before has not come to its end: nobody is told yet, nor the old address kept.
    if user.untold.is_some() {
        return Err(changed_meanwhile());
    }
    let keeps = user.has_proper_email() && !address.is_recovery();
    let work = ChangingEmail {
        user_id: user.id,
        from: user.email,
        from_claim: user.email_claim,
        keeps,
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
    let session_key = address.session();
    let mut reads = vec![key.clone(), keyspace::fence(partition, operation)];
    reads.extend(session_key.clone());
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            let mut user = User::load(&key, txn.get(&key)?)?.ok_or(Code::UserNotFound)?;
            let session = match &session_key {
                None => None,
                Some(key) => Session::decode_optional(key, txn.get(key)?)?,
            };
            address.check(&user, session.as_ref())?;
            let is_as_seen = user.email_claim == work.from_claim && user.email == work.from;
            if !is_as_seen || user.untold.is_some() {
                return Err(changed_meanwhile());
            }
            user.email = Some(work.to.clone());
            user.email_claim = operation.clone();
            address.apply(&mut user, work.from.as_ref(), now);
            txn.put(&key, Entry::new(&Lasting::Live(user.clone()).encode()?))?;
            Ok::<_, Error>(user)
        })
        .await
}

fn changed_meanwhile() -> Error {
    let message = "the address changed at the same moment: read again";
    Refusal::new(Code::Conflict, message).into()
}

/// Step 5, where the user bears the address of this operation: queues the mail, then forgets that it was
/// to be. Whoever dies between leaves it to be queued once more. May be repeated, at any time.
async fn tell(
    domain: &Domain,
    user_id: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user(user_id);
    let stored = domain.store.get(&key, now).await?;
    let user = User::load(&key, stored.as_ref())?.filter(|user| user.email_claim == *operation);
    let Some(user) = user else { return Ok(()) };
    match &user.untold {
        None => return Ok(()),
        Some(Untold::Left(old)) => send_recovery(domain, &user, old, now).await?,
        Some(Untold::Recovered) => send_reset(domain, &user, now).await?,
    }
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let user = User::load(&key, txn.get(&key)?)?;
            let user = user.filter(|user| user.email_claim == *operation && user.untold.is_some());
            if let Some(mut user) = user {
                user.untold = None;
                txn.put(&key, Entry::new(&Lasting::Live(user).encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Frees or keeps whichever address the user does not bear, sees to it that this does not change
/// again by this operation, and to the mail. May be repeated, at any time.
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
    let until = now.plus_millis(OobType::RecoverEmail.life_millis());
    let free = async |email: &Email, token: &OperationId, keeps: bool| {
        let claim = EmailClaim::new(&work.user_id, token);
        match &borne {
            Some(_) => let_go(domain, email, (&claim, keeps), (until, now)).await,
            // Nobody is left who could take it back.
            None => release_email(domain, email, &claim, now).await,
        }
    };
    if let Some(from) = &work.from
        && borne.as_ref() != Some(&work.from_claim)
    {
        free(from, &work.from_claim, work.keeps).await?;
    }
    if borne.as_ref() != Some(operation) {
        free(&work.to, operation, false).await?;
    }
    // Last: until then the user's record keeps others from the address that he has left.
    tell(domain, &work.user_id, operation, now).await?;
    intent::end(domain, operation).await
}

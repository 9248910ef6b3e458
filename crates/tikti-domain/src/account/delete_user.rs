//! Deletes a user: access is cut at once, the rest is swept.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed; the sweep goes on |
//! | 2. leave the tenants, while each keeps somebody who administers it; else be refused, behind a fence | somebody who is not relied on, and the sweep goes on; or a refusal, and the sweep ends it |
//! | 3. administrators: leave the set, while another one lives; else be refused, behind a fence | as before |
//! | 4. a tombstone in place of the user, with the audit note | nothing signs in any more; the rest is swept |
//! | 5. the note to its chain, memberships with their entries, sessions, revoked tokens, the directory's entry, the claim on the address | done |
//!
//! A deletion that was refused never happens: each refusal is remembered behind a fence for all who carry
//! the deletion on. Where an intent could not be removed afterwards it is only removed, once its user
//! counts again in his tenants.
//!
//! Memberships and sessions are only added in a transaction that reads the user, so that after step
//! 4 their lists are complete.
//!
//! Spec: Domain, rule 4. Why: docs/decisions/0015, 0032.

use tikti_store::Entry;

use super::admins;
use super::change_email::load_user;
use super::directory;
use super::email_claim::release_email;
use super::leave_tenants;
use crate::audit::{self, Chain, Draft};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::intent::{self, DeletingUser, Work};
use crate::keyspace;
use crate::purge;
use crate::record::{Cause, Lasting, Record, Tombstone};
use crate::tenancy::entries;
use crate::tenancy::seats::{self, Leave};
use crate::tenant::ListEntry;
use crate::user::{EmailClaim, GlobalRole, User};

/// Deletes a user with memberships and sessions, and frees the address. The id is never used again.
///
/// The caller decides whether it may happen. On return nothing lets the user in any more; what
/// could not be swept at once is swept within minutes.
///
/// # Errors
/// `USER_NOT_FOUND`; `LAST_ADMIN` for the last administrator, of the deployment or of a tenant, who is
/// active: then the deletion never happens; the store's: then it may still happen within minutes.
///
/// Spec: Domain, rule 4; Authorization, `LAST_ADMIN`.
pub async fn delete_user(domain: &Domain, user_id: &UserId, now: Timestamp) -> Result<(), Error> {
    let user = load_user(domain, user_id, now).await?;
    delete(domain, user, (None, None), now).await
}

/// Deletes a user, as [`delete_user`] does, for somebody of whom the audit says `draft`.
///
/// # Errors
/// As [`delete_user`].
pub(super) async fn delete_user_for(
    domain: &Domain,
    user_id: &UserId,
    draft: Draft,
    now: Timestamp,
) -> Result<(), Error> {
    let user = load_user(domain, user_id, now).await?;
    delete(domain, user, (None, Some(draft)), now).await
}

/// Deletes a user, as [`delete_user_for`] does, if he is of this version still: for his own token, which is
/// worth nothing once he is of another one.
///
/// # Errors
/// As [`delete_user`]; `TOKEN_REVOKED` for another version. An administrator is judged by it before he
/// leaves the set of them, anybody else where he dies.
pub(super) async fn delete_user_seen(
    domain: &Domain,
    user_id: &UserId,
    (ver, draft): (u64, Draft),
    now: Timestamp,
) -> Result<(), Error> {
    let user = load_user(domain, user_id, now).await?;
    if user.ver != ver {
        return Err(Code::TokenRevoked.into());
    }
    delete(domain, user, (Some(ver), Some(draft)), now).await
}

async fn delete(
    domain: &Domain,
    user: User,
    (of_version, draft): (Option<u64>, Option<Draft>),
    now: Timestamp,
) -> Result<(), Error> {
    let work = DeletingUser { of_version, draft, ..work_of(user) };
    // Before anything is written: most refusals are seen to be.
    if work.role == GlobalRole::Admin {
        admins::look_first(domain, &work.user_id, now).await?;
    }
    leave_tenants::look_first(domain, &work.user_id, now).await?;
    let operation = intent::begin(domain, Work::DeleteUser(work.clone()), now).await?;
    let mut deletion = Deletion { operation, work };
    let buried = deletion.bury(domain, now).await;
    match &buried {
        Err(Error::Refused(refusal)) if refusal.code != Code::UserNotFound => {
            intent::rest(&deletion.operation, deletion.abandon(domain, now).await);
        }
        // Whoever was quicker may have been going on with this very operation.
        Ok(()) | Err(Error::Refused(_)) => {
            intent::rest(&deletion.operation, deletion.clean(domain, now).await);
        }
        Err(_) => {}
    }
    buried
}

/// Goes on with a deletion wherever it stopped. May be repeated, at any time.
pub(crate) async fn resume(
    domain: &Domain,
    operation: &OperationId,
    work: &DeletingUser,
    now: Timestamp,
) -> Result<(), Error> {
    let mut deletion = Deletion { operation: operation.clone(), work: work.clone() };
    match deletion.bury(domain, now).await {
        Err(Error::Refused(refusal)) if refusal.code != Code::UserNotFound => {
            deletion.abandon(domain, now).await
        }
        Ok(()) | Err(Error::Refused(_)) => deletion.clean(domain, now).await,
        Err(error) => Err(error),
    }
}

fn work_of(user: User) -> DeletingUser {
    let User { id: user_id, role, email, email_claim, ver, .. } = user;
    let (first, of_version, draft) = (None, None, None);
    DeletingUser { user_id, role, email, email_claim, ver, first, of_version, draft }
}

/// A deletion under way.
struct Deletion {
    operation: OperationId,
    work: DeletingUser,
}

impl Deletion {
    /// Steps 2 to 4.
    ///
    /// # Errors
    /// `LAST_ADMIN`; `USER_NOT_FOUND` where somebody else was quicker; `TOKEN_REVOKED` for another version;
    /// `CONFLICT` where it was refused before.
    async fn bury(&mut self, domain: &Domain, now: Timestamp) -> Result<(), Error> {
        // Once: until this deletion is over he comes to count in no tenant again.
        leave_tenants::leave(domain, &self.work.user_id, self.first(), now).await?;
        loop {
            if self.work.role == GlobalRole::Admin {
                // Who is gone already must not be taken for the last one.
                load_user(domain, &self.work.user_id, now).await?;
                admins::leave(domain, &self.work.user_id, self.first(), now).await?;
            }
            let buried = put_tombstone(domain, (&self.work, self.first()), now).await?;
            let Some(mut changed) = buried else {
                return Ok(());
            };
            let is_another = self.work.of_version.is_some_and(|ver| ver != changed.ver);
            if is_another && self.work.role != GlobalRole::Admin {
                return Err(Code::TokenRevoked.into());
            }
            changed.first.get_or_insert_with(|| self.operation.clone());
            // Role or address changed: an intent has to name what the user bears at the end. Or the
            // version: who was suspended and has come back is relied on again, and has to leave again.
            let outdated = self.operation.clone();
            self.operation = intent::begin(domain, Work::DeleteUser(changed.clone()), now).await?;
            self.work = changed;
            intent::end(domain, &outdated).await?;
        }
    }

    /// The operation that was asked for, by which a refusal is remembered and the event is known.
    fn first(&self) -> &OperationId {
        self.work.first.as_ref().unwrap_or(&self.operation)
    }

    /// A refused deletion: its user counts in his tenants as before.
    async fn abandon(&self, domain: &Domain, now: Timestamp) -> Result<(), Error> {
        let user_id = &self.work.user_id;
        leave_tenants::give_up(domain, user_id, self.first(), now).await?;
        leave_tenants::come_back(domain, user_id, Some(self.first()), now).await?;
        intent::end(domain, &self.operation).await
    }

    /// Step 5: the user is dead for ever.
    async fn clean(&self, domain: &Domain, now: Timestamp) -> Result<(), Error> {
        let user_id = &self.work.user_id;
        let partition = keyspace::of_user(user_id);
        audit::deliver(domain, self.first(), &partition, now).await?;
        let list = (&partition, keyspace::MEMBERSHIP);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = purge::page(domain, list, after.as_deref(), now).await?;
            for (tenant_id, stored) in entries(&page) {
                let key = keyspace::membership_entry(user_id, &tenant_id);
                let ListEntry { token } = ListEntry::decode(&key, stored)?;
                seats::vacate(domain, &tenant_id, (user_id, &token), Leave::Anyway, now).await?;
                seats::strike(domain, user_id, (&tenant_id, &token), now).await?;
            }
            after = page.next.map(Into::into);
            if after.is_none() {
                break;
            }
        }
        purge::all(domain, (&partition, keyspace::SESSION), now).await?;
        purge::all(domain, (&partition, keyspace::DENIED), now).await?;
        directory::leave(domain, user_id).await?;
        if let Some(email) = &self.work.email {
            let claim = EmailClaim::new(user_id, &self.work.email_claim);
            release_email(domain, email, &claim, now).await?;
        }
        intent::end(domain, &self.operation).await
    }
}

/// Step 4, if the user is as `seen`; else says how the user is.
///
/// # Errors
/// `USER_NOT_FOUND`; `CONFLICT` where the operation that was asked for was refused; the store's.
async fn put_tombstone(
    domain: &Domain,
    (seen, operation): (&DeletingUser, &OperationId),
    now: Timestamp,
) -> Result<Option<DeletingUser>, Error> {
    let key = keyspace::user(&seen.user_id);
    let networks = keyspace::known_networks(&seen.user_id);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    let tombstone = Tombstone { since: now, cause: Cause::Deleted };
    let bytes = Lasting::<User>::Tombstone(tombstone).encode()?;
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            let user = User::load(&key, txn.get(&key)?)?.ok_or(Code::UserNotFound)?;
            fence::check(txn, partition, operation)?;
            let (first, of_version, draft) =
                (seen.first.clone(), seen.of_version, seen.draft.clone());
            let found = DeletingUser { first, of_version, draft, ..work_of(user) };
            if found != *seen {
                return Ok(Some(found));
            }
            txn.put(&key, Entry::new(&bytes))?;
            if let Some(draft) = &seen.draft {
                let chain = Chain::Deployment;
                audit::note(txn, key.partition(), operation, (&chain, draft), now)?;
            }
            // With it, so that no sign-in that is under way can write it again.
            txn.delete(&networks)?;
            Ok::<_, Error>(None)
        })
        .await
}

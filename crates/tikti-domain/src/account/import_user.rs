//! Takes over a user of another system, under the id that he has there.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. claim the address for the given id | the address is claimed by a user that does not exist |
//! | 3. enter the directory of users | it lists a user that does not exist |
//! | 4. write the user, if nothing stands there and nobody has given this import up | done |
//! | 5. enter the directory once more | |
//!
//! Two imports of one id write the same entry of the directory. The one that is given up removes it only
//! where no user lives and it is its own; the other one's user may come to life then, and step 5 enters him.
//!
//! As [`create_user`](super::create_user()), but for one thing: whoever gives that up leaves a tombstone
//! at the id, which nobody will ever ask for again. An import is repeated with the same id, so a fence
//! takes the tombstone's place. The id of a user who was deleted stays taken for ever.
//!
//! Spec: Domain, "User", rule 1. Why: docs/decisions/0015, 0018.

use tikti_store::Entry;

use super::directory;
use super::email_claim::{claim_email, release_email};
use super::sign_in::find_by_email;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::{OperationId, UserId};
use crate::intent::{self, ImportingUser, Work};
use crate::keyspace;
use crate::password::PasswordHash;
use crate::record::{Lasting, Record};
use crate::user::{EmailClaim, GlobalRole, User, UserStatus, parse_display_name};

/// A user of another system.
#[derive(Clone, Debug)]
pub struct ImportedUser {
    /// The id there and here.
    pub id: UserId,
    /// The address.
    pub email: Email,
    /// Whether the other system knows that the user receives mail there.
    pub email_verified: bool,
    /// A name for people.
    pub display_name: Option<String>,
    /// The hash of the password; absent for a user who sets one later.
    pub password_hash: Option<PasswordHash>,
    /// The role towards the deployment, but for `ADMIN`.
    pub role: GlobalRole,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// When the user was made there; the time of the import where that is not known.
    pub created_at: Option<Timestamp>,
    /// When the user last signed in there.
    pub last_login_at: Option<Timestamp>,
    /// Whether whoever imports makes an administrator of him next: the record says so until then, and grants nothing.
    pub is_to_rise: bool,
}

impl ImportedUser {
    /// An active user of whom nothing else is known.
    #[must_use]
    pub fn new(id: UserId, email: Email) -> Self {
        Self {
            id,
            email,
            email_verified: false,
            display_name: None,
            password_hash: None,
            role: GlobalRole::CompanyEmployee,
            status: UserStatus::Active,
            created_at: None,
            last_login_at: None,
            is_to_rise: false,
        }
    }
}

/// What became of an import.
#[derive(Debug)]
pub enum Imported {
    /// The user is new.
    Made(Box<User>),
    /// A user of this id bears this address already; nothing was changed.
    AlreadyThere(Box<User>),
}

/// Makes a user with a given id, whose address nobody else has. May be repeated: a user who is there
/// stays as he is by now.
///
/// The user has no tenant and is no administrator of the deployment. Tokens of before, should the id have any,
/// are older than the new token version. The caller decides whether it may happen.
///
/// # Errors
/// `EMAIL_EXISTS` where another user has the address; `CONFLICT` with a detail `userId` where a user of
/// this id has another address, or has been deleted; `INVALID_ARGUMENT` for the role `ADMIN`, which is given
/// to whoever is there, for a display name that cannot be taken or a time that lies in the future; `CONFLICT` without a detail where it took longer than a
/// minute; the store's: then the user may or may not be there, and the call may be repeated.
///
/// Spec: Domain, "User", rule 1.
pub async fn import_user(
    domain: &Domain,
    imported: ImportedUser,
    now: Timestamp,
) -> Result<Imported, Error> {
    let work = ImportingUser { user_id: imported.id.clone(), email: imported.email.clone() };
    let user = user_of(imported, now)?;
    // Before anything is written: what is there or taken is mostly seen to be.
    if let Some(found) = find_same(domain, &work, now).await? {
        return Ok(found);
    }
    if find_by_email(domain, &work.email, now).await?.is_some() {
        return Err(Code::EmailExists.into());
    }
    let operation = intent::begin(domain, Work::ImportUser(work.clone()), now).await?;
    let outcome = import(domain, &operation, (&work, user), now).await;
    match outcome {
        Ok(_) => {
            intent::rest(&operation, settle(domain, &operation, &work, now).await);
            outcome
        }
        Err(Error::Refused(refusal)) => {
            intent::rest(&operation, settle(domain, &operation, &work, now).await);
            // Of two imports of one user at once, both are told that he is there.
            find_same(domain, &work, now).await?.ok_or(Error::Refused(refusal))
        }
        // Nobody knows what was written: the sweep finds out.
        Err(_) => outcome,
    }
}

/// The record, but for its claim.
fn user_of(imported: ImportedUser, now: Timestamp) -> Result<User, Refusal> {
    let ImportedUser { id, email, email_verified, password_hash, role, status, .. } = imported;
    // The set of administrators would have to be entered first, as `create_user` does.
    if role == GlobalRole::Admin {
        return Err(Refusal::invalid("role", "must not be ADMIN"));
    }
    let past = |member: &str, time: Option<Timestamp>| match time {
        Some(time) if time > now => Err(Refusal::invalid(member, "must not lie in the future")),
        time => Ok(time),
    };
    let display_name = imported.display_name.as_deref();
    let display_name = display_name.map(|name| parse_display_name("displayName", name));
    // The token version is that of a user made now: the id may have been known before.
    let user = User::new(id, email, role, now);
    Ok(User {
        email_verified,
        password_hash,
        status,
        display_name: display_name.transpose()?,
        created_at: past("createdAt", imported.created_at)?.unwrap_or(now),
        last_login_at: past("lastLoginAt", imported.last_login_at)?,
        is_to_rise: imported.is_to_rise,
        ..user
    })
}

/// The user who is to be imported, where he is there already.
///
/// # Errors
/// `CONFLICT` where the id is another's.
async fn find_same(
    domain: &Domain,
    work: &ImportingUser,
    now: Timestamp,
) -> Result<Option<Imported>, Error> {
    let key = keyspace::user(&work.user_id);
    let stored = domain.store.get(&key, now).await?;
    let found = Lasting::<User>::decode_optional(&key, stored.as_ref())?;
    Ok(found.map(|found| same(found, &work.email)).transpose()?)
}

/// Whether what stands at the id is the user who is to be imported.
fn same(found: Lasting<User>, email: &Email) -> Result<Imported, Refusal> {
    match found {
        Lasting::Live(user) if user.bears(email) => Ok(Imported::AlreadyThere(Box::new(user))),
        Lasting::Live(_) | Lasting::Tombstone(_) => {
            let message =
                "the user id is taken: by a user with another address, or one who was deleted";
            Err(Refusal::new(Code::Conflict, message).detail("userId", "is taken"))
        }
    }
}

/// Steps 2 to 4.
async fn import(
    domain: &Domain,
    operation: &OperationId,
    (work, user): (&ImportingUser, User),
    now: Timestamp,
) -> Result<Imported, Error> {
    let ours = EmailClaim { given_id: true, ..EmailClaim::new(&work.user_id, operation) };
    claim_email(domain, &work.email, &ours, now).await?;
    directory::enter(domain, &work.user_id, operation, now).await?;
    let user = User { email_claim: operation.clone(), ..user };
    let bytes = Lasting::Live(user.clone()).encode()?;
    let key = keyspace::user(&user.id);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            if let Some(found) = Lasting::decode_optional(&key, txn.get(&key)?)? {
                return Ok(same(found, &work.email)?);
            }
            txn.put(&key, Entry::new(&bytes))?;
            Ok::<_, Error>(Imported::Made(Box::new(user.clone())))
        })
        .await
}

/// Leaves an import as it is where its user lives; else sees to it that it never happens, and frees the
/// address. May be repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &ImportingUser,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user(&work.user_id);
    let partition = key.partition();
    let reads = [key.clone()];
    let (is_borne, lives) = domain
        .store
        .transact(partition, &reads, now, |txn| {
            let user = User::load(&key, txn.get(&key)?)?;
            let is_borne = user.as_ref().is_some_and(|user| user.email_claim == *operation);
            if !is_borne {
                fence::put(txn, partition, operation, now)?;
            }
            Ok::<_, Error>((is_borne, user.is_some()))
        })
        .await?;
    if is_borne {
        directory::enter(domain, &work.user_id, operation, now).await?;
    } else {
        directory::withdraw(domain, (&work.user_id, lives), operation, now).await?;
        let claim = EmailClaim::new(&work.user_id, operation);
        release_email(domain, &work.email, &claim, now).await?;
    }
    intent::end(domain, operation).await
}

#[cfg(test)]
mod tests;

//! Makes a user: claim the address, then write the record.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. claim the address for a new id | the address is claimed by a user that does not exist |
//! | 3. administrators: enter the set of administrators | the set names a user that does not exist |
//! | 4. an entry in the directory of users | the directory names a user that does not exist |
//! | 5. write the user with the audit note, if nothing stands there | done, but for the note's way to its chain |
//!
//! Who gives a creation up, because the address is wanted or because it is older than a minute,
//! writes a tombstone at the user's key first, so that a late creator cannot finish step 5 any more.
//! No clock decides who owns an address, and one address never has two users.
//!
//! Spec: Domain, rule 1. Why claims heal themselves: docs/decisions/0008, 0015.

use tikti_store::Entry;

use super::admins;
use super::directory;
use super::email_claim::{claim_email, release_email};
use super::sign_in::find_by_email;
use crate::audit::{self, Chain, Draft};
use crate::claim::{self, Owner};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{OperationId, UserId};
use crate::intent::{self, CreatingUser, Work};
use crate::keyspace;
use crate::password::PasswordHash;
use crate::record::{Lasting, Record};
use crate::user::{EmailClaim, GlobalRole, User};

/// A user to be made.
#[derive(Debug)]
pub struct NewUser {
    /// The address.
    pub email: Email,
    /// The hash of the password; absent for a user who sets one later.
    pub password_hash: Option<PasswordHash>,
    /// The role towards the deployment.
    pub role: GlobalRole,
}

/// Makes a user whose address nobody else has.
///
/// The caller decides whether it may happen.
///
/// # Errors
/// `EMAIL_EXISTS`; `CONFLICT` where it took longer than a minute; the store's: then the user may or
/// may not be there.
///
/// Spec: Domain, rule 1.
pub async fn create_user(domain: &Domain, new: NewUser, now: Timestamp) -> Result<User, Error> {
    // On the heap: whoever starts a deployment holds it deep inside.
    Box::pin(make_user(domain, new, |_| None, now)).await
}

/// Makes a user, as [`create_user`] does, for somebody of whom the audit says `draft` of the new id.
///
/// # Errors
/// As [`create_user`].
pub(crate) async fn create_user_for(
    domain: &Domain,
    new: NewUser,
    draft: impl FnOnce(&UserId) -> Draft + Send,
    now: Timestamp,
) -> Result<User, Error> {
    Box::pin(make_user(domain, new, |id| Some(draft(id)), now)).await
}

async fn make_user(
    domain: &Domain,
    new: NewUser,
    draft: impl FnOnce(&UserId) -> Option<Draft> + Send,
    now: Timestamp,
) -> Result<User, Error> {
    // Before anything is written: most addresses that are taken are seen to be.
    if find_by_email(domain, &new.email, now).await?.is_some() {
        return Err(Code::EmailExists.into());
    }
    let user_id = UserId::generate(now, &domain.random)?;
    let draft = draft(&user_id);
    let work = CreatingUser { user_id, email: new.email, role: new.role };
    let operation = intent::begin(domain, Work::CreateUser(work.clone()), now).await?;
    let life = (new.password_hash, draft.as_ref());
    let outcome = create(domain, &operation, (&work, life), now).await;
    match &outcome {
        Ok(_) => intent::rest(&operation, finish(domain, &operation, &work, now).await),
        Err(Error::Refused(_)) => {
            intent::rest(&operation, settle(domain, &operation, &work, now).await);
        }
        // Nobody knows what was written: the sweep finds out.
        Err(_) => {}
    }
    outcome
}

/// Steps 2 to 5.
async fn create(
    domain: &Domain,
    operation: &OperationId,
    (work, (password_hash, draft)): (&CreatingUser, (Option<PasswordHash>, Option<&Draft>)),
    now: Timestamp,
) -> Result<User, Error> {
    claim_email(domain, &work.email, &claim_of(operation, work), now).await?;
    if work.role == GlobalRole::Admin {
        admins::enter(domain, &work.user_id, operation, now).await?;
    }
    directory::enter(domain, &work.user_id, operation, now).await?;
    let mut user = User::new(work.user_id.clone(), work.email.clone(), work.role, now);
    user.email_claim = operation.clone();
    user.password_hash = password_hash;
    let bytes = Lasting::Live(user.clone()).encode()?;
    let key = keyspace::user(&user.id);
    let (partition, reads) = (key.partition(), [key.clone()]);
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            // Somebody took this creation for dead and the address with it.
            if txn.get(&key)?.is_some() {
                return Err(Code::EmailExists.into());
            }
            txn.put(&key, Entry::new(&bytes))?;
            if let Some(draft) = draft {
                audit::note(txn, partition, operation, (&Chain::Deployment, draft), now)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(user)
}

async fn finish(
    domain: &Domain,
    operation: &OperationId,
    work: &CreatingUser,
    now: Timestamp,
) -> Result<(), Error> {
    audit::deliver(domain, operation, &keyspace::of_user(&work.user_id), now).await?;
    intent::end(domain, operation).await
}

fn claim_of(operation: &OperationId, work: &CreatingUser) -> EmailClaim {
    EmailClaim::new(&work.user_id, operation)
}

/// Leaves a creation as it is where the user lives, and tidies up after it where not, for ever. May
/// be repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &CreatingUser,
    now: Timestamp,
) -> Result<(), Error> {
    match claim::settle::<User>(domain, &keyspace::user(&work.user_id), now).await? {
        Owner::Found(Lasting::Live(_)) => {}
        Owner::Buried | Owner::Found(Lasting::Tombstone(_)) => {
            if work.role == GlobalRole::Admin {
                admins::give_up(domain, &work.user_id, operation, now).await?;
            }
            directory::give_up(domain, &work.user_id, operation, now).await?;
            release_email(domain, &work.email, &claim_of(operation, work), now).await?;
        }
    }
    finish(domain, operation, work, now).await
}

#[cfg(test)]
mod tests {
    use tikti_store::{Expected, StoreError};

    use super::*;
    use crate::testing::Fixture;

    fn new(email: &str) -> NewUser {
        let email = Email::parse(email).unwrap();
        NewUser { email, password_hash: None, role: GlobalRole::CompanyEmployee }
    }

    #[tokio::test]
    async fn an_address_has_one_user() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        create_user(domain, new("ann@example.org"), now).await.unwrap();
        let refused = create_user(domain, new("Ann@Example.org "), now).await.unwrap_err();
        assert_eq!(refused.code(), Code::EmailExists);
    }

    #[tokio::test]
    async fn of_many_at_once_one_is_made() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let mut made = 0;
        let tries = (0..20).map(|_| create_user(domain, new("ann@example.org"), now));
        for outcome in crate::testing::all(tries).await {
            match outcome {
                Ok(_) => made += 1,
                Err(error) => assert_eq!(error.code(), Code::EmailExists),
            }
        }
        assert_eq!(made, 1);
    }

    /// Everything of a creation but its last step; then its process dies.
    async fn dies(fixture: &Fixture, email: &str, role: GlobalRole) -> (OperationId, CreatingUser) {
        let (domain, now) = (&fixture.domain, fixture.now());
        let user_id = UserId::generate(now, &domain.random).unwrap();
        let work = CreatingUser { user_id, email: Email::parse(email).unwrap(), role };
        let operation = intent::begin(domain, Work::CreateUser(work.clone()), now).await.unwrap();
        let claim = claim_of(&operation, &work);
        claim_email(domain, &work.email, &claim, now).await.unwrap();
        (operation, work)
    }

    #[tokio::test]
    async fn the_claim_of_a_dead_creator_is_taken_over_and_it_never_finishes() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let role = GlobalRole::CompanyEmployee;
        let (operation, work) = dies(&fixture, "ann@example.org", role).await;

        let user = create_user(domain, new("ann@example.org"), now).await.unwrap();

        let late = create(domain, &operation, (&work, (None, None)), now).await.unwrap_err();
        assert_eq!(late.code(), Code::EmailExists);
        let key = keyspace::user(&work.user_id);
        let bytes = Lasting::Live(User::new(work.user_id, work.email.clone(), role, now)).encode();
        let entry = bytes.unwrap();
        let last = domain.store.put_if(&key, Expected::Absent, Entry::new(&entry), now).await;
        assert!(matches!(last, Err(StoreError::Conflict { .. })));
        let found = find_by_email(domain, &work.email, now).await.unwrap().unwrap();
        assert_eq!(found, user);
    }

    #[tokio::test]
    async fn a_creation_that_came_too_late_leaves_no_ghost_among_the_administrators() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let (operation, work) = dies(&fixture, "root@corp.sys", GlobalRole::Admin).await;
        admins::enter(domain, &work.user_id, &operation, now).await.unwrap();
        settle(domain, &operation, &work, now).await.unwrap();
        let alive = fixture.admin("root@corp.sys").await;
        let late = admins::enter(domain, &work.user_id, &operation, now).await.unwrap_err();
        assert_eq!(late.code(), Code::Conflict);
        let key = keyspace::admins();
        let stored = domain.store.get(&key, now).await.unwrap().unwrap();
        let admins = crate::user::Admins::decode(&key, &stored).unwrap();
        assert_eq!(admins.user_ids, [alive.id].into());
    }
}

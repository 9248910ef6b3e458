//! Makes a user: claim the address, then write the record.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. claim the address for a new id | the address is claimed by a user that does not exist |
//! | 2. administrators: enter the set of administrators | the set names a user that does not exist |
//! | 3. write the user, if nothing stands there | done |
//!
//! Who meets a claim whose user does not exist writes a tombstone at that user's key, so that its
//! late creator cannot finish step 3 any more, and only then takes the claim over. No clock
//! decides, and one address never has two users.
//!
//! Spec: Domain, rule 1. Why claims heal themselves: docs/decisions/0008.

use std::collections::BTreeSet;

use tikti_store::{Entry, Expected, StoreError, Stored};

use crate::claim::{self, Claimed, Owner};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::UserId;
use crate::keyspace;
use crate::password::PasswordHash;
use crate::record::{Lasting, Record};
use crate::user::{Admins, EmailClaim, GlobalRole, User};

/// A user to be made.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) email: Email,
    pub(crate) password_hash: Option<PasswordHash>,
    pub(crate) role: GlobalRole,
}

/// Makes a user whose address nobody else has.
///
/// # Errors
/// `EMAIL_EXISTS`; the store's.
pub(crate) async fn create_user(
    domain: &Domain,
    new: NewUser,
    now: Timestamp,
) -> Result<User, Error> {
    let id = UserId::generate(now, &domain.random)?;
    claim_email(domain, &new.email, &id, now).await?;
    if new.role == GlobalRole::Admin {
        change_admins(domain, now, |admins| admins.insert(id.clone())).await?;
    }
    let mut user = User::new(id, new.email, new.role, now);
    user.password_hash = new.password_hash;
    let bytes = Lasting::Live(user.clone()).encode()?;
    let key = keyspace::user(&user.id);
    match domain.store.put_if(&key, Expected::Absent, Entry::new(&bytes), now).await {
        Ok(()) => Ok(user),
        // Somebody took this creation for dead and the address with it.
        Err(StoreError::Conflict { .. }) => {
            change_admins(domain, now, |admins| admins.remove(&user.id)).await?;
            Err(Code::EmailExists.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Claims an address for `id`, over the claim of a creator that died if need be.
async fn claim_email(
    domain: &Domain,
    email: &Email,
    id: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::email_claim(email);
    let ours = EmailClaim { user_id: id.clone() };
    let lost = match claim::put(domain, &key, &ours, now).await? {
        Claimed::Ours => return Ok(()),
        Claimed::Held { by, stored } if is_abandoned(domain, &by.user_id, now).await? => stored,
        Claimed::Held { .. } | Claimed::Moving => return Err(Code::EmailExists.into()),
    };
    match claim::take_over(domain, &key, &lost, &ours, now).await? {
        true => Ok(()),
        false => Err(Code::EmailExists.into()),
    }
}

/// Whether the user at `id` does not live and never will.
async fn is_abandoned(domain: &Domain, id: &UserId, now: Timestamp) -> Result<bool, Error> {
    match claim::settle::<User>(domain, &keyspace::user(id), now).await? {
        Owner::Buried => {
            change_admins(domain, now, |admins| admins.remove(id)).await?;
            Ok(true)
        }
        Owner::Found(Lasting::Tombstone(_)) => Ok(true),
        Owner::Found(Lasting::Live(_)) => Ok(false),
    }
}

/// Changes the set of administrators; `change` says whether it did.
async fn change_admins(
    domain: &Domain,
    now: Timestamp,
    mut change: impl FnMut(&mut BTreeSet<UserId>) -> bool + Send,
) -> Result<(), Error> {
    let key = keyspace::admins();
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            let stored: Option<Stored> = txn.get(&key)?.cloned();
            let mut admins = Admins::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
            if change(&mut admins.user_ids) {
                txn.put(&key, Entry::new(&admins.encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

#[cfg(test)]
mod tests {
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

    #[tokio::test]
    async fn the_claim_of_a_dead_creator_is_taken_over_and_it_never_finishes() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let email = Email::parse("ann@example.org").unwrap();
        let dead = UserId::generate(now, &domain.random).unwrap();
        claim_email(domain, &email, &dead, now).await.unwrap();

        let user = create_user(domain, new("ann@example.org"), now).await.unwrap();

        assert!(is_abandoned(domain, &dead, now).await.unwrap());
        let key = keyspace::user(&dead);
        let late = Lasting::Live(User::new(dead, email, GlobalRole::CompanyEmployee, now));
        let late = late.encode().unwrap();
        let refused = domain.store.put_if(&key, Expected::Absent, Entry::new(&late), now).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })));
        assert!(!is_abandoned(domain, &user.id, now).await.unwrap());
    }

    #[tokio::test]
    async fn a_creation_that_came_too_late_leaves_no_ghost_among_the_administrators() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let email = Email::parse("root@corp.sys").unwrap();
        let dead = UserId::generate(now, &domain.random).unwrap();
        claim_email(domain, &email, &dead, now).await.unwrap();
        change_admins(domain, now, |admins| admins.insert(dead.clone())).await.unwrap();
        let alive = fixture.admin("root@corp.sys").await;
        let stored = domain.store.get(&keyspace::admins(), now).await.unwrap().unwrap();
        let admins = Admins::decode(&keyspace::admins(), &stored).unwrap();
        assert_eq!(admins.user_ids, [alive.id].into());
    }
}

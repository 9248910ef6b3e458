//! The steps that memberships are made of.
//!
//! The record `t:…/member/<user>` grants access; the entry `u:…/membership/<tenant>` lists it for its
//! user. Each entry carries a token, the operation that made it, and each membership the token of
//! the entry that it stands on. Invariant: a membership has its entry, with the same token. So
//! [`enter`] comes before the membership and [`vacate`] before [`strike`]; and an entry is replaced
//! or removed only once a fence keeps its token from being used.
//!
//! Spec: Domain, "Membership"; Storage, "what crosses partitions". Why: docs/decisions/0015.

use tikti_store::{Entry, Key, Txn};

use super::administer::{Act, Administrator};
use super::tenant_admins::{self, Becomes};
use crate::audit::{self, Chain, Draft};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{OperationId, TenantId, UserId};
use crate::keyspace;
use crate::membership::{Departure, Membership};
use crate::record::{Lasting, Record};
use crate::tenant::ListEntry;
use crate::user::User;

/// How often an entry is replaced whose token turned out to be fenced. Each time somebody else
/// removed a membership in the meantime.
pub(super) const MOST_TRIES: u32 = 8;

/// What became of a try to make a membership on an entry.
pub(super) enum Seat<T> {
    /// It is made.
    Taken(T),
    /// Nothing may be made on this entry any more.
    Fenced,
}

/// An entry of a user's list for a tenant.
pub(super) struct Entered {
    /// The token that it carries.
    pub(super) token: OperationId,
    /// Whether its user was active then, and not about to be suspended or deleted.
    pub(super) counts: bool,
}

/// Makes sure that the user's list has an entry for the tenant. One with a `fenced` token is replaced.
///
/// # Errors
/// `USER_NOT_FOUND`; `CONFLICT` where the operation was given up; the store's.
pub(super) async fn enter(
    domain: &Domain,
    operation: &OperationId,
    (tenant, user): (&TenantId, &UserId),
    fenced: Option<&OperationId>,
    now: Timestamp,
) -> Result<Entered, Error> {
    let (user_key, entry_key) = (keyspace::user(user), keyspace::membership_entry(user, tenant));
    let partition = user_key.partition();
    let reads = [user_key.clone(), entry_key.clone(), keyspace::fence(partition, operation)];
    let ours = ListEntry { token: operation.clone() }.encode()?;
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            // Only while the user lives: so the list of a dead one is complete.
            let user = User::load(&user_key, txn.get(&user_key)?)?.ok_or(Code::UserNotFound)?;
            let counts = user.may_be_relied_on();
            match ListEntry::decode_optional(&entry_key, txn.get(&entry_key)?)? {
                Some(ListEntry { token }) if Some(&token) != fenced => {
                    Ok(Entered { token, counts })
                }
                Some(_) | None => {
                    txn.put(&entry_key, Entry::new(&ours))?;
                    Ok::<_, Error>(Entered { token: operation.clone(), counts })
                }
            }
        })
        .await
}

/// On whose behalf a membership goes.
pub(crate) enum Leave<'a> {
    /// Its user or the deployment's own work: it goes in any case.
    Anyway,
    /// Somebody who administers the tenant: the last one stays, and the audit is told.
    Asked {
        operation: &'a OperationId,
        draft: &'a Draft,
        /// Who asks, where he is still there to be judged once more.
        judged: Option<(&'a Administrator, &'a Act)>,
    },
}

/// Removes the membership that stands on this entry, and sees to it that none does any more. Says
/// whether there was one. Its [`Departure`] stays.
///
/// # Errors
/// `LAST_ADMIN`, remembered for ever by the fence of the operation; what the administrator may not do;
/// `CONFLICT` where the operation was given up; the store's.
pub(crate) async fn vacate(
    domain: &Domain,
    tenant: &TenantId,
    (user, token): (&UserId, &OperationId),
    leave: Leave<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    let key = keyspace::member(tenant, user);
    let partition = key.partition();
    let mut reads = vec![key.clone(), keyspace::tenant_admins(tenant)];
    if let Leave::Asked { operation, judged, .. } = &leave {
        reads.push(keyspace::fence(partition, operation));
        let keys = judged.iter().flat_map(|(administrator, _)| administrator.keys());
        reads.extend(keys.filter(|own| *own != key));
    }
    let vacated = domain
        .store
        .transact(partition, &reads, now, |txn| {
            let sits = sits(txn, tenant, (user, token))?;
            if sits {
                if !may_leave(txn, (tenant, user), (&leave, &key), now)? {
                    return Ok(Err(Code::LastAdmin));
                }
                tenant_admins::follow(txn, (tenant, user), &Becomes::Removed)?;
                leave_behind(domain, txn, &key, now)?;
                txn.delete(&key)?;
            }
            fence::put(txn, partition, token, now)?;
            Ok::<_, Error>(Ok(sits))
        })
        .await?;
    Ok(vacated?)
}

/// Whether a member may go; tells the audit that he does. Where he is the last administrator, the refusal
/// is remembered.
fn may_leave(
    txn: &mut Txn,
    (tenant, user): (&TenantId, &UserId),
    (leave, key): (&Leave<'_>, &Key),
    now: Timestamp,
) -> Result<bool, Error> {
    let Leave::Asked { operation, draft, judged } = leave else {
        return Ok(true);
    };
    let partition = key.partition();
    fence::check(txn, partition, operation)?;
    if let Some((administrator, act)) = judged {
        let admission = administrator.readmit(txn, act.scope)?;
        let member = Membership::decode_optional(key, txn.get(key)?)?;
        admission.require_roles_taken(member.iter().flat_map(|member| &member.roles))?;
    }
    if tenant_admins::is_last(txn, (tenant, user))? {
        fence::put_for_ever(txn, partition, operation)?;
        return Ok(false);
    }
    let chain = Chain::Tenant(tenant.clone());
    audit::note(txn, partition, operation, (&chain, draft), now)?;
    Ok(true)
}

/// Keeps of the membership that was read, and is removed, what ends the sessions of before.
fn leave_behind(domain: &Domain, txn: &mut Txn, key: &Key, now: Timestamp) -> Result<(), Error> {
    if let Some(member) = Membership::decode_optional(key, txn.get(key)?)? {
        let departure = Departure::of(&member, now);
        let bytes = departure.encode()?;
        let entry = Entry::new(&bytes).expires_at(departure.forgotten_at(&domain.settings));
        txn.put(&keyspace::departed(&member.tenant_id, &member.user_id), entry)?;
    }
    Ok(())
}

/// Whether the membership that was read stands on this entry.
pub(super) fn sits(
    txn: &Txn,
    tenant: &TenantId,
    (user, token): (&UserId, &OperationId),
) -> Result<bool, Error> {
    let key = keyspace::member(tenant, user);
    let member = Membership::decode_optional(&key, txn.get(&key)?)?;
    Ok(member.is_some_and(|member| member.token == *token))
}

/// Removes the entry of the user's list, if it carries this token.
pub(crate) async fn strike(
    domain: &Domain,
    user: &UserId,
    (tenant, token): (&TenantId, &OperationId),
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::membership_entry(user, tenant);
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| strike_within(txn, user, (tenant, token)))
        .await
}

/// As [`strike`], and sees to it that the operation whose token it is adds nothing to the user's
/// partition any more.
pub(super) async fn give_up(
    domain: &Domain,
    user: &UserId,
    (tenant, operation): (&TenantId, &OperationId),
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::membership_entry(user, tenant);
    let partition = key.partition();
    let reads = [key.clone()];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::put(txn, partition, operation, now)?;
            strike_within(txn, user, (tenant, operation))
        })
        .await
}

fn strike_within(
    txn: &mut Txn,
    user: &UserId,
    (tenant, token): (&TenantId, &OperationId),
) -> Result<(), Error> {
    let key = keyspace::membership_entry(user, tenant);
    let entry = ListEntry::decode_optional(&key, txn.get(&key)?)?;
    if entry.is_some_and(|entry| entry.token == *token) {
        txn.delete(&key)?;
    }
    Ok(())
}

/// Takes a tenant that is being deleted out of a user's records: the entry, whatever its token, and
/// the default tenant.
pub(super) async fn forget_tenant(
    domain: &Domain,
    user: &UserId,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    let (user_key, entry_key) = (keyspace::user(user), keyspace::membership_entry(user, tenant));
    let reads = [user_key.clone()];
    domain
        .store
        .transact(user_key.partition(), &reads, now, |txn| {
            txn.delete(&entry_key)?;
            if let Some(mut user) = User::load(&user_key, txn.get(&user_key)?)?
                && user.default_tenant.as_ref() == Some(tenant)
            {
                user.default_tenant = None;
                txn.put(&user_key, Entry::new(&Lasting::Live(user).encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Makes the tenant the default of a user who has none and still has the membership; later ones
/// change nobody's sign-in.
pub(super) async fn prefer_first(
    domain: &Domain,
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let (user_key, entry_key) = (keyspace::user(user), keyspace::membership_entry(user, tenant));
    let reads = [user_key.clone(), entry_key.clone()];
    domain
        .store
        .transact(user_key.partition(), &reads, now, |txn| {
            if let Some(mut user) = User::load(&user_key, txn.get(&user_key)?)?
                && user.default_tenant.is_none()
                && txn.get(&entry_key)?.is_some()
            {
                user.default_tenant = Some(tenant.clone());
                txn.put(&user_key, Entry::new(&Lasting::Live(user).encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

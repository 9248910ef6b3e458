//! Adds users to a tenant and removes them.
//!
//! | step of adding | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. an entry in the user's list of memberships | the list names a membership that does not exist |
//! | 3. the membership itself, on the token of that entry, while tenant is active | done, but for the next line |
//! | 4. a user without a default tenant gets this one; an administrator who may count again does | done |
//!
//! | step of removing | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed; the sweep goes on |
//! | 2. the membership goes, a fence at its token and its departure come, together | no access any more |
//! | 3. the entry in the user's list goes, if it is still the same | done |
//!
//! Spec: Domain, "Membership", rule 2. Why: docs/decisions/0012, 0015.

use std::collections::BTreeSet;

use tikti_store::Entry;

use super::administer::{Act, Administrator};
use super::seats::{self, Entered, Leave, MOST_TRIES, Seat};
use super::tenant_admins::{self, Becomes};
use crate::audit::{self, Draft};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{OperationId, RoleName, TenantId, UserId};
use crate::intent::{self, AddingMember, RemovingMember, Work};
use crate::keyspace;
use crate::membership::{Departure, Membership};
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::tenant::{Tenant, TenantStatus};
use crate::user::User;

/// An administrator of the tenant, and what he asks for.
pub(super) type Warrant<'a> = (&'a Administrator, &'a Act);

/// Adds a user to a tenant. The first membership becomes the user's default tenant. Where he was removed
/// from it before, sessions begun until then stay cut off.
///
/// The caller decides whether it may happen, and that these roles may be given.
///
/// # Errors
/// `TENANT_NOT_FOUND`, `TENANT_DISABLED`, `USER_NOT_FOUND`, `MEMBER_EXISTS`; `CONFLICT` where it
/// took longer than a minute; the store's: then the user may or may not be a member.
///
/// Spec: Domain, "Membership"; HTTP API, "Tenant administration", members.
pub async fn add_member(
    domain: &Domain,
    tenant_id: &TenantId,
    user_id: &UserId,
    roles: BTreeSet<RoleName>,
    now: Timestamp,
) -> Result<Membership, Error> {
    add_for(domain, (tenant_id, user_id), (roles, None), now).await
}

/// As [`add_member`], for a membership that an older Tikti had: its tenant may be suspended.
///
/// # Errors
/// As [`add_member`]; `TENANT_DISABLED` only while the tenant is being deleted.
pub(crate) async fn import_member(
    domain: &Domain,
    old: Membership,
    now: Timestamp,
) -> Result<Membership, Error> {
    add_with(domain, old, (None, Open::AlsoSuspended), now).await
}

/// As [`add_member`], on behalf of an administrator of the tenant, who is judged once more at the commit.
pub(super) async fn add_for(
    domain: &Domain,
    (tenant_id, user_id): (&TenantId, &UserId),
    (roles, warrant): (BTreeSet<RoleName>, Option<Warrant<'_>>),
    now: Timestamp,
) -> Result<Membership, Error> {
    let membership = Membership::new(tenant_id.clone(), user_id.clone(), roles, now);
    add_with(domain, membership, (warrant, Open::Active), now).await
}

/// Which tenants take a member.
#[derive(Clone, Copy)]
enum Open {
    /// Those that are served.
    Active,
    /// Those that are suspended, too.
    AlsoSuspended,
}

/// On whose behalf, and into which tenants.
type Terms<'a> = (Option<Warrant<'a>>, Open);

async fn add_with(
    domain: &Domain,
    membership: Membership,
    terms: Terms<'_>,
    now: Timestamp,
) -> Result<Membership, Error> {
    let (tenant_id, user_id) = (membership.tenant_id.clone(), membership.user_id.clone());
    look_first(domain, (&tenant_id, terms.1), &user_id, now).await?;
    let work = AddingMember { tenant_id, user_id };
    let operation = intent::begin(domain, Work::AddMember(work.clone()), now).await?;
    // On the heap: it is held deep inside by whoever makes a tenant or takes an invitation.
    let outcome = Box::pin(add(domain, &operation, (&membership, terms), now)).await;
    if matches!(outcome, Ok(_) | Err(Error::Refused(_))) {
        intent::rest(&operation, settle(domain, &operation, &work, now).await);
    }
    outcome
}

/// Refuses before anything is written what most refusals are about.
async fn look_first(
    domain: &Domain,
    (tenant, into): (&TenantId, Open),
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let (tenant_key, member_key) = (keyspace::tenant(tenant), keyspace::member(tenant, user));
    let user_key = keyspace::user(user);
    let keys = vec![tenant_key.clone(), member_key.clone(), user_key.clone()];
    let reads = Reads::load(&domain.store, keys, now).await?;
    into.require(reads.find(&tenant_key)?)?;
    reads.find_live::<User>(&user_key)?.ok_or(Code::UserNotFound)?;
    match reads.find::<Membership>(&member_key)? {
        Some(_) => Err(Code::MemberExists.into()),
        None => Ok(()),
    }
}

impl Open {
    fn require(self, tenant: Option<Lasting<Tenant>>) -> Result<(), Code> {
        let tenant = tenant.and_then(Lasting::live).ok_or(Code::TenantNotFound)?;
        match (self, tenant.status) {
            (_, TenantStatus::Active) | (Self::AlsoSuspended, TenantStatus::Suspended) => Ok(()),
            (_, TenantStatus::Suspended | TenantStatus::Deleting) => Err(Code::TenantDisabled),
        }
    }
}

/// Steps 2 and 3 of adding.
async fn add(
    domain: &Domain,
    operation: &OperationId,
    (membership, terms): (&Membership, Terms<'_>),
    now: Timestamp,
) -> Result<Membership, Error> {
    let place = (&membership.tenant_id, &membership.user_id);
    let mut fenced = None;
    for _ in 0..MOST_TRIES {
        let entered = seats::enter(domain, operation, place, fenced.as_ref(), now).await?;
        match sit_down(domain, operation, (membership, &entered, terms), now).await? {
            Seat::Taken(made) => return Ok(made),
            Seat::Fenced => fenced = Some(entered.token),
        }
    }
    Err(fence::given_up())
}

/// Step 3 of adding.
async fn sit_down(
    domain: &Domain,
    operation: &OperationId,
    (membership, entered, (warrant, into)): (&Membership, &Entered, Terms<'_>),
    now: Timestamp,
) -> Result<Seat<Membership>, Error> {
    let Membership { tenant_id, user_id, .. } = membership;
    let Entered { token, counts } = entered;
    let away = (!counts).then_some(operation);
    let (key, tenant_key) = (keyspace::member(tenant_id, user_id), keyspace::tenant(tenant_id));
    let partition = key.partition();
    let mut reads = vec![
        key.clone(),
        tenant_key.clone(),
        keyspace::tenant_admins(tenant_id),
        keyspace::fence(partition, operation),
        keyspace::fence(partition, token),
        keyspace::departed(tenant_id, user_id),
    ];
    let own = warrant.iter().flat_map(|(administrator, _)| administrator.keys());
    reads.extend(own.filter(|own| ![&key, &tenant_key].contains(&own)).collect::<Vec<_>>());
    let made = Membership { token: token.clone(), ..membership.clone() };
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            into.require(Lasting::decode_optional(&tenant_key, txn.get(&tenant_key)?)?)?;
            if txn.get(&key)?.is_some() {
                return Err(Code::MemberExists.into());
            }
            if fence::stands(txn, partition, token)? {
                return Ok(Seat::Fenced);
            }
            if let Some((administrator, act)) = warrant {
                let admission = administrator.readmit(txn, act.scope)?;
                admission.require_roles_given(&made.roles, &domain.settings)?;
                administrator.note(txn, operation, (act, &admission), now)?;
            }
            let departed = keyspace::departed(tenant_id, user_id);
            let departed = Departure::decode_optional(&departed, txn.get(&departed)?)?;
            let made = departed.iter().fold(made.clone(), Membership::after);
            let becomes = Becomes::Written(&made.roles, away);
            tenant_admins::follow(txn, (tenant_id, user_id), &becomes)?;
            txn.put(&key, Entry::new(&made.encode()?))?;
            Ok::<_, Error>(Seat::Taken(made))
        })
        .await
}

/// Leaves an addition as it is where a membership stands on its entry, and tidies up after it where
/// not, for ever. May be repeated, at any time.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    work: &AddingMember,
    now: Timestamp,
) -> Result<(), Error> {
    let AddingMember { tenant_id, user_id } = work;
    let key = keyspace::member(tenant_id, user_id);
    let partition = key.partition();
    let reads = [key.clone()];
    let found = domain
        .store
        .transact(partition, &reads, now, |txn| {
            let found = Membership::decode_optional(&key, txn.get(&key)?)?;
            if found.as_ref().is_none_or(|found| found.token != *operation) {
                fence::put(txn, partition, operation, now)?;
            }
            Ok::<_, Error>(found)
        })
        .await?;
    if found.as_ref().is_none_or(|found| found.token != *operation) {
        seats::give_up(domain, user_id, (tenant_id, operation), now).await?;
    }
    // The membership may be this operation's and stand on an entry that was there before.
    if let Some(found) = found {
        seats::prefer_first(domain, tenant_id, user_id, now).await?;
        if tenant_admins::administers(&found.roles) {
            tenant_admins::count(domain, (tenant_id, user_id), now).await?;
        }
    }
    audit::deliver(domain, operation, partition, now).await?;
    intent::end(domain, operation).await
}

/// Removes a user from a tenant. His idTokens of this tenant are dead from then on.
///
/// The caller decides whether it may happen.
///
/// # Errors
/// `USER_NOT_FOUND` where the user is no member; the store's: then the removal may still happen
/// within minutes.
///
/// Spec: HTTP API, "Tenant administration", members.
pub async fn remove_member(
    domain: &Domain,
    tenant_id: &TenantId,
    user_id: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::member(tenant_id, user_id);
    let stored = domain.store.get(&key, now).await?;
    let membership = Membership::decode_optional(&key, stored.as_ref())?;
    remove_for(domain, membership.ok_or(Code::UserNotFound)?, None, now).await
}

/// As [`remove_member`], on behalf of an administrator of the tenant, who is judged once more at the
/// commit and does not remove the last one.
pub(super) async fn remove_for(
    domain: &Domain,
    membership: Membership,
    warrant: Option<(Warrant<'_>, Draft)>,
    now: Timestamp,
) -> Result<(), Error> {
    let Membership { tenant_id, user_id, token, .. } = membership;
    let (judged, draft) = warrant.unzip();
    let work = RemovingMember { tenant_id, user_id, token, draft };
    let operation = intent::begin(domain, Work::RemoveMember(work.clone()), now).await?;
    let removed = vacate(domain, &operation, (&work, judged), now).await;
    match removed {
        Ok(_) => intent::rest(&operation, clear(domain, &operation, &work, now).await),
        Err(Error::Refused(_)) => intent::rest(&operation, intent::end(domain, &operation).await),
        // Nobody knows what was written: the sweep finds out.
        Err(_) => {}
    }
    // Otherwise somebody else has removed it meanwhile.
    if removed? { Ok(()) } else { Err(Code::UserNotFound.into()) }
}

/// Step 2 of removing.
async fn vacate(
    domain: &Domain,
    operation: &OperationId,
    (work, judged): (&RemovingMember, Option<Warrant<'_>>),
    now: Timestamp,
) -> Result<bool, Error> {
    let leave = match &work.draft {
        Some(draft) => Leave::Asked { operation, draft, judged },
        None => Leave::Anyway,
    };
    seats::vacate(domain, &work.tenant_id, (&work.user_id, &work.token), leave, now).await
}

/// Goes on with a removal wherever it stopped, unless it was refused. May be repeated, at any time.
pub(crate) async fn resume(
    domain: &Domain,
    operation: &OperationId,
    work: &RemovingMember,
    now: Timestamp,
) -> Result<(), Error> {
    match vacate(domain, operation, (work, None), now).await {
        Ok(_) => clear(domain, operation, work, now).await,
        Err(Error::Refused(_)) => intent::end(domain, operation).await,
        Err(error) => Err(error),
    }
}

/// Step 3 of removing.
async fn clear(
    domain: &Domain,
    operation: &OperationId,
    work: &RemovingMember,
    now: Timestamp,
) -> Result<(), Error> {
    seats::strike(domain, &work.user_id, (&work.tenant_id, &work.token), now).await?;
    audit::deliver(domain, operation, &keyspace::of_tenant(&work.tenant_id), now).await?;
    intent::end(domain, operation).await
}

//! Where does somebody count who is about to be suspended or deleted?
//!
//! He must leave each of his tenants before, as its last active `TENANT_ADMIN` none. Invariant: between
//! [`leave`] and the write to his record, or [`give_up`], he counts nowhere and comes to count nowhere.
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. his record says that he is leaving, by this operation | he comes to count nowhere any more; the sweep goes on |
//! | 2. tenant by tenant, in the order of their ids: he is away, while another one counts; else all is given up | as before |
//!
//! Giving up is decided in his record, behind a fence for ever: whoever was told `LAST_ADMIN` is not
//! suspended or deleted by that call, whoever finds its intent. After that he comes back: he counts
//! everywhere again, if nothing else makes him leave.
//!
//! Of two who leave each other's tenants at once, the order of the tenants lets one of them pass.
//!
//! Spec: Authorization, "Administrative endpoints", `LAST_ADMIN`. Why: docs/decisions/0032; why whoever
//! counts is active: `tenancy::tenant_admins`.

use tikti_store::Entry;

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::{OperationId, TenantId, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::purge;
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::tenancy::entries;
use crate::tenancy::tenant_admins::{self, TenantAdmins};
use crate::tenant::{ListEntry, Tenant, TenantStatus};
use crate::user::User;

/// One tenant of a user's list, with what it says of him.
struct Place {
    tenant: TenantId,
    /// The token of his entry.
    token: OperationId,
    admins: TenantAdmins,
    /// Whether a membership stands on the entry.
    is_seated: bool,
    /// Whether the tenant is there, and not being deleted.
    holds: bool,
}

/// Refuses a departure that would be refused, before anything is written.
///
/// # Errors
/// `LAST_ADMIN`, naming the tenant; the store's.
pub(super) async fn look_first(
    domain: &Domain,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let (places, next) = look(domain, user, after.as_deref(), now).await?;
        for place in places {
            if place.holds && place.admins.hangs_on(user) {
                return Err(last_admin(&place.tenant));
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Makes a user leave by `operation`, the same one however often it is carried on.
///
/// # Errors
/// `LAST_ADMIN`, naming the tenant: then this operation is given up for ever; `USER_NOT_FOUND`; `CONFLICT`
/// where it was given up before; the store's.
pub(super) async fn leave(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    mark(domain, user, operation, now).await?;
    let mut after = None;
    loop {
        let (places, next) = look(domain, user, after.as_deref(), now).await?;
        // Where he is no administrator and sits already, he comes to be one only as somebody away.
        let concerned = |place: &&Place| place.admins.names(user) || !place.is_seated;
        for Place { tenant, token, .. } in places.iter().filter(concerned) {
            if !tenant_admins::step_out(domain, (tenant, user, token), operation, now).await? {
                give_up(domain, user, operation, now).await?;
                return Err(last_admin(tenant));
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Step 1.
async fn mark(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user(user);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            let mut user = User::load(&key, txn.get(&key)?)?.ok_or(Code::UserNotFound)?;
            fence::check(txn, partition, operation)?;
            if user.leaving.insert(operation.clone()) {
                txn.put(&key, Entry::new(&Lasting::Live(user).encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Decides that `operation` does nothing to the user any more, unless it has. Call [`come_back`] after it.
pub(super) async fn give_up(
    domain: &Domain,
    user: &UserId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::user(user);
    let partition = key.partition();
    let reads = [key.clone(), keyspace::fence(partition, operation)];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            if fence::stands(txn, partition, operation)? {
                return Ok(());
            }
            fence::put_for_ever(txn, partition, operation)?;
            if let Some(mut user) = User::load(&key, txn.get(&key)?)?
                && user.leaving.remove(operation)
            {
                txn.put(&key, Entry::new(&Lasting::Live(user).encode()?))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Lets a user count wherever he is away, if he is active and nothing makes him leave. May be repeated, at
/// any time. An operation that was given up puts him away nowhere after that.
///
/// # Errors
/// `CONFLICT` where others put him away over and over; the store's.
pub(super) async fn come_back(
    domain: &Domain,
    user: &UserId,
    given_up: Option<&OperationId>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let (places, next) = look(domain, user, after.as_deref(), now).await?;
        for Place { tenant, .. } in places.iter().filter(|place| place.admins.names(user)) {
            if let Some(operation) = given_up {
                tenant_admins::keep_off(domain, tenant, operation, now).await?;
            }
            tenant_admins::count(domain, (tenant, user), now).await?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// A page of the user's tenants; two round trips. Says where to go on, if there are more.
async fn look(
    domain: &Domain,
    user: &UserId,
    after: Option<&[u8]>,
    now: Timestamp,
) -> Result<(Vec<Place>, Option<Vec<u8>>), Error> {
    let partition = keyspace::of_user(user);
    let page = purge::page(domain, (&partition, keyspace::MEMBERSHIP), after, now).await?;
    let keys = entries(&page).flat_map(|(tenant, _)| {
        let member = keyspace::member(&tenant, user);
        [keyspace::tenant(&tenant), keyspace::tenant_admins(&tenant), member]
    });
    let reads = Reads::load(&domain.store, keys.collect(), now).await?;
    let mut places = Vec::new();
    for (tenant, stored) in entries(&page) {
        let key = keyspace::membership_entry(user, &tenant);
        let ListEntry { token } = ListEntry::decode(&key, stored)?;
        let member: Option<Membership> = reads.find(&keyspace::member(&tenant, user))?;
        let lives = reads.find_live::<Tenant>(&keyspace::tenant(&tenant))?;
        places.push(Place {
            admins: reads.find(&keyspace::tenant_admins(&tenant))?.unwrap_or_default(),
            is_seated: member.is_some_and(|member| member.token == token),
            holds: lives.is_some_and(|tenant| tenant.status != TenantStatus::Deleting),
            tenant,
            token,
        });
    }
    Ok((places, page.next.map(Into::into)))
}

fn last_admin(tenant: &TenantId) -> Error {
    Refusal::of(Code::LastAdmin).detail("tenantId", tenant.as_str()).into()
}

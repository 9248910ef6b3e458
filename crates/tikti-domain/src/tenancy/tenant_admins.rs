//! Who administers a tenant? Asked so that somebody always does.
//!
//! One record beside the memberships names everybody who holds `TENANT_ADMIN`: those who *count*, whose
//! users are active, and those who are *away*, suspended or about to be. Invariants: each transaction that
//! writes, changes or removes a membership keeps the record in step; and whoever counts is active. So
//! whether another one is left is known at the commit, from this record alone.
//!
//! Why whoever counts is active, although his status stands in another partition:
//!
//! - Who is to be suspended or deleted is *leaving* first: his own record says so. Then he is away in each
//!   of his tenants, then he is suspended or dead (`account::leave_tenants`).
//! - Who is away comes to count in three steps: the record is read, then his user, active and not leaving,
//!   then the record is written if he is away by the same operation still. Whoever makes him leave in
//!   between passes here after the second step, and writes its own operation.
//! - A new member counts at once if his user was active and not leaving when his entry was made. Whoever
//!   makes him leave after that finds the entry, and takes the member out or fences the entry's token.
//!
//! Nobody stays away for nothing: whoever ends what kept him away lets him count everywhere afterwards.
//!
//! Spec: Authorization, `LAST_ADMIN`. Why: docs/decisions/0032.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Txn};

use super::seats::{self, MOST_TRIES};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::fence;
use crate::id::{OperationId, RoleName, TenantId, UserId};
use crate::keyspace;
use crate::record::{Lasting, Record};
use crate::role::TENANT_ADMIN;
use crate::tenant::{Tenant, TenantStatus};
use crate::user::User;

/// Most members who hold `TENANT_ADMIN`: the record stays small.
const MOST_ADMINS: usize = 1000;

/// The members of one tenant who hold `TENANT_ADMIN`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TenantAdmins {
    /// Those who count.
    pub(crate) user_ids: BTreeSet<UserId>,
    /// Those who do not, each with the operation that made him one of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) away: BTreeMap<UserId, OperationId>,
}

impl Record for TenantAdmins {}

impl TenantAdmins {
    /// Whether the user holds `TENANT_ADMIN`.
    pub(crate) fn names(&self, user: &UserId) -> bool {
        self.user_ids.contains(user) || self.away.contains_key(user)
    }

    /// Whether somebody else counts.
    fn has_other_than(&self, user: &UserId) -> bool {
        self.user_ids.iter().any(|other| other != user)
    }

    /// Whether a tenant would be without anybody who counts, if this user counted no more.
    pub(crate) fn hangs_on(&self, user: &UserId) -> bool {
        self.user_ids.contains(user) && !self.has_other_than(user)
    }
}

/// Whether these roles make an administrator of the tenant.
pub(crate) fn administers(roles: &BTreeSet<RoleName>) -> bool {
    roles.iter().any(|role| role.as_str() == TENANT_ADMIN)
}

/// Whether this member is the last one who administers the tenant: nobody else counts. The transaction
/// must have declared the record.
pub(super) fn is_last(txn: &Txn, (tenant, user): (&TenantId, &UserId)) -> Result<bool, Error> {
    let admins = load(txn, tenant)?;
    Ok(admins.names(user) && !admins.has_other_than(user))
}

/// What becomes of a membership.
pub(super) enum Becomes<'a> {
    /// It is written with these roles. Whoever is new among those who administer the tenant is away by
    /// this operation; where none is named he counts at once.
    Written(&'a BTreeSet<RoleName>, Option<&'a OperationId>),
    /// It is removed.
    Removed,
}

/// Keeps the record in step with a membership. The transaction must have declared the record.
///
/// # Errors
/// `LIMIT_EXCEEDED` for more than a thousand.
pub(super) fn follow(
    txn: &mut Txn,
    (tenant, user): (&TenantId, &UserId),
    becomes: &Becomes<'_>,
) -> Result<(), Error> {
    let before = load(txn, tenant)?;
    let mut admins = before.clone();
    match becomes {
        Becomes::Written(roles, away) if administers(roles) => {
            if !admins.names(user) {
                match away {
                    Some(operation) => {
                        admins.away.insert(user.clone(), (*operation).clone());
                    }
                    None => {
                        admins.user_ids.insert(user.clone());
                    }
                }
            }
        }
        Becomes::Written(..) | Becomes::Removed => {
            admins.user_ids.remove(user);
            admins.away.remove(user);
        }
    }
    if admins.user_ids.len() + admins.away.len() > MOST_ADMINS {
        return Err(Code::LimitExceeded.into());
    }
    if admins != before {
        txn.put(&keyspace::tenant_admins(tenant), Entry::new(&admins.encode()?))?;
    }
    Ok(())
}

/// Puts a member away by `operation`, whose user is leaving; says whether he may. No membership is made
/// any more on the entry with this token, if none stands on it. May be repeated.
///
/// Whoever counts alone stays, unless his tenant is being deleted. Whoever is away already holds nobody
/// up.
///
/// # Errors
/// `CONFLICT` where the operation was given up; the store's.
pub(crate) async fn step_out(
    domain: &Domain,
    (tenant, user, token): (&TenantId, &UserId, &OperationId),
    operation: &OperationId,
    now: Timestamp,
) -> Result<bool, Error> {
    let (key, tenant_key) = (keyspace::tenant_admins(tenant), keyspace::tenant(tenant));
    let partition = key.partition();
    let reads = [
        key.clone(),
        tenant_key.clone(),
        keyspace::member(tenant, user),
        keyspace::fence(partition, operation),
    ];
    domain
        .store
        .transact(partition, &reads, now, |txn| {
            fence::check(txn, partition, operation)?;
            if !seats::sits(txn, tenant, (user, token))? {
                fence::put(txn, partition, token, now)?;
            }
            let mut admins = load(txn, tenant)?;
            if !admins.names(user) || admins.away.get(user) == Some(operation) {
                return Ok(true);
            }
            let lives = Lasting::<Tenant>::decode_optional(&tenant_key, txn.get(&tenant_key)?)?;
            let lives = lives.and_then(Lasting::live);
            let holds = lives.is_some_and(|tenant| tenant.status != TenantStatus::Deleting);
            if holds && admins.hangs_on(user) {
                return Ok(false);
            }
            admins.user_ids.remove(user);
            admins.away.insert(user.clone(), operation.clone());
            txn.put(&key, Entry::new(&admins.encode()?))?;
            Ok::<_, Error>(true)
        })
        .await
}

/// Sees to it that `operation` puts nobody away in this tenant any more.
pub(crate) async fn keep_off(
    domain: &Domain,
    tenant: &TenantId,
    operation: &OperationId,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_tenant(tenant);
    domain
        .store
        .transact(&partition, &[], now, |txn| fence::put(txn, &partition, operation, now))
        .await
}

/// Lets a member who is away count, if his user is active and not leaving. May be repeated, at any time.
///
/// # Errors
/// `CONFLICT` where he is put away over and over; the store's.
pub(crate) async fn count(
    domain: &Domain,
    (tenant, user): (&TenantId, &UserId),
    now: Timestamp,
) -> Result<(), Error> {
    let (key, user_key) = (keyspace::tenant_admins(tenant), keyspace::user(user));
    let partition = key.partition();
    let reads = [key.clone()];
    for _ in 0..MOST_TRIES {
        let stored = domain.store.get(&key, now).await?;
        let seen = TenantAdmins::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
        let Some(by) = seen.away.get(user) else { return Ok(()) };
        // Behind the look at the record: see above.
        let stored = domain.store.get(&user_key, now).await?;
        let found = User::load(&user_key, stored.as_ref())?;
        if !found.is_some_and(|found| found.may_be_relied_on()) {
            return Ok(());
        }
        let counts = domain
            .store
            .transact(partition, &reads, now, |txn| {
                let mut admins = load(txn, tenant)?;
                if admins.away.get(user) != Some(by) {
                    return Ok(false);
                }
                admins.away.remove(user);
                admins.user_ids.insert(user.clone());
                // A late step of what put him away must not do it again.
                fence::put(txn, partition, by, now)?;
                txn.put(&key, Entry::new(&admins.encode()?))?;
                Ok::<_, Error>(true)
            })
            .await?;
        if counts {
            return Ok(());
        }
    }
    Err(fence::given_up())
}

fn load(txn: &Txn, tenant: &TenantId) -> Result<TenantAdmins, Error> {
    let key = keyspace::tenant_admins(tenant);
    Ok(TenantAdmins::decode_optional(&key, txn.get(&key)?)?.unwrap_or_default())
}

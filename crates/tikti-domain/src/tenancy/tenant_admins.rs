//! Who administers a tenant? Asked so that somebody always does.
//!
//! The ids of the members who hold `TENANT_ADMIN` are one record beside the memberships. Invariant: each
//! transaction that writes, changes or removes a membership keeps the record in step, so that whether
//! another one is left is known at the commit, without a list.
//!
//! Spec: Authorization, `LAST_ADMIN`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Txn};

use crate::error::{Code, Error};
use crate::id::{RoleName, TenantId, UserId};
use crate::keyspace;
use crate::record::Record;
use crate::role::TENANT_ADMIN;

/// Most members who hold `TENANT_ADMIN`: the record stays small.
const MOST_ADMINS: usize = 1000;

/// The members of one tenant who hold `TENANT_ADMIN`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TenantAdmins {
    pub(crate) user_ids: BTreeSet<UserId>,
}

impl Record for TenantAdmins {}

/// Whether these roles make an administrator of the tenant.
pub(crate) fn administers(roles: &BTreeSet<RoleName>) -> bool {
    roles.iter().any(|role| role.as_str() == TENANT_ADMIN)
}

/// Whether this member is the only one left who administers the tenant. The transaction must have
/// declared the record.
pub(super) fn is_last(txn: &Txn, (tenant, user): (&TenantId, &UserId)) -> Result<bool, Error> {
    let admins = load(txn, tenant)?;
    Ok(admins.user_ids.len() == 1 && admins.user_ids.contains(user))
}

/// Keeps the record in step with a membership that is written with these roles, or removed. The
/// transaction must have declared the record.
///
/// # Errors
/// `LIMIT_EXCEEDED` for more than a thousand.
pub(super) fn follow(
    txn: &mut Txn,
    (tenant, user): (&TenantId, &UserId),
    roles: Option<&BTreeSet<RoleName>>,
) -> Result<(), Error> {
    let mut admins = load(txn, tenant)?;
    let changed = if roles.is_some_and(administers) {
        admins.user_ids.insert(user.clone())
    } else {
        admins.user_ids.remove(user)
    };
    if admins.user_ids.len() > MOST_ADMINS {
        return Err(Code::LimitExceeded.into());
    }
    if changed {
        txn.put(&keyspace::tenant_admins(tenant), Entry::new(&admins.encode()?))?;
    }
    Ok(())
}

fn load(txn: &Txn, tenant: &TenantId) -> Result<TenantAdmins, Error> {
    let key = keyspace::tenant_admins(tenant);
    Ok(TenantAdmins::decode_optional(&key, txn.get(&key)?)?.unwrap_or_default())
}

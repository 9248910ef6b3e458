//! Which tenant may become a user's default? One that he is a member of.
//!
//! To somebody who is none a tenant that does not exist, is not served, or has not him looks the same.
//!
//! Spec: HTTP API, "Tenant context at sign-in", `defaultTenantId`; attacks, row T4.

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{TenantId, TenantRef, UserId};
use crate::tenancy::{self, Standing};

/// The tenant that `reference` names, if the user holds an active membership there.
///
/// # Errors
/// `MEMBERSHIP_REQUIRED`; the store's.
pub(super) async fn require_membership(
    domain: &Domain,
    user: &UserId,
    reference: &TenantRef,
    now: Timestamp,
) -> Result<TenantId, Error> {
    let Some(tenant) = tenancy::resolve(domain, reference, now).await? else {
        return Err(Code::MembershipRequired.into());
    };
    match tenancy::standing(domain, &tenant, user, now).await? {
        Standing::Active(held) if held.tenant.bears(reference) => Ok(tenant),
        Standing::Active(_) | Standing::TenantInactive | Standing::None => {
            Err(Code::MembershipRequired.into())
        }
    }
}

//! Ends what a user was given out in one tenant; the membership itself stays.
//!
//! The version makes every token of this tenant stale, the mark keeps sessions of before from being
//! exchanged for another: one transaction does both, and a later one takes nothing back.
//!
//! Spec: Tokens and keys, "Revocation"; HTTP API, `revoke` with a tenant.

use tikti_store::Entry;

use super::administer::Done;
use crate::audit::{self, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{TenantId, UserId};
use crate::keyspace;
use crate::membership::Membership;
use crate::record::Record;

/// Revokes a membership, of which the tenant's audit says `draft`: tokens and sessions of before are of no use
/// in this tenant.
///
/// The caller decides whether it may happen.
///
/// # Errors
/// `USER_NOT_FOUND` where the user is no member; the store's.
pub(crate) async fn revoke_membership(
    domain: &Domain,
    (tenant, user): (&TenantId, &UserId),
    draft: &Draft,
    now: Timestamp,
) -> Result<Membership, Error> {
    let key = keyspace::member(tenant, user);
    let keys = [key.clone()];
    let place = (NotePlace::Tenant(tenant.clone()), &keys[..]);
    let chain = Chain::Tenant(tenant.clone());
    audit::change(domain, place, (&chain, draft), now, |txn| {
        let held = Membership::decode_optional(&key, txn.get(&key)?)?;
        let revoked = held.ok_or(Code::UserNotFound)?.revoked(now);
        txn.put(&key, Entry::new(&revoked.encode()?))?;
        Ok(Done::Changed(revoked))
    })
    .await
}

//! Sessions of a member, ended by an administrator of his tenant.

use std::collections::BTreeSet;

use secrecy::SecretString;

use crate::audit::tests::events_of;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::{TenantId, TenantRef, UserId};
use crate::keyspace;
use crate::tenancy::end_member_sessions;
use crate::testing::bearing;

/// Ends all that the member has in the tenant.
pub(super) async fn end_sessions(
    domain: &Domain,
    root: &SecretString,
    (tenant, user): (&TenantId, &UserId),
) -> Result<(), Error> {
    end_member_sessions(domain, &bearing(root), (&TenantRef::from(tenant), user)).await
}

/// The ids of the tenant's events, those that are on their way from the user among them.
pub(super) async fn events_about(
    domain: &Domain,
    (tenant, user): (&TenantId, &UserId),
    now: Timestamp,
) -> BTreeSet<String> {
    let mut ids = events_of(domain, tenant, now).await;
    let partition = keyspace::of_user(user);
    let notes = domain.store.scan(&partition, keyspace::NOTE, None, 100, now).await.unwrap();
    ids.extend(notes.entries.iter().map(|(id, _)| String::from_utf8_lossy(id).into_owned()));
    ids
}

//! The one role that operations on roles are about.

use secrecy::SecretString;

use crate::audit::tests::events_of;
use crate::domain::Domain;
use crate::error::Error;
use crate::etag::Precondition;
use crate::id::{RoleName, TenantId, TenantRef};
use crate::keyspace;
use crate::record::Record;
use crate::role::Roles;
use crate::scope::ScopeSet;
use crate::tenancy::{self, PutRole};
use crate::testing::{Fixture, bearing};

/// Its name.
pub(super) const ROLE: &str = "CLERK";

/// Makes the role of the tenant.
pub(super) async fn create_role(
    domain: &Domain,
    root: &SecretString,
    tenant: &TenantId,
) -> Result<(), Error> {
    let ask = PutRole {
        name: RoleName::parse(ROLE).unwrap(),
        permissions: ScopeSet::parse("jobs:read").unwrap(),
        precondition: Precondition::None,
    };
    let tenant = TenantRef::from(tenant);
    tenancy::create_role(domain, &bearing(root), &tenant, &ask).await.map(|_| ())
}

/// Whether the role is there; its event is, exactly once, where the role is, and nowhere else.
pub(super) async fn role_is_there(fixture: &Fixture, tenant: &TenantId) -> bool {
    let key = keyspace::roles(tenant);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
    let roles = Roles::decode_optional(&key, stored.as_ref()).unwrap().unwrap();
    let there = roles.find(&RoleName::parse(ROLE).unwrap()).is_some();
    let events = events_of(&fixture.domain, tenant, fixture.now()).await;
    assert_eq!(events.len(), usize::from(there), "{events:?}");
    there
}

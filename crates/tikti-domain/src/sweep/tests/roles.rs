//! The one role that operations on roles are about.

use secrecy::SecretString;

use crate::domain::Domain;
use crate::error::Error;
use crate::etag::Precondition;
use crate::id::{RoleName, TenantId, TenantRef};
use crate::scope::ScopeSet;
use crate::tenancy::{self, PutRole};
use crate::testing::bearing;

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

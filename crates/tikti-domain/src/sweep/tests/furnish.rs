//! What stands in a tenant besides its members, so that its deletion has something to do.

use super::api_keys;
use crate::id::TenantId;
use crate::testing::{Fixture, worker};

/// An API key and a worker for a tenant.
pub(super) async fn furnish(fixture: &Fixture, tenant: &TenantId, number: u32) {
    api_keys::put_key(fixture, tenant, number).await;
    fixture.put_worker(tenant, &worker("worker-01", fixture.now())).await;
}

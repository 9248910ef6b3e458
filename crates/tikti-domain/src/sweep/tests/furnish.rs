//! What stands in a tenant besides its members, so that its deletion has something to do.

use tikti_store::Entry;

use crate::api_key::ApiKey;
use crate::id::{ApiKeyId, TenantId};
use crate::keyspace;
use crate::record::Record;
use crate::tenant::ListEntry;
use crate::testing::{Fixture, worker};

/// An API key and a worker for a tenant.
pub(super) async fn furnish(fixture: &Fixture, tenant: &TenantId, number: u32) {
    let id = ApiKeyId::parse(&format!("key{number:05}")).unwrap();
    let entry = ListEntry::default().encode().unwrap();
    let key = keyspace::api_key_entry(tenant, &id);
    fixture.domain.store.put(&key, Entry::new(&entry), fixture.now()).await.unwrap();
    let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(tenant.clone());
    fixture.api_key(id.as_str(), &[], of_tenant).await;
    fixture.put_worker(tenant, &worker("worker-01", fixture.now())).await;
}

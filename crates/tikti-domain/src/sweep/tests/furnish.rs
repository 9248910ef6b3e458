//! What stands in a tenant besides its members, so that its deletion has something to do.

use tikti_store::Entry;

use crate::api_key::ApiKey;
use crate::id::{ApiKeyId, TenantId};
use crate::keyspace;
use crate::record::Record;
use crate::scope::ScopeSet;
use crate::tenant::ListEntry;
use crate::testing::{Fixture, worker_id};
use crate::worker::{Worker, WorkerStatus};

/// An API key and a worker for a tenant.
pub(super) async fn furnish(fixture: &Fixture, tenant: &TenantId, number: u32) {
    let id = ApiKeyId::parse(&format!("key{number:05}")).unwrap();
    let entry = ListEntry::default().encode().unwrap();
    let key = keyspace::api_key_entry(tenant, &id);
    fixture.domain.store.put(&key, Entry::new(&entry), fixture.now()).await.unwrap();
    let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(tenant.clone());
    fixture.api_key(id.as_str(), &[], of_tenant).await;
    let worker = Worker {
        id: worker_id("worker-01"),
        clients: [].into(),
        scopes: ScopeSet::default(),
        event_types: [].into(),
        mintable_by: [].into(),
        status: WorkerStatus::Active,
        wver: 1,
        created_at: fixture.now(),
    };
    fixture.put_worker(tenant, &worker).await;
}

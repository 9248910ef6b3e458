//! The keys of one tenant that operations on keys are about.

use secrecy::SecretString;

use super::world::Operation;
use crate::api_key::{ApiKey, ApiKeyStatus, KeyScope};
use crate::api_keys::{
    CreateApiKey, KeysOf, ListedKey, UpdateApiKey, create_api_key, delete_api_key, update_api_key,
};
use crate::audit::tests::events_of;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::{ApiKeyId, TenantId, TenantRef};
use crate::keyspace;
use crate::record::Record;
use crate::testing::{Fixture, bearing};

/// A key that is there before, of a name of its own.
pub(super) fn key_id(number: u32) -> ApiKeyId {
    ApiKeyId::parse(&format!("key{number:05}")).unwrap()
}

/// Puts the key there.
pub(super) async fn put_key(fixture: &Fixture, tenant: &TenantId, number: u32) {
    let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(tenant.clone());
    fixture.api_key(key_id(number).as_str(), &[KeyScope::Lookup], of_tenant).await;
}

pub(super) async fn make_key(
    domain: &Domain,
    root: &SecretString,
    tenant: &TenantId,
) -> Result<(), Error> {
    let ask = CreateApiKey { name: None, scopes: [KeyScope::Lookup].into(), expires_at: None };
    let tenant = TenantRef::from(tenant);
    create_api_key(domain, &bearing(root), (KeysOf::Tenant(&tenant), &ask)).await.map(|_| ())
}

pub(super) async fn disable_key(
    domain: &Domain,
    root: &SecretString,
    (tenant, id): (&TenantId, &ApiKeyId),
) -> Result<(), Error> {
    let status = Some(ApiKeyStatus::Disabled);
    let ask = UpdateApiKey { status, ..UpdateApiKey::default() };
    let tenant = TenantRef::from(tenant);
    let of = KeysOf::Tenant(&tenant);
    update_api_key(domain, &bearing(root), (of, id, &ask)).await.map(|_| ())
}

pub(super) async fn drop_key(
    domain: &Domain,
    root: &SecretString,
    (tenant, id): (&TenantId, &ApiKeyId),
) -> Result<(), Error> {
    let tenant = TenantRef::from(tenant);
    delete_api_key(domain, &bearing(root), (KeysOf::Tenant(&tenant), id)).await
}

/// A key as it is judged by.
async fn judged(fixture: &Fixture, id: &ApiKeyId) -> Option<ApiKey> {
    let key = keyspace::api_key(id);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
    ApiKey::decode_optional(&key, stored.as_ref()).unwrap()
}

/// The keys of a tenant as its list has them. Each change of them has its event, exactly once: `changes`
/// says how many there were, from a list.
async fn listed(
    fixture: &Fixture,
    tenant: &TenantId,
    changes: impl Fn(&[ListedKey]) -> usize,
) -> Vec<ListedKey> {
    let (partition, kind) = (keyspace::of_tenant(tenant), keyspace::API_KEY);
    let page = fixture.domain.store.scan(&partition, kind, None, 100, fixture.now()).await.unwrap();
    let mut listed = Vec::new();
    for (id, stored) in &page.entries {
        let key = tikti_store::Key::new(&partition, kind, id);
        listed.push(ListedKey::decode(&key, stored).unwrap());
    }
    let events = events_of(&fixture.domain, tenant, fixture.now()).await;
    assert_eq!(events.len(), changes(&listed), "{events:?} {listed:?}");
    listed
}

pub(super) async fn run(
    operation: Operation,
    domain: &Domain,
    root: &SecretString,
    place: (&TenantId, &ApiKeyId),
) -> Result<(), Error> {
    match operation {
        Operation::DisableKey => disable_key(domain, root, place).await,
        Operation::DeleteKey => drop_key(domain, root, place).await,
        _ => make_key(domain, root, place.0).await,
    }
}

pub(super) async fn is_done(
    operation: Operation,
    fixture: &Fixture,
    (tenant, id): (&TenantId, &ApiKeyId),
) -> bool {
    match operation {
        Operation::DisableKey => is_disabled(fixture, tenant, id).await,
        Operation::DeleteKey => is_dropped(fixture, tenant, id).await,
        _ => is_made(fixture, tenant).await,
    }
}

/// Whether a key was made, and may be used.
async fn is_made(fixture: &Fixture, tenant: &TenantId) -> bool {
    let listed = listed(fixture, tenant, <[_]>::len).await;
    let mut found = false;
    for entry in listed {
        found |= judged(fixture, &entry.key.id).await.is_some();
    }
    found
}

/// Whether the key is refused.
async fn is_dropped(fixture: &Fixture, tenant: &TenantId, id: &ApiKeyId) -> bool {
    let stand = |list: &[ListedKey]| list.iter().filter(|entry| !entry.is_going).count();
    listed(fixture, tenant, |list| 1 - stand(list)).await;
    judged(fixture, id).await.is_none()
}

/// Whether the key is there and is refused.
async fn is_disabled(fixture: &Fixture, tenant: &TenantId, id: &ApiKeyId) -> bool {
    let changes = |list: &[ListedKey]| {
        list.iter().filter(|entry| entry.key.status == ApiKeyStatus::Disabled).count()
    };
    listed(fixture, tenant, changes).await;
    judged(fixture, id).await.unwrap().status == ApiKeyStatus::Disabled
}

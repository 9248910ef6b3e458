//! Records that no route makes, or not in the state that a test needs: written as they are given.
//!
//! Only in test builds (feature `testing`).

use secrecy::SecretString;
use tikti_store::{Entry, Key, Store, StoreError};
use tikti_token::AccessClaims;

use crate::api_key::{ApiKey, ApiKeyStatus, KeyScope, parse_key_id};
use crate::api_keys::ListedKey;
use crate::client::{Client, TIKTI};
use crate::clock;
use crate::domain::Domain;
use crate::id::{self, OperationId, TenantId, UserId, WorkerId};
use crate::keyspace;
use crate::record::{Cause, Lasting, Record, Tombstone};
use crate::scope::ScopeSet;
use crate::secret::{Secrets, open};
use crate::signing_key::SigningKeys;
use crate::tenant::{Tenant, TenantStatus};
use crate::user::{User, UserStatus};
use crate::worker::Worker;

/// Stores an API key of the form `tk_<id>_<secret>` with these scopes, as `change` leaves it.
pub async fn put_api_key(
    domain: &Domain,
    text: &str,
    scopes: &[KeyScope],
    change: impl FnOnce(&mut ApiKey) + Send,
) {
    let mut record = ApiKey {
        id: parse_key_id(text).expect("an API key"),
        name: None,
        hash: domain.peppers.hash(text).expect("a pepper"),
        scopes: scopes.iter().copied().collect(),
        tenant_id: None,
        status: ApiKeyStatus::Active,
        created_at: domain.clock.now(),
        expires_at: None,
        rev: 1,
    };
    change(&mut record);
    put(domain, &keyspace::api_key(&record.id), &record).await;
    let entry = keyspace::api_key_entry(record.tenant_id.as_ref(), &record.id);
    put(domain, &entry, &ListedKey::new(record, OperationId::default())).await;
}

/// Writes a client as it is given.
pub async fn put_client(domain: &Domain, tenant: &TenantId, client: &Client) {
    put(domain, &keyspace::client(tenant, &client.id), client).await;
}

/// Writes a worker as it is given.
pub async fn put_worker(domain: &Domain, tenant: &TenantId, worker: &Worker) {
    put(domain, &keyspace::worker(tenant, &worker.id), &Lasting::Live(worker.clone())).await;
}

/// Leaves of a worker what a deletion leaves of it.
pub async fn bury_worker(domain: &Domain, tenant: &TenantId, worker: &WorkerId) {
    let tombstone = Tombstone { since: domain.clock.now(), cause: Cause::Deleted };
    put(domain, &keyspace::worker(tenant, worker), &Lasting::<Worker>::Tombstone(tombstone)).await;
}

/// Gives a tenant another status.
pub async fn set_tenant_status(domain: &Domain, tenant: &TenantId, status: TenantStatus) {
    let key = keyspace::tenant(tenant);
    let tenant: Tenant = live(domain, &key).await;
    put(domain, &key, &Lasting::Live(Tenant { status, ..tenant })).await;
}

/// Gives a user another status.
pub async fn set_user_status(domain: &Domain, user: &UserId, status: UserStatus) {
    let key = keyspace::user(user);
    let user: User = live(domain, &key).await;
    put(domain, &key, &Lasting::Live(User { status, ..user })).await;
}

/// Makes the token that a worker shows at Tikti for itself: audience `tikti`, with these scopes.
#[must_use]
pub fn worker_token(
    domain: &Domain,
    tenant: &TenantId,
    worker: &Worker,
    scopes: &ScopeSet,
) -> SecretString {
    let now = domain.clock.now();
    let issued_at = clock::seconds(now);
    let claims = AccessClaims {
        iss: domain.settings.issuer.clone(),
        aud: TIKTI.to_owned(),
        sub: worker.id.as_str().to_owned(),
        tid: tenant.as_str().to_owned(),
        scope: scopes.to_string(),
        sid: None,
        ver: None,
        mver: None,
        wver: Some(worker.wver),
        client_id: TIKTI.to_owned(),
        act: None,
        iat: issued_at,
        exp: issued_at + 900,
        jti: id::new_ulid(now, &domain.random).expect("an id"),
    };
    let typ = domain.settings.access_token_type;
    let signer = domain.signer(now).expect("a signing key");
    tikti_token::mint_access(&signer, typ, &claims).expect("a token").into()
}

/// The private signing keys of a deployment (PKCS#8), for whoever looks for them where they must not be.
///
/// # Errors
/// The store's.
pub async fn private_keys(store: &Store, secrets: &Secrets) -> Result<Vec<Vec<u8>>, StoreError> {
    let key = keyspace::signing_keys();
    let stored = store.get(&key, super::START).await?;
    let keys = SigningKeys::decode_optional(&key, stored.as_ref()).expect("a sound record");
    let sealed = keys.unwrap_or_default().keys.into_iter().filter_map(|record| {
        let context = format!("tikti signing key {}", record.kid);
        open(&secrets.master_key, &context, &record.private?)
    });
    Ok(sealed.map(|der| der.to_vec()).collect())
}

async fn live<T>(domain: &Domain, key: &Key) -> T
where
    Lasting<T>: Record,
{
    let stored = domain.store.get(key, domain.clock.now()).await.expect("the store");
    let record = Lasting::<T>::decode(key, &stored.expect("a record")).expect("a record");
    record.live().expect("a record that lives")
}

async fn put<T: Record + Sync>(domain: &Domain, key: &Key, record: &T) {
    let bytes = record.encode().expect("a record");
    domain.store.put(key, Entry::new(&bytes), domain.clock.now()).await.expect("the store");
}

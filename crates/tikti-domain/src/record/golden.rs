//! Bytes that an earlier version stored still load, and mean what they meant.
//!
//! Each file in `tests/domain/golden/` is one record as it was first stored: schema 1, JSON. A file
//! is never edited; a new schema or field gets a file of its own beside it.

use super::*;
use crate::account::KnownNetworks;
use crate::api_key::ApiKey;
use crate::api_keys::{LastUse, ListedKey};
use crate::audit::chain::{Head, Link};
use crate::audit::{Checkpoint, Note, SignedHead};
use crate::client::{Client, FormerClient};
use crate::client_credentials::UsedAssertion;
use crate::deployment::Deployment;
use crate::fence::Fence;
use crate::idempotency::GivenAnswer;
use crate::intent::Intent;
use crate::limits::Block;
use crate::mail::QueuedMail;
use crate::membership::{Departure, Membership};
use crate::oob_code::OobCode;
use crate::role::{FormerRole, Roles};
use crate::session::Session;
use crate::signing_key::SigningKeys;
use crate::tenancy::tenant_admins::TenantAdmins;
use crate::tenant::{ListEntry, NameClaim, Tenant};
use crate::user::{Admins, EmailClaim, User};
use crate::worker::Worker;

/// Loads the record and stores it again: nothing may be lost on the way.
fn loads<T: Record>(json: &str) {
    let record: T = serde_json::from_str(json).unwrap();
    let again = record.encode().unwrap();
    let (schema, stored) = again.split_first().unwrap();
    assert_eq!(*schema, 1);
    let before: serde_json::Value = serde_json::from_str(json).unwrap();
    let after: serde_json::Value = serde_json::from_slice(stored).unwrap();
    let (before, after) = (flat(&before), flat(&after));
    for (path, value) in before {
        assert_eq!(after.get(&path), Some(&value), "{path} was lost");
    }
}

/// Every leaf of a document by its path.
fn flat(value: &serde_json::Value) -> std::collections::BTreeMap<String, serde_json::Value> {
    let mut leaves = std::collections::BTreeMap::new();
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        match value {
            serde_json::Value::Object(members) => {
                open.extend(members.iter().map(|(name, value)| (format!("{path}/{name}"), value)));
            }
            serde_json::Value::Array(items) => {
                let numbered = items.iter().enumerate();
                open.extend(numbered.map(|(index, value)| (format!("{path}/{index}"), value)));
            }
            leaf => {
                leaves.insert(path, leaf.clone());
            }
        }
    }
    leaves
}

#[test]
fn records_of_schema_1_load_whole() {
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-1.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-least-1.json"));
    loads::<Lasting<Tenant>>(include_str!("../../tests/domain/golden/tenant-1.json"));
    loads::<Lasting<Tenant>>(include_str!("../../tests/domain/golden/tombstone-1.json"));
    loads::<Membership>(include_str!("../../tests/domain/golden/membership-1.json"));
    loads::<Roles>(include_str!("../../tests/domain/golden/roles-1.json"));
    loads::<Client>(include_str!("../../tests/domain/golden/client-1.json"));
    loads::<Client>(include_str!("../../tests/domain/golden/client-2.json"));
    loads::<FormerClient>(include_str!("../../tests/domain/golden/former-client-1.json"));
    loads::<FormerRole>(include_str!("../../tests/domain/golden/former-role-1.json"));
    loads::<Lasting<Worker>>(include_str!("../../tests/domain/golden/worker-1.json"));
    loads::<Lasting<Worker>>(include_str!("../../tests/domain/golden/worker-2.json"));
    loads::<Session>(include_str!("../../tests/domain/golden/session-1.json"));
    loads::<UsedAssertion>(include_str!("../../tests/domain/golden/used-assertion-1.json"));
    loads::<ApiKey>(include_str!("../../tests/domain/golden/api-key-1.json"));
    loads::<SigningKeys>(include_str!("../../tests/domain/golden/signing-keys-1.json"));
    loads::<SigningKeys>(include_str!("../../tests/domain/golden/signing-keys-2.json"));
    loads::<SigningKeys>(include_str!("../../tests/domain/golden/signing-keys-3.json"));
    loads::<Deployment>(include_str!("../../tests/domain/golden/deployment-1.json"));
    loads::<Admins>(include_str!("../../tests/domain/golden/admins-1.json"));
    loads::<EmailClaim>(include_str!("../../tests/domain/golden/email-claim-1.json"));
    loads::<NameClaim>(include_str!("../../tests/domain/golden/name-claim-1.json"));
    loads::<QueuedMail>(include_str!("../../tests/domain/golden/mail-1.json"));
    loads::<QueuedMail>(include_str!("../../tests/domain/golden/mail-least-1.json"));
    loads::<GivenAnswer>(include_str!("../../tests/domain/golden/given-answer-1.json"));
}

#[test]
fn records_of_operations_load_whole() {
    loads::<Membership>(include_str!("../../tests/domain/golden/membership-2.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-2.json"));
    loads::<EmailClaim>(include_str!("../../tests/domain/golden/email-claim-2.json"));
    loads::<EmailClaim>(include_str!("../../tests/domain/golden/email-claim-3.json"));
    loads::<EmailClaim>(include_str!("../../tests/domain/golden/email-claim-4.json"));
    loads::<EmailClaim>(include_str!("../../tests/domain/golden/email-claim-5.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-imported-1.json"));
    loads::<NameClaim>(include_str!("../../tests/domain/golden/name-claim-2.json"));
    loads::<ListEntry>(include_str!("../../tests/domain/golden/list-entry-1.json"));
    loads::<ListEntry>(include_str!("../../tests/domain/golden/list-entry-2.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/tombstone-deleted-1.json"));
    loads::<Departure>(include_str!("../../tests/domain/golden/departure-1.json"));
    loads::<Fence>(include_str!("../../tests/domain/golden/fence-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-create-user-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-import-user-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-email-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-email-2.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-delete-user-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-delete-user-2.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-create-tenant-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-create-tenant-2.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-delete-tenant-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-delete-tenant-2.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-add-member-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-remove-member-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-standing-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-mail-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-standing-told-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-delete-user-told-1.json"));
    loads::<Note>(include_str!("../../tests/domain/golden/note-1.json"));
    loads::<Link>(include_str!("../../tests/domain/golden/link-1.json"));
    loads::<Head>(include_str!("../../tests/domain/golden/head-1.json"));
    loads::<SignedHead>(include_str!("../../tests/domain/golden/signed-head-1.json"));
    loads::<Checkpoint>(include_str!("../../tests/domain/golden/checkpoint-1.json"));
    loads::<Admins>(include_str!("../../tests/domain/golden/admins-2.json"));
}

#[test]
fn records_of_api_keys_load_whole() {
    loads::<ApiKey>(include_str!("../../tests/domain/golden/api-key-2.json"));
    loads::<ListedKey>(include_str!("../../tests/domain/golden/listed-key-1.json"));
    loads::<LastUse>(include_str!("../../tests/domain/golden/last-use-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-handle-api-key-1.json"));
}

#[test]
fn records_of_who_administers_a_tenant_load_whole() {
    loads::<TenantAdmins>(include_str!("../../tests/domain/golden/tenant-admins-1.json"));
    loads::<TenantAdmins>(include_str!("../../tests/domain/golden/tenant-admins-2.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-leaving-1.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-change-standing-2.json"));
    loads::<Intent>(include_str!("../../tests/domain/golden/intent-update-member-1.json"));
}

#[test]
fn records_of_limits_load_whole() {
    loads::<Block>(include_str!("../../tests/domain/golden/block-1.json"));
    loads::<Block>(include_str!("../../tests/domain/golden/block-host-1.json"));
    loads::<KnownNetworks>(include_str!("../../tests/domain/golden/known-networks-1.json"));
}

#[test]
fn records_of_codes_load_whole() {
    loads::<OobCode>(include_str!("../../tests/domain/golden/oob-code-1.json"));
    loads::<OobCode>(include_str!("../../tests/domain/golden/oob-code-change-1.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-recovered-1.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-recovered-2.json"));
    loads::<Lasting<User>>(include_str!("../../tests/domain/golden/user-untold-1.json"));
    loads::<OobCode>(include_str!("../../tests/domain/golden/oob-code-recover-1.json"));
}

#[tokio::test]
async fn a_record_of_a_newer_schema_is_refused_and_named() {
    let fixture = crate::testing::Fixture::new().await;
    let (store, now) = (&fixture.domain.store, fixture.now());
    let key = crate::keyspace::admins();
    store.put(&key, tikti_store::Entry::new(b"\x02{\"userIds\":[]}"), now).await.unwrap();
    let stored = store.get(&key, now).await.unwrap();
    let refused = Admins::decode_optional(&key, stored.as_ref()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the record g/admins/ cannot be read: schema 2 is newer than 1: upgrade this binary first"
    );
}

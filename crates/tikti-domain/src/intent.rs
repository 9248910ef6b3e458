//! What is under way?
//!
//! An operation of several partitions writes its intent first and deletes it last. The intent holds
//! all that is needed to finish the operation or to tidy up after it. Invariant: while an operation
//! may have left something half done, its intent is there; the sweep finds it. An intent never
//! changes: who finds that it does not fit any more writes another one.
//!
//! Spec: Storage, "what crosses partitions". Why: docs/decisions/0015.

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Store, StoreError};

use crate::audit::{Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::Error;
use crate::id::{ApiKeyId, OperationId, Slug, TenantId, UserId};
use crate::keyspace;
use crate::listing::{self, ListPage};
use crate::record::Record;
use crate::user::{GlobalRole, UserChange};

/// The record of an operation under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intent {
    /// When it began.
    pub(crate) since: Timestamp,
    /// What it does.
    pub(crate) work: Work,
}

impl Record for Intent {}

/// What an operation does, with all that is needed to finish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Work {
    CreateUser(CreatingUser),
    ImportUser(ImportingUser),
    ChangeEmail(ChangingEmail),
    DeleteUser(DeletingUser),
    CreateTenant(CreatingTenant),
    DeleteTenant(DeletingTenant),
    AddMember(AddingMember),
    RemoveMember(RemovingMember),
    UpdateMember(UpdatingMember),
    ChangeStanding(ChangingStanding),
    Change(Changing),
    HandleApiKey(HandlingApiKey),
}

/// A user is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatingUser {
    pub(crate) user_id: UserId,
    pub(crate) email: Email,
    pub(crate) role: GlobalRole,
}

/// A user of another system is being taken over, under the id that he has there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportingUser {
    pub(crate) user_id: UserId,
    pub(crate) email: Email,
}

/// A user is getting another address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangingEmail {
    pub(crate) user_id: UserId,
    pub(crate) from: Option<Email>,
    /// The claim on the old address.
    pub(crate) from_claim: OperationId,
    /// Whether the old address is kept for the user, who may take it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) keeps: bool,
    pub(crate) to: Email,
}

/// A user is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletingUser {
    pub(crate) user_id: UserId,
    pub(crate) role: GlobalRole,
    pub(crate) email: Option<Email>,
    pub(crate) email_claim: OperationId,
    /// The token version: with the same one he has not become or ceased to be an active administrator.
    #[serde(default)]
    pub(crate) ver: u64,
    /// The operation that was asked for, where this one has taken its place.
    #[serde(default)]
    pub(crate) first: Option<OperationId>,
    /// The only version to delete, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of_version: Option<u64>,
    /// What the audit says of it, where somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) draft: Option<Draft>,
}

/// A tenant is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatingTenant {
    pub(crate) tenant_id: TenantId,
    pub(crate) slug: Slug,
    /// Its first administrator; absent for a tenant of an older Tikti, which brings its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) creator: Option<UserId>,
}

/// A tenant is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletingTenant {
    pub(crate) tenant_id: TenantId,
    /// What the audit of the deployment says of it, where an administrator asked for it.
    #[serde(default)]
    pub(crate) draft: Option<Draft>,
}

/// A user is getting a membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddingMember {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
}

/// A user is losing a membership: the one that stands on this entry, no later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemovingMember {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
    pub(crate) token: OperationId,
    /// What the audit says of it, where an administrator of the tenant asked for it: he does not remove
    /// the last one.
    #[serde(default)]
    pub(crate) draft: Option<Draft>,
}

/// A member is getting other roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatingMember {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
}

/// Somebody is becoming or ceasing to be active, an administrator of the deployment, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangingStanding {
    pub(crate) user_id: UserId,
    pub(crate) way: Way,
    pub(crate) change: UserChange,
    /// What the audit says of it, where somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) draft: Option<Draft>,
    /// Whether he goes through the set of administrators.
    #[serde(default = "through_the_set")]
    pub(crate) of_deployment: bool,
    /// Whether he becomes or ceases to be active, so that it matters where he administers a tenant.
    #[serde(default)]
    pub(crate) of_tenants: bool,
}

/// What an intent is about that does not say so.
const fn through_the_set() -> bool {
    true
}

/// Something is being changed in one partition, with its audit event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changing {
    pub(crate) place: NotePlace,
}

/// An API key is being made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandlingApiKey {
    /// Whose it is; absent for a key of the deployment.
    #[serde(default)]
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) key_id: ApiKeyId,
}

/// Whether a user comes to count among administrators or ceases to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Way {
    In,
    Out,
}

/// Says what is about to happen, before anything of it does.
pub(crate) async fn begin(
    domain: &Domain,
    work: Work,
    now: Timestamp,
) -> Result<OperationId, Error> {
    let operation = OperationId::generate(now, &domain.random)?;
    let bytes = Intent { since: now, work }.encode()?;
    domain.store.put(&keyspace::intent(&operation), Entry::new(&bytes), now).await?;
    Ok(operation)
}

/// Says that nothing is left to do.
pub(crate) async fn end(domain: &Domain, operation: &OperationId) -> Result<(), Error> {
    Ok(domain.store.delete(&keyspace::intent(operation)).await?)
}

/// Reads up to `limit` intents of one list. A damaged one is one of them, and hides no other.
///
/// # Errors
/// The store's, but for `Corrupt`.
pub(crate) async fn page(
    store: &Store,
    (shard, limit): (u8, usize),
    after: Option<&[u8]>,
    now: Timestamp,
) -> Result<ListPage, StoreError> {
    let list = keyspace::of_intents(shard);
    listing::page(store, (&list, keyspace::INTENT), limit, after, now).await
}

/// Takes note of how the work after the decisive step went: the caller's answer is settled by then,
/// and what failed is done by the sweep.
pub(crate) fn rest(operation: &OperationId, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        let code = error.code().as_str();
        tracing::warn!(operation.id = %operation, code, "the rest is left to the sweep");
    }
}

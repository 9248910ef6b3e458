//! What is under way?
//!
//! An operation of several partitions writes its intent first and deletes it last. The intent holds
//! all that is needed to finish the operation or to tidy up after it. Invariant: while an operation
//! may have left something half done, its intent is there; the sweep finds it. An intent never
//! changes: who finds that it does not fit any more writes another one.
//!
//! Spec: Storage, "what crosses partitions". Why: docs/decisions/0015.

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Store, StoreError, Stored};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::Error;
use crate::id::{OperationId, Slug, TenantId, UserId};
use crate::keyspace;
use crate::record::Record;
use crate::user::GlobalRole;

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
    ChangeEmail(ChangingEmail),
    DeleteUser(DeletingUser),
    CreateTenant(CreatingTenant),
    DeleteTenant(DeletingTenant),
    AddMember(AddingMember),
    RemoveMember(RemovingMember),
}

/// A user is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatingUser {
    pub(crate) user_id: UserId,
    pub(crate) email: Email,
    pub(crate) role: GlobalRole,
}

/// A user is getting another address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangingEmail {
    pub(crate) user_id: UserId,
    pub(crate) from: Option<Email>,
    /// The claim on the old address.
    pub(crate) from_claim: OperationId,
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
    /// The operation that was asked for, where this one has taken its place.
    #[serde(default)]
    pub(crate) first: Option<OperationId>,
}

/// A tenant is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatingTenant {
    pub(crate) tenant_id: TenantId,
    pub(crate) slug: Slug,
    pub(crate) creator: UserId,
}

/// A tenant is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletingTenant {
    pub(crate) tenant_id: TenantId,
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

/// Some intents of one list, in the order of their ids.
pub(crate) struct IntentPage {
    /// The id of each and its record, or what is wrong with it.
    pub(crate) entries: Vec<(Vec<u8>, Result<Stored, StoreError>)>,
    /// Where to go on, if there are more.
    pub(crate) next: Option<Vec<u8>>,
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
) -> Result<IntentPage, StoreError> {
    let list = keyspace::of_intents(shard);
    let (mut entries, mut next) = (Vec::new(), after.map(Vec::from));
    let mut size = limit;
    loop {
        match store.scan(&list, keyspace::INTENT, next.as_deref(), size, now).await {
            Ok(page) => {
                let read = page.entries.into_iter();
                entries.extend(read.map(|(id, stored)| (id.to_vec(), Ok(stored))));
                next = page.next.map(|last| last.to_vec());
            }
            // One by one, up to the damaged one and behind it.
            Err(StoreError::Corrupt { .. }) if size > 1 => {
                size = 1;
                continue;
            }
            Err(StoreError::Corrupt { key, what }) => {
                next = Some(key.id().to_vec());
                entries.push((key.id().to_vec(), Err(StoreError::Corrupt { key, what })));
            }
            Err(error) => return Err(error),
        }
        if size == limit || entries.len() >= limit || next.is_none() {
            return Ok(IntentPage { entries, next });
        }
    }
}

/// Takes note of how the work after the decisive step went: the caller's answer is settled by then,
/// and what failed is done by the sweep.
pub(crate) fn rest(operation: &OperationId, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        let code = error.code().as_str();
        tracing::warn!(operation.id = %operation, code, "the rest is left to the sweep");
    }
}

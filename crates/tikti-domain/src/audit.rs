//! Who did what to what, and where is it written down?
//!
//! Every administrative change gives an event. Neither exists alone:
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (the operation's intent) | nothing has changed |
//! | 2. the change and its note, in one transaction of the change's own partition | both are there |
//! | 3. the note becomes a link of the chain, once (a mark comes together) | as after 4 |
//! | 4. the note goes, then the intent | done |
//!
//! Invariant: a note is in the chain before it goes, and the mark stands for a day after, so that a step
//! that is repeated, by the request or by the sweep, adds no second link, however late it comes: it may
//! have read the note before that went.
//!
//! Spec: Authorization, "Audit". Why: docs/decisions/0024.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Partition, Txn};

use crate::clock::{self, Timestamp};
use crate::domain::Domain;
use crate::error::{Error, InternalError};
use crate::fence;
use crate::id::{ApiKeyId, ClientId, MailId, OperationId, SessionId, TenantId, UserId, WorkerId};
use crate::intent;
use crate::keyspace;
use crate::record::Record;

pub mod chain;
mod change;
mod head;
mod prune;
mod read;
mod tour;
mod verify;

pub(crate) use change::{change, change_and_tell};
pub use head::{
    HeadsCursor, HeadsSigned, SIGN_AFTER_MILLIS, SignedEnds, SignedHead, read_deployment_head,
    read_head, sign_heads,
};
pub use prune::{Checkpoint, PruneCursor, Pruned, REMOVE_AFTER_MILLIS, prune};
pub use read::{AuditQuery, EventPage, list_deployment_events, list_events};
pub use verify::{Tampering, verify};

#[cfg(test)]
pub(crate) mod tests;

/// Declares [`Action`] once: variant, name on the wire, what was done.
macro_rules! actions {
    ($($variant:ident $wire:literal $meaning:literal;)+) => {
        /// What was done: a closed list, stable in logs and exports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $meaning] $variant,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];

            /// The name on the wire, such as `member.add`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Action::$variant => $wire,)+ }
            }
        }
    };
}

actions! {
    TenantCreate "tenant.create" "A tenant was made.";
    TenantUpdate "tenant.update" "A tenant's name, status or self-sign-up was changed.";
    TenantDelete "tenant.delete" "A tenant was deleted.";
    MemberAdd "member.add" "A user was added to a tenant.";
    MemberUpdate "member.update" "A member was given other roles.";
    MemberRemove "member.remove" "A member was removed.";
    MemberRevoke "member.revoke" "What a member was given out in the tenant was revoked.";
    RoleCreate "role.create" "A role was made.";
    RoleUpdate "role.update" "A role was changed.";
    RoleDelete "role.delete" "A role was deleted.";
    ClientCreate "client.create" "A client was made.";
    ClientUpdate "client.update" "A client was changed.";
    ClientDelete "client.delete" "A client was deleted.";
    WorkerCreate "worker.create" "A worker was registered.";
    WorkerUpdate "worker.update" "A worker was changed.";
    WorkerDelete "worker.delete" "A worker was deleted.";
    WorkerSecretAdd "worker.secret.add" "A worker was given a further secret.";
    WorkerSecretRemove "worker.secret.remove" "A secret of a worker was revoked.";
    WorkerKeysSet "worker.keys.set" "A worker's public keys were replaced.";
    ApiKeyCreate "api_key.create" "An API key was made.";
    ApiKeyUpdate "api_key.update" "An API key was changed.";
    ApiKeyDelete "api_key.delete" "An API key was deleted.";
    SessionsEnd "sessions.end" "Sessions of a member were ended.";
    OobSend "oob.send" "A code was sent by mail.";
    UserCreate "user.create" "A user was made by an administrator.";
    UserUpdate "user.update" "A user was changed by an administrator.";
    UserDelete "user.delete" "A user was deleted, by an administrator or by himself.";
    UserRevoke "user.revoke" "Everything that a user was given out was revoked.";
    TokenRevoke "token.revoke" "One token was revoked.";
    KeyRotate "key.rotate" "A signing key was made, to sign from a while later on.";
    KeyRevoke "key.revoke" "Signing keys were revoked in an emergency, and one was made that signs at once.";
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|action| action.as_str() == name).copied();
        known.ok_or_else(|| serde::de::Error::custom("an action that this version does not know"))
    }
}

/// Whose chain an event belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Chain {
    /// The deployment's own: what is done to it, to users, and to tenants as such.
    Deployment,
    /// A tenant's.
    Tenant(TenantId),
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// The user, worker or program.
    #[serde(flatten)]
    pub who: Who,
    /// The session that speaks for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// Somebody or something that acts, by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "lowercase")]
pub enum Who {
    /// A user.
    User(UserId),
    /// A worker of the event's tenant.
    Worker(WorkerId),
    /// A program with an API key; the deployment's own key is called `deployment`.
    #[serde(rename = "apiKey")]
    ApiKey(ApiKeyId),
    /// A resource server: a client of the event's tenant.
    Client(ClientId),
    /// Whoever runs the deployment, by the name of the tool that he has let at its store.
    Operator(Tool),
}

/// A tool that changes a store, and not a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Takes over what an older Tikti has stored.
    Migration,
}

/// What is known of an event before its operation begins. Part of the intent of an operation that is
/// carried on by the sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Draft {
    pub(crate) action: Action,
    /// What it was done to, by id or name; nothing secret.
    pub(crate) target: String,
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) actor: Actor,
    pub(crate) request_id: String,
    /// An administrator of the deployment, in a tenant that he is no member of.
    pub(crate) cross_tenant: bool,
    /// What changed, in a few words by member; nothing secret.
    pub(crate) details: BTreeMap<String, String>,
}

/// An audit event: one administrative change that has happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    id: &'a OperationId,
    time: String,
    action: Action,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a TenantId>,
    actor: &'a Actor,
    outcome: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cross_tenant: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: &'a BTreeMap<String, String>,
}

/// An event on its way to its chain. Kept as the text that the chain's hash is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    chain: Chain,
    event: String,
}

impl Record for Note {}

/// Where an operation leaves its note, as its intent says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NotePlace {
    Tenant(TenantId),
    User(UserId),
    Key(ApiKeyId),
    Mail(MailId),
    Deployment,
}

impl NotePlace {
    pub(crate) fn partition(&self) -> Partition {
        match self {
            Self::Tenant(tenant) => keyspace::of_tenant(tenant),
            Self::User(user) => keyspace::of_user(user),
            Self::Key(key) => keyspace::of_api_key(key),
            Self::Mail(mail) => keyspace::of_mails(mail.shard()),
            Self::Deployment => Partition::global(),
        }
    }
}

/// Leaves the note of a change, with the commit of the change.
pub(crate) fn note(
    txn: &mut Txn,
    partition: &Partition,
    operation: &OperationId,
    (chain, draft): (&Chain, &Draft),
    now: Timestamp,
) -> Result<(), Error> {
    let event = Event {
        id: operation,
        time: clock::rfc3339(now),
        action: draft.action,
        target: &draft.target,
        tenant_id: draft.tenant_id.as_ref(),
        actor: &draft.actor,
        outcome: "success",
        request_id: &draft.request_id,
        cross_tenant: draft.cross_tenant,
        details: &draft.details,
    };
    let key = keyspace::note(partition, operation);
    let event = serde_json::to_string(&event).map_err(|error| InternalError::Record {
        key: "an audit event".to_owned(),
        reason: error.to_string(),
    })?;
    let bytes = Note { chain: chain.clone(), event }.encode()?;
    Ok(txn.put(&key, Entry::new(&bytes))?)
}

/// Steps 3 and 4, but for the intent. May be repeated, at any time, by anybody.
pub(crate) async fn deliver(
    domain: &Domain,
    operation: &OperationId,
    partition: &Partition,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::note(partition, operation);
    let stored = domain.store.get(&key, now).await?;
    let Some(note) = Note::decode_optional(&key, stored.as_ref())? else {
        return Ok(());
    };
    chain::append(domain, &note.chain, (operation, note.event), now).await?;
    Ok(domain.store.delete(&key).await?)
}

/// A change of one partition whose process died: it happens no more, and what it noted is delivered.
pub(crate) async fn settle(
    domain: &Domain,
    operation: &OperationId,
    place: &NotePlace,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = place.partition();
    domain
        .store
        .transact(&partition, &[], now, |txn| fence::put(txn, &partition, operation, now))
        .await?;
    deliver(domain, operation, &partition, now).await?;
    intent::end(domain, operation).await
}

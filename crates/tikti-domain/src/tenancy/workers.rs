//! Registers, reads, changes and deletes the workers of a tenant.
//!
//! A worker is one record, so that each of these is one transaction; whatever it points at (its clients, the
//! roles that mint for it) is read in the same one. Invariant: nobody makes a worker more than he is himself:
//! who gives it anything, or gives it a credential, holds all its scopes.
//!
//! | file | what it answers |
//! |---|---|
//! | `change` | how a change of a worker is made |
//! | `rights` | may the administrator make the worker this? |
//! | `credentials` | what a worker proves itself by: secrets and public keys |
//!
//! Spec: HTTP API, "Tenant administration", workers; Domain, "Worker", "Resource servers"; Authorization,
//! "Nobody grants what they do not hold". Why: docs/decisions/0030.

mod change;
mod credentials;
mod rights;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

use self::change::{Change, Found, Next};
pub use self::credentials::{
    AddedSecret, add_worker_secret, parse_worker_keys, remove_worker_secret, set_worker_keys,
};
pub use self::rights::WorkerRights;
use super::administer::Administrator;
use crate::audit::Action;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{ClientId, EventType, RoleName, TenantRef, UserId, WorkerId};
use crate::idempotency::{Answer, Once};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::record::{Lasting, Record};
use crate::scope::ScopeSet;
use crate::worker::{Credentials, Worker, WorkerStatus, first_version};

const READ: &str = "workers:read";
const WRITE: &str = "workers:write";

/// Asks for a worker.
#[derive(Clone, Debug)]
pub struct CreateWorker {
    /// The id.
    pub id: WorkerId,
    /// What it may do.
    pub rights: WorkerRights,
    /// Its public keys, checked by [`parse_worker_keys`]; with any of them it gets no secret.
    pub keys: Vec<tikti_token::AssertionKey>,
}

/// Asks for a change of a worker; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateWorker {
    /// The audiences that its tokens may have.
    pub clients: Option<BTreeSet<ClientId>>,
    /// The most that its tokens may hold.
    pub scopes: Option<ScopeSet>,
    /// The event types that its tokens may hold.
    pub event_types: Option<BTreeSet<EventType>>,
    /// Roles whose holders may have tokens made for it.
    pub mintable_by: Option<BTreeSet<RoleName>>,
    /// Whether it may sign users in by custom tokens.
    pub custom_tokens: Option<bool>,
    /// Whether it may act.
    pub status: Option<WorkerStatus>,
}

/// A worker that was just registered.
#[derive(Debug)]
pub struct CreatedWorker {
    /// Its record.
    pub worker: Worker,
    /// Its secret, which is shown here and never again; none where it has keys of its own, and in the answer
    /// to a request that came again.
    pub secret: Option<SecretString>,
}

/// Registers a worker. In the place of one that was deleted it begins anew: no token, secret or key of that
/// one is good for it.
///
/// # Errors
/// Those of every administrative call (`administer`); `INVALID_ARGUMENT` for an id that is a user's and for
/// more than a record may hold; `WORKER_EXISTS`; `CLIENT_NOT_FOUND`; `ROLE_NOT_FOUND`; `ESCALATION_DENIED`;
/// `CONFLICT` where an earlier request of this name had another body; the store's: then the worker may be registered, and nobody knows its secret.
pub async fn create_worker(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &CreateWorker),
) -> Result<CreatedWorker, Error> {
    let now = domain.clock.now();
    ask.rights.check_size()?;
    let mut credentials = Credentials { keys: ask.keys.clone(), ..Credentials::default() };
    let secret = if ask.keys.is_empty() {
        let (secret, hash) = credentials::new_secret(domain)?;
        credentials.add((hash, None), now)?;
        Some(secret)
    } else {
        None
    };
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let WorkerRights { clients, scopes, event_types, mintable_by, custom_tokens } =
        ask.rights.clone();
    let new = Worker {
        id: ask.id.clone(),
        clients,
        scopes,
        event_types,
        mintable_by,
        custom_tokens,
        credentials,
        status: WorkerStatus::Active,
        wver: 0,
        created_at: now,
    };
    let change = Change {
        id: &ask.id,
        action: Action::WorkerCreate,
        details: ask.rights.told(),
        clients: Some(&ask.rights.clients),
        also_read: UserId::parse(ask.id.as_str()).ok().map(|user| keyspace::user(&user)),
    };
    let decide = |found: &Found<'_>| {
        if matches!(found.worker, Some(Lasting::Live(_))) {
            return Err(Code::WorkerExists.into());
        }
        // In `sub` it would read as that user.
        if found.also_is_there {
            return Err(Refusal::invalid("id", "cannot be the id of a worker").into());
        }
        rights::check(domain, found, (None, &new))?;
        let wver = first_version(found.worker.as_ref(), now);
        let worker = Worker { wver, ..new.clone() };
        Ok(Next::Put(Lasting::Live(worker.clone()), worker))
    };
    let by = (&administrator, tenant, &administrator.once(domain, caller));
    let (worker, secret) = change.make(domain, by, now, decide).await?.with(secret);
    Ok(CreatedWorker { worker, secret: secret.flatten() })
}

/// Reads one worker.
///
/// # Errors
/// Those of every administrative call; `WORKER_NOT_FOUND`; the store's.
pub async fn get_worker(
    domain: &Domain,
    caller: &Caller,
    (tenant, id): (&TenantRef, &WorkerId),
) -> Result<Worker, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let key = keyspace::worker(administrator.tenant_id(), id);
    let (_, reads) = administrator.admit(domain, (tenant, READ), vec![key.clone()], now).await?;
    Ok(reads.find_live::<Worker>(&key)?.ok_or(Code::WorkerNotFound)?)
}

/// Reads a page of a tenant's workers, in the order of their ids. Where some were deleted a page may hold
/// fewer than were asked for.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` for a page token that this server did not make;
/// the store's.
pub async fn list_workers(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &PageRequest),
) -> Result<Page<Worker>, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    administrator.admit(domain, (tenant, READ), vec![], now).await?;
    let tenant = administrator.tenant_id();
    let partition = keyspace::of_tenant(tenant);
    let list = format!("{partition}/worker");
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let (after, size) = (after.transpose()?, usize::from(ask.size));
    let page = domain.store.scan(&partition, keyspace::WORKER, after.as_deref(), size, now).await?;
    let mut items = Vec::with_capacity(page.entries.len());
    for (id, stored) in &page.entries {
        let id = String::from_utf8_lossy(id);
        let Ok(id) = WorkerId::parse(&id) else { continue };
        let found = Lasting::<Worker>::decode(&keyspace::worker(tenant, &id), stored)?;
        items.extend(found.live());
    }
    let next = page.next.map(|last| page_token::make(domain, &list, &last)).transpose()?;
    Ok(Page { items, next })
}

/// Changes a worker. Disabling it kills its tokens at once.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` where nothing is asked for, and for more than a
/// record may hold; `WORKER_NOT_FOUND`; `CLIENT_NOT_FOUND` and `ROLE_NOT_FOUND` for what the worker does not
/// have yet; `ESCALATION_DENIED`; the store's: then the change may or may not have happened.
pub async fn update_worker(
    domain: &Domain,
    caller: &Caller,
    (tenant, id, ask): (&TenantRef, &WorkerId, &UpdateWorker),
) -> Result<Worker, Error> {
    let now = domain.clock.now();
    if *ask == UpdateWorker::default() {
        let reason = "give what is to change: clients, scopes, eventTypes, mintableBy, status or customTokens";
        return Err(Refusal::invalid("body", reason).into());
    }
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let change = Change {
        id,
        action: Action::WorkerUpdate,
        details: ask.told(),
        clients: ask.clients.as_ref(),
        also_read: None,
    };
    let decide = |found: &Found<'_>| {
        let before = found.live()?;
        let after = ask.applied_to(before, now);
        WorkerRights::of(&after).check_size()?;
        rights::check(domain, found, (Some(before), &after))?;
        if after == *before {
            return Ok(Next::Same(after));
        }
        Ok(Next::Put(Lasting::Live(after.clone()), after))
    };
    let by = (&administrator, tenant, &Once::default());
    change.make(domain, by, now, decide).await.map(Answer::reply)
}

impl UpdateWorker {
    fn applied_to(&self, before: &Worker, now: crate::clock::Timestamp) -> Worker {
        let mut after = before.clone();
        let Self { clients, scopes, event_types, mintable_by, custom_tokens, status } =
            self.clone();
        after.clients = clients.unwrap_or(after.clients);
        after.scopes = scopes.unwrap_or(after.scopes);
        after.event_types = event_types.unwrap_or(after.event_types);
        after.mintable_by = mintable_by.unwrap_or(after.mintable_by);
        after.custom_tokens = custom_tokens.unwrap_or(after.custom_tokens);
        after.status = status.unwrap_or(after.status);
        if before.is_active() && !after.is_active() {
            after.revoke_tokens(now);
        }
        after
    }

    /// What the audit says of it.
    fn told(&self) -> BTreeMap<String, String> {
        let given = [
            self.clients.as_ref().map(|clients| ("clients", rights::words(clients))),
            self.scopes.as_ref().map(|scopes| ("scopes", scopes.to_string())),
            self.event_types.as_ref().map(|types| ("eventTypes", rights::words(types))),
            self.mintable_by.as_ref().map(|roles| ("mintableBy", rights::words(roles))),
            self.custom_tokens.map(|may| ("customTokens", may.to_string())),
            self.status.map(|status| ("status", status.as_str().to_owned())),
        ];
        given.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Deletes a worker: its tokens are dead from then on, and its name is kept from policy `any`.
///
/// # Errors
/// Those of every administrative call; `WORKER_NOT_FOUND`; `ESCALATION_DENIED` for one that only the
/// deployment changes; the store's: then the worker may or may not be gone.
pub async fn delete_worker(
    domain: &Domain,
    caller: &Caller,
    (tenant, id): (&TenantRef, &WorkerId),
) -> Result<(), Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let change = Change {
        id,
        action: Action::WorkerDelete,
        details: BTreeMap::new(),
        clients: None,
        also_read: None,
    };
    let decide = |found: &Found<'_>| {
        let worker = found.live()?;
        rights::require_changeable(domain, found.admission, worker)?;
        Ok(Next::Put(worker.tombstone(now), ()))
    };
    let by = (&administrator, tenant, &Once::default());
    change.make(domain, by, now, decide).await.map(Answer::reply)
}

//! Makes, reads, changes and deletes the clients of a tenant.
//!
//! A client is one record, so that each of these is one transaction. Its id and what it is stay as they were
//! made: whoever verifies its tokens relies on both.
//!
//! | file | what it answers |
//! |---|---|
//! | `change` | how a change of a client is made |
//! | `rights` | may the administrator make the client this? |
//! | `settings` | what may be set of a client, and does it fit together? |
//!
//! Spec: HTTP API, "Tenant administration", clients; Domain, "Client", "Resource servers"; Authorization,
//! "Nobody grants what they do not hold". Why: docs/decisions/0028.

mod change;
mod rights;
mod settings;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use self::change::{Change, Found, Next};
pub use self::settings::ClientSettings;
use super::administer::Administrator;
use crate::audit::Action;
use crate::client::{Client, ClientStatus, ClientType, FormerClient};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{ClientId, TenantRef};
use crate::idempotency::{Answer, Once};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::record::Record;
use crate::secret::TokenHash;

const READ: &str = "clients:read";
const WRITE: &str = "clients:write";

/// How a secret begins, so that scanners and people know one when they see it.
const PREFIX: &str = "cs_";
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// More than 256 bits.
const LENGTH: usize = 44;

/// Asks for a client.
#[derive(Clone, Debug)]
pub struct CreateClient {
    /// The id.
    pub id: ClientId,
    /// What it is.
    pub kind: ClientType,
    /// The rest; what is absent is as little as there can be.
    pub settings: ClientSettings,
}

/// Asks for a change of a client; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateClient {
    /// What it is: refused unless it is what the client is already.
    pub kind: Option<ClientType>,
    /// What is to be set.
    pub settings: ClientSettings,
    /// Whether it is served.
    pub status: Option<ClientStatus>,
}

/// A client that was just made.
#[derive(Debug)]
pub struct CreatedClient {
    /// Its record.
    pub client: Client,
    /// Its secret, which is shown here and never again; an application has none, and neither has the answer
    /// to a request that came again.
    pub secret: Option<SecretString>,
}

/// Makes a client. In the place of one that was deleted it begins anew: no token of that one is good for it.
///
/// # Errors
/// Those of every administrative call (`administer`); `INVALID_ARGUMENT`, `INVALID_TTL` for settings that do
/// not fit together; `CLIENT_EXISTS`, also for a reserved id; `ESCALATION_DENIED`; `CONFLICT` where an
/// earlier request of this name had another body; the store's: then the client may be there, and nobody
/// knows its secret.
pub async fn create_client(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &CreateClient),
) -> Result<CreatedClient, Error> {
    let now = domain.clock.now();
    let mut new = ask.settings.made((ask.id.clone(), ask.kind), now)?;
    let administrator = recognise(domain, caller, tenant, now).await?;
    let secret = match ask.kind {
        ClientType::Service => Some(new_secret(domain)?),
        ClientType::Application => None,
    };
    new.secret = secret.as_ref().map(|(_, hash)| hash.clone());
    let mut details = ask.settings.told();
    details.insert("type".to_owned(), ask.kind.as_str().to_owned());
    let change = Change { id: &ask.id, action: Action::ClientCreate, details };
    let decide = |found: &Found<'_>| {
        rights::check(domain, found.admission, (None, &new))?;
        // An idToken may be for an application, and then no resource server may take it for its own.
        let is_taken =
            ask.kind == ClientType::Application && domain.settings.is_served_everywhere(&ask.id);
        if is_taken || domain.settings.reserves(&ask.id) || found.client.is_some() {
            return Err(Code::ClientExists.into());
        }
        let begins = found.former.as_ref().map_or(now, |former| former.next_begins(now));
        let client = Client { created_at: begins, ..new.clone() };
        Ok(Next::Put(Box::new(client.clone()), client))
    };
    let by = (&administrator, tenant, &administrator.once(domain, caller));
    let made = Box::pin(change.make(domain, by, now, decide)).await?;
    let (client, secret) = made.with(secret.map(|(secret, _)| secret));
    Ok(CreatedClient { client, secret: secret.flatten() })
}

/// On the heap, as the changes are: futures nest no deeper than the compiler follows.
async fn recognise(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
    now: Timestamp,
) -> Result<Administrator, Error> {
    Box::pin(Administrator::recognise(domain, caller, tenant, now)).await
}

/// Makes up a secret, and what is stored of it.
fn new_secret(domain: &Domain) -> Result<(SecretString, TokenHash), Error> {
    let text = domain.random.text(ALPHABET, LENGTH)?;
    let secret = SecretString::from(format!("{PREFIX}{text}"));
    let hash = domain.peppers.hash(secret.expose_secret())?;
    Ok((secret, hash))
}

/// Reads one client.
///
/// # Errors
/// Those of every administrative call; `CLIENT_NOT_FOUND`; the store's.
pub async fn get_client(
    domain: &Domain,
    caller: &Caller,
    (tenant, id): (&TenantRef, &ClientId),
) -> Result<Client, Error> {
    let now = domain.clock.now();
    let administrator = recognise(domain, caller, tenant, now).await?;
    let key = keyspace::client(administrator.tenant_id(), id);
    let (_, reads) = administrator.admit(domain, (tenant, READ), vec![key.clone()], now).await?;
    let found = Client::decode_optional(&key, reads.stored(&key)?)?;
    Ok(found.ok_or(Code::ClientNotFound)?)
}

/// Reads a page of a tenant's clients, in the order of their ids.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` for a page token that this server did not make;
/// the store's.
pub async fn list_clients(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &PageRequest),
) -> Result<Page<Client>, Error> {
    let now = domain.clock.now();
    let administrator = recognise(domain, caller, tenant, now).await?;
    administrator.admit(domain, (tenant, READ), vec![], now).await?;
    let tenant = administrator.tenant_id();
    let partition = keyspace::of_tenant(tenant);
    let list = format!("{partition}/client");
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let (after, size) = (after.transpose()?, usize::from(ask.size));
    let page = domain.store.scan(&partition, keyspace::CLIENT, after.as_deref(), size, now).await?;
    let mut items = Vec::with_capacity(page.entries.len());
    for (id, stored) in &page.entries {
        let Ok(id) = ClientId::parse(&String::from_utf8_lossy(id)) else { continue };
        items.push(Client::decode(&keyspace::client(tenant, &id), stored)?);
    }
    let next = page.next.map(|last| page_token::make(domain, &list, &last)).transpose()?;
    Ok(Page { items, next })
}

/// Changes a client. Tokens that it has keep what they hold; while it is disabled they are refused.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` where nothing is asked for, and for settings that
/// do not fit together; `INVALID_TTL`; `CLIENT_NOT_FOUND`; `CONFLICT` for the built-in client;
/// `ESCALATION_DENIED`; the store's: then the change may or may not have happened.
pub async fn update_client(
    domain: &Domain,
    caller: &Caller,
    (tenant, id, ask): (&TenantRef, &ClientId, &UpdateClient),
) -> Result<Client, Error> {
    let now = domain.clock.now();
    if ask.settings == ClientSettings::default() && ask.status.is_none() && ask.kind.is_none() {
        let reason = "give what is to change: allowedGrantTypes, allowedScopes, defaultScopes, eventTypes, \
                      subjectPolicy, tokenTtlSeconds or status";
        return Err(Refusal::invalid("body", reason).into());
    }
    let administrator = recognise(domain, caller, tenant, now).await?;
    let mut details = ask.settings.told();
    details.extend(ask.status.map(|status| ("status".to_owned(), status.as_str().to_owned())));
    let change = Change { id, action: Action::ClientUpdate, details };
    let decide = |found: &Found<'_>| {
        let before = found.live()?;
        rights::require_changeable(domain, found.admission, before)?;
        if ask.kind.is_some_and(|kind| kind != before.kind) {
            return Err(Refusal::invalid("type", "is fixed for ever").into());
        }
        let mut after = ask.settings.applied_to(before)?;
        after.status = ask.status.unwrap_or(before.status);
        if after == *before {
            return Ok(Next::Same(after));
        }
        rights::check(domain, found.admission, (Some(before), &after))?;
        Ok(Next::Put(Box::new(after.clone()), after))
    };
    let by = (&administrator, tenant, &Once::default());
    Box::pin(change.make(domain, by, now, decide)).await.map(Answer::reply)
}

/// Deletes a client: its tokens are dead from then on, also for one that is made again under its id.
///
/// # Errors
/// Those of every administrative call; `CLIENT_NOT_FOUND`; `CONFLICT` for the built-in client;
/// `ESCALATION_DENIED` for one of the template, of a listed audience or with scopes of the platform; the
/// store's: then the client may or may not be gone.
pub async fn delete_client(
    domain: &Domain,
    caller: &Caller,
    (tenant, id): (&TenantRef, &ClientId),
) -> Result<(), Error> {
    let now = domain.clock.now();
    let administrator = recognise(domain, caller, tenant, now).await?;
    let change = Change { id, action: Action::ClientDelete, details: BTreeMap::new() };
    let decide = |found: &Found<'_>| {
        let client = found.live()?;
        rights::require_changeable(domain, found.admission, client)?;
        Ok(Next::Delete(FormerClient::of(client, now), ()))
    };
    let by = (&administrator, tenant, &Once::default());
    Box::pin(change.make(domain, by, now, decide)).await.map(Answer::reply)
}

//! Makes, reads, changes and deletes API keys: those of a tenant, and those of the whole deployment.
//!
//! A key lies in a partition of its own, since every call that carries it reads it, and who administers
//! keys is decided where the list is. So a change is made in the list, and the key follows:
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. say so (intent) | nothing has changed |
//! | 2. the entry as it is to be, with the audit note, by somebody who may at that moment | told; the rest is carried on |
//! | 3. the key as its entry says, in its own partition (`listed`) | done, but for the note's way to its chain |
//! | 4. the note to its chain, the intent goes | done |
//!
//! Invariant: whoever is answered with success knows that the key is so at every replica, since nothing
//! caches one and step 3 is behind us. A key that nobody was given, because its creation died after step 2,
//! is in the list like any other; it is of use to nobody.
//!
//! Spec: HTTP API, "API key", "Tenant administration"; Domain, rule 4. Why: docs/decisions/0029.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use tikti_store::{Entry, Key};

use crate::api_key::{ApiKey, ApiKeyStatus, KeyScope};
use crate::audit::{self, Action};
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::{ApiKeyId, OperationId, TenantId, TenantRef};
use crate::idempotency::{Answer, Once};
use crate::intent::{self, HandlingApiKey, Work};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::reads::Reads;
use crate::record::Record;
use crate::tenancy::administer::Act;
use crate::user::parse_display_name;
use keeper::{Keeper, WRITE};

mod keeper;
mod last_use;
mod listed;

pub use last_use::write_key_uses;
pub(crate) use last_use::{KeyUses, LastUse};
pub(crate) use listed::{ListedKey, follow, remove, settle};

/// Most keys of one tenant, and of the deployment itself. Counted before the key is made: of several that
/// are made at one moment a few may be more.
pub const MAX_API_KEYS: usize = 256;

const ID_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const ID_LENGTH: usize = 20;
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// More than 256 bits.
const SECRET_LENGTH: usize = 44;

/// Whose keys a call is about.
#[derive(Clone, Copy, Debug)]
pub enum KeysOf<'a> {
    /// A tenant's, for holders of `apikeys:read` and `apikeys:write` there.
    Tenant(&'a TenantRef),
    /// The deployment's, for its administrators.
    Deployment,
}

/// Asks for a key.
#[derive(Clone, Debug)]
pub struct CreateApiKey {
    /// A name for people.
    pub name: Option<String>,
    /// What it may be used for.
    pub scopes: BTreeSet<KeyScope>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Asks for a change of a key; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateApiKey {
    /// A name for people.
    pub name: Option<String>,
    /// Whether it is accepted.
    pub status: Option<ApiKeyStatus>,
    /// What it may be used for.
    pub scopes: Option<BTreeSet<KeyScope>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Debug)]
pub struct CreatedApiKey {
    /// Its record.
    pub record: ApiKey,
    /// The key itself, which is shown here and never again: the answer to a request that came again has none.
    pub key: Option<SecretString>,
}

/// A key as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownApiKey {
    /// Its record.
    pub record: ApiKey,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
}

/// Makes a key.
///
/// # Errors
/// Of a tenant: those of every administrative call (`administer`), `TENANT_DISABLED`, and
/// `ESCALATION_DENIED` for a scope that reaches beyond the tenant. Of the deployment: `UNAUTHENTICATED`,
/// `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`. Of both: `INVALID_ARGUMENT` without a scope, for a bad name and
/// for an end that is past; `LIMIT_EXCEEDED`; `CONFLICT` where it took longer than a minute, and where
/// an earlier request of this name had another body; the store's: then the key may exist, and nobody knows it.
pub async fn create_api_key(
    domain: &Domain,
    caller: &Caller,
    (of, ask): (KeysOf<'_>, &CreateApiKey),
) -> Result<CreatedApiKey, Error> {
    let now = domain.clock.now();
    let keeper = Keeper::to_write(domain, caller, of, now).await?;
    let name = ask.name.as_deref().map(|name| parse_display_name("name", name)).transpose()?;
    check_scopes(keeper.owner(), &ask.scopes)?;
    check_end(ask.expires_at, now)?;
    let once = keeper.once(domain, caller);
    if let Some(record) = made_before(domain, &keeper, &once, now).await? {
        return Ok(CreatedApiKey { record, key: None });
    }
    check_number(domain, keeper.owner(), now).await?;
    let id = ApiKeyId::parse(&domain.random.text(ID_ALPHABET, ID_LENGTH)?)?;
    let secret = domain.random.text(SECRET_ALPHABET, SECRET_LENGTH)?;
    let key = SecretString::from(format!("tk_{id}_{secret}"));
    let record = ApiKey {
        id,
        name,
        hash: domain.peppers.hash(key.expose_secret())?,
        scopes: ask.scopes.clone(),
        tenant_id: keeper.owner().cloned(),
        status: ApiKeyStatus::Active,
        created_at: now,
        expires_at: ask.expires_at,
        rev: 0,
    };
    let details = BTreeMap::from([("scopes".to_owned(), names(&record.scopes))]);
    let act = act(Action::ApiKeyCreate, &record.id, details);
    let what = (&record.id, &act, &once);
    let made = change(domain, &keeper, what, now, |found, operation| match found {
        None => Ok(ListedKey::new(record.clone(), operation.clone())),
        Some(_) => Err(Code::Conflict.into()),
    });
    // On the heap: what changes a key is held deep inside.
    let (listed, key) = Box::pin(made).await?.with(key);
    Ok(CreatedApiKey { record: listed.key, key })
}

/// The key that an earlier request of this name made, which stands by now.
async fn made_before(
    domain: &Domain,
    keeper: &Keeper<'_>,
    once: &Once,
    now: Timestamp,
) -> Result<Option<ApiKey>, Error> {
    let reads = Reads::load(&domain.store, once.keys().collect(), now).await?;
    let Some(listed) = once.answered::<ListedKey>(&reads)? else { return Ok(None) };
    // Whoever made it may have died before.
    follow(domain, keeper.owner(), &listed.key.id, now).await?;
    Ok(Some(listed.key))
}

/// Changes a key. What it may no longer do ends at once, everywhere. The same once more changes nothing and
/// leaves no audit event.
///
/// # Errors
/// As [`create_api_key`]; `API_KEY_NOT_FOUND`; `INVALID_ARGUMENT` where nothing is asked for; the store's:
/// then the change may still happen within minutes.
pub async fn update_api_key(
    domain: &Domain,
    caller: &Caller,
    (of, id, ask): (KeysOf<'_>, &ApiKeyId, &UpdateApiKey),
) -> Result<ShownApiKey, Error> {
    let now = domain.clock.now();
    let keeper = Keeper::to_write(domain, caller, of, now).await?;
    if *ask == UpdateApiKey::default() {
        let reason = "give what is to change: name, status, expiresAt or scopes";
        return Err(Refusal::invalid("body", reason).into());
    }
    let name = ask.name.as_deref().map(|name| parse_display_name("name", name)).transpose()?;
    let owner = keeper.owner();
    ask.scopes.as_ref().map(|scopes| check_scopes(owner, scopes)).transpose()?;
    check_end(ask.expires_at, now)?;
    // Most refusals are seen before anything is written.
    let shown = load(domain, owner, id, now).await?;
    let act = act(Action::ApiKeyUpdate, id, changes(ask));
    let what = (id, &act, &Once::default());
    let changed = change(domain, &keeper, what, now, |found, _| {
        let mut listed = listed::standing(found)?;
        let record = &mut listed.key;
        record.name = name.clone().or(record.name.take());
        record.status = ask.status.unwrap_or(record.status);
        record.scopes = ask.scopes.clone().unwrap_or_else(|| record.scopes.clone());
        record.expires_at = ask.expires_at.or(record.expires_at);
        Ok(listed)
    });
    Ok(ShownApiKey { record: changed.await?.reply().key, last_used_at: shown.last_used_at })
}

/// Deletes a key: it is refused at once, everywhere. A deletion under way may be asked for again.
///
/// # Errors
/// As [`update_api_key`].
pub async fn delete_api_key(
    domain: &Domain,
    caller: &Caller,
    (of, id): (KeysOf<'_>, &ApiKeyId),
) -> Result<(), Error> {
    let now = domain.clock.now();
    let keeper = Keeper::to_write(domain, caller, of, now).await?;
    let entry = keyspace::api_key_entry(keeper.owner(), id);
    // Most refusals are seen before anything is written.
    if domain.store.get(&entry, now).await?.is_none() {
        return Err(Code::ApiKeyNotFound.into());
    }
    let act = act(Action::ApiKeyDelete, id, BTreeMap::new());
    let what = (id, &act, &Once::default());
    let gone = change(domain, &keeper, what, now, |found, _| {
        Ok(ListedKey { is_going: true, ..found.ok_or(Code::ApiKeyNotFound)? })
    });
    gone.await.map(|_| ())
}

/// Puts what `next` makes of an entry in its place, with the audit note, and lets the key follow; a request
/// that comes again is answered as before.
async fn change(
    domain: &Domain,
    keeper: &Keeper<'_>,
    (id, act, once): (&ApiKeyId, &Act, &Once),
    now: Timestamp,
    next: impl Fn(Option<ListedKey>, &OperationId) -> Result<ListedKey, Error> + Send + Sync,
) -> Result<Answer<ListedKey>, Error> {
    let owner = keeper.owner();
    let partition = keyspace::of_api_keys(owner);
    let entry = keyspace::api_key_entry(owner, id);
    let work = HandlingApiKey { tenant_id: owner.cloned(), key_id: id.clone() };
    let operation = intent::begin(domain, Work::HandleApiKey(work), now).await?;
    let mut reads = keeper.keys();
    reads.extend([entry.clone(), keyspace::fence(&partition, &operation)]);
    reads.extend(once.keys());
    let answer = domain.store.transact(&partition, &reads, now, |txn| {
        fence::check(txn, &partition, &operation)?;
        let draft = keeper.readmit(txn, act)?;
        if let Some(listed) = once.recall(txn)? {
            return Ok(Answer::Again(listed));
        }
        let found = ListedKey::decode_optional(&entry, txn.get(&entry)?)?;
        let mut listed = next(found.clone(), &operation)?;
        if found.as_ref() == Some(&listed) {
            return Ok(Answer::First(listed));
        }
        // Of two that let the key follow, the one who has read an earlier entry does no harm.
        listed.key.rev += 1;
        audit::note(txn, &partition, &operation, (&keeper.chain(), &draft), now)?;
        txn.put(&entry, Entry::new(&listed.encode()?))?;
        once.remember(txn, &listed, now)?;
        Ok::<_, Error>(Answer::First(listed))
    });
    match answer.await {
        Ok(answer) => {
            // Part of the answer: what fails here is left to the sweep, and the caller is told.
            let (Answer::First(listed) | Answer::Again(listed)) = &answer;
            follow(domain, owner, &listed.key.id, now).await?;
            intent::rest(&operation, listed::finish(domain, &operation, owner, now).await);
            Ok(answer)
        }
        Err(Error::Refused(refusal)) => {
            intent::rest(&operation, intent::end(domain, &operation).await);
            Err(Error::Refused(refusal))
        }
        Err(error) => Err(error),
    }
}

/// Reads one key.
///
/// # Errors
/// Of a tenant: those of every administrative call. Of the deployment: `UNAUTHENTICATED`, `ADMIN_REQUIRED`.
/// Of both: `API_KEY_NOT_FOUND`; the store's.
pub async fn get_api_key(
    domain: &Domain,
    caller: &Caller,
    (of, id): (KeysOf<'_>, &ApiKeyId),
) -> Result<ShownApiKey, Error> {
    let now = domain.clock.now();
    let keeper = Keeper::to_read(domain, caller, of, now).await?;
    load(domain, keeper.owner(), id, now).await
}

/// Reads a page of keys, in the order of their ids.
///
/// # Errors
/// As [`get_api_key`]; `INVALID_ARGUMENT` for a page token that this server did not make.
pub async fn list_api_keys(
    domain: &Domain,
    caller: &Caller,
    (of, ask): (KeysOf<'_>, &PageRequest),
) -> Result<Page<ShownApiKey>, Error> {
    let now = domain.clock.now();
    let keeper = Keeper::to_read(domain, caller, of, now).await?;
    let partition = keyspace::of_api_keys(keeper.owner());
    let list = format!("{partition}/api_key");
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let (after, size) = (after.transpose()?, usize::from(ask.size));
    let kind = keyspace::API_KEY;
    let page = domain.store.scan(&partition, kind, after.as_deref(), size, now).await?;
    let mut records = Vec::with_capacity(page.entries.len());
    for (id, stored) in &page.entries {
        let listed = ListedKey::decode(&Key::new(&partition, kind, id), stored)?;
        records.extend((!listed.is_going).then_some(listed.key));
    }
    let keys = records.iter().map(|record| keyspace::api_key_use(&record.id)).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let shown = records.into_iter().map(|record| shown(&reads, record));
    let items = shown.collect::<Result<_, _>>()?;
    let next = page.next.map(|last| page_token::make(domain, &list, &last)).transpose()?;
    Ok(Page { items, next })
}

/// A key of anybody else looks like none.
async fn load(
    domain: &Domain,
    owner: Option<&TenantId>,
    id: &ApiKeyId,
    now: Timestamp,
) -> Result<ShownApiKey, Error> {
    let entry = keyspace::api_key_entry(owner, id);
    let keys = vec![entry.clone(), keyspace::api_key_use(id)];
    let reads = Reads::load(&domain.store, keys, now).await?;
    shown(&reads, listed::standing(reads.find(&entry)?)?.key)
}

fn shown(reads: &Reads, record: ApiKey) -> Result<ShownApiKey, Error> {
    let last_use: Option<LastUse> = reads.find(&keyspace::api_key_use(&record.id))?;
    Ok(ShownApiKey { record, last_used_at: last_use.map(|last| last.at) })
}

fn check_scopes(owner: Option<&TenantId>, scopes: &BTreeSet<KeyScope>) -> Result<(), Refusal> {
    if scopes.is_empty() {
        return Err(Refusal::invalid("scopes", "must name at least one scope"));
    }
    let reaches_beyond = |scope: &KeyScope| owner.is_some() && !KeyScope::TENANT.contains(scope);
    let beyond: BTreeSet<_> = scopes.iter().copied().filter(reaches_beyond).collect();
    if beyond.is_empty() {
        return Ok(());
    }
    Err(Refusal::of(Code::EscalationDenied).detail("scopes", names(&beyond)))
}

fn check_end(end: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    match end {
        Some(end) if end <= now => Err(Refusal::invalid("expiresAt", "must be in the future")),
        Some(_) | None => Ok(()),
    }
}

async fn check_number(
    domain: &Domain,
    owner: Option<&TenantId>,
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_api_keys(owner);
    let held = domain.store.scan(&partition, keyspace::API_KEY, None, MAX_API_KEYS, now).await?;
    if held.entries.len() < MAX_API_KEYS {
        return Ok(());
    }
    let reason = format!("there are {MAX_API_KEYS} API keys, which is the most");
    Err(Refusal::new(Code::LimitExceeded, reason).into())
}

fn names(scopes: &BTreeSet<KeyScope>) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

fn changes(ask: &UpdateApiKey) -> BTreeMap<String, String> {
    let name = ask.name.clone().map(|name| ("name", name));
    let status = ask.status.map(|status| ("status", status.as_str().to_owned()));
    let scopes = ask.scopes.as_ref().map(|scopes| ("scopes", names(scopes)));
    let end = ask.expires_at.map(|end| ("expiresAt", clock::rfc3339(end)));
    let given = [name, status, scopes, end].into_iter().flatten();
    given.map(|(member, value)| (member.to_owned(), value)).collect()
}

fn act(action: Action, id: &ApiKeyId, details: BTreeMap<String, String>) -> Act {
    Act { scope: WRITE, action, target: id.to_string(), details }
}

#[cfg(test)]
mod tests;

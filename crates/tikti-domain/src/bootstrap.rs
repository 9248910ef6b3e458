//! The first administrator and key of a deployment.
//!
//! Safe to run again, and from several replicas at once: what exists stays as it is. A deployment that has an
//! administrator is never given another one: who was deleted does not come back with the next start, and neither
//! does a key.
//!
//! Spec: CLI, `dev`, `bootstrap`; HTTP API, "browser key".

use secrecy::{ExposeSecret, SecretString};
use tikti_store::{Entry, Key};

use crate::account::{NewUser, create_user, find_by_email};
use crate::api_key::{ApiKey, ApiKeyStatus, KeyScope, check_key_form, parse_key_id};
use crate::api_keys::{self, ListedKey};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::fence;
use crate::id::ApiKeyId;
use crate::intent::{self, HandlingApiKey, Work};
use crate::keyspace;
use crate::password::check_new_password;
use crate::reads::Reads;
use crate::record::Record;
use crate::user::{Admins, GlobalRole, User};

/// What a deployment begins with.
#[derive(Debug, Default)]
pub struct Seed {
    /// Address and password of a global administrator.
    pub admin: Option<(Email, SecretString)>,
    /// A key that may stand in public web pages.
    pub browser_key: Option<SecretString>,
}

/// How a new deployment begins.
#[derive(Debug)]
pub struct First {
    /// Address and password of its first administrator.
    pub admin: (Email, SecretString),
    /// A key of the deployment with every scope, `tk_<id>_<secret>`.
    pub api_key: Option<SecretString>,
}

/// What became of a [`First`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Administrator and key are there, by this call or one at the same time.
    Made,
    /// The deployment had an administrator: nothing was done.
    Before,
    /// Another call is making the administrator, or has stopped half-way: repeat it after a moment.
    Elsewhere,
}

/// Gives a deployment without an administrator its first one, and a key.
///
/// The key comes first: a crash between the two leaves no administrator, and the call is repeated. Only an
/// administrator who lives ends it, so that one whose creation stopped half-way is made again. Of many calls at
/// once that all live, one makes him. Replicas are to be given the same address: of two addresses at the same moment
/// both become administrators.
///
/// # Errors
/// `WEAK_PASSWORD`, `PASSWORD_TOO_LONG`, `INVALID_ARGUMENT` for what does not fit the rules, and `EMAIL_EXISTS`
/// where the address belongs to a user who is no administrator: nothing was written then. `CONFLICT` where a key
/// of this id has another secret, or where it took longer than a minute; the store's.
pub async fn begin(domain: &Domain, first: &First) -> Result<Begun, Error> {
    let now = domain.clock.now();
    if has_admin(domain, now).await? {
        return Ok(Begun::Before);
    }
    let (email, password) = &first.admin;
    check_new_password(password, Some(email))?;
    if let Some(key) = &first.api_key {
        check_key_form(key.expose_secret())?;
    }
    let key = first.api_key.as_ref().map(|key| GivenKey::parse(key, &KeyKind::DEPLOYMENT));
    let key = key.transpose()?;
    is_admin(domain, email, now).await?;
    if let Some(key) = &key {
        // Boxed: large for what is done once.
        if Box::pin(seed_key(domain, key, now)).await? == Seeded::Now {
            let key_id = key.id.as_str();
            tracing::info!(target: "tikti::audit", action = "api_key.create", key_id, "the first API key was made");
        }
        check_key(domain, key, now).await?;
    }
    match seed_admin(domain, email, password, now).await? {
        Seeded::Now => {
            tracing::info!(target: "tikti::audit", action = "user.create", "the first administrator was made");
            Ok(Begun::Made)
        }
        Seeded::Before => Ok(Begun::Made),
        Seeded::Elsewhere => Ok(Begun::Elsewhere),
    }
}

/// Whether an administrator lives. A name whose user does not means nothing: its creation is under way, or was
/// given up.
async fn has_admin(domain: &Domain, now: Timestamp) -> Result<bool, Error> {
    let mut seen = admins(domain, now).await?;
    loop {
        let keys: Vec<Key> = seen.user_ids.iter().map(keyspace::user).collect();
        let reads = Reads::load(&domain.store, keys.clone(), now).await?;
        for key in &keys {
            let user: Option<User> = reads.find_live(key)?;
            if user.is_some_and(|user| user.is_admin()) {
                return Ok(true);
            }
        }
        // One may have gone since, but not before another one had come.
        let still = admins(domain, now).await?;
        if still == seen {
            return Ok(false);
        }
        seen = still;
    }
}

async fn admins(domain: &Domain, now: Timestamp) -> Result<Admins, Error> {
    let key = keyspace::admins();
    let stored = domain.store.get(&key, now).await?;
    Ok(Admins::decode_optional(&key, stored.as_ref())?.unwrap_or_default())
}

/// Whether this call made what was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seeded {
    Now,
    Before,
    /// Others are at it, or have stopped half-way.
    Elsewhere,
}

/// What becomes of a key that is given at the beginning.
struct KeyKind {
    /// The setting that it comes from.
    setting: &'static str,
    name: &'static str,
    scopes: &'static [KeyScope],
}

impl KeyKind {
    const BROWSER: Self =
        Self { setting: "webApiKey", name: "browser", scopes: &KeyScope::BROWSER };
    const DEPLOYMENT: Self = Self { setting: "apiKey", name: "bootstrap", scopes: &KeyScope::ALL };
}

/// A key that is given at the beginning.
struct GivenKey<'a> {
    id: ApiKeyId,
    text: &'a SecretString,
    kind: &'static KeyKind,
}

impl<'a> GivenKey<'a> {
    fn parse(text: &'a SecretString, kind: &'static KeyKind) -> Result<Self, Refusal> {
        let id = parse_key_id(text.expose_secret()).ok_or_else(|| {
            Refusal::invalid(kind.setting, "must be of the form tk_<id>_<secret>")
        })?;
        Ok(Self { id, text, kind })
    }

    fn record(&self, domain: &Domain, now: Timestamp) -> Result<ApiKey, Error> {
        Ok(ApiKey {
            id: self.id.clone(),
            name: Some(self.kind.name.to_owned()),
            hash: domain.peppers.hash(self.text.expose_secret())?,
            scopes: self.kind.scopes.iter().copied().collect(),
            tenant_id: None,
            status: ApiKeyStatus::Active,
            created_at: now,
            expires_at: None,
            rev: 0,
        })
    }
}

/// Makes what is not there yet.
///
/// # Errors
/// `WEAK_PASSWORD`, `PASSWORD_TOO_LONG`, `INVALID_ARGUMENT` for a seed that does not fit the rules;
/// the store's.
pub async fn seed(domain: &Domain, seed: &Seed) -> Result<(), Error> {
    let now = domain.clock.now();
    if let Some((email, password)) = &seed.admin {
        seed_admin(domain, email, password, now).await?;
    }
    if let Some(key) = &seed.browser_key {
        let key = GivenKey::parse(key, &KeyKind::BROWSER)?;
        // Boxed: large for what is done once.
        Box::pin(seed_key(domain, &key, now)).await?;
    }
    Ok(())
}

/// Whether the address is an administrator's.
///
/// # Errors
/// `EMAIL_EXISTS` where it is another user's; the store's.
async fn is_admin(domain: &Domain, email: &Email, now: Timestamp) -> Result<bool, Error> {
    match find_by_email(domain, email, now).await? {
        Some(user) if user.is_admin() => Ok(true),
        Some(_) => {
            let message = "the administrator's address belongs to a user who is no administrator";
            Err(Refusal::new(Code::EmailExists, message).into())
        }
        None => Ok(false),
    }
}

async fn seed_admin(
    domain: &Domain,
    email: &Email,
    password: &SecretString,
    now: Timestamp,
) -> Result<Seeded, Error> {
    if is_admin(domain, email, now).await? {
        return Ok(Seeded::Before);
    }
    check_new_password(password, Some(email))?;
    let password_hash = Some(domain.passwords.hash(password).await?);
    let new = NewUser { email: email.clone(), password_hash, role: GlobalRole::Admin };
    // Hashing took its time, and a creation has a minute.
    let now = domain.clock.now();
    match create_user(domain, new, now).await {
        Ok(_) => Ok(Seeded::Now),
        // Another replica was quicker, or has taken this creation for dead and may die itself. Tried again at
        // once, both could do so to each other for ever.
        Err(taken) if taken.code() == Code::EmailExists => {
            let is_there = is_admin(domain, email, now).await?;
            Ok(if is_there { Seeded::Before } else { Seeded::Elsewhere })
        }
        Err(error) => Err(error),
    }
}

/// Makes a key that is not there, and lets one that is be as its list says.
async fn seed_key(domain: &Domain, given: &GivenKey<'_>, now: Timestamp) -> Result<Seeded, Error> {
    let (id, entry) = (&given.id, keyspace::api_key_entry(None, &given.id));
    if domain.store.get(&entry, now).await?.is_some() {
        api_keys::follow(domain, None, id, now).await?;
        return Ok(Seeded::Before);
    }
    // One from before keys were listed stays as it is.
    let key = keyspace::api_key(id);
    let stored = domain.store.get(&key, now).await?;
    let record = match ApiKey::decode_optional(&key, stored.as_ref())? {
        Some(stands) => stands,
        None => given.record(domain, now)?,
    };
    let work = HandlingApiKey { tenant_id: None, key_id: id.clone() };
    let operation = intent::begin(domain, Work::HandleApiKey(work), now).await?;
    let bytes = ListedKey::new(record, operation.clone()).encode()?;
    let partition = entry.partition();
    let reads = [entry.clone(), keyspace::fence(partition, &operation)];
    let listed = domain.store.transact(partition, &reads, now, |txn| {
        fence::check(txn, partition, &operation)?;
        if txn.get(&entry)?.is_none() {
            txn.put(&entry, Entry::new(&bytes))?;
        }
        Ok::<_, Error>(())
    });
    listed.await?;
    api_keys::follow(domain, None, id, now).await?;
    intent::rest(&operation, intent::end(domain, &operation).await);
    Ok(Seeded::Now)
}

/// Checks that the key can be used: another one of the same id stays as it is.
async fn check_key(domain: &Domain, given: &GivenKey<'_>, now: Timestamp) -> Result<(), Error> {
    let key = keyspace::api_key(&given.id);
    let stored = domain.store.get(&key, now).await?;
    let record = ApiKey::decode_optional(&key, stored.as_ref())?;
    let text = given.text.expose_secret();
    if record.is_some_and(|record| domain.peppers.matches(text, &record.hash)) {
        return Ok(());
    }
    let message = "there is an API key of this id, tk_<id>_<secret>, with another secret";
    Err(Refusal::new(Code::Conflict, message).into())
}

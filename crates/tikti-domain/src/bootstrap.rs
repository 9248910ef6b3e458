//! The first administrator and key of a deployment.
//!
//! Safe to run again, and from several replicas at once: what exists stays as it is.
//!
//! Spec: CLI, `dev`, `bootstrap`; HTTP API, "browser key".

use secrecy::{ExposeSecret, SecretString};
use tikti_store::{Entry, Expected, StoreError};

use crate::account::{NewUser, create_user, find_by_email};
use crate::api_key::{ApiKey, ApiKeyStatus, KeyScope, parse_key_id};
use crate::api_keys::{self, ListedKey};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::id::OperationId;
use crate::keyspace;
use crate::password::check_new_password;
use crate::record::Record;
use crate::user::GlobalRole;

/// What a deployment begins with.
#[derive(Debug, Default)]
pub struct Seed {
    /// Address and password of a global administrator.
    pub admin: Option<(Email, SecretString)>,
    /// A key that may stand in public web pages.
    pub browser_key: Option<SecretString>,
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
        // Boxed: large for what is done once.
        Box::pin(seed_browser_key(domain, key, now)).await?;
    }
    Ok(())
}

async fn seed_admin(
    domain: &Domain,
    email: &Email,
    password: &SecretString,
    now: Timestamp,
) -> Result<(), Error> {
    match find_by_email(domain, email, now).await? {
        Some(user) if user.is_admin() => return Ok(()),
        Some(_) => {
            let message = "the administrator's address belongs to a user who is no administrator";
            return Err(Refusal::new(Code::EmailExists, message).into());
        }
        None => {}
    }
    check_new_password(password, Some(email))?;
    let password_hash = Some(domain.passwords.hash(password).await?);
    let new = NewUser { email: email.clone(), password_hash, role: GlobalRole::Admin };
    match create_user(domain, new, now).await {
        // Another replica was quicker.
        Err(taken) if taken.code() == Code::EmailExists => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn seed_browser_key(
    domain: &Domain,
    text: &SecretString,
    now: Timestamp,
) -> Result<(), Error> {
    let id = parse_key_id(text.expose_secret())
        .ok_or_else(|| Refusal::invalid("webApiKey", "must be of the form tk_<id>_<secret>"))?;
    let key = keyspace::api_key(&id);
    let made = ApiKey {
        id: id.clone(),
        name: Some("browser".to_owned()),
        hash: domain.peppers.hash(text.expose_secret())?,
        scopes: KeyScope::BROWSER.into(),
        tenant_id: None,
        status: ApiKeyStatus::Active,
        created_at: now,
        expires_at: None,
        rev: 0,
    };
    // One from before keys were listed stays as it is.
    let stored = domain.store.get(&key, now).await?;
    let record = ApiKey::decode_optional(&key, stored.as_ref())?.unwrap_or(made);
    let listed = ListedKey::new(record, OperationId::generate(now, &domain.random)?);
    let entry = keyspace::api_key_entry(None, &id);
    let bytes = listed.encode()?;
    match domain.store.put_if(&entry, Expected::Absent, Entry::new(&bytes), now).await {
        Ok(()) | Err(StoreError::Conflict { .. }) => api_keys::follow(domain, None, &id, now).await,
        Err(error) => Err(error.into()),
    }
}

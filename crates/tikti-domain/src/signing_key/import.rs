//! How does a signing key that was made elsewhere get in?
//!
//! Offline, by whoever has the store and its secrets. Into a deployment where no key signs it is the first one,
//! active at once; else it waits for its turn as the key of a rotation does, so running servers and verifiers
//! know it by then. The file is judged before anything is read.
//!
//! Spec: Tokens and keys, "Signing keys" (importing a PEM); CLI, `keys import`. Why: docs/decisions/0035.

use tikti_store::{Entry, Expected, Store, StoreError};
use tikti_token::import_rsa_pem;

use super::SigningKeys;
use super::life::{KeyState, KeyTimes};
use super::make::{NewKey, new_kid};
use super::operations::Rotated;
use crate::clock::Timestamp;
use crate::deployment::{self, StartError};
use crate::error::{Code, Error, InternalError, Refusal};
use crate::id::KeyId;
use crate::keyspace;
use crate::random::Random;
use crate::record::Record;
use crate::secret::Secrets;
use crate::settings::Settings;

/// Tries against others who change the keys at the same moment.
const MOST_TRIES: usize = 8;

/// Why nothing was done to the keys of a store. Each is a line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The store and the configuration do not fit each other.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An expected no; it repeats nothing of a file or secret.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The store did not do what was asked, or something broke.
    #[error(transparent)]
    Failed(Error),
}

impl From<Error> for OfflineError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(*refusal),
            other => Self::Failed(other),
        }
    }
}

impl From<Refusal> for OfflineError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<InternalError> for OfflineError {
    fn from(error: InternalError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StoreError> for OfflineError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a store is opened with, offline.
#[derive(Clone, Copy, Debug)]
pub struct Offline<'a> {
    /// The store.
    pub store: &'a Store,
    /// The deployment's settings.
    pub settings: &'a Settings,
    /// The deployment's secrets.
    pub secrets: &'a Secrets,
    /// Where randomness comes from.
    pub random: &'a Random,
}

/// Takes the RSA key of a PEM file (PKCS#8 or PKCS#1, 2048, 3072 or 4096 bits) as a signing key, under `kid` or
/// a name that is made as those of other keys are.
///
/// # Errors
/// [`OfflineError::Refused`] for every other file, and for a key or `kid` that is there already;
/// [`OfflineError::Start`] for a store of another deployment; the store's.
pub async fn import(
    offline: Offline<'_>,
    (file, kid): (&[u8], Option<&KeyId>),
    now: Timestamp,
) -> Result<Rotated, OfflineError> {
    let Offline { store, settings, secrets, random } = offline;
    let der = import_rsa_pem(file).map_err(|error| Refusal::invalid("file", error.to_string()))?;
    let new = NewKey::imported(der);
    settings.check()?;
    deployment::open(store, settings, secrets, now).await?;
    let key = keyspace::signing_keys();
    for _ in 0..MOST_TRIES {
        let stored = store.get(&key, now).await?;
        let mut keys = SigningKeys::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
        let kid = match kid {
            Some(kid) => kid.as_str().to_owned(),
            None => new_kid(&keys, now, random)?,
        };
        check_new(&keys, &new, &kid)?;
        let times = KeyTimes::of(settings);
        let is_first = keys.lives(times).signer(now).is_none();
        let activates_at = if is_first { now } else { times.activates_at(now) };
        let sealing = (&secrets.master_key[..], random);
        keys.keys.push(new.record(&kid, (now, activates_at), sealing)?);
        let bytes = keys.encode()?;
        let expected = stored.as_ref().map_or(Expected::Absent, Expected::Equals);
        match store.put_if(&key, expected, Entry::new(&bytes), now).await {
            Ok(()) => {
                tracing::info!(target: "tikti::audit", action = "key.import", kid, "a signing key was imported");
                let state = if is_first { KeyState::Active } else { KeyState::Published };
                return Ok(Rotated { kid, state, activates_at });
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::from(Code::Conflict).into())
}

/// Neither the name nor the key is there already.
fn check_new(keys: &SigningKeys, new: &NewKey, kid: &str) -> Result<(), OfflineError> {
    if keys.find(kid).is_some() {
        return Err(
            Refusal::new(Code::Conflict, format!("there is a signing key {kid} already")).into()
        );
    }
    let public = new.public(kid)?;
    // A key that was revoked or removed does not come back under another name.
    match keys.keys.iter().find(|key| key.public.n == public.n) {
        Some(known) => {
            let message = format!("this key is there already, as {}", known.kid);
            Err(Refusal::new(Code::Conflict, message).into())
        }
        None => Ok(()),
    }
}

//! How does a master key go out of use?
//!
//! Once it is not the first one any more, everything that lies sealed under it is sealed anew under the first:
//! private keys, and mails that wait, which may do so for a week. Invariant: a record is replaced as it was read
//! or not at all, so an interrupted rewrap is simply run again, also beside running servers; and what cannot be
//! opened stays as it is.
//!
//! Spec: CLI, `keys rewrap`; Operations, "Configuration" (`masterKey`). Why: docs/decisions/0035.

use tikti_store::{Entry, Expected, StoreError};

use super::import::{Offline, OfflineError};
use super::{SigningKeys, sealing_context};
use crate::clock::Timestamp;
use crate::deployment;
use crate::error::{Code, Error, Refusal};
use crate::keyspace;
use crate::mail;
use crate::record::Record;
use crate::secret::{Resealed, reseal};

/// Tries against others who change the keys at the same moment.
const MOST_TRIES: usize = 8;

/// What a rewrap has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Private keys and mails that are sealed anew.
    pub rewrapped: u64,
    /// Those that were under the first master key before.
    pub already: u64,
    /// Mails that no configured master key opens: nobody can send them, and they end with their codes.
    pub lost: u64,
}

impl Rewrapped {
    pub(crate) fn add(&mut self, other: Self) {
        self.rewrapped += other.rewrapped;
        self.already += other.already;
        self.lost += other.lost;
    }
}

/// Seals everything anew under the first master key. Afterwards the others may leave the configuration, once no
/// server is left that has another one first.
///
/// # Errors
/// [`OfflineError::Refused`] where no configured master key opens a private key, naming the one that is missing:
/// then nothing has changed; [`OfflineError::Start`]; the store's: then run it again.
pub async fn rewrap(offline: Offline<'_>, now: Timestamp) -> Result<Rewrapped, OfflineError> {
    let Offline { store, settings, secrets, random } = offline;
    settings.check()?;
    // From here on the store knows the new master key, and is opened by it alone.
    deployment::open(store, settings, secrets, now).await?;
    let mut done = rewrap_keys(offline, now).await?;
    done.add(mail::rewrap(store, (&secrets.master_key, random), now).await?);
    let Rewrapped { rewrapped, already, lost } = done;
    tracing::info!(target: "tikti::audit", action = "key.rewrap", rewrapped, already, lost, "sealed anew under the first master key");
    Ok(done)
}

async fn rewrap_keys(offline: Offline<'_>, now: Timestamp) -> Result<Rewrapped, OfflineError> {
    let Offline { store, secrets, random, .. } = offline;
    let key = keyspace::signing_keys();
    for _ in 0..MOST_TRIES {
        let stored = store.get(&key, now).await?;
        let mut keys = SigningKeys::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
        let mut done = Rewrapped::default();
        for record in &mut keys.keys {
            let Some(sealed) = &record.private else { continue };
            let context = sealing_context(&record.kid);
            match reseal(&secrets.master_key, &context, sealed, random)? {
                Resealed::Already => done.already += 1,
                Resealed::Anew(anew) => {
                    record.private = Some(anew);
                    done.rewrapped += 1;
                }
                Resealed::Shut => {
                    let (kid, named) = (&record.kid, &sealed.master_key);
                    let message = format!(
                        "the signing key {kid} is sealed under the master key {named}, which is not \
                         configured or another one"
                    );
                    return Err(Refusal::new(Code::InvalidArgument, message).into());
                }
            }
        }
        if done.rewrapped == 0 {
            return Ok(done);
        }
        let bytes = keys.encode()?;
        let expected = stored.as_ref().map_or(Expected::Absent, Expected::Equals);
        match store.put_if(&key, expected, Entry::new(&bytes), now).await {
            Ok(()) => return Ok(done),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::from(Code::Conflict).into())
}

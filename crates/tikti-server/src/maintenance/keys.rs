//! How do operators get a signing key of elsewhere into a store, and a master key out of use?
//!
//! Both may run beside servers where the store is not an embedded one, and may be repeated.
//!
//! Spec: Command line, `keys import` and `keys rewrap`.

use tikti_domain::Store;
use tikti_domain::clock::Clock;
use tikti_domain::id::KeyId;
use tikti_domain::keys::{self, Offline, OfflineError};
use tikti_domain::random::Random;

use super::{HOLDER, MaintenanceError};
use crate::api::RotatedKeyReply;
use crate::config::Config;

pub use tikti_domain::keys::Rewrapped;

/// Takes the RSA key of a PEM file as a signing key, under `kid` or a name that is made for it.
///
/// # Errors
/// [`MaintenanceError`]; nothing was changed then.
pub async fn import_key(
    config: &Config,
    file: &[u8],
    kid: Option<&str>,
) -> Result<RotatedKeyReply, MaintenanceError> {
    let kid = kid.map(KeyId::parse).transpose().map_err(OfflineError::from)?;
    let (store, random) = (config.store.open(HOLDER).await?, Random::system());
    let now = Clock::system().now();
    let imported = keys::import(offline(config, &store, &random), (file, kid.as_ref()), now).await;
    store.close().await;
    Ok(imported?.into())
}

/// Seals everything anew that is not sealed under the first master key.
///
/// # Errors
/// [`MaintenanceError`]; what was sealed anew by then stays, and it may be run again.
pub async fn rewrap_keys(config: &Config) -> Result<Rewrapped, MaintenanceError> {
    let (store, random) = (config.store.open(HOLDER).await?, Random::system());
    let rewrapped = keys::rewrap(offline(config, &store, &random), Clock::system().now()).await;
    store.close().await;
    Ok(rewrapped?)
}

fn offline<'a>(config: &'a Config, store: &'a Store, random: &'a Random) -> Offline<'a> {
    let (settings, secrets) = (&config.domain.settings, &config.domain.secrets);
    Offline { store, settings, secrets, random }
}

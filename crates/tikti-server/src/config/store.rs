//! Which store does a deployment have, and how is it opened?
//!
//! Invariant: the URL may hold a password, so it is a secret: it is shown nowhere, and `Debug` hides
//! it.
//!
//! Spec: Operations, "Configuration"; Storage, "Engine B".

use std::path::PathBuf;

use tikti_domain::random::Random;
use tikti_domain::secret::{ExposeSecret, SecretString};
use tikti_domain::{OpenOptions, RedisOptions, Store, TlsFiles};

use super::check;
use super::section::Section;
use crate::ServeError;

/// More replicas than this behind one master are not run.
const MAX_REPLICAS: u64 = 8;

/// Which store, and how to talk to it.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Such as `embedded:/var/lib/tikti` or `redis://:password@host`.
    pub url: SecretString,
    /// What only a server of the Redis protocol asks for.
    pub redis: RedisOptions,
}

impl StoreConfig {
    /// The store at `url`, with nothing set beside it.
    #[must_use]
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self { url: url.into(), redis: RedisOptions::default() }
    }

    /// Whether the store lies in a directory of this machine.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.url.expose_secret().starts_with("embedded:")
    }

    /// Opens the store, and makes one where there is none. `holder` is shown to whoever finds it
    /// locked.
    ///
    /// # Errors
    /// [`ServeError::Store`], [`ServeError::Random`].
    pub async fn open(&self, holder: &str) -> Result<Store, ServeError> {
        Ok(Store::open(self.url.expose_secret(), self.options(holder)?).await?)
    }

    /// Opens the store for reading, beside whoever else uses it. Makes and changes nothing.
    ///
    /// # Errors
    /// [`ServeError::Store`], [`ServeError::Random`].
    pub async fn open_read_only(&self, holder: &str) -> Result<Store, ServeError> {
        Ok(Store::open_read_only(self.url.expose_secret(), self.options(holder)?).await?)
    }

    /// What the store is opened with.
    ///
    /// # Errors
    /// [`ServeError::Random`].
    pub fn options(&self, holder: &str) -> Result<OpenOptions, ServeError> {
        let options = OpenOptions::new(Random::system().bytes()?, holder);
        Ok(OpenOptions { redis: self.redis.clone(), ..options })
    }
}

/// Reads the group `store`.
pub(super) fn store(mut store: Section<'_>) -> Option<StoreConfig> {
    if !store.has("url") {
        store.refuse("url", "is missing, such as embedded:/var/lib/tikti or redis://host");
    }
    let url = store.parsed("url", |url| check::store_url(url).map(|()| url.to_owned()));
    let wait_replicas = store.number("waitReplicas", 0, MAX_REPLICAS);
    let allow_volatile = store.flag("allowVolatile");
    let require_sync = store.flag("requireSync");
    let tls = tls(store.section("tls"));
    if let Some(url) = &url {
        let is_embedded = url.starts_with("embedded:");
        let given = [
            ("waitReplicas", wait_replicas.is_some_and(|replicas| replicas > 0)),
            ("allowVolatile", allow_volatile == Some(true)),
            ("requireSync", require_sync == Some(true)),
        ];
        for (key, _) in given.iter().filter(|(_, is_set)| *is_set && is_embedded) {
            store.refuse(key, "means nothing to an embedded store");
        }
        let has_files = tls.ca.is_some() || tls.client.is_some();
        if has_files && !url.starts_with("rediss") {
            store.refuse("tls", "contradicts store.url: only rediss: URLs are encrypted");
        }
    }
    if allow_volatile == Some(true) && require_sync == Some(true) {
        store.refuse("requireSync", "contradicts allowVolatile: give one of them");
    }
    store.finish();
    let redis = RedisOptions {
        wait_replicas: wait_replicas.and_then(|number| number.try_into().ok()).unwrap_or_default(),
        allow_volatile: allow_volatile.unwrap_or_default(),
        require_sync: require_sync.unwrap_or_default(),
        tls,
    };
    Some(StoreConfig { url: url?.into(), redis })
}

fn tls(mut tls: Section<'_>) -> TlsFiles {
    let [ca, certificate, key] =
        ["caFile", "certFile", "keyFile"].map(|file| tls.text(file).map(PathBuf::from));
    if certificate.is_some() != key.is_some() {
        tls.refuse("certFile", "and keyFile belong together");
    }
    tls.finish();
    TlsFiles { ca, client: certificate.zip(key) }
}

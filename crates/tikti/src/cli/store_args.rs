//! Which store does a command mean, and which secrets belong to it? Named as for the servers:
//! `--data` and `--store` as for `dev`, `--config` as for `serve`.
//!
//! Spec: Command line, `store`, `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;
use tikti_server::config::{self, Config, StoreConfig};
use tikti_server::dev;
use tikti_server::maintenance::{BackupKey, MaintenanceError, Secrets, backup_key};

use super::dev::not_prepared;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::output::Output;

/// Where `tikti dev` listens by itself.
const DEV_URL: &str = "http://127.0.0.1:8080";

/// A store, by the server that it belongs to.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// Directory of `tikti dev` [default: ~/.tikti/dev]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Store, where it does not lie in that directory; @FILE reads the URL from a file, since others
    /// can see the password of one on the command line
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Configuration of `tikti serve`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "store"])]
    config: Option<PathBuf>,
}

impl StoreArgs {
    /// The store, with what has to be set to talk to it.
    pub(crate) fn store(&self, context: &Context) -> Result<StoreConfig, Failure> {
        if let Some(config) = self.config()? {
            return Ok(config.store);
        }
        let url = self.store.as_deref().map(input::store_url).transpose()?;
        // With a URL nothing is asked of the directory, not even that there is a home.
        let directory = if url.is_some() { PathBuf::new() } else { self.directory(context)? };
        Ok(dev::store(&directory, url))
    }

    /// The secrets of the deployment that the store belongs to.
    pub(crate) fn secrets(&self, context: &Context) -> Result<Secrets, Failure> {
        match self.config()? {
            Some(config) => Ok(config.domain.secrets),
            None => dev::secrets(&self.directory(context)?).map_err(not_prepared),
        }
    }

    /// The configuration of the server that the store belongs to. Makes no secrets.
    pub(crate) fn deployment(&self, context: &Context) -> Result<Config, Failure> {
        if let Some(config) = self.config()? {
            return Ok(config);
        }
        let directory = self.directory(context)?;
        let url = self.store.as_deref().map(input::store_url).transpose()?;
        dev::secrets(&directory).map_err(not_prepared)?;
        let setup = dev::prepare(&directory, url).map_err(not_prepared)?;
        // The issuer of `dev` is the address of each start: the next one puts its own in this place.
        Ok(setup.config(DEV_URL))
    }

    fn config(&self) -> Result<Option<Config>, Failure> {
        let loaded = self.config.as_deref().map(config::load).transpose();
        loaded.map_err(|problems| Failure::usage(problems.to_string()))
    }

    fn directory(&self, context: &Context) -> Result<PathBuf, Failure> {
        match &self.data {
            Some(directory) => Ok(directory.clone()),
            None => Ok(context.environment.directory()?.join("dev")),
        }
    }
}

/// The key that seals backups.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// File with the key that seals the backup: 32 bytes as base64, as `openssl rand -base64 32` prints
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyArgs {
    pub(crate) fn key(&self) -> Result<Option<BackupKey>, Failure> {
        self.key_file.as_deref().map(backup_key).transpose().map_err(Failure::usage)
    }
}

/// A store that cannot be opened is a wrong configuration; what goes wrong later is a failure.
#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
pub(crate) fn not_done(cause: MaintenanceError) -> Failure {
    let text = Failure::chain(&cause);
    match cause {
        MaintenanceError::Open(_)
        | MaintenanceError::Start(_)
        | MaintenanceError::Source(_)
        | MaintenanceError::SourceIsStore
        | MaintenanceError::SourceEmpty { .. } => Failure::usage(text),
        MaintenanceError::Store(_)
        | MaintenanceError::ImportStopped { .. }
        | MaintenanceError::MigrationStopped(_)
        | MaintenanceError::SourceRead(_)
        | MaintenanceError::Keys(_)
        | MaintenanceError::Refused(_)
        | MaintenanceError::Backup(_) => Failure::refused(text),
    }
}

/// Says what was left out as expired: a clock that is wrong leaves out what is alive.
pub(crate) fn note_expired(output: &Output, expired: u64) {
    if expired > 0 {
        let text = format!("{expired} had expired by the clock of this machine and were left out");
        output.note(&text);
    }
}

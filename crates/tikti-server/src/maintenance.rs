//! How do tools reach the store of a deployment, outside of its server? Verified, backed up,
//! restored, filled with users and signing keys of elsewhere, sealed under another master key.
//!
//! Invariant: what only reads opens the store for reading, beside a running server, and makes none;
//! what writes has an embedded store for itself.
//!
//! Spec: Operations, "Backup".

mod begin;
mod import;
mod keys;
mod migrate;
mod user_file;

use std::io::{Read, Write};
use std::path::Path;

use data_encoding::BASE64;
pub use tikti_domain::TlsFiles;
pub use tikti_domain::backup::{BackupError, BackupKey, BackupReport, RestoreReport};
use tikti_domain::backup::{BackupOptions, RestoreOptions, check, write};
use tikti_domain::clock::{Clock, rfc3339};
use tikti_domain::error::Error;
use tikti_domain::integrity::verify;
pub use tikti_domain::integrity::{Finding, IntegrityReport, Progress, Rule};
use tikti_domain::keys::OfflineError;
use tikti_domain::migrate::Stopped;
pub use tikti_domain::migrate::{
    Count as MigrationCount, Report as MigrationReport, Thing as MigratedThing,
    Trouble as MigrationTrouble, TroubleKind as MigrationTroubleKind,
};
use tikti_domain::random::Random;
use tikti_domain::secret::SecretBytes;
pub use tikti_domain::secret::{SecretString, Secrets};
use tikti_domain::{OpenError, StartError, StoreError};

use crate::ServeError;
use crate::config::StoreConfig;
pub use begin::{Begun, begin_deployment};
pub use import::{ImportReport, RefusedUser, examine_users, import_users};
pub use keys::{Rewrapped, import_key, rewrap_keys};
pub use migrate::{MigrationPhase, MigrationSource, migrate_legacy, plan_migration};
pub use user_file::{
    FirebaseHashConfig, UserFileError, UserRow, read_firebase_hash_config, read_firebase_users,
    read_user_lines,
};

/// Who holds a store that a tool has open, as whoever finds it locked is told.
const HOLDER: &str = "tikti, maintenance";

/// Hears how far the work is.
pub type Listener<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Why the work was not done. Each is a line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The store stopped answering.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store and the configuration do not fit each other.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store stopped answering in the middle of an import.
    #[error("the import stopped after {done} users; repeated, it goes on there")]
    ImportStopped {
        /// Users that were looked at.
        done: u64,
        /// Why.
        source: Error,
    },
    /// The server of an older Tikti cannot be read.
    #[error("the old data: {0}")]
    Source(OpenError),
    /// The server of an older Tikti stopped answering.
    #[error("the old data cannot be read any more")]
    SourceRead(#[source] StoreError),
    /// There is nothing of an older Tikti.
    #[error("{server} holds nothing of an older Tikti")]
    SourceEmpty {
        /// Host and port.
        server: String,
    },
    /// The store itself was named as that of an older Tikti.
    #[error("the old data is named by the same server and database as the store")]
    SourceIsStore,
    /// The store stopped answering in the middle of a migration.
    #[error(transparent)]
    MigrationStopped(#[from] Stopped),
    /// Nothing was done to the signing keys, or not all of it.
    #[error(transparent)]
    Keys(OfflineError),
    /// The deployment was not begun.
    #[error("{}", refused(.0))]
    Refused(Error),
    /// The backup was not made or not restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// What was wrong with what was given, where something was.
fn refused(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.message.to_string(),
        Error::Store(_) | Error::Internal(_) => error.to_string(),
    }
}

impl From<OfflineError> for MaintenanceError {
    fn from(error: OfflineError) -> Self {
        match error {
            OfflineError::Start(error) => Self::Start(error),
            error @ (OfflineError::Refused(_) | OfflineError::Failed(_)) => Self::Keys(error),
        }
    }
}

/// How a backup is put back.
#[derive(Clone, Copy, Debug)]
pub struct Restoring<'a> {
    /// The secrets of the deployment that it was made of.
    pub secrets: &'a Secrets,
    /// Opens the file, where it is sealed.
    pub key: Option<&'a BackupKey>,
    /// Whether sessions and tokens from before live on, revoked ones included.
    pub keep_sessions: bool,
}

/// Compares everything that is stored with the rules; the store may be in use.
///
/// # Errors
/// [`MaintenanceError`]; what is wrong in the store is a finding.
pub async fn verify_store(
    store: &StoreConfig,
    listener: Listener<'_>,
) -> Result<IntegrityReport, MaintenanceError> {
    let store = store.open_read_only(HOLDER).await?;
    Ok(verify(&store, Clock::system().now(), listener).await?)
}

/// Writes all records to `out`, sealed where there is a `key`; the store may be in use. `out` is
/// flushed, not synced.
///
/// # Errors
/// [`MaintenanceError`]; then what was written is no backup.
pub async fn back_up(
    store: &StoreConfig,
    key: Option<&BackupKey>,
    out: &mut (dyn Write + Send),
    listener: Listener<'_>,
) -> Result<BackupReport, MaintenanceError> {
    let store = store.open_read_only(HOLDER).await?;
    let random = Random::system();
    let options = BackupOptions { key, random: &random, now: Clock::system().now() };
    Ok(write(&store, options, out, listener).await?)
}

/// Fills the store, which must be empty, from a backup. The beginning of the file, the key and the
/// secrets are checked first: where one of them is wrong, no store is opened or made.
///
/// # Errors
/// [`MaintenanceError`]; a store that was begun is not served before a restore has ended well.
pub async fn restore_into(
    store: &StoreConfig,
    restoring: Restoring<'_>,
    input: &mut (dyn Read + Send),
    listener: Listener<'_>,
) -> Result<RestoreReport, MaintenanceError> {
    let Restoring { secrets, key, keep_sessions } = restoring;
    let options = RestoreOptions { secrets, key, keep_sessions, now: Clock::system().now() };
    let backup = check(options, input)?;
    let store = store.open(HOLDER).await?;
    let report = backup.restore(&store, listener).await?;
    store.close().await;
    Ok(report)
}

/// When the backup was made, as RFC 3339.
#[must_use]
pub fn made_at(report: &RestoreReport) -> String {
    rfc3339(report.created)
}

/// Reads the key of a backup: 32 bytes as base64, as `openssl rand -base64 32` prints them.
///
/// # Errors
/// A line that shows nothing of the file.
pub fn backup_key(file: &Path) -> Result<BackupKey, String> {
    let wrong = |reason: &str| format!("{}: {reason}", file.display());
    let text = std::fs::read_to_string(file).map_err(|cause| wrong(&cause.to_string()))?;
    let bytes = BASE64.decode(text.trim().as_bytes()).ok();
    let key = bytes.and_then(|bytes| BackupKey::new(SecretBytes::new(bytes)).ok());
    key.ok_or_else(|| {
        wrong("must hold 32 bytes as base64, such as `openssl rand -base64 32` prints")
    })
}

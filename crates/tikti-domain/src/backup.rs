//! How does a deployment become one file, and the file a deployment again?
//!
//! [`write()`] walks the store and writes every record, byte for byte, into a file that no engine needs
//! to understand; [`check`] reads its beginning, and [`CheckedBackup::restore`] fills an empty store
//! from it. Invariants: the file holds no secret of the configuration (the store has none); what was
//! read from a file is believed only after its frame was authenticated; a store that holds half a
//! restore is marked and never served.
//!
//! | file | what it answers |
//! |---|---|
//! | `format` | what the file looks like, and how damage and intent are found |
//! | `restore` | how an empty store is filled, and which sessions live on |
//!
//! Spec: Operations, "Backup". Why: docs/decisions/0016.

use std::io::Write;

use tikti_store::{Store, StoreError, copy};

use crate::clock::Timestamp;
use crate::deployment::StartError;
use crate::error::InternalError;
use crate::integrity::Progress;
use crate::keyspace;
use crate::random::Random;
use crate::secret::SecretBytes;
use format::{Body, FrameWriter, Header};

pub use restore::{CheckedBackup, RestoreOptions, RestoreReport, check};

mod format;
mod restore;

#[cfg(test)]
mod tests;

/// The key that a backup is sealed with: 32 random bytes, kept apart from the file.
#[derive(Clone, Debug)]
pub struct BackupKey(SecretBytes);

impl BackupKey {
    /// The length of a key in bytes.
    pub const BYTES: usize = 32;

    /// Takes the key.
    ///
    /// # Errors
    /// [`BackupError::KeyLength`].
    pub fn new(bytes: SecretBytes) -> Result<Self, BackupError> {
        let found = bytes.expose().len();
        if found == Self::BYTES { Ok(Self(bytes)) } else { Err(BackupError::KeyLength { found }) }
    }
}

/// How a backup is made.
#[derive(Clone, Copy, Debug)]
pub struct BackupOptions<'a> {
    /// Seals the file; without one anybody who has the file can read it.
    pub key: Option<&'a BackupKey>,
    /// Where the file's salt comes from.
    pub random: &'a Random,
    /// The time now: what is expired is left out.
    pub now: Timestamp,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// How many records.
    pub records: u64,
    /// How many have expired and were left out.
    pub expired: u64,
    /// Their checksum: see [`copy::Tally`].
    pub checksum: u64,
    /// Whether the file is sealed.
    pub sealed: bool,
}

/// Why a backup was not made or not restored. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store did not do what it was asked.
    #[error("the store did not do what it was asked: run the same command again when it does")]
    Store(#[source] StoreError),
    /// The file could not be read or written.
    #[error("the backup file could not be read or written")]
    Io(#[from] std::io::Error),
    /// Something broke that should not.
    #[error("an internal error")]
    Internal(#[from] InternalError),
    /// The key is not 32 bytes long.
    #[error("the backup key must be 32 bytes, not {found}")]
    KeyLength {
        /// Its length.
        found: usize,
    },
    /// Nobody has started on this store.
    #[error("the {place} holds no deployment: there is nothing to back up or to restore")]
    NoDeployment {
        /// `store` or `backup`.
        place: &'static str,
    },
    /// The source is itself half a copy.
    #[error("the store holds {found} that was not finished: finish it first")]
    UnfinishedSource {
        /// What is under way there.
        found: String,
    },
    /// A record of the store is damaged.
    #[error(
        "the record {key} is damaged, and a backup without it would look whole: restore an older \
         backup, or delete it"
    )]
    DamagedRecord {
        /// Its key, printable.
        key: String,
    },
    /// The store holds a key of another program.
    #[error("the store holds {key}, which another program wrote: remove it")]
    Foreign {
        /// The key, printable.
        key: String,
    },
    /// The file is none of ours.
    #[error("this file is no backup of Tikti")]
    NotABackup,
    /// The file was made by a version with another format.
    #[error(
        "this backup has format {found} and this version reads format 1: use the version that made it"
    )]
    OtherVersion {
        /// The format of the file.
        found: String,
    },
    /// The file is sealed and no key was given.
    #[error("this backup is sealed: give the key that it was made with")]
    KeyRequired,
    /// A key was given and the file is not sealed: it may have been put in place of one that is.
    #[error(
        "a key was given and this backup is not sealed: it may not be the file that you mean; restore \
         it without a key if it is"
    )]
    NotSealed,
    /// The file was sealed with another key.
    #[error("this backup was sealed with another key")]
    WrongKey,
    /// The file ends before its end.
    #[error("this backup is cut short: its end is missing; use a whole copy of the file")]
    Truncated,
    /// The file is not what was written.
    #[error("this backup was damaged or changed ({what}): use another copy of the file")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
    /// The configured secrets are not those of the backup's deployment.
    #[error("the configured secrets are not those that this backup was made with: {0}")]
    OtherSecrets(#[source] StartError),
    /// The target is not empty, or something else is filling it.
    #[error("the store cannot take the backup: {0}")]
    Target(#[source] copy::CopyError),
    /// The target holds more or other records than the file.
    #[error(
        "the store holds {stored} records and the backup {loaded}, or others: a restore of another \
         backup was begun there, or it is in use; restore into an empty store"
    )]
    Mixed {
        /// How many records are in the store.
        stored: u64,
        /// How many of the file's belong there.
        loaded: u64,
    },
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { key, .. } => Self::DamagedRecord { key: key.to_string() },
            other => Self::Store(other),
        }
    }
}

impl From<copy::CopyError> for BackupError {
    fn from(error: copy::CopyError) -> Self {
        match error {
            copy::CopyError::Store(error) => error.into(),
            other => Self::Target(other),
        }
    }
}

/// A part of the file ends once it has this many records, or this many bytes.
const FRAME_RECORDS: u64 = 1000;
const FRAME_BYTES: usize = 1024 * 1024;

/// Writes all records that are live at `options.now` to `out`, which is flushed but not synced.
///
/// On the embedded engine the backup is the store of one moment, whatever is written meanwhile. On
/// others it is not, and operations that were under way may be half in it: their intents are too, and
/// the sweep finishes them.
///
/// # Errors
/// See [`BackupError`]; then what was written is no backup.
pub async fn write(
    store: &Store,
    options: BackupOptions<'_>,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<BackupReport, BackupError> {
    let now = options.now;
    if let Some(found) = copy::unfinished(store, now).await? {
        return Err(BackupError::UnfinishedSource { found });
    }
    let deployment = store.get(&keyspace::deployment(), now).await?;
    let deployment = deployment.ok_or(BackupError::NoDeployment { place: "store" })?;
    let total = store.status().await?.entries;
    let (header, seal) = Header::new(&options, store.engine_name(), total)?;
    let mut frames = FrameWriter::begin(out, &header, seal)?;
    frames.put(Body::Deployment(&deployment))?;
    let mut tally = copy::Tally::default();
    let mut body = format::Records::default();
    let (mut read, mut expired) = (0, 0);
    // Everything that is kept, so that what was left out is counted.
    let mut walk = store.walk(Timestamp::from_millis(0)).await?;
    while let Some(page) = walk.next().await? {
        read += u64::try_from(page.records.len()).unwrap_or(u64::MAX);
        if let Some(key) = page.foreign.first() {
            return Err(BackupError::Foreign { key: key.escape_ascii().to_string() });
        }
        for (key, record) in page.records {
            let record = record?;
            if record.expires_at().is_some_and(|at| at <= now) {
                expired += 1;
                continue;
            }
            tally.add(&key, &record);
            body.add(&key, &record);
            if body.count == FRAME_RECORDS || body.bytes.len() >= FRAME_BYTES {
                frames.put(Body::Records(std::mem::take(&mut body)))?;
            }
        }
        progress(Progress { done: read, total });
    }
    if body.count > 0 {
        frames.put(Body::Records(body))?;
    }
    frames.finish(tally)?;
    let sealed = options.key.is_some();
    let copy::Tally { records, checksum } = tally;
    Ok(BackupReport { records, expired, checksum, sealed })
}

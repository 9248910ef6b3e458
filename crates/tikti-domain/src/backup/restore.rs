//! How does an empty store become the deployment that a backup was made of?
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. check the header, the key, and the secrets of the deployment | nothing was written |
//! | 2. mark the store, load every frame that is what was written | marked: it does not start |
//! | 3. compare the number and checksum of the file, and of the store | marked |
//! | 4. set the deployment's `notBefore` | marked |
//! | 5. take the mark away | done |
//!
//! A restore that broke off is run again with the same file, or into another store.
//!
//! A backup brings back sessions that were ended since, and tokens that were revoked. So what was
//! issued before the restore is dead, all of it, unless the operator says otherwise.
//!
//! Spec: Operations, "Backup". Why: docs/decisions/0016.

use std::io::Read;

use tikti_store::copy::{self, Tally};
use tikti_store::{Entry, Key, Store, Stored};

use super::BackupError;
use super::format::{Frame, FrameReader};
use crate::backup::BackupKey;
use crate::clock::{Timestamp, rfc3339};
use crate::deployment::{self, Deployment};
use crate::integrity::Progress;
use crate::keyspace;
use crate::record::Record;
use crate::secret::Secrets;

/// What fills a store, as its mark says.
const RESTORE: &str = "a restore";

/// How a backup is restored.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions<'a> {
    /// The configured secrets: they must be those of the backup's deployment.
    pub secrets: &'a Secrets,
    /// Opens the file, where it is sealed.
    pub key: Option<&'a BackupKey>,
    /// Let sessions and tokens from before the restore live on, revoked ones included.
    pub keep_sessions: bool,
    /// The time now.
    pub now: Timestamp,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// How many records the store holds now.
    pub records: u64,
    /// How many of the file's have expired since, and were left out.
    pub expired: u64,
    /// When the backup was made.
    pub created: Timestamp,
    /// From which engine.
    pub engine: String,
}

/// Fills an empty store from a backup.
///
/// The store must not be in use, and does not start until this has returned without an error.
///
/// # Errors
/// See [`BackupError`].
pub async fn restore(
    store: &Store,
    options: RestoreOptions<'_>,
    input: &mut (dyn Read + Send),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<RestoreReport, BackupError> {
    let now = options.now;
    let mut frames = FrameReader::begin(input, options.key)?;
    let key = keyspace::deployment();
    check_owner(&key, &frames.deployment(&key)?, options.secrets)?;
    copy::begin(store, RESTORE, now).await?;
    let (loaded, expired) = load(store, &mut frames, now, progress).await?;
    let stored = tally(store, now).await?;
    if stored != loaded {
        return Err(BackupError::Mixed { stored: stored.records, loaded: loaded.records });
    }
    let deployment = store.get(&key, now).await?;
    let deployment = deployment.ok_or(BackupError::NoDeployment { place: "backup" })?;
    let mut deployment = check_owner(&key, &deployment, options.secrets)?;
    if !options.keep_sessions {
        deployment.not_before = deployment.not_before.max(Some(now));
        store.put(&key, Entry::new(&deployment.encode()?), now).await?;
    }
    copy::finish(store).await?;
    let header = frames.header;
    tracing::info!(
        target: "tikti::audit",
        action = "restore",
        outcome = "allow",
        backup.created = rfc3339(header.created),
        backup.engine = header.engine,
        records = loaded.records,
        sessions.kept = options.keep_sessions,
        "backup restored"
    );
    Ok(RestoreReport {
        records: loaded.records,
        expired,
        created: header.created,
        engine: header.engine,
    })
}

/// The deployment, if the configured secrets are its own.
fn check_owner(key: &Key, stored: &Stored, secrets: &Secrets) -> Result<Deployment, BackupError> {
    let deployment = Deployment::decode(key, stored)?;
    deployment::check_owner(&deployment, secrets).map_err(BackupError::OtherSecrets)?;
    Ok(deployment)
}

/// Loads every frame; says what is in the store now if it was empty before, and how many records had
/// expired.
async fn load(
    store: &Store,
    frames: &mut FrameReader<'_>,
    now: Timestamp,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(Tally, u64), BackupError> {
    let (mut read, mut loaded) = (Tally::default(), Tally::default());
    let total = frames.header.entries;
    loop {
        let records = match frames.next()? {
            Frame::Records(records) => records,
            Frame::End(written) if written == read => {
                return Ok((loaded, read.records - loaded.records));
            }
            Frame::End(_) => {
                return Err(BackupError::Damaged { what: "records are missing or doubled" });
            }
        };
        let mut live = Vec::with_capacity(records.len());
        for (key, record) in records {
            if key == copy::mark() {
                return Err(BackupError::Damaged { what: "it is of half a copy" });
            }
            read.add(&key, &record);
            if record.expires_at().is_none_or(|at| now < at) {
                loaded.add(&key, &record);
                live.push((key, record));
            }
        }
        if !live.is_empty() {
            store.load(&live, now).await?;
        }
        progress(Progress { done: read.records, total });
    }
}

/// What the store holds, the mark apart. What is damaged there makes a difference by its absence.
async fn tally(store: &Store, now: Timestamp) -> Result<Tally, BackupError> {
    let mut tally = Tally::default();
    let mut walk = store.walk(now).await?;
    while let Some(page) = walk.next().await? {
        for (key, record) in page.records {
            if let Ok(record) = record
                && key != copy::mark()
            {
                tally.add(&key, &record);
            }
        }
    }
    Ok(tally)
}

//! How does an empty store become the deployment that a backup was made of?
//!
//! | step | after a crash here |
//! |---|---|
//! | 1. [`check`] the header, the key, and the secrets of the deployment | nothing was written |
//! | 2. mark the store, load every frame that is what was written | marked: it does not start |
//! | 3. compare the number and checksum of the file, and of the store | marked |
//! | 4. put the deployment, which has its `notBefore` already | marked |
//! | 5. take the mark away | done |
//!
//! The mark belongs to one run. One that was taken over by a later run begins no further frame, and
//! cannot put the deployment: so it never takes a `notBefore` away from a store that is served.
//!
//! A restore that broke off is run again with the same file, or into another store.
//!
//! A backup brings back sessions that were ended since, and tokens that were revoked. So what was
//! issued before the restore is dead, all of it, unless the operator says otherwise.
//!
//! Spec: Operations, "Backup". Why: docs/decisions/0016.

use std::fmt;
use std::io::Read;

use tikti_store::copy::{self, Mark, Tally};
use tikti_store::{Entry, Key, Store, Stored};

use super::BackupError;
use super::format::{Frame, FrameReader, Header};
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

/// A backup that may be restored: it is one, its key fits, and the secrets are its deployment's. Of
/// its records none was read yet.
pub struct CheckedBackup<'a> {
    frames: FrameReader<'a>,
    options: RestoreOptions<'a>,
}

impl fmt::Debug for CheckedBackup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedBackup").field("header", &self.frames.header).finish_non_exhaustive()
    }
}

/// Reads the beginning of a backup, before there is a store to restore it into.
///
/// # Errors
/// See [`BackupError`].
pub fn check<'a>(
    options: RestoreOptions<'a>,
    input: &'a mut (dyn Read + Send),
) -> Result<CheckedBackup<'a>, BackupError> {
    let mut frames = FrameReader::begin(input, options.key)?;
    let key = keyspace::deployment();
    check_owner(&key, &frames.deployment(&key)?, options.secrets)?;
    Ok(CheckedBackup { frames, options })
}

impl CheckedBackup<'_> {
    /// Fills an empty store from the backup.
    ///
    /// The store must not be in use, and does not start until this has returned without an error.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn restore(
        mut self,
        store: &Store,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<RestoreReport, BackupError> {
        let RestoreOptions { secrets, keep_sessions, now, .. } = self.options;
        let mark = copy::begin(store, RESTORE, now).await?;
        let target = Target { store, mark, now };
        let loaded = target.load(&mut self.frames, progress).await?;
        let stored = target.tally().await?;
        if stored != loaded.tally {
            // Where a later run has ended, the store is served and changes: that is told first.
            target.mark.check(store).await?;
            let (stored, loaded) = (stored.records, loaded.tally.records);
            return Err(BackupError::Mixed { stored, loaded });
        }
        let deployment = loaded.deployment.ok_or(BackupError::NoDeployment { place: "backup" })?;
        let mut deployment = check_owner(&keyspace::deployment(), &deployment, secrets)?;
        if !keep_sessions {
            // This machine's clock may be behind the one that the backup, and what is in it, is from.
            let restored = now.max(self.frames.header.created);
            // Later than the cut of an earlier restore in any case: a cut that stays the same revokes no key.
            let after = deployment.not_before.map(|cut| cut.plus_millis(1));
            deployment.not_before = after.max(Some(restored));
        }
        target.put(&deployment).await?;
        copy::finish(store, &target.mark).await?;
        let (header, records) = (self.frames.header, loaded.tally.records + 1);
        tracing::info!(
            target: "tikti::audit",
            action = "restore",
            outcome = "allow",
            backup.created = rfc3339(header.created),
            backup.engine = header.engine,
            records,
            sessions.kept = keep_sessions,
            "backup restored"
        );
        let Header { created, engine, .. } = header;
        Ok(RestoreReport { records, expired: loaded.expired, created, engine })
    }
}

/// The deployment, if the configured secrets are its own.
fn check_owner(key: &Key, stored: &Stored, secrets: &Secrets) -> Result<Deployment, BackupError> {
    let deployment = Deployment::decode(key, stored)?;
    deployment::check_owner(&deployment, secrets).map_err(BackupError::OtherSecrets)?;
    Ok(deployment)
}

/// A store that one run fills.
struct Target<'a> {
    store: &'a Store,
    mark: Mark,
    now: Timestamp,
}

/// What was read from the file.
#[derive(Default)]
struct Loaded {
    /// What is in the store now if it was empty before: all that is live but for the deployment.
    tally: Tally,
    /// How many records had expired.
    expired: u64,
    /// The deployment, which is put last.
    deployment: Option<Stored>,
}

impl Target<'_> {
    /// Loads every frame.
    async fn load(
        &self,
        frames: &mut FrameReader<'_>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Loaded, BackupError> {
        let (mut read, mut loaded) = (Tally::default(), Loaded::default());
        let total = frames.header.entries;
        loop {
            let records = match frames.next()? {
                Frame::Records(records) => records,
                Frame::End(written) if written == read => return Ok(loaded),
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
                if key == keyspace::deployment() {
                    loaded.deployment = Some(record);
                } else if record.expires_at().is_none_or(|at| self.now < at) {
                    loaded.tally.add(&key, &record);
                    live.push((key, record));
                } else {
                    loaded.expired += 1;
                }
            }
            if !live.is_empty() {
                self.mark.check(self.store).await?;
                self.store.load(&live, self.now).await?;
            }
            progress(Progress { done: read.records, total });
        }
    }

    /// What the store holds, the mark and the deployment apart. What is damaged there makes a
    /// difference by its absence.
    async fn tally(&self) -> Result<Tally, BackupError> {
        let mut tally = Tally::default();
        let mut walk = self.store.walk(self.now).await?;
        while let Some(page) = walk.next().await? {
            for (key, record) in page.records {
                if let Ok(record) = record
                    && key != copy::mark()
                    && key != keyspace::deployment()
                {
                    tally.add(&key, &record);
                }
            }
        }
        Ok(tally)
    }

    /// Puts the deployment on the condition that the store is still this run's.
    async fn put(&self, deployment: &Deployment) -> Result<(), BackupError> {
        let (key, mark) = (keyspace::deployment(), copy::mark());
        let bytes = deployment.encode()?;
        // Read before it is compared: another's would be told by the comparison.
        let ours = self.store.get(&mark, self.now).await?;
        self.mark.check(self.store).await?;
        let reads = [mark.clone()];
        self.store
            .transact(key.partition(), &reads, self.now, |txn| {
                if txn.get(&mark)? != ours.as_ref() {
                    return Err(copy::CopyError::TakenOver.into());
                }
                Ok::<_, BackupError>(txn.put(&key, Entry::new(&bytes))?)
            })
            .await
    }
}

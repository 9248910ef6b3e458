//! Is this our data, in a format that we read?
//!
//! Opens LMDB in a directory that is already locked, and checks the marker record: program and
//! format version. Invariant: nothing is ever written to a data file that does not carry our
//! marker, except to an empty one. Here is the only `unsafe` that ships: LMDB maps its file.
//!
//! Spec: Storage, "Engine A: embedded"; docs/decisions/0001.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, WithoutTls};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::compact::remove_leftover;
use super::directory::{DataFileLock, DirectoryLock, io_error, is_full, sync};
use super::header::{Failure, Fault, Header};
use super::soundness;
use crate::error::{OpenError, StoreError};
use crate::key::Key;

/// No key of the contract begins with this byte, so no scan meets the marker.
const MARKER_KEY: &[u8] = b"\0format";
const MARKER_PREFIX: &str = "tikti store format ";
const FORMAT: u32 = 1;

/// Reads are short and run on the threads of the runtime: this is far more than there are.
const MAX_READERS: u32 = 1024;

/// More than their table takes: 64 bytes each (`MDB_reader` in mdb.c) and a head.
#[cfg(target_os = "linux")]
const READERS_BYTES: u64 = 64 * (MAX_READERS as u64 + 64);

/// LMDB maps whole pages. 64 KiB is a multiple of every page size in use.
const MAP_ALIGNMENT: usize = 64 * 1024;

/// Where addresses are scarce (39 bits on some machines, or a limit on the process), the map becomes
/// smaller, down to this.
const MAP_MIN_BYTES: usize = 1 << 30;

pub(super) const DATA_FILE: &str = "data.mdb";
/// LMDB's table of readers.
const READERS_FILE: &str = "lock.mdb";

/// The first opening writes some pages of 4 to 16 KiB. A larger file without a single byte has lost
/// more than that, and is not for us to begin anew.
const FIRST_OPENING_MAX_BYTES: u64 = 64 * 1024;

/// The records of a store: an LMDB environment and its one database.
#[derive(Clone)]
pub(super) struct Records {
    pub(super) env: Env<WithoutTls>,
    pub(super) database: heed::Database<'static, Bytes, Bytes>,
}

/// What keeps the file in its place while it is read.
pub(super) struct ReadGuard {
    _data_file: DataFileLock,
    /// Where LMDB's table of readers cannot be used: nobody may write.
    _unused: Option<DirectoryLock>,
}

impl Records {
    /// Opens the data file in `directory`, or creates it. The caller holds the directory.
    pub(super) fn open(directory: &Path, map_size_bytes: u64) -> Result<Self, OpenError> {
        remove_leftover(directory)?;
        let data_file = directory.join(DATA_FILE);
        discard_unwritten(&data_file).map_err(io_error("examine", &data_file))?;
        match File::open(&data_file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => {
                let file = opened.map_err(io_error("open", &data_file))?;
                Header::read(&file).map_err(|failure| refuse(directory, failure))?;
            }
        }
        reserve_readers(directory)?;
        let explain = |error| explain(directory, error);
        let env =
            open_environment(directory, map_size_bytes, EnvFlags::empty()).map_err(explain)?;
        soundness::check_at_opening(&env).map_err(|failure| refuse(directory, failure))?;
        // A reader that was killed keeps its slot, and with it every page that it could have read.
        env.clear_stale_readers().map_err(explain)?;
        let database = create_database(&env).map_err(explain)?;
        let records = Self { env, database };
        if !records.check_marker(directory)? {
            records.write_marker().map_err(explain)?;
        }
        // At every opening: the one that created the files may have been killed before it got here.
        sync(directory).map_err(io_error("sync", directory))?;
        Ok(records)
    }

    /// Opens a data file to read it, beside a process that writes it or alone. Creates nothing.
    pub(super) fn open_read_only(
        directory: &Path,
        map_size_bytes: u64,
    ) -> Result<(Self, ReadGuard), OpenError> {
        let missing = || OpenError::Missing { directory: directory.to_owned() };
        let data_file = DataFileLock::shared(directory)?;
        let header = Header::read(data_file.file());
        if header.map_err(|failure| refuse(directory, failure))?.is_none() {
            return Err(missing());
        }
        // LMDB would create its table, or do without on a read-only file system: `setup_locks` in
        // mdb.c. Without it nothing keeps a writer from the pages that are being read.
        let protected = access(directory.join(READERS_FILE), Access::READ_OK | Access::WRITE_OK);
        let (flags, unused) = match protected {
            Ok(()) => (EnvFlags::READ_ONLY, None),
            Err(_) => {
                let unused = DirectoryLock::share(directory)?;
                (EnvFlags::READ_ONLY | EnvFlags::NO_LOCK, Some(unused))
            }
        };
        let explain = |error| explain(directory, error);
        let env = open_environment(directory, map_size_bytes, flags).map_err(explain)?;
        soundness::check_at_opening(&env).map_err(|failure| refuse(directory, failure))?;
        let database = open_database(&env).map_err(explain)?.ok_or_else(missing)?;
        let records = Self { env, database };
        if !records.check_marker(directory)? {
            return Err(missing());
        }
        Ok((records, ReadGuard { _data_file: data_file, _unused: unused }))
    }

    /// The records behind a key, all of them without one, the marker left out.
    pub(super) fn behind<'txn>(
        &self,
        txn: &'txn RoTxn<'_, WithoutTls>,
        after: Option<&[u8]>,
    ) -> Result<heed::RoRange<'txn, Bytes, Bytes>, StoreError> {
        let lower = Bound::Excluded(after.unwrap_or(MARKER_KEY));
        let records = self.database.range(txn, &(lower, Bound::Unbounded));
        records.map_err(|error| StoreError::unavailable("reading", error))
    }

    /// Says whether there is one; without it, everything is empty.
    fn check_marker(&self, directory: &Path) -> Result<bool, OpenError> {
        let explain = |error| explain(directory, error);
        let txn = self.env.read_txn().map_err(explain)?;
        let Some(marker) = self.database.get(&txn, MARKER_KEY).map_err(explain)? else {
            if !self.database.is_empty(&txn).map_err(explain)? {
                return Err(OpenError::OtherProgram { directory: directory.to_owned() });
            }
            return Ok(false);
        };
        let text = String::from_utf8_lossy(marker);
        let Some(found) = text.strip_prefix(MARKER_PREFIX) else {
            return Err(OpenError::OtherProgram { directory: directory.to_owned() });
        };
        if found != FORMAT.to_string() {
            let found = found.escape_default().to_string();
            let directory = directory.to_owned();
            return Err(OpenError::OtherVersion { directory, found, supported: FORMAT });
        }
        Ok(true)
    }

    fn write_marker(&self) -> heed::Result<()> {
        let mut txn = self.env.write_txn()?;
        let marker = format!("{MARKER_PREFIX}{FORMAT}");
        self.database.put(&mut txn, MARKER_KEY, marker.as_bytes())?;
        txn.commit()
    }
}

/// Empties a data file that holds nothing but zeros: the first opening lost power after the file
/// got its size and before its bytes were on the disk. LMDB would not know it again.
fn discard_unwritten(data_file: &Path) -> io::Result<()> {
    let size_bytes = match std::fs::metadata(data_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.len(),
    };
    if size_bytes == 0 || size_bytes > FIRST_OPENING_MAX_BYTES {
        return Ok(());
    }
    let mut bytes = Vec::new();
    File::open(data_file)?.take(size_bytes).read_to_end(&mut bytes)?;
    if bytes.iter().any(|byte| *byte != 0) {
        return Ok(());
    }
    File::options().write(true).open(data_file)?.set_len(0)
}

/// Gives LMDB's table of readers its place on the disk. LMDB makes it by `ftruncate` and maps it for
/// writing (`mdb_env_setup_locks` in mdb.c), so on a full disk one more reader would end the process.
#[cfg(target_os = "linux")]
fn reserve_readers(directory: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::{FallocateFlags, fallocate};

    let path = directory.join(READERS_FILE);
    let io_error = |error| io_error("make room for", &path)(error);
    // Closing any file of it would release the locks of an environment that this process has open:
    // "Caveats" in lmdb.h. The opening is about to be refused anyway.
    let directory = directory.canonicalize().map_err(io_error)?;
    if heed::env_closing_event(&directory).is_some() {
        return Ok(());
    }
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(io_error)?;
    // Its size is for LMDB to choose.
    match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, READERS_BYTES) {
        // Not every file system can; those that cannot mostly copy on writing, and could not promise.
        Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(io_error(errno.into())),
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
fn reserve_readers(_directory: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// `flags` are those by which a reader differs from the writer.
fn open_environment(
    directory: &Path,
    map_size_bytes: u64,
    flags: EnvFlags,
) -> heed::Result<Env<WithoutTls>> {
    // On a machine with 32-bit addresses a larger wish becomes the largest possible map.
    let wanted = usize::try_from(map_size_bytes).unwrap_or(usize::MAX);
    let mut map_size = (wanted / MAP_ALIGNMENT).max(1) * MAP_ALIGNMENT;
    loop {
        match map_environment(directory, map_size, flags) {
            Err(heed::Error::Io(error))
                if error.kind() == io::ErrorKind::OutOfMemory && map_size / 2 >= MAP_MIN_BYTES =>
            {
                map_size = map_size / 2 / MAP_ALIGNMENT * MAP_ALIGNMENT;
            }
            opened => return opened,
        }
    }
}

#[expect(unsafe_code, reason = "LMDB maps its file, which Rust cannot vouch for")]
fn map_environment(
    directory: &Path,
    map_size: usize,
    flags: EnvFlags,
) -> heed::Result<Env<WithoutTls>> {
    // Without thread-local slots a read transaction belongs to its value, not to its thread, so
    // threads of a runtime that come and go leave no slots behind.
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size).max_readers(MAX_READERS);
    // SAFETY: `NO_READ_AHEAD` only advises the kernel on paging: records are small and are read at
    // random, read-ahead would fetch their neighbours for nothing. None of the flags that weaken
    // durability is set, and the one that weakens locking only by a reader that holds the lock of
    // the directory, so that there is no writer.
    unsafe { options.flags(EnvFlags::NO_READ_AHEAD | flags) };
    // SAFETY: nobody else may change the mapped file while it is mapped, other than LMDB by its own
    // rules. A writer holds the exclusive lock of the directory, which lies on a local file system
    // and, if we created it, is closed to other users. A reader is in LMDB's table of readers, or
    // has made sure that there is no writer. LMDB's own lock file still guards against a program
    // that ignores ours. The map is read-only: a stray pointer in this process cannot write through
    // it. That leaves a precondition: the file at rest is well formed. LMDB trusts the offsets and
    // sizes in its tree pages. The header is checked before, and all tree pages of a small store or
    // a short file. Values carry a checksum and records a largest size, which is looked at before
    // their bytes are; damage of a tree page of a large store, or one that happens while it is open,
    // can make LMDB read outside the map, which ends the process.
    unsafe { options.open(directory) }
}

fn create_database(env: &Env<WithoutTls>) -> heed::Result<heed::Database<'static, Bytes, Bytes>> {
    let txn = env.write_txn()?;
    let opened = env.create_databases_and_commit(txn, |opener, txn| {
        opener.create_database(txn, None).map(CommitOrAbort::<_, Infallible>::Commit)
    });
    match opened? {
        CommitOrAbort::Commit(database) => Ok(database),
        CommitOrAbort::Abort(never) => match never {},
    }
}

fn open_database(
    env: &Env<WithoutTls>,
) -> heed::Result<Option<heed::Database<'static, Bytes, Bytes>>> {
    let txn = env.read_txn()?;
    let opened = env.open_databases_and_commit(txn, |opener, txn| {
        opener.open_database(txn, None).map(CommitOrAbort::<_, Infallible>::Commit)
    });
    match opened? {
        CommitOrAbort::Commit(database) => Ok(database),
        CommitOrAbort::Abort(never) => match never {},
    }
}

/// Tells damage to the tree that LMDB noticed from what may be over the next time.
pub(super) fn read_error(key: &Key, error: heed::Error) -> StoreError {
    match error {
        heed::Error::Mdb(MdbError::Corrupted | MdbError::PageNotFound) => StoreError::Corrupt {
            key: key.clone(),
            what: "a page of the data file on the way to it is damaged",
        },
        other => StoreError::unavailable("reading", other),
    }
}

/// Names the commonest reason why a write does not succeed, which an operator can do something about.
///
/// LMDB answers a write that was cut short with `EIO` (`mdb_page_flush` in mdb.c), which is how a disk
/// becomes full in the middle of a page.
pub(super) fn write_error(error: heed::Error) -> StoreError {
    let doing = match &error {
        heed::Error::Io(source) if is_full(source.kind()) => "writing to a full disk",
        heed::Error::Io(source) if source.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
            "writing to a disk that is full or fails"
        }
        heed::Error::Mdb(MdbError::MapFull) => "writing to a store that has its largest size",
        _ => "writing",
    };
    StoreError::unavailable(doing, error)
}

fn refuse(directory: &Path, failure: Failure) -> OpenError {
    let directory = directory.to_owned();
    match failure {
        Failure::Fault(Fault::Foreign) => OpenError::OtherProgram { directory },
        Failure::Fault(Fault::Damaged(what)) => {
            OpenError::Corrupt { directory, what: what.to_owned() }
        }
        Failure::Lmdb(error) => explain(&directory, error),
        Failure::Io(source) => {
            OpenError::Io { doing: "read", path: directory.join(DATA_FILE), source }
        }
    }
}

pub(super) fn explain(directory: &Path, error: heed::Error) -> OpenError {
    let directory = directory.to_owned();
    match error {
        heed::Error::Io(source) => io_error("open the store in", &directory)(source),
        // The lock file was removed under a store that is still open.
        heed::Error::EnvAlreadyOpened => {
            let holder = "this process".to_owned();
            OpenError::Locked { directory, holder }
        }
        // What LMDB says of a file that does not begin as its own do.
        heed::Error::Mdb(MdbError::Invalid) => OpenError::OtherProgram { directory },
        heed::Error::Mdb(MdbError::VersionMismatch) => OpenError::OtherVersion {
            directory,
            found: "of another LMDB".to_owned(),
            supported: FORMAT,
        },
        other => OpenError::Corrupt { directory, what: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP_SIZE: u64 = 1 << 20;

    fn records_in(directory: &Path) -> Records {
        let env = open_environment(directory, MAP_SIZE, EnvFlags::empty()).unwrap();
        let database = create_database(&env).unwrap();
        Records { env, database }
    }

    fn put(records: &Records, key: &[u8], value: &[u8]) {
        let mut txn = records.env.write_txn().unwrap();
        records.database.put(&mut txn, key, value).unwrap();
        txn.commit().unwrap();
    }

    #[test]
    fn refuses_the_database_of_another_program() {
        let directory = tempfile::tempdir().unwrap();
        put(&records_in(directory.path()), b"cn=admin", b"ldap");
        let refused = Records::open(directory.path(), MAP_SIZE).err().unwrap();
        assert!(matches!(refused, OpenError::OtherProgram { .. }), "{refused}");
        let untouched = records_in(directory.path());
        let txn = untouched.env.read_txn().unwrap();
        assert_eq!(untouched.database.len(&txn).unwrap(), 1);
    }

    #[test]
    fn refuses_a_newer_format() {
        let directory = tempfile::tempdir().unwrap();
        put(&records_in(directory.path()), MARKER_KEY, b"tikti store format 2");
        let refused = Records::open(directory.path(), MAP_SIZE).err().unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "{} has data format 2 and this version reads format 1: \
                 use the version that wrote it",
                directory.path().display()
            )
        );
    }

    #[test]
    fn refuses_a_marker_that_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        put(&records_in(directory.path()), MARKER_KEY, b"\xff\xfe");
        let refused = Records::open(directory.path(), MAP_SIZE).err().unwrap();
        assert!(matches!(refused, OpenError::OtherProgram { .. }), "{refused}");
    }

    #[test]
    fn neither_durability_nor_locking_is_weakened() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::open(directory.path(), MAP_SIZE).unwrap();
        let weakening = EnvFlags::NO_SYNC
            | EnvFlags::NO_META_SYNC
            | EnvFlags::WRITE_MAP
            | EnvFlags::MAP_ASYNC
            | EnvFlags::NO_LOCK;
        assert_eq!(records.env.get_flags().unwrap() & weakening.bits(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_table_of_readers_has_its_place_on_the_disk() {
        use std::os::unix::fs::MetadataExt;

        let directory = tempfile::tempdir().unwrap();
        let _records = Records::open(directory.path(), MAP_SIZE).unwrap();
        let table = directory.path().join(READERS_FILE).metadata().unwrap();
        assert!(table.size() >= 64 * u64::from(MAX_READERS), "{}", table.size());
        assert!(table.blocks() * 512 >= table.size(), "{} blocks", table.blocks());
    }

    #[test]
    fn begins_anew_when_the_first_opening_left_only_zeros() {
        let directory = tempfile::tempdir().unwrap();
        let data_file = directory.path().join(DATA_FILE);
        drop(Records::open(directory.path(), MAP_SIZE).unwrap());
        let size = data_file.metadata().unwrap().len();
        assert!(size <= FIRST_OPENING_MAX_BYTES, "{size}");
        std::fs::write(&data_file, vec![0; size as usize]).unwrap();
        drop(Records::open(directory.path(), MAP_SIZE).unwrap());

        for zeros in [size, FIRST_OPENING_MAX_BYTES + 1] {
            let mut foreign = vec![0; zeros as usize];
            foreign[zeros as usize - 1] = u8::from(zeros == size);
            std::fs::write(&data_file, &foreign).unwrap();
            assert!(Records::open(directory.path(), MAP_SIZE).is_err());
            assert_eq!(std::fs::read(&data_file).unwrap(), foreign);
        }
    }

    #[test]
    fn refuses_a_file_that_is_not_lmdb() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(DATA_FILE), vec![b'x'; 16 * 1024]).unwrap();
        let refused = Records::open(directory.path(), MAP_SIZE).err().unwrap();
        assert!(matches!(refused, OpenError::OtherProgram { .. }), "{refused}");
    }

    #[test]
    fn opens_what_it_created_but_not_twice_at_once() {
        let directory = tempfile::tempdir().unwrap();
        drop(Records::open(directory.path(), MAP_SIZE).unwrap());
        let _open = Records::open(directory.path(), MAP_SIZE).unwrap();
        let refused = Records::open(directory.path(), MAP_SIZE).err().unwrap();
        assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    }
}

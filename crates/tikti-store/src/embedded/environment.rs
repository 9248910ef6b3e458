//! Is this our data, in a format that we read?
//!
//! Opens LMDB in a directory that is already locked, and checks the marker record: program and
//! format version. Invariant: nothing is ever written to a data file that does not carry our
//! marker, except to an empty one. Here is the only `unsafe` that ships: LMDB maps its file.
//!
//! Spec: Storage, "Engine A: embedded"; docs/decisions/0001.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Env, EnvFlags, EnvOpenOptions, MdbError, WithoutTls};

use super::directory::{io_error, sync};
use crate::error::{OpenError, StoreError};
use crate::key::Key;

/// No key of the contract begins with this byte, so no scan meets the marker.
const MARKER_KEY: &[u8] = b"\0format";
const MARKER_PREFIX: &str = "tikti store format ";
const FORMAT: u32 = 1;

/// Reads are short and run on the threads of the runtime: this is far more than there are.
const MAX_READERS: u32 = 1024;

/// LMDB maps whole pages. 64 KiB is a multiple of every page size in use.
const MAP_ALIGNMENT: usize = 64 * 1024;

const DATA_FILE: &str = "data.mdb";

/// The first opening writes some pages of 4 to 16 KiB. A larger file without a single byte has lost
/// more than that, and is not for us to begin anew.
const FIRST_OPENING_MAX_BYTES: u64 = 64 * 1024;

/// The records of a store: an LMDB environment and its one database.
#[derive(Clone)]
pub(super) struct Records {
    pub(super) env: Env<WithoutTls>,
    pub(super) database: heed::Database<'static, Bytes, Bytes>,
}

impl Records {
    /// Opens the data file in `directory`, or creates it.
    pub(super) fn open(directory: &Path, map_size_bytes: u64) -> Result<Self, OpenError> {
        // On a machine with 32-bit addresses a larger wish becomes the largest possible map.
        let wanted = usize::try_from(map_size_bytes).unwrap_or(usize::MAX);
        let map_size = (wanted / MAP_ALIGNMENT).max(1) * MAP_ALIGNMENT;
        let data_file = directory.join(DATA_FILE);
        discard_unwritten(&data_file).map_err(io_error("examine", &data_file))?;
        let explain = |error| explain(directory, error);
        let env = open_environment(directory, map_size).map_err(explain)?;
        let database = open_database(&env).map_err(explain)?;
        let records = Self { env, database };
        records.check_marker(directory)?;
        // At every opening: the one that created the files may have been killed before it got here.
        sync(directory).map_err(io_error("sync", directory))?;
        Ok(records)
    }

    fn check_marker(&self, directory: &Path) -> Result<(), OpenError> {
        let explain = |error| explain(directory, error);
        let txn = self.env.read_txn().map_err(explain)?;
        let marker = self.database.get(&txn, MARKER_KEY).map_err(explain)?;
        let Some(marker) = marker else {
            if !self.database.is_empty(&txn).map_err(explain)? {
                return Err(OpenError::OtherProgram { directory: directory.to_owned() });
            }
            drop(txn);
            return self.write_marker().map_err(explain);
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
        Ok(())
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
    let size_bytes = match fs::metadata(data_file) {
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

#[expect(unsafe_code, reason = "LMDB maps its file, which Rust cannot vouch for")]
fn open_environment(directory: &Path, map_size: usize) -> heed::Result<Env<WithoutTls>> {
    // Without thread-local slots a read transaction belongs to its value, not to its thread, so
    // threads of a runtime that come and go leave no slots behind.
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size).max_readers(MAX_READERS);
    // SAFETY: `NO_READ_AHEAD` only advises the kernel on paging: records are small and are read at
    // random, read-ahead would fetch their neighbours for nothing. None of the flags that weaken
    // locking or durability is set.
    unsafe { options.flags(EnvFlags::NO_READ_AHEAD) };
    // SAFETY: nobody else may change the mapped file while it is mapped. The caller holds the
    // exclusive lock of the directory, which lies on a local file system and, if we created it, is
    // closed to other users. LMDB's own lock file still guards against a program that ignores ours.
    // The map is read-only: a stray pointer in this process cannot write through it.
    // That leaves a precondition that cannot be checked here: the file at rest is well formed. LMDB
    // trusts the offsets and sizes in its tree pages. Values carry a checksum and records a largest
    // size, which is looked at before their bytes are; damage of a tree page itself can make LMDB
    // read outside the map, which ends the process.
    unsafe { options.open(directory) }
}

fn open_database(env: &Env<WithoutTls>) -> heed::Result<heed::Database<'static, Bytes, Bytes>> {
    let txn = env.write_txn()?;
    let opened = env.create_databases_and_commit(txn, |opener, txn| {
        opener.create_database(txn, None).map(CommitOrAbort::<_, Infallible>::Commit)
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

fn explain(directory: &Path, error: heed::Error) -> OpenError {
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
        let env = open_environment(directory, 1 << 20).unwrap();
        let database = open_database(&env).unwrap();
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

    #[test]
    fn begins_anew_when_the_first_opening_left_only_zeros() {
        let directory = tempfile::tempdir().unwrap();
        let data_file = directory.path().join(DATA_FILE);
        drop(Records::open(directory.path(), MAP_SIZE).unwrap());
        let size = data_file.metadata().unwrap().len();
        assert!(size <= FIRST_OPENING_MAX_BYTES, "{size}");
        fs::write(&data_file, vec![0; size as usize]).unwrap();
        drop(Records::open(directory.path(), MAP_SIZE).unwrap());

        for zeros in [size, FIRST_OPENING_MAX_BYTES + 1] {
            let mut foreign = vec![0; zeros as usize];
            foreign[zeros as usize - 1] = u8::from(zeros == size);
            fs::write(&data_file, &foreign).unwrap();
            assert!(Records::open(directory.path(), MAP_SIZE).is_err());
            assert_eq!(fs::read(&data_file).unwrap(), foreign);
        }
    }

    #[test]
    fn refuses_a_file_that_is_not_lmdb() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(DATA_FILE), vec![b'x'; 16 * 1024]).unwrap();
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

//! May this process use the directory, and is nobody else using it?
//!
//! Invariant: while a [`DirectoryLock`] exists, no other process that asks for it gets one, and no
//! other part of this process either: `flock` belongs to the open file, not to the process, and
//! the kernel releases it however the process ends. Who holds it stands in the file.
//!
//! Whoever only reads needs none of it: LMDB's own table of readers keeps reader and writer apart.
//! But a reader holds a [`DataFileLock`], so that the file is not replaced under it: the new file
//! and the old would then share that table, and each mislead the other's readers.
//!
//! Spec: Storage, "one directory, exclusive lock"; "no network file systems" (docs/decisions/0001).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::environment::DATA_FILE;
use super::file_system::FileSystem;
use crate::error::OpenError;

const LOCK_FILE: &str = "tikti.lock";
/// More often than anyone replaces it by chance; a file system whose file numbers cannot be compared
/// must not keep us for ever.
const LOCK_ATTEMPTS: u32 = 16;
/// A longer text in the lock file was not written by us.
const HOLDER_MAX_BYTES: u64 = 256;

/// The exclusive right to a directory, until dropped.
pub(super) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    /// Creates the directory where there is none, and takes it for `holder`.
    pub(super) fn acquire(directory: &Path, holder: &str) -> Result<Self, OpenError> {
        create(directory).map_err(io_error("create the directory", directory))?;
        FileSystem::of(directory)?.check(directory)?;
        let path = directory.join(LOCK_FILE);
        let mut file = Wanted { path: &path, open: open_lock_file, how: EXCLUSIVE }
            .lock()
            .map_err(|(doing, source)| io_error(doing, &path)(source))?
            .map_err(|mut held| locked(directory, read_holder(&mut held)))?;
        // The lock holds with or without the text, and a full disk must not keep a server from
        // starting: whoever comes second is then told less.
        let pid = std::process::id();
        let _ = file.set_len(0).and_then(|()| write!(file, "pid {pid} ({})", printable(holder)));
        Ok(Self { file })
    }

    /// Keeps every other process from acquiring it, without writing anything; several can. For
    /// reading where LMDB's table of readers cannot be written.
    pub(super) fn share(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(LOCK_FILE);
        let unprotected =
            |source| OpenError::Unprotected { directory: directory.to_owned(), source };
        let wanted = Wanted { path: &path, open: open_to_read, how: SHARED };
        let held = wanted.lock().map_err(|(_doing, source)| unprotected(source))?;
        let file = held.map_err(|mut held| locked(directory, read_holder(&mut held)))?;
        Ok(Self { file })
    }
}

/// Keeps the data file from being replaced by a compact copy, until dropped.
pub(super) struct DataFileLock {
    file: File,
}

impl DataFileLock {
    /// For a reader. There may be any number.
    pub(super) fn shared(directory: &Path) -> Result<Self, OpenError> {
        Self::acquire(directory, SHARED, "a process that compacts it")
    }

    /// For the one that replaces the file.
    pub(super) fn exclusive(directory: &Path) -> Result<Self, OpenError> {
        Self::acquire(directory, EXCLUSIVE, "a process that reads it")
    }

    fn acquire(directory: &Path, how: FlockOperation, by: &str) -> Result<Self, OpenError> {
        let path = directory.join(DATA_FILE);
        let wanted = Wanted { path: &path, open: open_to_read, how };
        let held = wanted.lock().map_err(|(doing, source)| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing { directory: directory.to_owned() },
            _ => OpenError::Io { doing, path: path.clone(), source },
        })?;
        let file = held.map_err(|_held| locked(directory, by.to_owned()))?;
        Ok(Self { file })
    }

    /// The file itself, to be read.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for DataFileLock {
    fn drop(&mut self) {
        // As for the directory: a process that is being spawned may have a copy.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Refuses a directory in which there is no store. One that this user may not look into is not that.
pub(super) fn must_hold_data(directory: &Path) -> Result<(), OpenError> {
    let data_file = directory.join(DATA_FILE);
    match std::fs::metadata(&data_file) {
        Ok(_) => Ok(()),
        Err(error) if is_absence(error.kind()) => {
            Err(OpenError::Missing { directory: directory.to_owned() })
        }
        Err(source) => Err(OpenError::Io { doing: "look for", path: data_file, source }),
    }
}

/// Does the error say that there is nothing at a path?
fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn locked(directory: &Path, holder: String) -> OpenError {
    OpenError::Locked { directory: directory.to_owned(), holder }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // So that the next holder is not mistaken for this one while it writes its own text. A file
        // that was opened for sharing cannot be written, and nothing of ours is in it.
        let _ = self.file.set_len(0);
        // Closing the file is not enough: a process that is just being spawned has a copy of it
        // until it executes its program. If this fails, closing is what is left.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// What an error of the file system means to whoever opens the store.
pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly { path, source }
        }
        kind if is_full(kind) => OpenError::DiskFull { path, source },
        _ => OpenError::Io { doing, path, source },
    }
}

/// Does the error say that there was no room? A limit on the size of files counts as well.
pub(super) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Makes the entries of a directory durable: without it, a file that was created and synced can
/// still be missing after a power cut.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn create(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create(parent)?;
    match DirBuilder::new().mode(0o700).create(directory) {
        // Someone else was faster; the lock decides who stays.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(parent),
    }
}

const EXCLUSIVE: FlockOperation = FlockOperation::NonBlockingLockExclusive;
const SHARED: FlockOperation = FlockOperation::NonBlockingLockShared;

/// A file to be locked.
struct Wanted<'a> {
    path: &'a Path,
    open: fn(&Path) -> io::Result<File>,
    how: FlockOperation,
}

impl Wanted<'_> {
    /// Opens and locks the file that is at the path. The inner error is the file that someone else
    /// has locked; the outer says what was being done.
    fn lock(&self) -> Result<Result<File, File>, (&'static str, io::Error)> {
        for _ in 0..LOCK_ATTEMPTS {
            let file = (self.open)(self.path).map_err(|error| ("open", error))?;
            match flock(&file, self.how) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(Err(file)),
                Err(errno) => return Err(("lock", errno.into())),
            }
            // Someone may have removed or replaced the file since it was opened: a lock on a file
            // that nobody else will find locks nobody out.
            if is_at(&file, self.path).map_err(|error| ("examine", error))? {
                return Ok(Ok(file));
            }
        }
        Err(("lock", io::Error::other("it was replaced whenever it had been locked")))
    }
}

fn open_to_read(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Our text will replace what is in it, so it must be our own file: a link could lead to any other.
fn open_lock_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Is `path` the name of the very file that is open?
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_holder(file: &mut File) -> String {
    let mut text = Vec::new();
    let read = file.take(HOLDER_MAX_BYTES).read_to_end(&mut text);
    match (read, printable(&String::from_utf8_lossy(&text))) {
        (Ok(_), holder) if !holder.is_empty() => holder,
        _ => "another process".to_owned(),
    }
}

/// One line, without what could drive a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn creates_private_files_in_a_private_directory() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        let _lock = DirectoryLock::acquire(&directory, "test").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&parent.path().join("a")), 0o700);
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(LOCK_FILE)), 0o600);
    }

    #[test]
    fn names_the_holder_on_one_plain_line() {
        let directory = tempfile::tempdir().unwrap();
        let _lock = DirectoryLock::acquire(directory.path(), "tikti\n\x1b[31m dev").unwrap();
        let Err(OpenError::Locked { holder, .. }) = DirectoryLock::acquire(directory.path(), "x")
        else {
            panic!("the second lock was granted");
        };
        assert_eq!(holder, format!("pid {} (tikti[31m dev)", std::process::id()));
    }

    #[test]
    fn is_free_again_after_the_drop() {
        let directory = tempfile::tempdir().unwrap();
        drop(DirectoryLock::acquire(directory.path(), "first").unwrap());
        assert!(DirectoryLock::acquire(directory.path(), "second").is_ok());
    }

    /// As a process that is being spawned at that moment does.
    #[test]
    fn is_free_after_the_drop_even_if_someone_has_a_copy_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path(), "first").unwrap();
        let _copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(DirectoryLock::acquire(directory.path(), "second").is_ok());
    }

    #[test]
    fn a_link_in_place_of_the_lock_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, directory.path().join(LOCK_FILE)).unwrap();
        assert!(DirectoryLock::acquire(directory.path(), "test").is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_regular_file_is_locked() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOCK_FILE);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let refused = DirectoryLock::acquire(directory.path(), "test").err().unwrap();
        assert_eq!(refused.to_string(), format!("could not open {}", path.display()));
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_not_the_one_that_is_locked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOCK_FILE);
        let file = open_lock_file(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        let _replacement = open_lock_file(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
    }

    #[test]
    fn a_file_in_the_way_is_an_error_that_names_it() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = DirectoryLock::acquire(&file, "test").err().unwrap();
        assert_eq!(
            refused.to_string(),
            format!("could not create the directory {}", file.display())
        );
    }

    #[test]
    fn tells_what_cannot_be_written_from_what_failed() {
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
            let error = io_error("open", Path::new("/data"))(kind.into());
            assert!(matches!(error, OpenError::ReadOnly { .. }), "{kind}");
        }
        let error = io_error("open", Path::new("/data"))(io::ErrorKind::StorageFull.into());
        assert!(matches!(error, OpenError::DiskFull { .. }), "{error}");
        let error = io_error("open", Path::new("/data"))(io::ErrorKind::TimedOut.into());
        assert_eq!(error.to_string(), "could not open /data");
    }
}

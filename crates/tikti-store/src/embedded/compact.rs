//! How does the data file become as small as what is in it?
//!
//! LMDB copies the records to a new file beside the old one, without free pages, and the new one
//! takes the name of the old. Invariant: at every moment the name leads to a whole file, the old one
//! or the new: the new one is on the disk before it gets the name, and is checked before. What a
//! crash leaves beside them is removed by the next compacting or the next opening.
//!
//! Spec: Storage, "Online backup, `store compact`".

use std::fs::{self, File, OpenOptions as FileOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use heed::CompactionOption;

use super::directory::{DataFileLock, DirectoryLock, io_error, must_hold_data, sync};
use super::environment::{DATA_FILE, Records, explain};
use super::header::Header;
use crate::error::OpenError;
use crate::maintenance::Compacted;
use crate::store::OpenOptions;

const NEW_FILE: &str = "data.mdb.compact";

/// Compacts the store in `directory`, which nobody else has open, for reading or writing.
pub(crate) fn compact(directory: &Path, options: &OpenOptions) -> Result<Compacted, OpenError> {
    let data_file = directory.join(DATA_FILE);
    must_hold_data(directory)?;
    let _alone = DirectoryLock::acquire(directory, &options.holder)?;
    let _unread = DataFileLock::exclusive(directory)?;
    let records = Records::open(directory, options.map_size_bytes)?;
    let before_bytes = size_bytes(&data_file)?;
    let new_file = directory.join(NEW_FILE);
    let copied = copy(&records, directory, &new_file);
    // Closes the old file, whose name is about to go to the new one.
    drop(records);
    let renamed = copied.and_then(|()| {
        fs::rename(&new_file, &data_file).map_err(io_error("replace", &data_file))?;
        sync(directory).map_err(io_error("sync", directory))
    });
    if let Err(error) = renamed {
        // Where this fails as well, the next opening removes it.
        let _ = fs::remove_file(&new_file);
        return Err(error);
    }
    Ok(Compacted { before_bytes, after_bytes: size_bytes(&data_file)? })
}

/// Removes what a compacting left that did not end. The caller holds the directory.
pub(super) fn remove_leftover(directory: &Path) -> Result<(), OpenError> {
    let path = directory.join(NEW_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", &path)(error))
        }
        _ => Ok(()),
    }
}

fn copy(records: &Records, directory: &Path, path: &Path) -> Result<(), OpenError> {
    let created = FileOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let mut file = created.map_err(io_error("create", path))?;
    let copied = records.env.copy_to_file(&mut file, CompactionOption::Enabled);
    copied.map_err(|error| match error {
        heed::Error::Io(source) => io_error("copy the records to", path)(source),
        other => explain(directory, other),
    })?;
    file.sync_all().map_err(io_error("sync", path))?;
    check(records, directory, &file)
}

/// The copy has a header that holds together, and as many entries as the original.
fn check(records: &Records, directory: &Path, file: &File) -> Result<(), OpenError> {
    let explain = |error| explain(directory, error);
    let txn = records.env.read_txn().map_err(explain)?;
    let expected = records.database.stat(&txn).map_err(explain)?.entries;
    let header = Header::read(file);
    if !header.is_ok_and(|header| header.is_some_and(|found| found.records.entries == expected)) {
        let what = "its compact copy is not whole, and was not used".to_owned();
        return Err(OpenError::Corrupt { directory: directory.to_owned(), what });
    }
    Ok(())
}

fn size_bytes(file: &Path) -> Result<u64, OpenError> {
    Ok(fs::metadata(file).map_err(io_error("examine", file))?.len())
}

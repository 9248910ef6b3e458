//! How is a secret put into a file? In one step, readable by its owner alone.
//!
//! A reader sees the old content or the new one, and so does whoever comes after a crash. What is no file (a
//! directory, a pipe, `/dev/null`) is never replaced.
//!
//! Spec: Command line, `worker provision` and `worker run`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Puts `text` in the place of what the file holds. A link stays a link: what it points to is replaced.
///
/// Errors: exit code 3; then the file is as it was.
pub(crate) fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let place = place(file)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    // A name of this process: one left by a crash is another's, or is put away.
    let fresh = place.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let _was_there = fs::remove_file(&fresh);
    put(&fresh, &place, text).map_err(|cause| {
        let _never_made = fs::remove_file(&fresh);
        Failure::file("writing", file, &cause)
    })
}

/// Finds out whether [`replace`] can write there, and changes nothing.
///
/// Errors: exit code 3.
pub(crate) fn try_to(file: &Path) -> Result<(), Failure> {
    let place = place(file)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let fresh = place.with_file_name(format!(".{name}.{}.try", std::process::id()));
    let mut options = OpenOptions::new();
    let opened = options.create_new(true).write(true).mode(0o600).open(&fresh);
    opened.map_err(|cause| Failure::file("writing", file, &cause))?;
    fs::remove_file(&fresh).map_err(|cause| Failure::file("writing", file, &cause))
}

/// Writes `text` to the file `fresh`, which must not be there, and puts that in the place of `place`. Whoever
/// calls says by what name, and clears away what an error leaves.
pub(crate) fn put(fresh: &Path, place: &Path, text: &str) -> io::Result<()> {
    let mut opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(fresh)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    fs::rename(fresh, place)?;
    let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Where the content lies.
fn place(file: &Path) -> Result<PathBuf, Failure> {
    let place = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    match fs::metadata(&place) {
        Ok(found) if !found.is_file() => {
            Err(Failure::usage(format!("{} is no file that can be replaced", file.display())))
        }
        // What is not there is made; what cannot be looked at cannot be written either.
        Ok(_) | Err(_) => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_file_is_its_owners_alone_whatever_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        for text in ["one", "two"] {
            replace(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_and_what_is_no_file_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");

        // Of the test's own: a mistake would take the machine's `/dev/null` away.
        let socket = directory.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for place in [directory.path(), &socket] {
            let failure = replace(place, "x").unwrap_err();
            assert!(failure.message.contains("no file"), "{}", failure.message);
        }
        let nowhere = directory.path().join("none/file");
        assert!(replace(&nowhere, "x").unwrap_err().message.contains("writing"));
        assert!(try_to(&nowhere).unwrap_err().message.contains("writing"));
        try_to(&link).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }
}

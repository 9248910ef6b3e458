//! Where does a program find the mails of `tikti dev`? In a directory, one file of JSON a mail.
//!
//! Invariant: the directory and its files are their owner's alone, since each holds a link that signs somebody
//! in; a file is there as a whole or not at all, and no more than so many are kept, the newest.
//!
//! Spec: Command line, `tikti dev`.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tikti_domain::clock::{Timestamp, rfc3339};
use tikti_domain::secret::ExposeSecret;

use super::message::Message;

/// What a file holds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    to: &'a str,
    request_type: &'a str,
    oob_code: &'a str,
    link: &'a str,
    subject: &'a str,
    sent_at: String,
}

/// Puts a mail into the directory, which is made where there is none, and takes the oldest beyond `most` out.
pub(super) fn put(
    directory: &Path,
    message: &Message,
    (now, most): (Timestamp, usize),
) -> io::Result<()> {
    let file = File {
        to: message.to.as_str(),
        request_type: message.kind.as_str(),
        oob_code: message.code.expose_secret(),
        link: message.link.expose_secret(),
        subject: &message.subject,
        sent_at: rfc3339(now),
    };
    make(directory)?;
    // Ids are in the order of their mails. A mail that is handed over twice is one file.
    let place = directory.join(format!("{}.json", message.id.as_str()));
    let fresh = place.with_extension("json.new");
    let mut opened =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    opened.write_all(&serde_json::to_vec(&file)?)?;
    fs::rename(&fresh, &place)?;
    prune(directory, most)
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // One that was there before may have been open to others.
    fs::set_permissions(directory, Permissions::from_mode(0o700))
}

fn prune(directory: &Path, most: usize) -> io::Result<()> {
    let mut mails: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            mails.push(path);
        }
    }
    mails.sort();
    let old = mails.len().saturating_sub(most);
    mails.iter().take(old).try_for_each(|mail| remove(mail))
}

fn remove(mail: &Path) -> io::Result<()> {
    match fs::remove_file(mail) {
        // Whoever reads the mails may take them out, too.
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_open_to_others_is_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("mail");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        make(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_mail_that_somebody_has_taken_out_is_no_failure() {
        let place = tempfile::tempdir().unwrap();
        remove(&place.path().join("gone.json")).unwrap();
        assert!(remove(place.path()).is_err());
    }
}

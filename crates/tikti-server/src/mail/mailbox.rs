//! Where do people and programs find the mails of `tikti dev`? In a directory, one file of JSON a mail, which is
//! what `/dev/mailbox` shows.
//!
//! Invariant: the directory and its files are their owner's alone, since each holds a link that signs somebody
//! in (the page shows them to whoever is on this machine: docs/decisions/0048); a file is there as a whole or not at all, and no more than so many are kept, the newest.
//!
//! Spec: Command line, `tikti dev`.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tikti_domain::clock::{Timestamp, rfc3339};
use tikti_domain::secret::ExposeSecret;

use super::message::Message;

/// A mail as its file has it. Has no `Debug`: it holds a code.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptMail {
    /// To whom it would have gone.
    pub(crate) to: String,
    /// What it is about, as a request for it says.
    pub(crate) request_type: String,
    /// The code.
    pub(crate) oob_code: String,
    /// The page that redeems the code, the code in it.
    pub(crate) link: String,
    /// Its subject.
    pub(crate) subject: String,
    /// When it would have left, as RFC 3339.
    pub(crate) sent_at: String,
}

/// Puts a mail into the directory, which is made where there is none, and takes the oldest beyond `most` out.
pub(super) fn put(
    directory: &Path,
    message: &Message,
    (now, most): (Timestamp, usize),
) -> io::Result<()> {
    let file = KeptMail {
        to: message.to.as_str().to_owned(),
        request_type: message.kind.as_str().to_owned(),
        oob_code: message.code.expose_secret().to_owned(),
        link: message.link.expose_secret().to_owned(),
        subject: message.subject.clone(),
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
    let mails = files(directory)?;
    let old = mails.len().saturating_sub(most);
    mails.iter().take(old).try_for_each(|mail| remove(mail))
}

/// The mails of the directory, the oldest first: none where no mail was put into it yet. What somebody has taken
/// out meanwhile, or put there in a form of his own, is left out.
pub(crate) fn kept_mails(directory: &Path) -> io::Result<Vec<KeptMail>> {
    let files = match files(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let texts = files.iter().filter_map(|file| fs::read(file).ok());
    Ok(texts.filter_map(|text| serde_json::from_slice(&text).ok()).collect())
}

/// The files of mails, in the order of their mails.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut mails = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            mails.push(path);
        }
    }
    mails.sort();
    Ok(mails)
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

    #[test]
    fn mails_are_listed_as_they_came_and_what_is_no_mail_is_left_out() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("mail");
        assert!(kept_mails(&directory).unwrap().is_empty());
        fs::create_dir(&directory).unwrap();
        let mail = |to: &str| {
            let whole = serde_json::json!({
                "to": to, "requestType": "EMAIL_SIGNIN", "oobCode": "c", "link": "l", "subject": "s",
                "sentAt": "2026-01-02T03:04:05.000Z",
            });
            whole.to_string()
        };
        fs::write(directory.join("2.json"), mail("second@example.org")).unwrap();
        fs::write(directory.join("1.json"), mail("first@example.org")).unwrap();
        fs::write(directory.join("3.json.new"), mail("unfinished@example.org")).unwrap();
        fs::write(directory.join("4.json"), "{}").unwrap();
        let found = kept_mails(&directory).unwrap();
        let to: Vec<_> = found.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(to, ["first@example.org", "second@example.org"]);
        assert!(kept_mails(&directory.join("1.json")).is_err());
    }
}

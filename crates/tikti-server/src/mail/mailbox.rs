//! Where does a program find the mails of `tikti dev`? In a directory, one file of JSON a mail.
//!
//! Invariant: the directory and its files are their owner's alone, since each holds a link that signs somebody
//! in; a file is there as a whole or not at all, and no more than so many are kept, the newest.
//!
//! Spec: Command line, `tikti dev`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
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
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Ids are in the order of their mails. A mail that is handed over twice is one file.
    let place = directory.join(format!("{}.json", message.id.as_str()));
    let fresh = place.with_extension("json.new");
    let mut opened =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    opened.write_all(&serde_json::to_vec(&file)?)?;
    fs::rename(&fresh, &place)?;
    prune(directory, most)
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
    mails.iter().take(old).try_for_each(fs::remove_file)
}

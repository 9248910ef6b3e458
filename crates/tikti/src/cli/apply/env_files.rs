//! Where does the secret of a new worker or client go? Into a file of its own, readable by its owner alone.
//!
//! `DIR/TENANT/workers/ID.env` and `DIR/TENANT/clients/ID.env`. Invariant: the file can be written before the
//! server is asked, takes its place in one step, and nothing is left of it where nothing was made. A file of
//! another server is never replaced: nobody could show its secret again.
//!
//! Spec: Command line, `apply`. Why: docs/decisions/0043.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::plan::{Action, Change, Kind, words_of};
use crate::base_url::BaseUrl;
use crate::env_file::{self, quoted};
use crate::exit::Failure;

/// Address of the server, and id of the tenant.
pub(super) type Place = (String, String);

/// The directory that `--write-env` names.
pub(super) struct EnvFiles {
    directory: PathBuf,
}

/// A file that is about to be written; what is dropped before is gone.
pub(super) struct EnvFile {
    file: File,
    fresh: PathBuf,
    path: PathBuf,
}

impl EnvFiles {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Refuses a file that is of another server than `host`, where `change` would replace it.
    ///
    /// # Errors
    /// Exit code 3, also for a file that cannot be read.
    pub(super) fn refuse_another(&self, host: &BaseUrl, change: &Change) -> Result<(), Failure> {
        if !has_secret(change) {
            return Ok(());
        }
        let (directory, name) = self.place_of(change);
        let path = directory.join(format!("{name}.env"));
        let Some(held) = env_file::EnvFile::find(&path)? else {
            return Ok(());
        };
        let kind = if change.kind == Kind::Client { "CLIENT" } else { "WORKER" };
        let whose = match held.get("TIKTI_HOST") {
            Some(held) if BaseUrl::parse(&held).is_ok_and(|held| held == *host) => return Ok(()),
            Some(held) => format!("is of another server, {held}"),
            None if held.get(&format!("TIKTI_{kind}_SECRET")).is_none() => return Ok(()),
            None => "holds a secret, and does not say of which server".to_owned(),
        };
        let path = path.display();
        Err(Failure::usage(format!("{path} {whose}, and would be replaced by one of {host}"))
            .next("name another directory with --write-env, or move that file away"))
    }

    /// Directory and name of the file of what `change` makes.
    fn place_of(&self, change: &Change) -> (PathBuf, String) {
        let kind = if change.kind == Kind::Client { "clients" } else { "workers" };
        let directory = self.directory.join(file_name(&change.tenant)).join(kind);
        (directory, file_name(&change.name))
    }

    /// Opens the file of what `change` makes.
    pub(super) fn prepare(&self, change: &Change) -> Result<EnvFile, Failure> {
        let (directory, name) = self.place_of(change);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(|cause| Failure::file("making", &directory, &cause))?;
        let (path, fresh) =
            (directory.join(format!("{name}.env")), directory.join(format!("{name}.env.new")));
        // One left by a crash may have other permissions.
        let _was_there = fs::remove_file(&fresh);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh);
        let file = file.map_err(|cause| Failure::file("making", &fresh, &cause))?;
        Ok(EnvFile { file, fresh, path })
    }
}

impl EnvFile {
    /// Writes what the process of this worker, or the server of this client, is started with.
    pub(super) fn write(
        mut self,
        place: &Place,
        change: &Change,
        secret: &SecretString,
    ) -> Result<(), Failure> {
        // What a server says is not what a shell is given to run.
        if !is_word(&place.1) || !is_word(secret.expose_secret()) {
            return Err(Failure::refused(format!("the reply of {} is not Tikti's", place.0)));
        }
        let text = SecretString::from(lines(place, change, secret));
        let mut write = || {
            self.file.write_all(text.expose_secret().as_bytes())?;
            self.file.sync_all()?;
            fs::rename(&self.fresh, &self.path)?;
            File::open(self.path.parent().unwrap_or(&self.path))?.sync_all()
        };
        write().map_err(|cause| Failure::file("writing", &self.path, &cause))
    }
}

impl Drop for EnvFile {
    fn drop(&mut self) {
        // Not there any more where it was written.
        let _was_there = fs::remove_file(&self.fresh);
    }
}

fn lines((host, tenant_id): &Place, change: &Change, secret: &SecretString) -> String {
    let list = |name: &str| {
        let field = change.fields.iter().find(|field| field.name == name);
        // Commas: a value with spaces would have to be quoted, which Docker does not understand.
        Vec::from_iter(words_of(field.map(|field| &field.to))).join(",")
    };
    let kind = if change.kind == Kind::Client { "CLIENT" } else { "WORKER" };
    let mut pairs = vec![
        ("TIKTI_HOST".to_owned(), host.clone()),
        ("TIKTI_TENANT".to_owned(), tenant_id.clone()),
        (format!("TIKTI_{kind}_ID"), change.name.clone()),
        (format!("TIKTI_{kind}_SECRET"), secret.expose_secret().to_owned()),
    ];
    if change.kind == Kind::Worker {
        // Of several audiences none is the one.
        let audience = Some(list("clients")).filter(|clients| !clients.contains(','));
        pairs.push(("TIKTI_AUDIENCE".to_owned(), audience.unwrap_or_default()));
        pairs.push(("TIKTI_SCOPES".to_owned(), list("scopes")));
        pairs.push(("TIKTI_EVENT_TYPES".to_owned(), list("eventTypes")));
    }
    let told = pairs.iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{name}={}\n", quoted(value))).collect()
}

/// Whether `change` makes something that may be given a secret: a worker with public keys is not.
pub(super) fn has_secret(change: &Change) -> bool {
    let keys = change.fields.iter().find(|field| field.name == "jwks");
    let keys = keys.and_then(|field| field.to.get("keys")?.as_array());
    let has_keys = keys.is_some_and(|keys| !keys.is_empty());
    let is_given = change.kind == Kind::Client || change.kind == Kind::Worker && !has_keys;
    change.action == Action::Create && is_given
}

/// What ids of tenants and secrets consist of.
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A name as one segment of a path: nothing that is not a letter, a digit, `.`, `_`, `-` or `:` stays itself.
fn file_name(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'.' if text.is_empty() => text.push_str("%2E"),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'_' | b'-' | b':' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::{Value, json};

    use super::*;
    use crate::cli::apply::plan::FieldChange;

    fn change(kind: Kind, name: &str) -> Change {
        let field =
            |name: &str, to: Value| FieldChange { name: name.into(), from: Value::Null, to };
        let fields = vec![
            field("clients", json!(["backend-worker"])),
            field("scopes", json!(["it's", "jobs:read"])),
        ];
        let (tenant, action) = ("codecompany".to_owned(), Action::Create);
        Change { action, kind, tenant, name: name.into(), id: name.into(), fields }
    }

    #[test]
    fn a_worker_gets_a_file_that_its_owner_alone_reads() {
        let home = tempfile::tempdir().unwrap();
        let files = EnvFiles::new(&home.path().join("env"));
        let change = change(Kind::Worker, "../a/b");
        let secret = SecretString::from("ws_secret");
        let place = ("https://api.tikti.io".to_owned(), "t-1".to_owned());
        files.prepare(&change).unwrap().write(&place, &change, &secret).unwrap();
        let path = home.path().join("env/codecompany/workers/%2E.%2Fa%2Fb.env");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            "TIKTI_HOST=https://api.tikti.io\nTIKTI_TENANT=t-1\nTIKTI_WORKER_ID=../a/b\n\
             TIKTI_WORKER_SECRET=ws_secret\nTIKTI_AUDIENCE=backend-worker\n\
             TIKTI_SCOPES='it'\\''s,jobs:read'\n"
        );
    }

    #[test]
    fn a_file_of_another_server_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let files = EnvFiles::new(home.path());
        let change = change(Kind::Worker, "w");
        let host = BaseUrl::parse("https://api.tikti.io").unwrap();
        let asked = || files.refuse_another(&host, &change);
        asked().unwrap();
        let directory = home.path().join("codecompany/workers");
        fs::create_dir_all(&directory).unwrap();
        for (text, told) in [
            ("# empty\n", None),
            ("TIKTI_HOST=https://API.tikti.io:443/\nTIKTI_WORKER_SECRET=ws_a\n", None),
            ("TIKTI_HOST=https://b.io\n", Some("w.env is of another server, https://b.io, and")),
            ("TIKTI_WORKER_SECRET=ws_a\n", Some("does not say of which server")),
            ("ws_a\n", Some("line 1: this is no NAME=value")),
        ] {
            fs::write(directory.join("w.env"), text).unwrap();
            let message = asked().err().map(|refused| refused.message);
            assert_eq!(message.is_some(), told.is_some(), "{text}");
            let message = message.unwrap_or_default();
            assert!(message.contains(told.unwrap_or_default()), "{message}");
            assert!(!message.contains("ws_a"), "{message}");
        }
        let gone = Change { action: Action::Delete, ..change.clone() };
        files.refuse_another(&host, &gone).unwrap();
    }

    #[test]
    fn what_a_server_says_is_no_line_of_a_file() {
        let home = tempfile::tempdir().unwrap();
        let files = EnvFiles::new(home.path());
        let change = change(Kind::Worker, "w");
        for (tenant, secret) in [("t-1", "ws_a\nPATH=."), ("$(id)", "ws_a"), ("t-1", "`id`")] {
            let place = ("https://api.tikti.io".to_owned(), tenant.to_owned());
            let file = files.prepare(&change).unwrap();
            let refused = file.write(&place, &change, &SecretString::from(secret)).unwrap_err();
            assert!(refused.message.contains("not Tikti's"), "{}", refused.message);
            assert!(!refused.message.contains(secret), "{}", refused.message);
        }
        let left = fs::read_dir(home.path().join("codecompany/workers")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn nothing_is_left_of_a_file_that_was_not_written() {
        let home = tempfile::tempdir().unwrap();
        let files = EnvFiles::new(home.path());
        drop(files.prepare(&change(Kind::Client, "c")).unwrap());
        let left = fs::read_dir(home.path().join("codecompany/clients")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told_before_anything_is_made() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = EnvFiles::new(&file).prepare(&change(Kind::Worker, "w")).err().unwrap();
        assert!(refused.message.contains("making "), "{}", refused.message);
    }
}

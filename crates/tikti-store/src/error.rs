//! What can go wrong, sorted by what a caller does about it.
//!
//! Invariant: a message names keys and paths, never a value and never more of a URL than its
//! scheme, because values hold secrets and URLs hold passwords.
//!
//! Spec: Storage.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use crate::key::Key;

/// Why a call on an open store did not do what it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A record was not as expected; nothing was written. Read again and decide again.
    #[error("the record {key} was changed by someone else")]
    Conflict {
        /// The first record that was not as expected.
        key: Key,
    },
    /// The engine did not answer or could not write. A write may or may not have happened; where
    /// the message asks for a restart, only a restart can tell.
    #[error("the store is unavailable while {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A record is damaged and was not returned. Deleting or overwriting it is possible.
    #[error("the record {key} is damaged: {what}")]
    Corrupt {
        /// The damaged record.
        key: Key,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A key, a value or a transaction is beyond the limits of the contract; nothing was written.
    #[error("the {what} has {size_bytes} bytes, more than the {limit_bytes} that can be stored")]
    TooLarge {
        /// `key`, `value` or `transaction`.
        what: &'static str,
        /// The size that was asked for.
        size_bytes: usize,
        /// The largest size that is allowed.
        limit_bytes: usize,
    },
    /// The call breaks a rule of the contract, whatever is stored: a mistake in the program.
    #[error("the store was misused: {reason}")]
    Misuse {
        /// The rule.
        reason: &'static str,
    },
}

impl StoreError {
    /// A write on a store that was opened for reading.
    pub(crate) const READ_ONLY: Self = Self::Misuse { reason: "it was opened for reading only" };

    pub(crate) fn unavailable(
        doing: &'static str,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable { doing, source: Arc::new(source) }
    }

    pub(crate) fn too_large(what: &'static str, size_bytes: usize, limit_bytes: usize) -> Self {
        Self::TooLarge { what, size_bytes, limit_bytes }
    }
}

/// Why a store could not be opened. Each message is a line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has the directory open.
    #[error("{directory} is in use by {holder}: stop it, or use another directory")]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process id of the holder and the text that it gave.
        holder: String,
    },
    /// The directory or one of its files cannot be written by this user.
    #[error("{path} cannot be written by this user: change its owner or mode")]
    ReadOnly {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is nothing to read: no directory, no data file, or one that nothing was written to.
    #[error("{directory} holds no store: check the path")]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// It could be read, but nothing could keep a server from writing meanwhile.
    #[error(
        "{directory} cannot be read safely, since its locks cannot be used: \
         read it as the user that the server runs as, or read a copy"
    )]
    Unprotected {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no room for what has to be written. Nothing that was there is lost.
    #[error("there is no room on the disk of {path}: make room and try again")]
    DiskFull {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Compacting was asked of an engine that does it by itself.
    #[error("only an embedded store is compacted: a server behind \"{scheme}:\" does it by itself")]
    CompactsItself {
        /// The scheme of the URL, one that is known.
        scheme: String,
    },
    /// The data was written in a format that this version does not know.
    #[error(
        "{directory} has data format {found} and this version reads format {supported}: \
         use the version that wrote it"
    )]
    OtherVersion {
        /// The directory.
        directory: PathBuf,
        /// The format on disk.
        found: String,
        /// The format of this version.
        supported: u32,
    },
    /// The directory holds a database that is not a Tikti store.
    #[error("{directory} holds data.mdb of another program: use another directory")]
    OtherProgram {
        /// The directory.
        directory: PathBuf,
    },
    /// No engine serves such a URL.
    #[error(
        "no storage engine for {url}: use embedded:<directory>, redis://<host>, \
         redis+cluster://<host>,<host> or redis+sentinel://<host>,<host>/<master>, or rediss:, \
         rediss+cluster: and rediss+sentinel: for TLS"
    )]
    UnknownUrl {
        /// What the URL can be called: by its scheme, where it is certain that this is one.
        url: String,
    },
    /// The scheme is known, and what follows it is not a URL of that kind.
    #[error("the {scheme}: URL of the store is not right: {reason}")]
    BadUrl {
        /// What stood before the first colon.
        scheme: String,
        /// What is wrong; never a part of the URL.
        reason: &'static str,
    },
    /// No server answers at the addresses of the URL, or one of their masters does not.
    #[error("cannot connect to {server}: {reason}")]
    Unreachable {
        /// Host and port, or several.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// A server answers, but it is not one to keep a store on.
    #[error("{server} cannot be used: {reason}")]
    Unsuitable {
        /// Host and port, or several.
        server: String,
        /// Why, and what to change.
        reason: String,
    },
    /// The data file is damaged.
    #[error("data.mdb in {directory} is damaged ({what}): restore a backup")]
    Corrupt {
        /// The directory.
        directory: PathBuf,
        /// What the engine found.
        what: String,
    },
    /// The directory is on a network file system, where neither locks nor mappings can be trusted.
    #[error("{directory} is on a network file system ({kind}): use a local disk")]
    NetworkFileSystem {
        /// The directory.
        directory: PathBuf,
        /// The kind of file system, such as `NFS`.
        kind: &'static str,
    },
    /// The system refused something else.
    #[error("could not {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl OpenError {
    /// No engine serves `url`. What stands before its first colon is shown only if it cannot be but a
    /// scheme: of `s3cret@host:6379` it would be the password.
    pub(crate) fn unknown_url(url: &str) -> Self {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        let is_scheme = |text: &&str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_part)
        };
        // This one comes here where no directory follows it.
        let own = url.starts_with("embedded:").then_some("embedded");
        let url = match own.or(scheme.filter(is_scheme)) {
            Some(scheme) => format!("\"{scheme}:\" URLs"),
            None => "this URL".to_owned(),
        };
        Self::UnknownUrl { url }
    }
}

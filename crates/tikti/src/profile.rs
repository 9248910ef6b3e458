//! Which servers and sessions does this person have? `~/.tikti/config.yaml` and the environment.
//!
//! A change is made under a lock, to what the file holds at that moment, and takes the place of the
//! old file in one step: two programs lose none of each other's changes, a crash leaves one of the two
//! versions. The file is readable by its owner alone, and one that is not understood is never replaced.
//! The secrets of a profile may lie in the keyring of the system instead: `sealing`.
//!
//! Spec: Command line, "Profiles".

mod sealing;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::base_url::BaseUrl;
use crate::exit::Failure;
use crate::input;
use crate::private_file;
use crate::yaml::to_yaml;

const REFRESH_LOCK: &str = "refresh.lock";

/// What the environment says; an empty variable says nothing.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    pub(crate) home: Option<PathBuf>,
    /// `NO_COLOR`, or a terminal that knows none (`TERM`).
    pub(crate) no_color: bool,
    /// `TIKTI_HOST`
    pub(crate) host: Option<String>,
    /// `TIKTI_API_KEY`
    pub(crate) api_key: Option<String>,
    /// `TIKTI_TOKEN`
    pub(crate) token: Option<String>,
    /// `TIKTI_TENANT`
    pub(crate) tenant: Option<String>,
    /// `TIKTI_PROFILE`
    pub(crate) profile: Option<String>,
    /// `TIKTI_WORKER_ID`
    pub(crate) worker_id: Option<String>,
    /// `TIKTI_WORKER_SECRET`
    pub(crate) worker_secret: Option<String>,
    /// `TIKTI_AUDIENCE`
    pub(crate) audience: Option<String>,
    /// `TIKTI_SCOPES`
    pub(crate) scopes: Option<String>,
    /// `TIKTI_EVENT_TYPES`
    pub(crate) event_types: Option<String>,
}

impl Environment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of the client that reads the environment"
    )]
    pub(crate) fn read() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            home: std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
            no_color: variable("NO_COLOR").is_some()
                || variable("TERM").is_some_and(|term| term == "dumb"),
            host: variable("TIKTI_HOST"),
            api_key: variable("TIKTI_API_KEY"),
            token: variable("TIKTI_TOKEN"),
            tenant: variable("TIKTI_TENANT"),
            profile: variable("TIKTI_PROFILE"),
            worker_id: variable("TIKTI_WORKER_ID"),
            worker_secret: variable("TIKTI_WORKER_SECRET"),
            audience: variable("TIKTI_AUDIENCE"),
            scopes: variable("TIKTI_SCOPES"),
            event_types: variable("TIKTI_EVENT_TYPES"),
        }
    }

    /// A secret that a program is started with: in the variable `name`, or in the file that `name` with `_FILE`
    /// behind it names. One line end of a file is stripped.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of the client that reads the environment"
    )]
    pub(crate) fn secret(name: &str) -> Result<Option<SecretString>, Failure> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let file_name = format!("{name}_FILE");
        match (variable(name), variable(&file_name)) {
            (Some(_), Some(_)) => Err(Failure::usage(format!(
                "{name} and {file_name} are both set: give one of them"
            ))),
            (Some(value), None) => match value.into_string() {
                Ok(value) => Ok(Some(value.into())),
                Err(_) => Err(Failure::usage(format!("{name} is not UTF-8"))),
            },
            // The value is not shown: whoever forgot what the suffix means wrote the secret itself.
            (None, Some(file)) => input::secret_line(Path::new(&file))
                .map(Some)
                .map_err(|reason| Failure::usage(format!("the file of {file_name} {reason}"))),
            (None, None) => Ok(None),
        }
    }

    /// `~/.tikti`: profiles, and what `tikti dev` keeps.
    pub(crate) fn directory(&self) -> Result<PathBuf, Failure> {
        match &self.home {
            Some(home) => Ok(home.join(".tikti")),
            None => Err(Failure::usage("HOME is not set, so there is no ~/.tikti")),
        }
    }
}

/// The content of the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Profiles {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current_profile: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// One server, and what was obtained from it. Holds secrets, so it has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) base_url: String,
    /// Whether the secrets lie in the keyring of the system, and not in the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) keyring: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) worker_token: Option<String>,
}

impl Profile {
    pub(crate) fn new(host: &BaseUrl) -> Self {
        Self { base_url: host.to_string(), ..Self::default() }
    }

    /// Whether this profile's credentials are for `host`; an address that cannot be read is nobody's.
    pub(crate) fn is_of(&self, host: &BaseUrl) -> bool {
        BaseUrl::parse(&self.base_url).is_ok_and(|own| own == *host)
    }

    /// Forgets the session; server, API key and tenant stay.
    pub(crate) fn forget_tokens(&mut self) {
        self.id_token = None;
        self.refresh_token = None;
        self.access_token = None;
        self.worker_token = None;
    }
}

/// The profile file of one person.
#[derive(Clone)]
pub(crate) struct ProfileFile {
    directory: PathBuf,
}

impl ProfileFile {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Reads the file; one that is not there holds nothing. What lies in a keyring is not looked for.
    pub(crate) fn load(&self) -> Result<Profiles, Failure> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause)
                if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Profiles::default());
            }
            Err(cause) => return Err(Failure::file("reading", &path, &cause)),
        };
        if text.trim().is_empty() {
            return Ok(Profiles::default());
        }
        serde_saphyr::from_str(&text).map_err(|cause| not_understood(&path, &cause))
    }

    /// Changes the file: `change` gets what it holds now, with all secrets, and an error of it changes
    /// nothing.
    pub(crate) fn update<T>(
        &self,
        change: impl FnOnce(&mut Profiles) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.make_directory()?;
        // Released when it is closed, also by a crash.
        let _lock = self.lock()?;
        self.refuse_read_only()?;
        let mut profiles = self.load()?;
        let unsealed = self.unseal(&mut profiles);
        let changed = change(&mut profiles)?;
        let left = self.seal(&mut profiles, unsealed)?;
        let text = to_yaml(&profiles)
            .map_err(|cause| Failure::usage(format!("writing the profiles: {cause}")))?;
        self.replace(&text)?;
        self.forget(&left)?;
        Ok(changed)
    }

    /// Where the file is; a link stays a link, what it points to is replaced.
    fn path(&self) -> PathBuf {
        let path = self.directory.join("config.yaml");
        // Before there is a file it has the name that it will have: a keyring is asked by that.
        let to_come =
            || Ok::<_, std::io::Error>(fs::canonicalize(&self.directory)?.join("config.yaml"));
        fs::canonicalize(&path).or_else(|_| to_come()).unwrap_or(path)
    }

    fn make_directory(&self) -> Result<(), Failure> {
        let directory = &self.directory;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o700)))
            .map_err(|cause| Failure::file("making", directory, &cause))
    }

    fn lock(&self) -> Result<File, Failure> {
        self.lock_named("config.lock")
    }

    /// Held by the one command that refreshes a session; the file itself can be changed meanwhile.
    pub(crate) fn lock_refresh(&self) -> Result<File, Failure> {
        self.check_writable()?;
        self.lock_named(REFRESH_LOCK)
    }

    /// As [`Self::lock_refresh`], also where the file cannot be changed, and without waiting: none while another
    /// command holds it.
    pub(crate) fn try_lock_refresh(&self) -> Result<Option<File>, Failure> {
        let path = self.directory.join(REFRESH_LOCK);
        let opened = open_lock(&path).map_err(|cause| Failure::file("locking", &path, &cause))?;
        match opened.try_lock() {
            Ok(()) => Ok(Some(opened)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(Failure::file("locking", &path, &cause)),
        }
    }

    /// Refuses a file that cannot be changed, before something is asked for that belongs into it.
    pub(crate) fn check_writable(&self) -> Result<(), Failure> {
        self.make_directory()?;
        self.refuse_read_only()
    }

    /// A file that takes the place of the old one needs no leave of it; whoever marked it meant it.
    fn refuse_read_only(&self) -> Result<(), Failure> {
        let path = self.path();
        match fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().readonly() => {
                let shown = path.display();
                Err(Failure::usage(format!("{shown} is read-only"))
                    .next(format!("`chmod u+w {shown}` lets it be changed")))
            }
            _ => Ok(()),
        }
    }

    fn lock_named(&self, name: &str) -> Result<File, Failure> {
        let path = self.directory.join(name);
        let open = || {
            let file = open_lock(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|cause| Failure::file("locking", &path, &cause))
    }

    fn replace(&self, text: &str) -> Result<(), Failure> {
        let path = self.path();
        // Nobody else uses the name: the lock is held. One left by a crash may have other permissions.
        let fresh = path.with_extension("yaml.new");
        let _was_there = fs::remove_file(&fresh);
        private_file::put(&fresh, &path, text)
            .map_err(|cause| Failure::file("writing", &path, &cause))
    }
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// Names the place and nothing of the text, which holds secrets.
fn not_understood(path: &Path, cause: &serde_saphyr::Error) -> Failure {
    let place = cause.location().map_or_else(String::new, |location| {
        format!(", line {} column {}", location.line(), location.column())
    });
    Failure::usage(format!("{}{place}: this is no profile file", path.display()))
        .next("repair the file, or move it away; it was not changed")
}

#[cfg(test)]
#[path = "profile/tests.rs"]
mod tests;

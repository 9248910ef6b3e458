//! What does `tikti dev` run on? Secrets made once and kept in a directory, and a configuration
//! that needs nothing else.
//!
//! The same directory gives the same secrets at every start, also when two starts race to make
//! them: the file is linked into its place complete, and whoever comes second reads it.
//!
//! Spec: CLI, "tikti dev".

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use tikti_domain::DomainConfig;
use tikti_domain::api_key::ConfiguredApiKey;
use tikti_domain::bootstrap::Seed;
use tikti_domain::email::Email;
use tikti_domain::error::{InternalError, Refusal};
use tikti_domain::random::Random;
use tikti_domain::secret::{NamedSecret, SecretBytes, SecretString, Secrets};
use tikti_domain::settings::{Limits, Settings};

use crate::config::{
    Config, ForwardedHeader, LogConfig, MailConfig, MailTransport, StoreConfig, TrustedProxies,
    place_of,
};
use crate::mail::Capture;

/// The administrator that a fresh `dev` has.
pub const ADMIN_EMAIL: &str = "root@corp.sys";

const SECRETS_FILE: &str = "secrets.yaml";
/// Where programs find the mails.
const MAIL_DIRECTORY: &str = "mail";
const KID: &str = "dev";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Crockford's base32 without case: nothing in it is mistaken for something else when read aloud.
const READABLE: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why `dev` cannot use its directory.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// The directory or the file in it cannot be made or read.
    #[error("{}: {source}", path.display())]
    Directory {
        /// What could not be used.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of secrets is damaged.
    #[error(
        "{} is damaged: {reason}. Restore it, or delete the whole directory to start afresh",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any secret.
        reason: String,
    },
    /// No randomness to make secrets of.
    #[error("secrets could not be made")]
    Random(#[from] InternalError),
    /// There are no secrets in the directory, and none are to be made.
    #[error(
        "{} is not there: name the directory of `tikti dev`, or copy the file of the directory that \
         the data came from",
        path.display()
    )]
    NoSecrets {
        /// The file.
        path: PathBuf,
    },
    /// A value that this program brings does not fit its grammar.
    #[error("{}", .0.message)]
    Shipped(Refusal),
    /// A mail template that this program brings is wrong.
    #[error("{0}")]
    Templates(String),
}

/// Everything that `dev` runs on and shows to the person who started it.
pub struct DevSetup {
    /// The deployment's API key, with every scope.
    pub api_key: String,
    /// A key for web pages, with the scopes that may be public.
    pub web_api_key: String,
    /// Address of the administrator.
    pub admin_email: String,
    /// Password of the administrator.
    pub admin_password: String,
    /// Path prefix that proves the administrator to Firebase Admin SDKs.
    pub firebase_admin_path: String,
    /// Where everything lies.
    pub data_dir: PathBuf,
    admin: Email,
    settings: Settings,
    secrets: Secrets,
    store: StoreConfig,
    mail: MailConfig,
    /// Whether the shipped limits hold; else none does.
    is_limited: bool,
}

/// What the file holds, as text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeptSecrets {
    master_key: String,
    pepper: String,
    hs256: String,
    api_key: String,
    web_api_key: String,
    admin_password: String,
    firebase_admin_path: String,
}

/// Makes the directory and its secrets, or reads those that are there.
///
/// The directory gets mode 0700 and the file 0600. Without `store_url` the store lies in the
/// directory, too; a server of one's own may forget everything when it stops.
///
/// # Errors
/// [`DevError`], each a line that a person can act on.
pub fn prepare(dir: &Path, store_url: Option<SecretString>) -> Result<DevSetup, DevError> {
    let file = dir.join(SECRETS_FILE);
    make_directory(dir).map_err(|source| DevError::Directory { path: dir.to_owned(), source })?;
    let is_there = file.try_exists();
    if !is_there.map_err(|source| DevError::Directory { path: file.clone(), source })? {
        let fresh = KeptSecrets::make(&Random::system())?;
        keep(&file, &fresh).map_err(|source| DevError::Directory { path: file.clone(), source })?;
    }
    let (kept, secrets) = read(&file)?;
    Ok(DevSetup {
        secrets,
        api_key: kept.api_key,
        web_api_key: kept.web_api_key,
        admin_email: ADMIN_EMAIL.to_owned(),
        admin_password: kept.admin_password,
        firebase_admin_path: kept.firebase_admin_path,
        data_dir: dir.to_owned(),
        admin: Email::parse(ADMIN_EMAIL).map_err(DevError::Shipped)?,
        settings: Settings::shipped("").map_err(DevError::Shipped)?,
        store: store(dir, store_url),
        mail: MailConfig::captured(Capture::default().kept_in(dir.join(MAIL_DIRECTORY)))
            .map_err(|problems| DevError::Templates(problems.join("; ")))?,
        is_limited: false,
    })
}

/// The store that `dev` uses with this directory; makes nothing.
#[must_use]
pub fn store(dir: &Path, store_url: Option<SecretString>) -> StoreConfig {
    let embedded = || format!("embedded:{}", dir.join("store").display()).into();
    let mut store = StoreConfig::new(store_url.unwrap_or_else(embedded));
    store.redis.allow_volatile = true;
    store
}

/// Reads the secrets that are in the directory; makes none.
///
/// # Errors
/// [`DevError`], each a line that a person can act on.
pub fn secrets(dir: &Path) -> Result<Secrets, DevError> {
    let file = dir.join(SECRETS_FILE);
    // One that cannot be looked for is named by the reading.
    if matches!(file.try_exists(), Ok(false)) {
        return Err(DevError::NoSecrets { path: file });
    }
    read(&file).map(|(_, secrets)| secrets)
}

impl DevSetup {
    /// Where the store is.
    #[must_use]
    pub fn store(&self) -> &StoreConfig {
        &self.store
    }

    /// Tells `listener` of each mail, with its link: for the terminal of whoever started `dev`.
    #[must_use]
    pub fn showing_mails(self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let transport = match self.mail.transport {
            Some(MailTransport::Capture(capture)) => {
                Some(MailTransport::Capture(capture.shown_to(listener)))
            }
            other => other,
        };
        Self { mail: MailConfig { transport, ..self.mail }, ..self }
    }

    /// With the rate limits of a deployment; without this a test suite at work meets none.
    #[must_use]
    pub fn limited(self) -> Self {
        Self { is_limited: true, ..self }
    }

    /// The configuration of a server whose issuer is `url`.
    ///
    /// Other than a deployment, `dev` accepts that the issuer differs from the one of an earlier start, and
    /// nothing is limited unless it was [`limited`](Self::limited).
    #[must_use]
    pub fn config(&self, url: &str) -> Config {
        let settings = Settings {
            issuer: url.to_owned(),
            issuer_may_change: true,
            limits: Limits { enabled: self.is_limited, ..Limits::shipped() },
            ..self.settings.clone()
        };
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            // Nobody balances load to it, and a person waits for the prompt.
            shutdown_grace: Duration::ZERO,
            store: self.store.clone(),
            trusted_proxies: TrustedProxies::default(),
            forwarded_header: ForwardedHeader::default(),
            domain: DomainConfig {
                settings,
                secrets: self.secrets.clone(),
                api_key: Some(ConfiguredApiKey::Plain(self.api_key.clone().into())),
            },
            mail: self.mail.clone(),
            log: LogConfig::default(),
        }
    }

    /// The administrator and the browser key that the store is given at its first start.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed {
            admin: Some((self.admin.clone(), SecretString::from(self.admin_password.clone()))),
            browser_key: Some(SecretString::from(self.web_api_key.clone())),
        }
    }
}

impl KeptSecrets {
    fn make(random: &Random) -> Result<Self, InternalError> {
        Ok(Self {
            master_key: BASE64.encode(&random.bytes::<32>()?),
            pepper: BASE64.encode(&random.bytes::<32>()?),
            hs256: BASE64.encode(&random.bytes::<32>()?),
            api_key: api_key(random)?,
            web_api_key: api_key(random)?,
            admin_password: readable_password(random)?,
            firebase_admin_path: format!("/{}", random.text(ALPHANUMERIC, 32)?),
        })
    }

    fn secrets(&self) -> Result<Secrets, &'static str> {
        let named = |text: &str| {
            let bytes = BASE64.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() == 32);
            let secret = SecretBytes::new(bytes.ok_or("a secret is not 32 bytes as base64")?);
            Ok::<_, &'static str>(vec![NamedSecret { kid: KID.to_owned(), secret }])
        };
        Ok(Secrets {
            master_key: named(&self.master_key)?,
            pepper: named(&self.pepper)?,
            hs256: named(&self.hs256)?,
            hs256_legacy: None,
        })
    }
}

/// `tk_<id>_<secret>`, about 190 bits of them secret.
fn api_key(random: &Random) -> Result<String, InternalError> {
    Ok(format!("tk_{}_{}", random.text(LOWER, 10)?, random.text(ALPHANUMERIC, 32)?))
}

/// Four groups of five characters: 100 bits that a person can read off one screen and type into
/// another.
fn readable_password(random: &Random) -> Result<String, InternalError> {
    let groups: Vec<_> =
        (0..4).map(|_| random.text(READABLE, 5)).collect::<Result<_, InternalError>>()?;
    Ok(groups.join("-"))
}

/// Makes the directory for its owner alone. One that exists and holds other people's things is left
/// as it is: the files in it are closed by themselves.
fn make_directory(dir: &Path) -> std::io::Result<()> {
    if dir.exists() && !dir.is_dir() {
        return Err(std::io::Error::new(ErrorKind::NotADirectory, "is not a directory"));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let is_ours = dir.join(SECRETS_FILE).exists() || std::fs::read_dir(dir)?.next().is_none();
    if is_ours {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Writes the file completely beside its place, then links it there: a crash leaves either no file
/// or a whole one, and of two that race one wins.
fn keep(file: &Path, secrets: &KeptSecrets) -> std::io::Result<()> {
    let yaml = serde_saphyr::to_string(secrets).map_err(std::io::Error::other)?;
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let mut target =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    target.write_all(yaml.as_bytes())?;
    target.sync_all()?;
    let linked = match std::fs::hard_link(&beside, file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    std::fs::remove_file(&beside)?;
    linked?;
    file.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn read(file: &Path) -> Result<(KeptSecrets, Secrets), DevError> {
    let unreadable = |source| DevError::Directory { path: file.to_owned(), source };
    let yaml = std::fs::read_to_string(file).map_err(unreadable)?;
    std::fs::set_permissions(file, Permissions::from_mode(0o600)).map_err(unreadable)?;
    let damaged = |reason| DevError::Damaged { path: file.to_owned(), reason };
    let kept: KeptSecrets = serde_saphyr::from_str(&yaml)
        .map_err(|error| damaged(format!("{} is not as it was written", place_of(&error))))?;
    let secrets = kept.secrets().map_err(|reason| damaged(reason.to_owned()))?;
    Ok((kept, secrets))
}

#[cfg(test)]
mod tests {
    use tikti_domain::secret::ExposeSecret as _;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("deep/data");
        let first = prepare(&dir, None).unwrap();
        let again = prepare(&dir, None).unwrap();
        assert_eq!(first.api_key, again.api_key);
        assert_eq!(first.admin_password, again.admin_password);
        assert_eq!(
            first.secrets.pepper[0].secret.expose(),
            again.secrets.pepper[0].secret.expose()
        );
        let url = first.store.url.expose_secret();
        assert_eq!(url, format!("embedded:{}", dir.join("store").display()));
        let names: Vec<_> =
            std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [SECRETS_FILE]);
    }

    #[test]
    fn tools_find_the_same_secrets_and_make_none() {
        let root = tempfile::tempdir().unwrap();
        let message = secrets(root.path()).err().unwrap().to_string();
        assert!(message.contains("secrets.yaml is not there"), "{message}");
        assert!(std::fs::read_dir(root.path()).unwrap().next().is_none());
        let made = prepare(root.path(), None).unwrap();
        let found = secrets(root.path()).unwrap();
        assert_eq!(found.pepper[0].secret.expose(), made.secrets.pepper[0].secret.expose());
    }

    #[test]
    fn nothing_is_limited_unless_it_was_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let limits =
            |setup: &DevSetup| setup.config("http://127.0.0.1:8080").domain.settings.limits;
        let setup = prepare(root.path(), None).unwrap();
        assert!(!limits(&setup).enabled);
        assert_eq!(limits(&setup.limited()), Limits::shipped());
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = prepare(file.path(), None).err().unwrap().to_string();
        assert_eq!(message, format!("{}: is not a directory", file.path().display()));
    }

    #[test]
    fn only_the_owner_can_read_them() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        prepare(&dir, None).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join(SECRETS_FILE)), 0o600);
    }

    #[test]
    fn passwords_and_keys_have_their_form() {
        let secrets = KeptSecrets::make(&Random::seeded(3)).unwrap();
        let password = &secrets.admin_password;
        assert_eq!(password.len(), 23);
        assert!(password.split('-').all(|group| group.len() == 5));
        let parts: Vec<_> = secrets.api_key.split('_').collect();
        assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("tk", 10, 32));
        assert_ne!(secrets.api_key, secrets.web_api_key);
    }

    #[test]
    fn a_damaged_file_is_named_and_its_secrets_are_not() {
        let root = tempfile::tempdir().unwrap();
        prepare(root.path(), None).unwrap();
        let file = root.path().join(SECRETS_FILE);
        let yaml = std::fs::read_to_string(&file).unwrap().replace("hs256: ", "hs256: [");
        std::fs::write(&file, &yaml).unwrap();
        let message = prepare(root.path(), None).err().unwrap().to_string();
        assert!(message.contains("secrets.yaml is damaged"), "{message}");
        assert!(yaml.lines().filter_map(|l| l.split(": ").nth(1)).all(|s| !message.contains(s)));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), yaml);
    }
}

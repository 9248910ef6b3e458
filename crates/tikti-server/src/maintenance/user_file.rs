//! What does a file of users of another system say?
//!
//! Two shapes: JSON lines of our own, and what `firebase auth:export` writes. Invariant: a row that
//! cannot be used is a row with a reason, and keeps no other from being used; no reason shows anything
//! of the row.
//!
//! Spec: Command line, `user import`.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Read};

use data_encoding::BASE64_NOPAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tikti_domain::account::ImportedUser;
use tikti_domain::clock::{Timestamp, parse_rfc3339};
use tikti_domain::email::Email;
use tikti_domain::error::Refusal;
use tikti_domain::id::UserId;
pub use tikti_domain::password::FirebaseHashConfig;
use tikti_domain::password::PasswordHash;
use tikti_domain::user::UserStatus;

/// Longest line of a file, in bytes: many times what a user needs.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Largest file of hash parameters, in bytes.
const MAX_CONFIG_BYTES: u64 = 16 * 1024;

const NOT_THE_SHAPE: &str = "is not of the documented shape";

/// One user of a file.
#[derive(Debug)]
pub struct UserRow {
    /// The line, or, of an export, which of its users it is; from 1.
    pub number: u64,
    /// The user, or why there is none.
    pub user: Result<ImportedUser, String>,
}

/// Why a file cannot be read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum UserFileError {
    /// The file system's.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is something else.
    #[error("line {line} is longer than 64 KiB: the file has one JSON object a line")]
    LongLine {
        /// From 1.
        line: u64,
    },
    /// It is something else.
    #[error("it is no export of `firebase auth:export` (line {line}, column {column})")]
    NotAnExport {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The parameters cannot be used.
    #[error("it holds no hash parameters of a Firebase project: {0}")]
    NotAHashConfig(String),
}

/// A user in our own shape. An unknown member is a mistake: it may be a hash that would be lost.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserLine {
    id: String,
    email: String,
    #[serde(default)]
    email_verified: bool,
    display_name: Option<String>,
    password_hash: Option<String>,
    #[serde(default)]
    disabled: bool,
    created_at: Option<Time>,
    last_login_at: Option<Time>,
}

/// A user of an export. There is more in one, which has no place here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirebaseUser {
    local_id: String,
    email: Option<String>,
    email_verified: Option<bool>,
    display_name: Option<String>,
    password_hash: Option<String>,
    salt: Option<String>,
    disabled: Option<bool>,
    created_at: Option<Time>,
    last_signed_in_at: Option<Time>,
}

#[derive(Deserialize)]
struct FirebaseExport {
    users: Vec<Readable<FirebaseUser>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Readable<T> {
    Yes(Box<T>),
    No(IgnoredAny),
}

/// Milliseconds since the Unix epoch, as a number or as text, or RFC 3339.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Millis(u64),
    Text(String),
}

impl Time {
    fn parse(self) -> Result<Timestamp, String> {
        match self {
            Self::Millis(millis) => Some(Timestamp::from_millis(millis)),
            Self::Text(text) => {
                text.parse().ok().map(Timestamp::from_millis).or_else(|| parse_rfc3339(&text))
            }
        }
        .ok_or_else(|| "a time is neither RFC 3339 nor milliseconds since 1970".to_owned())
    }
}

/// Reads JSON lines; empty lines are passed over.
///
/// # Errors
/// [`UserFileError`].
pub fn read_user_lines(input: &mut dyn BufRead) -> Result<Vec<UserRow>, UserFileError> {
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        (&mut *input).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        if line.len() as u64 > MAX_LINE_BYTES {
            return Err(UserFileError::LongLine { line: number });
        }
        if !line.trim_ascii().is_empty() {
            rows.push(UserRow { number, user: of_line(&line) });
        }
    }
    refuse_repeated(&mut rows);
    Ok(rows)
}

fn of_line(line: &[u8]) -> Result<ImportedUser, String> {
    // What the reader says may quote the line.
    let line: UserLine = serde_json::from_slice(line)
        .map_err(|error| format!("{NOT_THE_SHAPE} (column {})", error.column()))?;
    let id = UserId::parse(&line.id).map_err(reason)?;
    let email = Email::parse(&line.email).map_err(reason)?;
    let hash = line.password_hash.as_deref().map(PasswordHash::parse).transpose();
    Ok(ImportedUser {
        email_verified: line.email_verified,
        display_name: line.display_name,
        password_hash: hash.map_err(reason)?,
        status: status(line.disabled),
        created_at: line.created_at.map(Time::parse).transpose()?,
        last_login_at: line.last_login_at.map(Time::parse).transpose()?,
        ..ImportedUser::new(id, email)
    })
}

/// Reads what `firebase auth:export FILE --format=JSON` writes.
///
/// # Errors
/// [`UserFileError`].
pub fn read_firebase_users(
    input: &mut dyn Read,
    config: &FirebaseHashConfig,
) -> Result<Vec<UserRow>, UserFileError> {
    let export: FirebaseExport = serde_json::from_reader(input).map_err(|error| {
        if error.is_io() {
            UserFileError::Unreadable(error.into())
        } else {
            UserFileError::NotAnExport { line: error.line(), column: error.column() }
        }
    })?;
    let rows = (1..).zip(export.users).map(|(number, user)| UserRow {
        number,
        user: match user {
            Readable::Yes(user) => of_firebase(*user, config),
            Readable::No(_) => Err(NOT_THE_SHAPE.to_owned()),
        },
    });
    let mut rows: Vec<_> = rows.collect();
    refuse_repeated(&mut rows);
    Ok(rows)
}

fn of_firebase(user: FirebaseUser, config: &FirebaseHashConfig) -> Result<ImportedUser, String> {
    let id = UserId::parse(&user.local_id).map_err(reason)?;
    let email = user.email.ok_or("has no e-mail address")?;
    let email = Email::parse(&email).map_err(reason)?;
    let password_hash = match (user.password_hash, user.salt) {
        // Signs in with another provider; may set a password later.
        (None, _) => None,
        (Some(hash), salt) => {
            let (hash, salt) = (base64(&hash)?, base64(&salt.unwrap_or_default())?);
            Some(config.hash(&salt, &hash).map_err(reason)?)
        }
    };
    Ok(ImportedUser {
        email_verified: user.email_verified.unwrap_or_default(),
        display_name: user.display_name.filter(|name| !name.trim().is_empty()),
        password_hash,
        status: status(user.disabled.unwrap_or_default()),
        created_at: user.created_at.map(Time::parse).transpose()?,
        last_login_at: user.last_signed_in_at.map(Time::parse).transpose()?,
        ..ImportedUser::new(id, email)
    })
}

/// Reads the parameters as the Firebase console shows them (`hash_config { algorithm: SCRYPT, … }`), or
/// as JSON or YAML with the same names.
///
/// # Errors
/// [`UserFileError`]. Shows no value.
pub fn read_firebase_hash_config(
    input: &mut dyn Read,
) -> Result<FirebaseHashConfig, UserFileError> {
    let wrong = |reason: &str| UserFileError::NotAHashConfig(reason.to_owned());
    let mut text = String::new();
    input.take(MAX_CONFIG_BYTES).read_to_string(&mut text)?;
    let mut values = BTreeMap::new();
    // None of the separators of any of the three forms can stand in a value.
    for part in text.split(['{', '}', ',', '\n']) {
        let part = part.trim();
        if let Some((name, value)) = part.split_once(':') {
            let unquoted = |text: &str| text.trim().trim_matches('"').to_owned();
            if values.insert(unquoted(name), unquoted(value)).is_some() {
                return Err(wrong("a parameter stands there twice"));
            }
        }
    }
    let mut value = |name: &str| values.remove(name).ok_or_else(|| wrong(&format!("no {name}")));
    if value("algorithm")? != "SCRYPT" {
        return Err(wrong("the algorithm is not SCRYPT"));
    }
    let bytes = |text: &str| base64(text).map_err(|reason| wrong(&reason));
    let number = |text: &str| text.parse().map_err(|_| wrong("a cost is no number"));
    let config = FirebaseHashConfig {
        signer_key: bytes(&value("base64_signer_key")?)?.into(),
        salt_separator: bytes(&value("base64_salt_separator")?)?,
        rounds: number(&value("rounds")?)?,
        mem_cost: number(&value("mem_cost")?)?,
    };
    // Whatever is wrong with the parameters is wrong with every hash: it is told once.
    let length = tikti_domain::secret::ExposeSecret::expose_secret(&config.signer_key).len();
    config.hash(&[0; 8], &vec![0; length]).map_err(|refusal| wrong(&refusal.message))?;
    Ok(config)
}

/// Base64 in either alphabet, with padding or without: exports have both.
fn base64(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let bytes = BASE64_NOPAD.decode(text.as_bytes());
    bytes.map_err(|_| "holds something that is not base64".to_owned())
}

const fn status(disabled: bool) -> UserStatus {
    if disabled { UserStatus::Inactive } else { UserStatus::Active }
}

fn reason(refusal: Refusal) -> String {
    refusal.message.into_owned()
}

/// Refuses rows whose id or address an earlier row has: which of them is right cannot be known.
fn refuse_repeated(rows: &mut [UserRow]) {
    let mut ids: HashMap<UserId, u64> = HashMap::new();
    let mut emails: HashMap<Email, u64> = HashMap::new();
    for row in rows {
        let Ok(user) = &row.user else { continue };
        let of_id = *ids.entry(user.id.clone()).or_insert(row.number);
        let of_email = *emails.entry(user.email.clone()).or_insert(row.number);
        if of_id != row.number {
            row.user = Err(format!("has the id of number {of_id}"));
        } else if of_email != row.number {
            row.user = Err(format!("has the address of number {of_email}"));
        }
    }
}

#[cfg(test)]
mod tests;

//! What is a stored password hash?
//!
//! A text that says how it was made. Tikti makes bcrypt alone; what other systems made is taken over
//! and checked as it is until its user signs in. Invariant: a text that [`PasswordHash::parse`] lets
//! pass can be checked, within the bounds of time and memory that `scheme` sets; the same bounds hold
//! again whenever a stored one is checked.
//!
//! Spec: Domain, rule 6. Which kinds, and why: docs/decisions/0018.

use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};

use super::phc::Parsed;
use super::scheme::Scheme;
use crate::error::Refusal;

/// A stored hash in text form. Its `Debug` shows the algorithm only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Parses a hash that another system made.
    ///
    /// | kind | text |
    /// |---|---|
    /// | bcrypt | `$2a$`, `$2b$` or `$2y$`, cost 4 to 14 |
    /// | Argon2id | `$argon2id$v=19$m=65536,t=3,p=4$salt$hash` |
    /// | PBKDF2-SHA256 | `$pbkdf2-sha256$i=600000,l=32$salt$hash`; passlib's `$pbkdf2-sha256$29000$salt$hash`; Django's `pbkdf2_sha256$600000$salt$hash` |
    /// | scrypt | `$scrypt$ln=16,r=8,p=1$salt$hash` |
    /// | Firebase | `$firebase-scrypt$ln=14,r=8,k=signer key,s=salt separator$salt$hash`, as [`FirebaseHashConfig::hash`] writes it |
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` that names `passwordHash`, for any other text and for one whose check would
    /// take more than 128 MiB or about a second. Shows nothing of the text.
    ///
    /// Spec: Domain, rule 6.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match Scheme::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(reason) => Err(Refusal::invalid("passwordHash", reason)),
        }
    }

    /// The cost of a bcrypt hash.
    #[must_use]
    pub fn cost(&self) -> Option<u32> {
        match self.scheme() {
            Ok(Scheme::Bcrypt { cost, .. }) => Some(cost),
            Ok(_) | Err(_) => None,
        }
    }

    /// A text that was made here.
    pub(super) fn made(text: String) -> Self {
        Self(text)
    }

    /// How it was made.
    pub(super) fn scheme(&self) -> Parsed<Scheme> {
        Scheme::parse(&self.0)
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.scheme().map_or("unreadable", |scheme| scheme.name());
        write!(formatter, "PasswordHash({name})")
    }
}

/// How a Firebase project hashes its passwords: the same for all of its users.
///
/// The signer key is a secret of the project; `Debug` does not show it.
#[derive(Debug)]
pub struct FirebaseHashConfig {
    /// `base64_signer_key`, decoded.
    pub signer_key: SecretSlice<u8>,
    /// `base64_salt_separator`, decoded; may be empty.
    pub salt_separator: Vec<u8>,
    /// scrypt's `r`.
    pub rounds: u32,
    /// The binary logarithm of scrypt's `N`.
    pub mem_cost: u32,
}

impl FirebaseHashConfig {
    /// Makes the text form of one user's hash, from the bytes of salt and hash.
    ///
    /// # Errors
    /// As [`PasswordHash::parse`].
    pub fn hash(&self, salt: &[u8], hash: &[u8]) -> Result<PasswordHash, Refusal> {
        use data_encoding::BASE64_NOPAD as BASE64;
        PasswordHash::parse(&format!(
            "$firebase-scrypt$ln={},r={},k={},s={}${}${}",
            self.mem_cost,
            self.rounds,
            BASE64.encode(self.signer_key.expose_secret()),
            BASE64.encode(&self.salt_separator),
            BASE64.encode(salt),
            BASE64.encode(hash),
        ))
    }
}

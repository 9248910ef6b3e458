//! A worker: a non-human principal of one tenant.
//!
//! A deleted worker leaves a tombstone, so that no token is made for its name by policy `any`, and so that
//! a worker made again under that name begins with a version that none had before: tokens of the old one
//! stay dead. Invariant: whenever a credential is taken away or the worker is disabled, its version rises.
//!
//! Spec: Domain, "Worker"; Authorization, "Token exchange", step 10; Tokens and keys, "Revocation".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tikti_token::AssertionKey;

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::id::{ClientId, EventType, RoleName, WorkerId};
use crate::record::{Cause, Lasting, Record, Tombstone};
use crate::scope::ScopeSet;
use crate::secret::TokenHash;

/// Most secrets of one worker that are valid at the same time: the one in use, and its successor.
pub const MAX_SECRETS: usize = 2;
/// Most public keys of one worker.
pub const MAX_KEYS: usize = 8;
/// Most bytes of a worker's key set, as JSON: every exchange that names the worker reads it.
pub const MAX_KEYS_BYTES: usize = 16 * 1024;
/// Most clients of one worker.
pub const MAX_CLIENTS: usize = 32;
/// Most event types of one worker.
pub const MAX_EVENT_TYPES: usize = 256;
/// Most roles whose holders may have tokens made for one worker.
pub const MAX_MINTABLE_BY: usize = 32;

/// Whether a worker may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerStatus {
    /// May act.
    Active,
    /// Refused everywhere.
    Disabled,
}

impl WorkerStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `status`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let found = [Self::Active, Self::Disabled].into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| Refusal::invalid("status", "must be ACTIVE or DISABLED"))
    }
}

/// The number of a secret of one worker: each is given once, in order, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretNumber(u32);

impl SecretNumber {
    /// Reads what a caller calls a secret by; what is no number is that of no secret.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Self(text.parse().ok().filter(|_| plain && !text.starts_with('0')).unwrap_or_default())
    }

    /// The number.
    #[must_use]
    pub fn as_number(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for SecretNumber {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A secret of a worker, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSecret {
    /// What it is called by.
    pub n: SecretNumber,
    /// Its HMAC.
    pub hash: TokenHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl WorkerSecret {
    /// Whether it has not ended by itself.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What a worker proves itself by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Secrets, the oldest first; those that have ended by themselves go with the next that is made.
    #[serde(default)]
    pub secrets: Vec<WorkerSecret>,
    /// The number of the secret that was made last.
    #[serde(default)]
    pub last_secret: SecretNumber,
    /// Public keys, in the order in which they were given.
    #[serde(default)]
    pub keys: Vec<AssertionKey>,
}

impl Credentials {
    /// Adds a secret.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` where two are valid.
    pub(crate) fn add(
        &mut self,
        (hash, expires_at): (TokenHash, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<SecretNumber, Code> {
        self.secrets.retain(|secret| secret.is_valid(now));
        if self.secrets.len() >= MAX_SECRETS {
            return Err(Code::LimitExceeded);
        }
        let n = SecretNumber(self.last_secret.0.checked_add(1).ok_or(Code::LimitExceeded)?);
        self.last_secret = n;
        self.secrets.push(WorkerSecret { n, hash, created_at: now, expires_at });
        Ok(n)
    }
}

/// The worker's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// The id, the `sub` of its tokens.
    pub id: WorkerId,
    /// The audiences that its tokens may have.
    pub clients: BTreeSet<ClientId>,
    /// The most that its tokens may hold.
    pub scopes: ScopeSet,
    /// The event types that its tokens may hold.
    pub event_types: BTreeSet<EventType>,
    /// Roles whose holders may have tokens made for it.
    #[serde(default)]
    pub mintable_by: BTreeSet<RoleName>,
    /// Whether it may sign users of its tenant in by custom tokens; only the deployment grants that.
    #[serde(default)]
    pub custom_tokens: bool,
    /// What it proves itself by.
    #[serde(default)]
    pub credentials: Credentials,
    /// Whether it may act.
    pub status: WorkerStatus,
    /// The worker version: tokens with another one are revoked.
    pub wver: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Worker {
    /// Whether it may act.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == WorkerStatus::Active
    }

    /// Kills the tokens that were made for it until now.
    pub(crate) fn revoke_tokens(&mut self, now: Timestamp) {
        self.wver = self.wver.saturating_add(1).max(now.as_millis());
    }

    /// What is left of it when it is deleted: from a time that is not before its version, so that the next
    /// one of this name has a later one.
    pub(crate) fn tombstone(&self, now: Timestamp) -> Lasting<Self> {
        let since = now.max(Timestamp::from_millis(self.wver));
        Lasting::Tombstone(Tombstone { since, cause: Cause::Deleted })
    }
}

/// The first version of a worker in the place of `before`: none that bore its name had it.
pub(crate) fn first_version(before: Option<&Lasting<Worker>>, now: Timestamp) -> u64 {
    let after = match before {
        Some(Lasting::Tombstone(tombstone)) => tombstone.since.as_millis().saturating_add(1),
        Some(Lasting::Live(worker)) => worker.wver.saturating_add(1),
        None => 0,
    };
    after.max(now.as_millis())
}

impl Record for Lasting<Worker> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash() -> TokenHash {
        TokenHash { pepper: "p".to_owned(), hmac: "h".to_owned() }
    }

    #[test]
    fn a_secret_is_called_by_the_number_that_it_was_given() {
        assert_eq!(SecretNumber::parse("12"), SecretNumber(12));
        for none in ["", "0", "01", "+1", "-1", "1 ", "one", "4294967296", "\u{661}"] {
            assert_eq!(SecretNumber::parse(none), SecretNumber(0), "{none:?}");
        }
    }

    #[test]
    fn two_secrets_are_valid_and_no_number_is_given_twice() {
        let mut held = Credentials::default();
        let at = Timestamp::from_millis;
        assert_eq!(held.add((hash(), Some(at(20))), at(10)), Ok(SecretNumber(1)));
        assert_eq!(held.add((hash(), None), at(10)), Ok(SecretNumber(2)));
        assert_eq!(held.add((hash(), None), at(19)), Err(Code::LimitExceeded));
        // The first has ended.
        assert_eq!(held.add((hash(), None), at(20)), Ok(SecretNumber(3)));
        held.secrets.clear();
        assert_eq!(held.add((hash(), None), at(20)), Ok(SecretNumber(4)));
    }
}

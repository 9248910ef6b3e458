//! Passwords: bcrypt on its own bounded pool; the rules for new ones are in `rules`.
//!
//! A check of an unknown user's password costs what a real one costs: the same pool, a hash of the
//! default cost that no password matches. Longer passwords than bcrypt reads are refused, never
//! cut.
//!
//! Spec: Domain, rules 6 and 7; Operations, "Overload".

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::{Error, InternalError};
use crate::pool::{Pool, PoolSize};
use crate::random::Random;
use rules::check_length;

pub use rules::check_new_password;

mod rules;

/// Fewest bytes of a password.
pub const MIN_PASSWORD_BYTES: usize = 8;
/// Most bytes of a password: what bcrypt reads.
pub const MAX_PASSWORD_BYTES: usize = 72;
/// Lowest and highest cost of a new hash.
pub const COSTS: std::ops::RangeInclusive<u32> = 10..=14;
/// The lowest cost that this build takes: test builds may spend less time on what is not their
/// subject.
pub const LOWEST_COST: u32 = if cfg!(any(test, feature = "testing")) { 4 } else { *COSTS.start() };

/// A stored bcrypt hash in its usual text form. Its `Debug` shows the cost only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The cost that the hash was made with.
    #[must_use]
    pub fn cost(&self) -> Option<u32> {
        self.0.split('$').nth(2)?.parse().ok()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PasswordHash(cost {:?})", self.cost())
    }
}

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    pool: Pool,
    cost: u32,
    random: Random,
    /// Matches no password and costs as much as one that does.
    dummy: PasswordHash,
}

/// What a check of a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The password is the one.
    Right,
    /// The password is the one, and its hash is cheaper than the configured cost: hash it anew.
    RightButCheap,
    /// It is not, or there is no such user.
    Wrong,
}

impl Passwords {
    /// Starts the pool. `cost` is that of new hashes.
    ///
    /// # Errors
    /// The operating system's, where it gives no thread or no randomness.
    pub fn start(size: PoolSize, cost: u32, random: Random) -> Result<Self, InternalError> {
        // Any well-formed hash will do: the check computes all rounds and finds it different.
        const BCRYPT_BASE64: &[u8] =
            b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        // The last characters of salt and hash carry fewer bits: `O` and `.` have the others zero.
        let salt = random.text(BCRYPT_BASE64, 21)?;
        let hash = random.text(BCRYPT_BASE64, 30)?;
        let dummy = PasswordHash(format!("$2b${cost:02}${salt}O{hash}."));
        let pool = Pool::start("password", size)?;
        Ok(Self { pool, cost, random, dummy })
    }

    /// Hashes a password that [`check_new_password`] let pass.
    ///
    /// # Errors
    /// `PASSWORD_TOO_LONG`; `OVERLOADED`; internal where hashing fails.
    pub async fn hash(&self, password: &SecretString) -> Result<PasswordHash, Error> {
        check_length(password.expose_secret())?;
        let (password, cost, salt) = (password.clone(), self.cost, self.random.bytes::<16>()?);
        let made = self
            .pool
            .run(move || bcrypt::hash_with_salt(password.expose_secret(), cost, salt))
            .await?;
        let parts = made.map_err(|_| InternalError::Crypto("bcrypt"))?;
        Ok(PasswordHash(parts.format_for_version(bcrypt::Version::TwoB)))
    }

    /// Checks a password against a stored hash, or, without one, spends the same time.
    ///
    /// # Errors
    /// `PASSWORD_TOO_LONG` (told from the password alone, whoever asks); `OVERLOADED`.
    pub async fn check(
        &self,
        password: &SecretString,
        stored: Option<&PasswordHash>,
    ) -> Result<Match, Error> {
        check_length(password.expose_secret())?;
        // No password with a NUL was ever set: see `check_new_password`.
        let stored = stored.filter(|_| !password.expose_secret().contains('\0'));
        let known = stored.is_some();
        let hash = stored.unwrap_or(&self.dummy).clone();
        let cheap = hash.cost().is_none_or(|cost| cost < self.cost);
        let dummy = cheap.then(|| self.dummy.clone());
        let password = password.clone();
        let right = self
            .pool
            .run(move || {
                let right = verify(&password, &hash);
                // A failed check of a cheap or unreadable hash must take as long as one of an
                // unknown user.
                if let Some(dummy) = dummy.filter(|_| !right) {
                    verify(&password, &dummy);
                }
                right
            })
            .await?;
        Ok(match (right && known, cheap) {
            (true, true) => Match::RightButCheap,
            (true, false) => Match::Right,
            (false, _) => Match::Wrong,
        })
    }
}

/// A stored text that is no bcrypt hash matches nothing. The comparison inside is constant in time.
fn verify(password: &SecretString, hash: &PasswordHash) -> bool {
    bcrypt::verify(password.expose_secret(), &hash.0).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Code;

    fn passwords(cost: u32) -> Passwords {
        let size =
            PoolSize { threads: 1, queue: 8, longest_wait: Duration::from_secs(60), niceness: 0 };
        Passwords::start(size, cost, Random::seeded(1)).unwrap()
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn all_72_bytes_count() {
        let passwords = passwords(LOWEST_COST);
        let full = "x".repeat(72);
        let hash = passwords.hash(&secret(&full)).await.unwrap();
        assert_eq!(passwords.check(&secret(&full), Some(&hash)).await.unwrap(), Match::Right);
        let other = format!("{}y", "x".repeat(71));
        assert_eq!(passwords.check(&secret(&other), Some(&hash)).await.unwrap(), Match::Wrong);
        let cut = "x".repeat(71);
        assert_eq!(passwords.check(&secret(&cut), Some(&hash)).await.unwrap(), Match::Wrong);
        let refused = passwords.check(&secret(&"x".repeat(73)), Some(&hash)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PasswordTooLong);
    }

    #[tokio::test]
    async fn a_cheaper_hash_still_opens_and_asks_for_a_new_one() {
        let hash = passwords(4).hash(&secret("correct horse")).await.unwrap();
        let dearer = passwords(5);
        let found = dearer.check(&secret("correct horse"), Some(&hash)).await.unwrap();
        assert_eq!(found, Match::RightButCheap);
        assert_eq!(dearer.hash(&secret("correct horse")).await.unwrap().cost(), Some(5));
    }

    #[tokio::test]
    async fn the_dummy_is_a_whole_bcrypt_hash_that_nothing_matches() {
        let passwords = passwords(LOWEST_COST);
        // An independent reading: bcrypt parses it and finds it different, rather than malformed.
        assert!(!bcrypt::verify("anything", &passwords.dummy.0).unwrap());
        assert_eq!(passwords.check(&secret("anything"), None).await.unwrap(), Match::Wrong);
    }
}

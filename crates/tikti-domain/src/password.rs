//! Passwords: bcrypt on its own bounded pool.
//!
//! A check of an unknown user's password costs what a real one costs: the same pool, a hash of the
//! default cost that no password matches. Longer passwords than bcrypt reads are refused, never
//! cut. Hashes of other systems are checked, never made: the right password replaces them.
//!
//! | question | module |
//! |---|---|
//! | may this be a new password? | `rules` |
//! | what is a stored hash? | `hash` |
//! | how was it made, and does a password give it? | `scheme` |
//! | how is its text taken apart? | `phc` |
//!
//! Spec: Domain, rules 6 and 7; Operations, "Overload". Foreign hashes: docs/decisions/0018.

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, InternalError};
use crate::pool::{Pool, PoolSize};
use crate::random::Random;
use rules::check_length;

pub use hash::{FirebaseHashConfig, PasswordHash};
pub use rules::check_new_password;

mod hash;
mod phc;
mod rules;
mod scheme;

/// Fewest bytes of a password.
pub const MIN_PASSWORD_BYTES: usize = 8;
/// Most bytes of a password: what bcrypt reads.
pub const MAX_PASSWORD_BYTES: usize = 72;
/// Lowest and highest cost of a new hash.
pub const COSTS: std::ops::RangeInclusive<u32> = 10..=14;
/// The lowest cost that this build takes: test builds may spend less time on what is not their
/// subject.
pub const LOWEST_COST: u32 = if cfg!(any(test, feature = "testing")) { 4 } else { *COSTS.start() };

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
    /// The password is the one, and its hash is cheaper than the configured cost, or not bcrypt: hash
    /// it anew.
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
        let dummy = PasswordHash::made(format!("$2b${cost:02}${salt}O{hash}."));
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
        Ok(PasswordHash::made(parts.format_for_version(bcrypt::Version::TwoB)))
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
        Ok(self.check_if(password, stored, || true).await?.unwrap_or(Match::Wrong))
    }

    /// As [`Passwords::check`], if `goes_on` says so when the turn has come: in a queue much may
    /// happen. `None` where it does not; then no bcrypt is spent.
    pub(crate) async fn check_if(
        &self,
        password: &SecretString,
        stored: Option<&PasswordHash>,
        goes_on: impl FnOnce() -> bool + Send + 'static,
    ) -> Result<Option<Match>, Error> {
        check_length(password.expose_secret())?;
        // No password with a NUL was ever set: see `check_new_password`. A stored text that is no hash
        // matches nothing.
        let stored = stored.filter(|_| !password.expose_secret().contains('\0'));
        let scheme = stored.and_then(|hash| hash.scheme().ok());
        let cheap = scheme.as_ref().is_none_or(|scheme| scheme.is_cheaper_than(self.cost));
        // A failed check of a cheaper hash must take as long as one of an unknown user.
        let dummy = cheap.then(|| self.dummy.scheme().ok()).flatten();
        let password = password.clone();
        let right = self
            .pool
            .run(move || {
                if !goes_on() {
                    return Ok(None);
                }
                let password = password.expose_secret().as_bytes();
                let right = scheme.map(|scheme| scheme.matches(password)).transpose()?;
                let right = right.unwrap_or(false);
                if let Some(dummy) = dummy.filter(|_| !right) {
                    dummy.matches(password)?;
                }
                Ok::<_, InternalError>(Some(right))
            })
            .await??;
        Ok(right.map(|right| match (right, cheap) {
            (true, true) => Match::RightButCheap,
            (true, false) => Match::Right,
            (false, _) => Match::Wrong,
        }))
    }
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
        assert_eq!(passwords.dummy.cost(), Some(LOWEST_COST));
        // An independent reading: bcrypt parses it and finds it different, rather than malformed.
        let text = serde_json::to_value(&passwords.dummy).unwrap();
        assert!(!bcrypt::verify("anything", text.as_str().unwrap()).unwrap());
        assert_eq!(passwords.check(&secret("anything"), None).await.unwrap(), Match::Wrong);
    }

    /// PBKDF2 with one iteration of `password`: RFC 6070 with SHA-256.
    const FOREIGN: &str =
        "$pbkdf2-sha256$i=1,l=32$c2FsdA$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs";

    #[tokio::test]
    async fn a_foreign_hash_opens_and_asks_for_a_new_one() {
        let passwords = passwords(LOWEST_COST);
        let hash = PasswordHash::parse(FOREIGN).unwrap();
        let right = passwords.check(&secret("password"), Some(&hash)).await.unwrap();
        assert_eq!(right, Match::RightButCheap);
        for wrong in ["Password", "password\0", "password\0password", ""] {
            let found = passwords.check(&secret(wrong), Some(&hash)).await.unwrap();
            assert_eq!(found, Match::Wrong, "{wrong:?}");
        }
    }

    /// Firebase lets a password have 6 characters, others let it have 1000.
    #[tokio::test]
    async fn a_foreign_password_may_be_shorter_than_a_new_one_and_not_longer() {
        let passwords = passwords(LOWEST_COST);
        let hash = PasswordHash::parse(FOREIGN).unwrap();
        let refused = passwords.check(&secret(&"x".repeat(73)), Some(&hash)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PasswordTooLong);
        let made = passwords.hash(&secret("short")).await.unwrap();
        assert_eq!(passwords.check(&secret("short"), Some(&made)).await.unwrap(), Match::Right);
    }

    #[tokio::test]
    async fn e6_a_wrong_password_of_a_foreign_hash_costs_at_least_what_an_unknown_user_costs() {
        let passwords = passwords(8);
        let foreign = PasswordHash::parse(FOREIGN).unwrap();
        let unreadable: PasswordHash = serde_json::from_str("\"$2x$05$strange\"").unwrap();
        let fastest = async |stored: Option<&PasswordHash>| {
            let mut fastest = Duration::MAX;
            for _ in 0..8 {
                let begun = std::time::Instant::now();
                let found = passwords.check(&secret("Password"), stored).await.unwrap();
                assert_eq!(found, Match::Wrong);
                fastest = fastest.min(begun.elapsed());
            }
            fastest
        };
        let unknown = fastest(None).await;
        for stored in [foreign, unreadable] {
            // Without the dummy it would be a thousandth.
            let known = fastest(Some(&stored)).await;
            assert!(known * 4 > unknown, "{stored:?}: {known:?} {unknown:?}");
        }
    }

    #[test]
    fn a_hash_shows_its_algorithm_only() {
        for (text, shown) in [
            (
                "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
                "PasswordHash(bcrypt)",
            ),
            (FOREIGN, "PasswordHash(pbkdf2-sha256)"),
        ] {
            assert_eq!(format!("{:?}", PasswordHash::parse(text).unwrap()), shown);
        }
        let unreadable: PasswordHash = serde_json::from_str("\"secret\"").unwrap();
        assert_eq!(format!("{unreadable:?}"), "PasswordHash(unreadable)");
        let refused = PasswordHash::parse("$argon2id$v=19$secret").unwrap_err();
        assert!(!format!("{refused:?}").contains("secret"));
    }

    #[test]
    fn a_hash_of_firebase_is_written_with_the_parameters_of_its_project() {
        let base64 = |text: &str| data_encoding::BASE64.decode(text.as_bytes()).unwrap();
        let key = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
        let hash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
        let mut config = FirebaseHashConfig {
            signer_key: base64(key).into(),
            salt_separator: base64("Bw=="),
            rounds: 8,
            mem_cost: 14,
        };
        assert!(!format!("{config:?}").contains(&format!("{:?}", base64(key))));
        let made = config.hash(&base64("42xEC+ixf3L2lw=="), &base64(hash)).unwrap();
        let text = serde_json::to_value(&made).unwrap();
        assert_eq!(
            text,
            "$firebase-scrypt$ln=14,r=8,k=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA,s=Bw$42xEC+ixf3L2lw$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ"
        );
        config.mem_cost = 31;
        assert_eq!(config.hash(b"salt", &base64(hash)).unwrap_err().code, Code::InvalidArgument);
    }
}

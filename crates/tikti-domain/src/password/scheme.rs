//! How was a stored hash made, and does a password give it?
//!
//! Invariant: what [`Scheme::parse`] lets pass takes at most 128 MiB and about a second to check, so
//! that no hash that somebody brings along can be used to stop the server. All comparisons are
//! constant in time.
//!
//! Spec: Domain, rules 6 and 7. The bounds, and where they come from: docs/decisions/0018.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use argon2::Argon2;
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::phc::{Parsed, Salted, bytes, bytes_of, decimal, fields, numbers, values};
use crate::error::InternalError;

/// bcrypt: the lowest cost that exists.
const MIN_BCRYPT_COST: u32 = 4;
/// bcrypt: the highest cost that Tikti makes.
const MAX_BCRYPT_COST: u32 = *super::COSTS.end();
/// Most memory for a check, in KiB.
const MAX_MEMORY_KIB: u32 = 128 * 1024;
/// Argon2id: most KiB that are written, all passes together.
const MAX_ARGON2_KIB: u64 = 1 << 20;
/// Argon2id: most lanes. They are computed one after the other.
const MAX_ARGON2_LANES: u32 = 16;
/// Argon2id: fewest bytes of a salt (RFC 9106, section 3.1, and every library).
const MIN_ARGON2_SALT_BYTES: usize = 8;
/// PBKDF2: most iterations, all blocks of 32 bytes together.
const MAX_PBKDF2_ITERATIONS: u64 = 2_000_000;
/// scrypt: highest block size `r`.
const MAX_SCRYPT_R: u32 = 32;
/// scrypt: most repetitions `p`.
const MAX_SCRYPT_P: u32 = 16;
/// scrypt: most blocks of 128 bytes that are written, `N * r * p`.
const MAX_SCRYPT_BLOCKS: u64 = 1 << 21;
/// Firebase: bytes of a signer key. It must be as long as a hash.
const SIGNER_KEY_BYTES: RangeInclusive<usize> = 32..=64;
/// Firebase: most bytes of a salt separator.
const MAX_SEPARATOR_BYTES: usize = 64;

const TOO_DEAR: &str = "takes more time or memory to check than is allowed";

/// How a hash was made, with all that a check of it needs.
pub(super) enum Scheme {
    Bcrypt { cost: u32, text: String },
    Argon2id { params: argon2::Params, salted: Salted },
    Pbkdf2Sha256 { iterations: NonZeroU32, salted: Salted },
    Scrypt { params: scrypt::Params, salted: Salted },
    Firebase(Box<Firebase>),
}

/// scrypt as Firebase uses it: what it gives encrypts a key that all users of a project share.
pub(super) struct Firebase {
    params: scrypt::Params,
    signer_key: Zeroizing<Vec<u8>>,
    separator: Vec<u8>,
    salted: Salted,
}

impl Scheme {
    /// Reads a hash, whose beginning says of which kind it is.
    pub(super) fn parse(text: &str) -> Parsed<Self> {
        // Django's has no `$` in front.
        if let Some(rest) = text.strip_prefix("pbkdf2_sha256") {
            return django(rest);
        }
        let kind = text.strip_prefix('$').and_then(|rest| rest.split('$').next());
        match kind {
            Some("2a" | "2b" | "2y") => bcrypt(text),
            Some("argon2id") => argon2id(text),
            Some("pbkdf2-sha256") => pbkdf2_sha256(text),
            Some("scrypt") => plain_scrypt(text),
            Some("firebase-scrypt") => firebase(text),
            // `$2x$` among them: the mark of hashes that a faulty bcrypt made.
            Some(_) | None => Err("is of no kind that can be checked here"),
        }
    }

    /// The name of the algorithm.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "bcrypt",
            Self::Argon2id { .. } => "argon2id",
            Self::Pbkdf2Sha256 { .. } => "pbkdf2-sha256",
            Self::Scrypt { .. } => "scrypt",
            Self::Firebase(_) => "firebase-scrypt",
        }
    }

    /// Whether a hash that Tikti makes at this cost is to take its place.
    pub(super) const fn is_cheaper_than(&self, wanted: u32) -> bool {
        match self {
            Self::Bcrypt { cost, .. } => *cost < wanted,
            // Another kind may take as long, but there is one kind that lasts.
            Self::Argon2id { .. }
            | Self::Pbkdf2Sha256 { .. }
            | Self::Scrypt { .. }
            | Self::Firebase(_) => true,
        }
    }

    /// Whether the password gives the hash. Takes up to a second: for the pool only.
    ///
    /// # Errors
    /// `Crypto` where there is no memory for it.
    pub(super) fn matches(&self, password: &[u8]) -> Result<bool, InternalError> {
        Ok(match self {
            Self::Bcrypt { text, .. } => bcrypt::verify(password, text).unwrap_or(false),
            Self::Pbkdf2Sha256 { iterations, salted } => {
                let Salted { salt, hash } = salted;
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt, password, hash)
                    .is_ok()
            }
            Self::Argon2id { params, salted } => {
                let mut made = Zeroizing::new(vec![0; salted.hash.len()]);
                Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params.clone())
                    .hash_password_into(password, &salted.salt, &mut made)
                    .map_err(|_| InternalError::Crypto("argon2id"))?;
                verify_slices_are_equal(&made, &salted.hash).is_ok()
            }
            Self::Scrypt { params, salted } => {
                let mut made = Zeroizing::new(vec![0; salted.hash.len()]);
                run_scrypt(password, &salted.salt, params, &mut made)?;
                verify_slices_are_equal(&made, &salted.hash).is_ok()
            }
            Self::Firebase(firebase) => {
                let made = firebase.encrypt(password)?;
                verify_slices_are_equal(&made, &firebase.salted.hash).is_ok()
            }
        })
    }
}

impl Firebase {
    /// The signer key, encrypted with what scrypt makes of the password (AES-256-CTR from a counter
    /// of zero). Of the 64 bytes that Firebase derives it uses 32; the others need not be made.
    fn encrypt(&self, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, InternalError> {
        let salt = [self.salted.salt.as_slice(), self.separator.as_slice()].concat();
        let mut key = Zeroizing::new([0_u8; 32]);
        run_scrypt(password, &salt, &self.params, key.as_mut_slice())?;
        let mut text = self.signer_key.clone();
        let counter = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        UnboundCipherKey::new(&AES_256, key.as_slice())
            .and_then(EncryptingKey::ctr)
            .and_then(|key| key.less_safe_encrypt(&mut text, counter))
            .map_err(|_| InternalError::Crypto("AES-CTR"))?;
        Ok(text)
    }
}

fn run_scrypt(
    password: &[u8],
    salt: &[u8],
    params: &scrypt::Params,
    made: &mut [u8],
) -> Result<(), InternalError> {
    scrypt::scrypt(password, salt, params, made).map_err(|_| InternalError::Crypto("scrypt"))
}

fn bcrypt(text: &str) -> Parsed<Scheme> {
    let wrong = "is no whole bcrypt hash";
    text.parse::<bcrypt::HashParts>().map_err(|_| wrong)?;
    let cost = text.split('$').nth(2).ok_or(wrong)?;
    let digits = cost.strip_prefix('0').unwrap_or(cost);
    let cost = decimal(digits).map_err(|_| wrong)?;
    if cost < MIN_BCRYPT_COST {
        return Err(wrong);
    }
    if cost > MAX_BCRYPT_COST {
        return Err(TOO_DEAR);
    }
    Ok(Scheme::Bcrypt { cost, text: text.to_owned() })
}

fn argon2id(text: &str) -> Parsed<Scheme> {
    let [_, version, params, salt, hash] = fields(text)?;
    if version != "v=19" {
        return Err("is of another version of Argon2 than 19");
    }
    let [memory, passes, lanes] = numbers(params, ["m", "t", "p"])?;
    let salted = Salted::decode(salt, hash)?;
    if salted.salt.len() < MIN_ARGON2_SALT_BYTES {
        return Err("has a salt that is not of 8 to 64 bytes");
    }
    let written = u64::from(memory) * u64::from(passes);
    if memory > MAX_MEMORY_KIB || written > MAX_ARGON2_KIB || lanes > MAX_ARGON2_LANES {
        return Err(TOO_DEAR);
    }
    let params = argon2::Params::new(memory, passes, lanes, Some(salted.hash.len()));
    let params = params.map_err(|_| "has parameters that Argon2 does not allow")?;
    Ok(Scheme::Argon2id { params, salted })
}

/// `$pbkdf2-sha256$i=600000,l=32$salt$hash`, where the length may be left out; or passlib's, which has
/// a bare number and writes `.` where base64 has `+`.
fn pbkdf2_sha256(text: &str) -> Parsed<Scheme> {
    let [_, params, salt, hash] = fields(text)?;
    if !params.contains('=') {
        if [salt, hash].iter().any(|part| part.contains('+')) {
            return Err("holds something that is not base64");
        }
        let [salt, hash] = [salt, hash].map(|part| part.replace('.', "+"));
        return pbkdf2(decimal(params)?, Salted::decode(&salt, &hash)?);
    }
    let salted = Salted::decode(salt, hash)?;
    let iterations = match numbers(params, ["i", "l"]) {
        Ok([iterations, length]) if u64::from(length) == salted.hash.len() as u64 => iterations,
        Ok(_) => return Err("has a hash of another length than it says"),
        Err(_) => {
            let [iterations] = numbers(params, ["i"])?;
            iterations
        }
    };
    pbkdf2(iterations, salted)
}

/// `$600000$salt$hash`, the salt being text.
fn django(rest: &str) -> Parsed<Scheme> {
    let [iterations, salt, hash] = fields(rest)?;
    let salted = Salted::new(salt.as_bytes().to_vec(), bytes_of(&BASE64, hash)?)?;
    pbkdf2(decimal(iterations)?, salted)
}

fn pbkdf2(iterations: u32, salted: Salted) -> Parsed<Scheme> {
    let blocks = salted.hash.len().div_ceil(32) as u64;
    if u64::from(iterations) * blocks > MAX_PBKDF2_ITERATIONS {
        return Err(TOO_DEAR);
    }
    let iterations = NonZeroU32::new(iterations).ok_or("has no iterations")?;
    Ok(Scheme::Pbkdf2Sha256 { iterations, salted })
}

fn plain_scrypt(text: &str) -> Parsed<Scheme> {
    let [_, params, salt, hash] = fields(text)?;
    let params = scrypt_params(numbers(params, ["ln", "r", "p"])?)?;
    Ok(Scheme::Scrypt { params, salted: Salted::decode(salt, hash)? })
}

fn firebase(text: &str) -> Parsed<Scheme> {
    let [_, params, salt, hash] = fields(text)?;
    let [log_n, r, signer_key, separator] = values(params, ["ln", "r", "k", "s"])?;
    let params = scrypt_params([decimal(log_n)?, decimal(r)?, 1])?;
    let signer_key = Zeroizing::new(bytes(signer_key)?);
    let separator = bytes(separator)?;
    let salted = Salted::decode(salt, hash)?;
    if !SIGNER_KEY_BYTES.contains(&signer_key.len()) || salted.hash.len() != signer_key.len() {
        return Err("has a hash that does not fit its signer key");
    }
    if separator.len() > MAX_SEPARATOR_BYTES {
        return Err("has a salt separator of more than 64 bytes");
    }
    Ok(Scheme::Firebase(Box::new(Firebase { params, signer_key, separator, salted })))
}

fn scrypt_params([log_n, r, p]: [u32; 3]) -> Parsed<scrypt::Params> {
    const NOT_ALLOWED: &str = "has parameters that scrypt does not allow";
    let log_n = u8::try_from(log_n).ok().filter(|log_n| *log_n < 32).ok_or(TOO_DEAR)?;
    let blocks = (u64::from(r) << log_n).saturating_mul(u64::from(p));
    // A block is 128 bytes.
    let memory_kib = (u64::from(r) << log_n) / 8;
    let is_dear = memory_kib > u64::from(MAX_MEMORY_KIB) || blocks > MAX_SCRYPT_BLOCKS;
    if is_dear || r > MAX_SCRYPT_R || p > MAX_SCRYPT_P {
        return Err(TOO_DEAR);
    }
    // RFC 7914, section 6: N is below 2 to the power of 128 r / 8.
    if u32::from(log_n) >= 16 * r {
        return Err(NOT_ALLOWED);
    }
    scrypt::Params::new(log_n, r, p).map_err(|_| NOT_ALLOWED)
}

#[cfg(test)]
mod tests;

//! Which private key of elsewhere is taken as a signing key, and what is any other file?
//!
//! An RSA key of 2048, 3072 or 4096 bits in one PEM block, PKCS#8 or PKCS#1, not encrypted, whose numbers fit
//! each other. Invariant: a refusal names what the file is and repeats nothing of it, and what is taken signs
//! what its public half verifies.
//!
//! Spec: Tokens and keys, "Signing keys" (importing a PEM). RFC 7468; RFC 5208; RFC 8017, appendix A.1.2.

use aws_lc_rs::{encoding::AsDer, rsa::KeyPair};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::rsa::SigningKey;

/// Most bytes of a file: a key of 4096 bits has a twentieth of it.
pub const MAX_KEY_FILE_BYTES: usize = 65_536;

/// Says why a file is not taken; no message repeats what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportKeyError {
    /// Nothing, or white space alone.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_KEY_FILE_BYTES`].
    #[error("is larger than 64 KiB: no key is")]
    TooLarge,
    /// Binary, as DER and PKCS#12 are.
    #[error(
        "is binary (DER or PKCS#12): convert it to PEM, for example with openssl pkey -inform DER"
    )]
    Binary,
    /// A JSON Web Key.
    #[error("is JSON, as a JWK is: convert the key to PEM")]
    Json,
    /// No block, or one that does not end or is not base64.
    #[error("is no PEM: it has no whole block of BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY")]
    NotPem,
    /// More than one block.
    #[error("holds more than one key or certificate: give the private key alone")]
    Several,
    /// A public key.
    #[error("is a public key: the private one is needed")]
    Public,
    /// A certificate or a request for one.
    #[error("is a certificate: the private key is needed")]
    Certificate,
    /// Protected by a password.
    #[error("is encrypted: decrypt it first, for example with openssl pkey")]
    Encrypted,
    /// The format of OpenSSH.
    #[error(
        "is in the format of OpenSSH: convert it to PEM, for example with ssh-keygen -p -m PEM"
    )]
    OpenSsh,
    /// A key on an elliptic curve.
    #[error("is an EC key: tokens are signed with RS256, which needs an RSA key")]
    Ec,
    /// A key of Ed25519, Ed448, X25519 or X448.
    #[error(
        "is an Ed25519 key or one like it: tokens are signed with RS256, which needs an RSA key"
    )]
    Edwards,
    /// An RSA key for PSS alone.
    #[error("is an RSA key for PSS alone: tokens are signed with RS256, which is PKCS #1 v1.5")]
    RsaPss,
    /// A private key of another algorithm.
    #[error("is no RSA key")]
    OtherAlgorithm,
    /// A block that says it is a key and is none.
    #[error("is no private key, or a damaged one")]
    Malformed,
    /// A modulus of more than two primes.
    #[error("is an RSA key of more than two primes")]
    MultiPrime,
    /// Under 2048 bits.
    #[error("is an RSA key under 2048 bits")]
    TooShort,
    /// Over 4096 bits.
    #[error("is an RSA key over 4096 bits")]
    TooLong,
    /// A size between those that are made here.
    #[error("is an RSA key of an unusual size: it must have 2048, 3072 or 4096 bits")]
    OddSize,
    /// A public exponent that is even, under 65537 or over 33 bits.
    #[error(
        "is an RSA key with a bad public exponent: it must be odd, at least 65537 and at most 33 bits"
    )]
    Exponent,
    /// Both primes are one number.
    #[error("is an RSA key whose two primes are the same: it protects nothing")]
    EqualPrimes,
    /// The numbers do not fit each other.
    #[error("is an RSA key whose numbers do not fit each other: it is damaged")]
    Inconsistent,
}

/// Reads the one private key of a PEM file and returns it as PKCS#8 DER, wiped when dropped.
///
/// # Errors
/// [`ImportKeyError`].
pub fn import_rsa_pem(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, ImportKeyError> {
    if file.len() > MAX_KEY_FILE_BYTES {
        return Err(ImportKeyError::TooLarge);
    }
    if file.iter().all(u8::is_ascii_whitespace) {
        return Err(ImportKeyError::Empty);
    }
    let text = match std::str::from_utf8(file) {
        Ok(text) if file.first() != Some(&SEQUENCE) || text.contains(BEGIN) => text,
        Ok(_) | Err(_) => return Err(ImportKeyError::Binary),
    };
    let (label, der) = read_block(text)?;
    let der = match label {
        Label::Pkcs8 => inner_of_pkcs8(&der)?,
        Label::Pkcs1 => &der,
    };
    check_numbers(der)?;
    // The library compares all numbers with each other.
    let pair = KeyPair::from_der(der).map_err(|_| ImportKeyError::Inconsistent)?;
    let pkcs8 = pair.as_der().map_err(|_| ImportKeyError::Inconsistent)?;
    let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
    check_that_it_signs(&pkcs8)?;
    Ok(pkcs8)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

enum Label {
    Pkcs8,
    Pkcs1,
}

/// The one block of the file, decoded.
fn read_block(text: &str) -> Result<(Label, Zeroizing<Vec<u8>>), ImportKeyError> {
    let mut lines = text.lines().map(str::trim);
    let begins = text.lines().filter(|line| line.trim().starts_with(BEGIN)).count();
    let named = lines.find_map(|line| line.strip_prefix(BEGIN)?.strip_suffix(DASHES));
    let Some(named) = named else {
        let is_json = text.trim_start().starts_with(['{', '[']);
        return Err(if is_json { ImportKeyError::Json } else { ImportKeyError::NotPem });
    };
    if begins > 1 {
        return Err(ImportKeyError::Several);
    }
    let label = label(named)?;
    let mut body = Zeroizing::new(String::with_capacity(text.len()));
    for line in lines {
        if let Some(ended) = line.strip_prefix(END) {
            if ended.strip_suffix(DASHES) != Some(named) {
                return Err(ImportKeyError::NotPem);
            }
            let der = BASE64.decode(body.as_bytes()).map_err(|_| ImportKeyError::NotPem)?;
            return Ok((label, Zeroizing::new(der)));
        }
        // The headers of RFC 1421: openssl writes them before what it encrypts.
        if line.starts_with("Proc-Type:") || line.starts_with("DEK-Info:") {
            return Err(ImportKeyError::Encrypted);
        }
        body.push_str(line);
    }
    Err(ImportKeyError::NotPem)
}

fn label(named: &str) -> Result<Label, ImportKeyError> {
    match named {
        "PRIVATE KEY" => Ok(Label::Pkcs8),
        "RSA PRIVATE KEY" => Ok(Label::Pkcs1),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(ImportKeyError::Public),
        "CERTIFICATE"
        | "X509 CERTIFICATE"
        | "TRUSTED CERTIFICATE"
        | "CERTIFICATE REQUEST"
        | "NEW CERTIFICATE REQUEST" => Err(ImportKeyError::Certificate),
        "ENCRYPTED PRIVATE KEY" => Err(ImportKeyError::Encrypted),
        "OPENSSH PRIVATE KEY" => Err(ImportKeyError::OpenSsh),
        "EC PRIVATE KEY" | "EC PARAMETERS" => Err(ImportKeyError::Ec),
        "DSA PRIVATE KEY" => Err(ImportKeyError::OtherAlgorithm),
        _ => Err(ImportKeyError::NotPem),
    }
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// One value of DER: what is in it, and what follows. Lengths have one spelling (X.690, section 10.1).
fn value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = match *short {
        0..=0x7f => (usize::from(*short), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), rest.get(2..)?),
        _ => return None,
    };
    (*found == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// The `RSAPrivateKey` in a `PrivateKeyInfo`.
fn inner_of_pkcs8(der: &[u8]) -> Result<&[u8], ImportKeyError> {
    let parts = || {
        let (outer, rest) = value(SEQUENCE, der)?;
        let (_version, outer) = value(INTEGER, outer)?;
        let (algorithm, outer) = value(SEQUENCE, outer)?;
        let (algorithm, _parameters) = value(OBJECT_ID, algorithm)?;
        let (key, _attributes) = value(OCTETS, outer)?;
        rest.is_empty().then_some((algorithm, key))
    };
    let (algorithm, key) = parts().ok_or(ImportKeyError::Malformed)?;
    match algorithm {
        // 1.2.840.113549.1.1.1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => Ok(key),
        // 1.2.840.113549.1.1.10
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10] => Err(ImportKeyError::RsaPss),
        // 1.2.840.10045.2.1
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => Err(ImportKeyError::Ec),
        // 1.3.101.110 to 1.3.101.113
        [0x2b, 0x65, 110..=113] => Err(ImportKeyError::Edwards),
        _ => Err(ImportKeyError::OtherAlgorithm),
    }
}

/// What can be said of the numbers one by one.
fn check_numbers(der: &[u8]) -> Result<(), ImportKeyError> {
    let numbers = || {
        let (mut inner, rest) = value(SEQUENCE, der)?;
        let mut numbers = [&[][..]; 6];
        for number in &mut numbers {
            let (bytes, next) = value(INTEGER, inner)?;
            *number = bytes.get(bytes.iter().take_while(|byte| **byte == 0).count()..)?;
            inner = next;
        }
        rest.is_empty().then_some(numbers)
    };
    let [version, modulus, exponent, _, p, q] = numbers().ok_or(ImportKeyError::Malformed)?;
    if !version.is_empty() {
        return Err(ImportKeyError::MultiPrime);
    }
    let first = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    match (modulus.len() * 8).saturating_sub(first) {
        2048 | 3072 | 4096 => {}
        0..2048 => return Err(ImportKeyError::TooShort),
        4097.. => return Err(ImportKeyError::TooLong),
        _ => return Err(ImportKeyError::OddSize),
    }
    let value = exponent
        .iter()
        .try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    if !value.is_some_and(|value| value % 2 == 1 && (1 << 16..1 << 33).contains(&value)) {
        return Err(ImportKeyError::Exponent);
    }
    if p == q { Err(ImportKeyError::EqualPrimes) } else { Ok(()) }
}

/// A key that would sign what nobody can verify is found now, not when its turn comes.
fn check_that_it_signs(pkcs8: &[u8]) -> Result<(), ImportKeyError> {
    const MESSAGE: &[u8] = b"a key of elsewhere";
    let key = SigningKey::from_pkcs8("import", pkcs8).map_err(|_| ImportKeyError::Inconsistent)?;
    let signature = key.sign_raw(MESSAGE).map_err(|_| ImportKeyError::Inconsistent)?;
    let verified = key.public_key().verify_raw(MESSAGE, &signature);
    verified.map_err(|_| ImportKeyError::Inconsistent)
}

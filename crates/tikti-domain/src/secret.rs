//! Secrets of the deployment: what each is for, and the two things done with them.
//!
//! Tokens that the service makes up (API keys, refresh tokens, worker secrets, codes) are stored
//! only as HMAC-SHA256 under the pepper; signing keys and mails that wait are sealed with AES-256-GCM
//! under the master key. No type here prints what it holds.
//!
//! Spec: Domain, rule 6.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, hmac};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use secrecy::{ExposeSecret, SecretString};

use crate::clock::Timestamp;
use crate::error::InternalError;
use crate::random::Random;

/// Bytes of a tag made by `Peppers::tag`.
pub(crate) const TAG_BYTES: usize = 16;
/// Fewest bytes of any secret of the deployment.
pub const MIN_SECRET_BYTES: usize = 32;

/// Raw bytes of a secret; wiped when dropped, never printed.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes; handle with care.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SecretBytes({} bytes)", self.0.len())
    }
}

/// A secret with the id that records name it by.
#[derive(Clone, Debug)]
pub struct NamedSecret {
    /// The id: short, public, unique within its list.
    pub kid: String,
    /// The secret.
    pub secret: SecretBytes,
}

/// The deployment's secrets: in each list the first is used for new work, all for old.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Seals signing keys and waiting mails: exactly 32 bytes each.
    pub master_key: Vec<NamedSecret>,
    /// Keys the hashes of tokens made here: at least 32 bytes each.
    pub pepper: Vec<NamedSecret>,
    /// Signs idTokens: at least 32 bytes each.
    pub hs256: Vec<NamedSecret>,
    /// Verifies idTokens of an older Tikti, for a while.
    pub hs256_legacy: Option<LegacySecrets>,
}

/// What verifies idTokens of an older Tikti, and until when. Signs nothing.
#[derive(Clone, Debug)]
pub struct LegacySecrets {
    /// At least 32 bytes each.
    pub secrets: Vec<SecretBytes>,
    /// From then on no such token is taken; at most 24 hours after the first start.
    pub accept_until: Timestamp,
    /// The `iss` that such a token may have, where it has one.
    pub issuers: Vec<String>,
}

/// SHA-256 as lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The first byte of the SHA-256: spreads what it is taken of evenly.
pub(crate) fn sha256_first_byte(bytes: &[u8]) -> u8 {
    digest::digest(&digest::SHA256, bytes).as_ref().first().copied().unwrap_or_default()
}

/// HMAC-SHA256 of the parts, one behind the other, as lower-case hexadecimal: for signatures that
/// somebody outside checks with a secret that both sides know.
#[must_use]
pub fn hmac_sha256_hex(secret: &SecretString, parts: &[&[u8]]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    HEXLOWER.encode(context.sign().as_ref())
}

/// A public fingerprint of a secret: says whether two deployments use the same one, and no more.
pub(crate) fn fingerprint(secret: &SecretBytes) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let tag = hmac::sign(&key, b"tikti fingerprint");
    HEXLOWER.encode(tag.as_ref().get(..16).unwrap_or_default())
}

/// The stored form of a high-entropy token: its HMAC and the pepper that keyed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenHash {
    /// The id of the pepper.
    pub pepper: String,
    /// HMAC-SHA256, base64url.
    pub hmac: String,
}

/// The peppers, prepared once.
#[derive(Debug)]
pub(crate) struct Peppers {
    list: Vec<Pepper>,
    /// What a secret is compared with where nobody has one: no token that is given out has this hash.
    decoy: TokenHash,
}

#[derive(Debug)]
struct Pepper {
    kid: String,
    key: hmac::Key,
    /// Makes the secrets of refresh tokens from one another.
    refresh: hmac::Key,
}

impl Pepper {
    fn new(named: &NamedSecret) -> Result<Self, InternalError> {
        let secret = named.secret.expose();
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
        let expanded = extracted.expand(&[b"tikti refresh"], hmac::HMAC_SHA256);
        let expanded = expanded.map_err(|_| InternalError::Crypto("the pepper"))?;
        Ok(Self {
            kid: named.kid.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            refresh: hmac::Key::from(expanded),
        })
    }

    fn hash(&self, token: &str) -> TokenHash {
        let tag = hmac::sign(&self.key, token.as_bytes());
        TokenHash { pepper: self.kid.clone(), hmac: BASE64URL_NOPAD.encode(tag.as_ref()) }
    }
}

impl Peppers {
    pub(crate) fn new(list: &[NamedSecret]) -> Result<Self, InternalError> {
        let list: Vec<Pepper> = list.iter().map(Pepper::new).collect::<Result<_, _>>()?;
        let newest = list.first().ok_or(InternalError::Crypto("the pepper"))?;
        Ok(Self { decoy: newest.hash(""), list })
    }

    fn newest(&self) -> Result<&Pepper, InternalError> {
        self.list.first().ok_or(InternalError::Crypto("the pepper"))
    }

    fn named(&self, kid: &str) -> Option<&Pepper> {
        self.list.iter().find(|pepper| pepper.kid == kid)
    }

    /// Hashes a token of this service under the newest pepper.
    pub(crate) fn hash(&self, token: &str) -> Result<TokenHash, InternalError> {
        Ok(self.newest()?.hash(token))
    }

    /// Hashes a token under each pepper, the newest first: for tokens that are found by their hash.
    pub(crate) fn hashes<'a>(&'a self, token: &'a str) -> impl Iterator<Item = TokenHash> + 'a {
        self.list.iter().map(|pepper| pepper.hash(token))
    }

    /// Hashes a token under the pepper that its chain began with, if that is still known.
    pub(crate) fn hash_under(&self, kid: &str, token: &str) -> Option<TokenHash> {
        Some(self.named(kid)?.hash(token))
    }

    /// The secret that follows from `bytes`, 256 bits as base64url, if the pepper is still known.
    ///
    /// Spec: Operations, "Configuration" (the refresh key is HKDF-SHA256 of the pepper with label
    /// `tikti refresh`).
    pub(crate) fn next_secret(&self, kid: &str, bytes: &[u8]) -> Option<SecretString> {
        let tag = hmac::sign(&self.named(kid)?.refresh, bytes);
        Some(BASE64URL_NOPAD.encode(tag.as_ref()).into())
    }

    /// A tag that only this deployment can make over `bytes`, under the newest pepper.
    pub(crate) fn tag(&self, bytes: &[u8]) -> Result<[u8; TAG_BYTES], InternalError> {
        let tag = hmac::sign(&self.newest()?.key, bytes);
        let short = tag.as_ref().first_chunk::<TAG_BYTES>();
        short.copied().ok_or(InternalError::Crypto("the pepper"))
    }

    /// Whether `tag` was made over `bytes` here; constant time in the tag.
    pub(crate) fn confirms(&self, bytes: &[u8], tag: &[u8]) -> bool {
        self.list.iter().any(|pepper| {
            let made = hmac::sign(&pepper.key, bytes);
            let short = made.as_ref().get(..TAG_BYTES).unwrap_or_default();
            constant_time::verify_slices_are_equal(short, tag).is_ok()
        })
    }

    /// `bytes` under a veil that follows from their tag, once for each pepper, the newest first. Of what was
    /// veiled this takes the veil away.
    pub(crate) fn veils<'a>(
        &'a self,
        tag: &'a [u8],
        bytes: &'a [u8],
    ) -> impl Iterator<Item = Vec<u8>> + 'a {
        self.list.iter().map(move |pepper| {
            let blocks = (0_u64..).flat_map(|number| {
                let text = [b"tikti veil ", tag, &number.to_be_bytes()].concat();
                hmac::sign(&pepper.key, &text).as_ref().to_vec()
            });
            bytes.iter().zip(blocks).map(|(byte, veil)| byte ^ veil).collect()
        })
    }

    /// Whether a pepper of this id is known.
    pub(crate) fn knows(&self, kid: &str) -> bool {
        self.named(kid).is_some()
    }

    /// As [`Peppers::matches`]; where there is nothing to compare with, `token` is compared with a decoy by the
    /// same steps, and is not the one.
    pub(crate) fn matches_if_any(&self, token: &str, stored: Option<&TokenHash>) -> bool {
        let matches = self.matches(token, stored.unwrap_or(&self.decoy));
        // Both are looked at: the comparison must not be left out.
        matches & stored.is_some()
    }

    /// Whether `token` is the one that was hashed; constant time in the token. One that was hashed under a pepper
    /// which is gone costs a comparison as well: nobody can tell by the time that there is one.
    pub(crate) fn matches(&self, token: &str, stored: &TokenHash) -> bool {
        let Ok(tag) = BASE64URL_NOPAD.decode(stored.hmac.as_bytes()) else {
            return false;
        };
        let named = self.named(&stored.pepper);
        let compared = named.or_else(|| self.newest().ok());
        let matches = compared
            .is_some_and(|pepper| hmac::verify(&pepper.key, token.as_bytes(), &tag).is_ok());
        matches & named.is_some()
    }
}

/// Bytes sealed under a master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    /// The id of the master key.
    pub master_key: String,
    /// The nonce, base64url.
    pub nonce: String,
    /// Ciphertext and tag, base64url.
    pub ciphertext: String,
}

/// Seals `plain` under the newest master key, bound to `context`.
///
/// The context (what the bytes are, and whose) is authenticated, so that a sealed key cannot be
/// moved to another record.
pub(crate) fn seal(
    master_keys: &[NamedSecret],
    context: &str,
    plain: &[u8],
    random: &Random,
) -> Result<Sealed, InternalError> {
    const BROKEN: InternalError = InternalError::Crypto("sealing");
    let named = master_keys.first().ok_or(BROKEN)?;
    let nonce = random.bytes::<NONCE_LEN>()?;
    let mut bytes = plain.to_vec();
    aes_key(named)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context.as_bytes()),
            &mut bytes,
        )
        .map_err(|_| BROKEN)?;
    Ok(Sealed {
        master_key: named.kid.clone(),
        nonce: BASE64URL_NOPAD.encode(&nonce),
        ciphertext: BASE64URL_NOPAD.encode(&bytes),
    })
}

/// Opens what [`seal`] made; `None` where no master key here opens it.
pub(crate) fn open(
    master_keys: &[NamedSecret],
    context: &str,
    sealed: &Sealed,
) -> Option<Zeroizing<Vec<u8>>> {
    let named = master_keys.iter().find(|named| named.kid == sealed.master_key)?;
    let nonce = BASE64URL_NOPAD.decode(sealed.nonce.as_bytes()).ok()?;
    let mut bytes = Zeroizing::new(BASE64URL_NOPAD.decode(sealed.ciphertext.as_bytes()).ok()?);
    let length = aes_key(named)
        .ok()?
        .open_in_place(
            Nonce::try_assume_unique_for_key(&nonce).ok()?,
            Aad::from(context.as_bytes()),
            &mut bytes,
        )
        .ok()?
        .len();
    bytes.truncate(length);
    Some(bytes)
}

/// What is sealed, under the first master key.
pub(crate) enum Resealed<T> {
    /// It was before.
    Already,
    /// It is now.
    Anew(T),
    /// No master key here opens it.
    Shut,
}

impl<T> Resealed<T> {
    pub(crate) fn map<U>(self, make: impl FnOnce(T) -> U) -> Resealed<U> {
        match self {
            Self::Already => Resealed::Already,
            Self::Anew(anew) => Resealed::Anew(make(anew)),
            Self::Shut => Resealed::Shut,
        }
    }
}

/// Seals anew, under the newest master key, what [`seal`] made under another one. What is under the newest one
/// is opened too: it is not taken for good by its name alone.
pub(crate) fn reseal(
    master_keys: &[NamedSecret],
    context: &str,
    sealed: &Sealed,
    random: &Random,
) -> Result<Resealed<Sealed>, InternalError> {
    let Some(plain) = open(master_keys, context, sealed) else { return Ok(Resealed::Shut) };
    if master_keys.first().is_some_and(|first| first.kid == sealed.master_key) {
        return Ok(Resealed::Already);
    }
    Ok(Resealed::Anew(seal(master_keys, context, &plain, random)?))
}

fn aes_key(named: &NamedSecret) -> Result<LessSafeKey, InternalError> {
    UnboundKey::new(&AES_256_GCM, named.secret.expose())
        .map(LessSafeKey::new)
        .map_err(|_| InternalError::Crypto("the master key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kid: &str, byte: u8) -> NamedSecret {
        NamedSecret { kid: kid.to_owned(), secret: SecretBytes::new(vec![byte; 32]) }
    }

    #[test]
    fn what_was_sealed_opens_under_its_master_key_and_context_only() {
        let random = Random::seeded(1);
        let old = [named("old", 1)];
        let sealed = seal(&old, "signing key a", b"private", &random).unwrap();
        let rotated = [named("new", 2), named("old", 1)];
        assert_eq!(open(&rotated, "signing key a", &sealed).unwrap().as_slice(), b"private");
        assert!(open(&rotated, "signing key b", &sealed).is_none());
        assert!(open(&[named("new", 2)], "signing key a", &sealed).is_none());
        assert!(open(&[named("old", 3)], "signing key a", &sealed).is_none());
    }

    #[test]
    fn a_token_matches_its_hash_after_the_pepper_was_rotated() {
        let before = Peppers::new(&[named("p1", 1)]).unwrap();
        let hash = before.hash("tk_a_b").unwrap();
        let after = Peppers::new(&[named("p2", 2), named("p1", 1)]).unwrap();
        assert!(after.matches("tk_a_b", &hash));
        assert!(!after.matches("tk_a_c", &hash));
        // Nor is one of the same bytes that says of itself that it is of a pepper which is gone.
        let gone = Peppers::new(&[named("p2", 2)]).unwrap();
        assert!(!gone.matches("tk_a_b", &hash));
        let renamed = TokenHash { pepper: "p1".to_owned(), ..gone.hash("tk_a_b").unwrap() };
        assert!(!gone.matches("tk_a_b", &renamed));
    }

    /// The decoy is under a pepper that is there, and is compared with: else it would cost nothing.
    #[test]
    fn what_nobody_has_is_compared_all_the_same_and_never_the_one() {
        let peppers = Peppers::new(&[named("p2", 2), named("p1", 1)]).unwrap();
        assert_eq!(peppers.decoy.pepper, "p2");
        assert!(peppers.matches("", &peppers.decoy));
        for token in ["", "tk_a_b", peppers.decoy.hmac.as_str()] {
            assert!(!peppers.matches_if_any(token, None), "{token}");
            assert!(peppers.matches_if_any(token, Some(&peppers.hash(token).unwrap())));
            assert!(!peppers.matches_if_any(token, Some(&peppers.hash("tk_c_d").unwrap())));
        }
        assert!(Peppers::new(&[]).is_err());
    }

    /// RFC 4231, section 4.3.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert_eq!(
            hmac_sha256_hex(&"Jefe".into(), &parts),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn no_debug_output_shows_a_secret() {
        let secret =
            NamedSecret { kid: "k".to_owned(), secret: SecretBytes::new(b"hush".to_vec()) };
        assert!(!format!("{secret:?}").contains("hush"));
    }
}

//! May this assertion be believed: is it from whom it says, and for us?
//!
//! Who has registered public keys signs a short JWT about itself in the place of a secret. It is parsed as
//! strictly as every other token here, and the algorithm is that of the key, never of the token. Whether it
//! was shown before is the caller's to remember: [`AssertionClaims`] say until when. Invariant: one that no
//! key can be found for costs a signature check like any other, so that time does not tell who is
//! registered.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints". RFC 7523 section 3, RFC 7515 section
//! 5.2, RFC 8725; attack rows K1, L5, A6.

use std::borrow::Cow;

use crate::{
    assertion_key::{AssertionKey, decoy},
    error::{Part, VerifyError},
    json::{Object, Value},
    jws::{Compact, parse_object},
    reader::Reader,
    verify::{Audience, Verified},
};

/// Members that stock libraries write. The thumbprints name a certificate of the key that `kid` names; what
/// says where a key is to be had (`jwk`, `jku`, `x5u`, `x5c`) or what must be understood (`crit`) is not here.
const HEADER_MEMBERS: [&str; 5] = ["alg", "typ", "kid", "x5t", "x5t#S256"];
/// The `typ` that an assertion may have: the general one, and the one that says what it is for.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// The algorithms of keys that are taken.
const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];
/// The name of EdDSA on the one curve that is taken (RFC 9864, section 2.2): stock libraries write either.
pub(crate) const ED25519: &str = "Ed25519";

/// What is expected of an assertion.
#[derive(Clone, Copy, Debug)]
pub struct AssertionPolicy<'a> {
    /// `iss` and `sub` must both be exactly this.
    pub subject: &'a str,
    /// `aud` must contain one of these.
    pub audiences: &'a [&'a str],
    /// `exp` may be so many seconds after `iat`; after now, where there is no `iat`.
    pub longest_life_seconds: u64,
    /// Tolerated difference of clocks, in seconds.
    pub skew_seconds: u64,
}

/// What an assertion says that the caller must know, to take it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionClaims {
    /// The id that its maker gave it: never empty.
    pub jti: String,
    /// Expires at, in seconds since the epoch.
    pub exp: u64,
    /// Issued at, where it says so.
    pub iat: Option<u64>,
}

/// Says why an assertion is refused. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// A step failed that every token has to pass.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// `sub` is somebody else.
    #[error("the assertion is about somebody else")]
    Subject,
    /// `exp` is before `iat` or `nbf`: there is no time at which it was good.
    #[error("the assertion ends before it begins")]
    Backwards,
    /// `exp` is further off than an assertion may live.
    #[error("the assertion lives too long")]
    TooLong,
}

/// Verifies an assertion of whoever has registered `keys`.
///
/// `kid` names the key. It may be absent where there is one key only: RFC 7523 does not ask for it, and a
/// client that has never rotated its key need not know that keys have names.
///
/// # Errors
/// The first step that fails: those of [`VerifyError`] in their order up to the signature, then missing and
/// ill-formed claims, `iss`, `sub`, `aud`, times.
pub fn verify_assertion(
    token: &str,
    keys: &[AssertionKey],
    policy: &AssertionPolicy<'_>,
    now_seconds: u64,
) -> Result<Verified<AssertionClaims>, AssertionError> {
    let parts = Compact::split(token)?;
    let payload = parse_object(&parts.payload, Part::Payload)?;
    let bytes = parts.decode_header()?;
    let header = Header::read(&parse_object(&bytes, Part::Header)?)?;
    match header.find(keys) {
        Ok(key) => key.verify_raw(parts.signing_input, &parts.signature)?,
        Err(error) => {
            decoy(&header.alg).verify_raw(parts.signing_input, &parts.signature).ok();
            return Err(error.into());
        }
    }
    let claims = Claims::read(&Reader::new(&payload), policy)?;
    claims.check(policy, now_seconds).map(Verified::new)
}

/// Whom an assertion is about by its own word: to find his keys, never to believe it. `None` where it is no
/// well-formed token.
#[must_use]
pub fn claimed_subject(token: &str) -> Option<String> {
    let parts = Compact::split(token).ok()?;
    let payload = parse_object(&parts.payload, Part::Payload).ok()?;
    Reader::new(&payload).text("sub").ok().map(Cow::into_owned)
}

/// What the header says, as far as it chooses a key.
struct Header<'a> {
    alg: Cow<'a, str>,
    kid: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Steps header and algorithm, and of the key whether the name has the form of one.
    fn read(header: &Object<'a>) -> Result<Self, VerifyError> {
        if !header.members().iter().all(|(name, _)| HEADER_MEMBERS.contains(&name.as_ref())) {
            return Err(VerifyError::HeaderMember);
        }
        let is_type =
            |typ: Cow<'_, str>| TYPES.iter().any(|expected| typ.eq_ignore_ascii_case(expected));
        if !header.find("typ").is_none_or(|typ| typ.text().is_some_and(is_type)) {
            return Err(VerifyError::HeaderType);
        }
        let alg = header.find("alg").and_then(Value::text);
        let alg = alg.map(|alg| if alg == ED25519 { Cow::Borrowed("EdDSA") } else { alg });
        let alg = alg.filter(|alg| ALGORITHMS.contains(&alg.as_ref()));
        let kid = header.find("kid").map(|kid| kid.text().filter(|kid| !kid.is_empty()));
        match (alg, kid) {
            (None, _) => Err(VerifyError::Algorithm),
            (Some(_), Some(None)) => Err(VerifyError::MissingKeyId),
            (Some(alg), kid) => Ok(Self { alg, kid: kid.flatten() }),
        }
    }

    /// The key that is named, or the only one; the algorithm must be the key's.
    fn find<'k>(&self, keys: &'k [AssertionKey]) -> Result<&'k AssertionKey, VerifyError> {
        let key = match (&self.kid, keys) {
            (Some(kid), _) => keys.iter().find(|key| key.kid == *kid),
            (None, [only]) => Some(only),
            (None, []) => None,
            (None, _) => return Err(VerifyError::MissingKeyId),
        };
        let key = key.ok_or(VerifyError::UnknownKey)?;
        if key.alg == self.alg { Ok(key) } else { Err(VerifyError::Algorithm) }
    }
}

/// Claims of a signature that holds, each of its kind.
struct Claims<'a> {
    iss: Cow<'a, str>,
    sub: Cow<'a, str>,
    is_for_us: bool,
    not_before: Option<u64>,
    said: AssertionClaims,
}

impl<'a> Claims<'a> {
    fn read(reader: &Reader<'_, 'a>, policy: &AssertionPolicy<'_>) -> Result<Self, VerifyError> {
        let expected = Audience::OneOf(policy.audiences);
        let claims = Self {
            iss: reader.text("iss")?,
            sub: reader.text("sub")?,
            is_for_us: reader.required("aud", |value| expected.choose(value))?.is_some(),
            not_before: reader.optional_number("nbf")?,
            said: AssertionClaims {
                exp: reader.number("exp")?,
                iat: reader.optional_number("iat")?,
                jti: reader.text("jti")?.into_owned(),
            },
        };
        if claims.said.jti.is_empty() {
            return Err(VerifyError::WrongClaim("jti"));
        }
        Ok(claims)
    }

    fn check(
        self,
        policy: &AssertionPolicy<'_>,
        now_seconds: u64,
    ) -> Result<AssertionClaims, AssertionError> {
        if self.iss != policy.subject {
            return Err(VerifyError::Issuer.into());
        }
        if self.sub != policy.subject {
            return Err(AssertionError::Subject);
        }
        if !self.is_for_us {
            return Err(VerifyError::Audience.into());
        }
        let AssertionClaims { exp, iat, .. } = self.said;
        let latest_start = now_seconds.saturating_add(policy.skew_seconds);
        if iat.is_some_and(|issued_at| issued_at > latest_start) {
            return Err(VerifyError::IssuedInFuture.into());
        }
        if self.not_before.is_some_and(|not_before| not_before > latest_start) {
            return Err(VerifyError::NotYetValid.into());
        }
        // Both are of one clock: the skew plays no part.
        if [iat, self.not_before].into_iter().flatten().any(|begins| begins > exp) {
            return Err(AssertionError::Backwards);
        }
        if exp < now_seconds.saturating_sub(policy.skew_seconds) {
            return Err(VerifyError::Expired.into());
        }
        // That `iat` is not ahead by more than the skew was seen above.
        let begins = iat.unwrap_or(now_seconds);
        if exp > begins.saturating_add(policy.longest_life_seconds) {
            return Err(AssertionError::TooLong);
        }
        Ok(self.said)
    }
}

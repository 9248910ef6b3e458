//! May this token be believed, and does it fit what the caller expects?
//!
//! The caller names the class. The steps run in the order of the specification: size, parse,
//! header, algorithm, key, signature, claims, class, issuer, audience, issued_at, expiry, scope. No
//! claim is looked at before the signature holds, and a [`Verified`] value exists only where every
//! step passed. What needs stored facts (sessions, versions, denied ids) is the caller's,
//! afterwards.
//!
//! Spec: Tokens and keys, "Verification". RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725
//! sections 3.1 to 3.12; attack rows K1, L5, A6.

use std::ops::Deref;

use crate::{
    claims::{AccessClaims, IdClaims, WorkerClaims},
    class::{Class, CommonClaims, read_access, read_id, read_worker},
    error::{Part, VerifyError},
    hmac::{HmacKey, HmacKeys},
    json::{Object, Value},
    jws::{Algorithm, Compact, parse_object},
    keyset::KeySet,
    reader::Reader,
    rsa::PublicKey,
};

/// How far the clocks of issuer and verifier may differ by default, in seconds.
pub const DEFAULT_SKEW_SECONDS: u64 = 60;

/// Says which audiences a token may be for.
#[derive(Clone, Copy, Debug)]
pub enum Audience<'a> {
    /// `aud` must contain one of these; an empty list refuses every token.
    OneOf(&'a [&'a str]),
    /// The caller decides afterwards from stored facts, and must: an idToken may be for a client
    /// that only the store knows. `aud` must then name one audience only.
    Deferred,
}

/// What a verifier expects of every token.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// `iss` must be exactly this.
    pub issuer: &'a str,
    /// Whom the token must be for.
    pub audience: Audience<'a>,
    /// Each must be in `scope`. An idToken has no scope, so it passes only where this is empty.
    pub required_scopes: &'a [&'a str],
    /// Tolerated difference of clocks; [`DEFAULT_SKEW_SECONDS`] unless configured.
    pub skew_seconds: u64,
}

/// Claims of a token or an audit head that passed every step. Only the `verify_*` functions make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// For what has passed every step.
    pub(crate) fn new(claims: T) -> Self {
        Self(claims)
    }

    /// Returns the claims.
    #[must_use]
    pub fn claims(&self) -> &T {
        &self.0
    }

    /// Gives the claims away, and with them the proof that they were verified.
    #[must_use]
    pub fn into_claims(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The keys that idTokens are verified with.
#[derive(Clone, Copy, Debug)]
pub struct IdKeys<'k> {
    /// What verifies HS256. Where a secret and a public key have one id, the secret is meant.
    pub secrets: &'k HmacKeys,
    /// What verifies RS256; no token of that algorithm is taken where it is absent.
    pub public: Option<&'k KeySet>,
}

impl<'k> From<&'k HmacKeys> for IdKeys<'k> {
    fn from(secrets: &'k HmacKeys) -> Self {
        Self { secrets, public: None }
    }
}

/// The key that an idToken names.
enum IdKey<'k> {
    Secret(&'k HmacKey),
    Public(&'k PublicKey),
}

impl IdKey<'_> {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::Hs256,
            Self::Public(_) => Algorithm::Rs256,
        }
    }
}

/// Verifies an idToken. Its algorithm must be that of the key which its `kid` names.
///
/// Where `aud` is an array, the claims returned hold the element that the policy expects.
///
/// # Errors
/// The first step that fails, in the order of [`VerifyError`].
///
/// Spec: Tokens and keys, "Verification".
pub fn verify_id<'k>(
    token: &str,
    keys: impl Into<IdKeys<'k>>,
    policy: &Policy<'_>,
    now_seconds: u64,
) -> Result<Verified<IdClaims>, VerifyError> {
    let parts = Compact::split(token)?;
    let payload = parse_object(&parts.payload, Part::Payload)?;
    match find_id_key(&parts, keys.into())? {
        IdKey::Secret(key) => key.verify_raw(parts.signing_input, &parts.signature)?,
        IdKey::Public(key) => key.verify_raw(parts.signing_input, &parts.signature)?,
    }
    let claims = check_claims(&payload, policy, now_seconds, read_id)?;
    if policy.required_scopes.is_empty() {
        Ok(Verified(claims))
    } else {
        Err(VerifyError::MissingScope)
    }
}

/// Verifies an access token; a worker token is refused.
///
/// # Errors
/// The first step that fails, in the order of [`VerifyError`].
///
/// Spec: Tokens and keys, "Verification".
pub fn verify_access(
    token: &str,
    keys: &KeySet,
    policy: &Policy<'_>,
    now_seconds: u64,
) -> Result<Verified<AccessClaims>, VerifyError> {
    let parts = Compact::split(token)?;
    let payload = authenticate_rs256(&parts, keys, Class::Access)?;
    let claims = check_claims(&payload, policy, now_seconds, read_access)?;
    check_scopes(&claims.scope, policy.required_scopes)?;
    Ok(Verified(claims))
}

/// Verifies a worker token; an access token without event types is refused.
///
/// # Errors
/// The first step that fails, in the order of [`VerifyError`].
///
/// Spec: Tokens and keys, "Verification".
pub fn verify_worker(
    token: &str,
    keys: &KeySet,
    policy: &Policy<'_>,
    now_seconds: u64,
) -> Result<Verified<WorkerClaims>, VerifyError> {
    let parts = Compact::split(token)?;
    let payload = authenticate_rs256(&parts, keys, Class::Worker)?;
    let claims = check_claims(&payload, policy, now_seconds, read_worker)?;
    check_scopes(&claims.access.scope, policy.required_scopes)?;
    Ok(Verified(claims))
}

/// Steps header to key for an idToken.
fn find_id_key<'k>(parts: &Compact<'_>, keys: IdKeys<'k>) -> Result<IdKey<'k>, VerifyError> {
    // A header that is byte for byte what minting writes has passed these steps by being equal.
    if let Some(key) = keys.secrets.find_by_header(parts.header) {
        return Ok(IdKey::Secret(key));
    }
    let algorithms: &[_] = match keys.public {
        None => &[Algorithm::Hs256],
        Some(_) => &[Algorithm::Hs256, Algorithm::Rs256],
    };
    let has_type = |typ: Option<&str>| typ.is_none_or(|typ| Class::Id.has_type(typ));
    let (algorithm, kid) = read_header(parts, algorithms, has_type)?;
    let public = || keys.public.and_then(|public| public.get(&kid)).map(IdKey::Public);
    let key = keys.secrets.find(&kid).map(IdKey::Secret).or_else(public);
    let key = key.ok_or(VerifyError::UnknownKey)?;
    // RFC 8725 section 3.1: else a public key would be tried as a secret, or the reverse.
    if key.algorithm() == algorithm { Ok(key) } else { Err(VerifyError::Algorithm) }
}

/// Steps parse to signature. Returns the payload, which the key's owner wrote.
fn authenticate_rs256<'p>(
    parts: &'p Compact<'_>,
    keys: &KeySet,
    class: Class,
) -> Result<Object<'p>, VerifyError> {
    let payload = parse_object(&parts.payload, Part::Payload)?;
    let kid = check_header(parts, class)?;
    let key = keys.get(&kid).ok_or(VerifyError::UnknownKey)?;
    key.verify_raw(parts.signing_input, &parts.signature)?;
    Ok(payload)
}

/// Steps header, algorithm and the first half of key, for classes that are RS256 only. Returns the key id.
fn check_header(parts: &Compact<'_>, class: Class) -> Result<String, VerifyError> {
    let has_type = |typ: Option<&str>| typ.is_none_or(|typ| class.has_type(typ));
    check_header_of(parts, Algorithm::Rs256, has_type)
}

/// The same for what `is_of_type` takes by its `typ`, `None` where there is none.
pub(crate) fn check_header_of(
    parts: &Compact<'_>,
    algorithm: Algorithm,
    is_of_type: impl FnOnce(Option<&str>) -> bool,
) -> Result<String, VerifyError> {
    read_header(parts, &[algorithm], is_of_type).map(|(_, kid)| kid)
}

/// The same where more than one algorithm may be meant, as the key will tell. Returns the one that the
/// token names, and its key id.
fn read_header(
    parts: &Compact<'_>,
    algorithms: &[Algorithm],
    is_of_type: impl FnOnce(Option<&str>) -> bool,
) -> Result<(Algorithm, String), VerifyError> {
    let bytes = parts.decode_header()?;
    let header = parse_object(&bytes, Part::Header)?;
    // A closed list. RFC 7515 section 4 has unknown members ignored, but Tikti writes none, and
    // `crit` (section 4.1.11), `jwk`, `jku`, `x5u` and `x5c` each let a token choose how it is
    // checked.
    let is_known = |name: &str| matches!(name, "alg" | "typ" | "kid");
    if !header.members().iter().all(|(name, _)| is_known(name)) {
        return Err(VerifyError::HeaderMember);
    }
    // RFC 8725 section 3.11: a token of another kind says so here.
    let is_expected = match header.find("typ") {
        None => is_of_type(None),
        Some(typ) => typ.text().is_some_and(|typ| is_of_type(Some(&typ))),
    };
    if !is_expected {
        return Err(VerifyError::HeaderType);
    }
    // RFC 8725 section 3.1: the verifier knows the algorithm; the token may only agree.
    let alg = header.find("alg").and_then(Value::text);
    let is_named = |algorithm: &&Algorithm| alg.as_deref() == Some(algorithm.name());
    let algorithm = *algorithms.iter().find(is_named).ok_or(VerifyError::Algorithm)?;
    let kid = header.find("kid").and_then(Value::text);
    match kid {
        Some(kid) if !kid.is_empty() => Ok((algorithm, kid.into_owned())),
        _ => Err(VerifyError::MissingKeyId),
    }
}

/// Steps claims to expiry. `read` reads the other claims and does the step class.
fn check_claims<T>(
    payload: &Object<'_>,
    policy: &Policy<'_>,
    now_seconds: u64,
    read: impl FnOnce(&Reader<'_, '_>, CommonClaims) -> Result<T, VerifyError>,
) -> Result<T, VerifyError> {
    let reader = Reader::new(payload);
    let iss = reader.text("iss")?.into_owned();
    let audience = reader.required("aud", |value| policy.audience.choose(value))?;
    let times = Times::read(&reader)?;

    // Found out here, told below: the other claims and the class come first.
    let is_expected_issuer = iss == policy.issuer;
    let is_expected_audience = audience.is_some();
    let (aud, iat, exp) = (audience.unwrap_or_default(), times.issued_at, times.expires_at);
    let claims = read(&reader, CommonClaims { iss, aud, iat, exp })?;

    if !is_expected_issuer {
        return Err(VerifyError::Issuer);
    }
    if !is_expected_audience {
        return Err(VerifyError::Audience);
    }
    times.check(policy.skew_seconds, now_seconds)?;
    Ok(claims)
}

impl Audience<'_> {
    /// Picks the audience that the caller may take the token to be for, or `Some(None)`. `None` is
    /// a claim that is neither a string nor an array of strings (RFC 7519 section 4.1.3).
    pub(crate) fn choose(self, claim: &Value<'_>) -> Option<Option<String>> {
        let is_expected = |audience: &str| match self {
            Self::OneOf(expected) => expected.contains(&audience),
            Self::Deferred => true,
        };
        if let Some(audience) = claim.text() {
            return Some(is_expected(&audience).then(|| audience.into_owned()));
        }
        let audiences = claim.texts()?;
        let is_ambiguous = matches!(self, Self::Deferred) && audiences.len() > 1;
        let chosen = audiences.into_iter().find(|audience| is_expected(audience));
        Some(chosen.filter(|_| !is_ambiguous))
    }
}

/// The times of a token.
pub(crate) struct Times {
    pub(crate) issued_at: u64,
    pub(crate) expires_at: u64,
    not_before: Option<u64>,
}

impl Times {
    pub(crate) fn read(reader: &Reader<'_, '_>) -> Result<Self, VerifyError> {
        Ok(Self {
            issued_at: reader.number("iat")?,
            expires_at: reader.number("exp")?,
            not_before: reader.optional_number("nbf")?,
        })
    }

    pub(crate) fn check(&self, skew_seconds: u64, now_seconds: u64) -> Result<(), VerifyError> {
        let latest_start = now_seconds.saturating_add(skew_seconds);
        if self.issued_at > latest_start {
            return Err(VerifyError::IssuedInFuture);
        }
        // RFC 7519 section 4.1.5: who writes it means it, even if Tikti does not write it.
        if self.not_before.is_some_and(|not_before| not_before > latest_start) {
            return Err(VerifyError::NotYetValid);
        }
        if self.expires_at < now_seconds.saturating_sub(skew_seconds) {
            return Err(VerifyError::Expired);
        }
        Ok(())
    }
}

/// Scopes are a set, compared by exact string: no hierarchy, no wildcard.
fn check_scopes(held: &str, required: &[&str]) -> Result<(), VerifyError> {
    if required.iter().all(|required| held.split(' ').any(|scope| scope == *required)) {
        Ok(())
    } else {
        Err(VerifyError::MissingScope)
    }
}

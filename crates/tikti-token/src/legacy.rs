//! May an idToken of an older Tikti be believed?
//!
//! It names no key and has few claims, so its class cannot be told from what it says: the caller must
//! take it only where such a token is expected. Parsing, size, header and times are as strict as for
//! every other token. Invariant: `kid` is refused, so that no token is both of this profile and of
//! another.
//!
//! Spec: Tokens and keys, "Tokens of an older Tikti"; attack rows K1, L5.

use crate::{
    error::{Part, VerifyError},
    hmac::HmacKey,
    json::{Object, Value},
    jws::{Algorithm, Compact, parse_object},
    reader::Reader,
    verify::{Times, Verified},
};

/// Says what an idToken of an older Tikti may be.
#[derive(Clone, Copy, Debug)]
pub struct LegacyPolicy<'a> {
    /// Where the token has `iss`, it must be one of these.
    pub issuers: &'a [String],
    /// Tolerated difference of clocks, in seconds.
    pub skew_seconds: u64,
}

/// What an idToken of an older Tikti says: its user by id, by address or by both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyClaims {
    /// User id.
    pub sub: Option<String>,
    /// The user's address.
    pub email: Option<String>,
    /// Tenant id.
    pub tid: Option<String>,
    /// When it was made, in seconds since the Unix epoch.
    pub iat: u64,
    /// When it ends, in seconds since the Unix epoch.
    pub exp: u64,
}

/// Verifies an idToken of an older Tikti: HS256 under any of `keys`, no `kid`.
///
/// # Errors
/// The first step that fails, in the order of [`VerifyError`]. A `kid` is a header member that does not
/// belong there.
///
/// Spec: Tokens and keys, "Tokens of an older Tikti".
pub fn verify_legacy(
    token: &str,
    keys: &[HmacKey],
    policy: &LegacyPolicy<'_>,
    now_seconds: u64,
) -> Result<Verified<LegacyClaims>, VerifyError> {
    let parts = Compact::split(token)?;
    let payload = parse_object(&parts.payload, Part::Payload)?;
    check_header(&parts)?;
    let is_signed = |key: &HmacKey| key.verify_raw(parts.signing_input, &parts.signature).is_ok();
    if !keys.iter().any(is_signed) {
        return Err(VerifyError::Signature);
    }
    read_claims(&payload, policy, now_seconds).map(Verified::new)
}

/// Steps header, algorithm and key. A closed list of members, as for every other token.
fn check_header(parts: &Compact<'_>) -> Result<(), VerifyError> {
    let bytes = parts.decode_header()?;
    let header = parse_object(&bytes, Part::Header)?;
    if !header.members().iter().all(|(name, _)| matches!(name.as_ref(), "alg" | "typ")) {
        return Err(VerifyError::HeaderMember);
    }
    if let Some(typ) = header.find("typ")
        && !typ.text().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"))
    {
        return Err(VerifyError::HeaderType);
    }
    let alg = header.find("alg").and_then(Value::text);
    if alg.as_deref() == Some(Algorithm::Hs256.name()) {
        Ok(())
    } else {
        Err(VerifyError::Algorithm)
    }
}

/// Steps claims to expiry.
fn read_claims(
    payload: &Object<'_>,
    policy: &LegacyPolicy<'_>,
    now_seconds: u64,
) -> Result<LegacyClaims, VerifyError> {
    let reader = Reader::new(payload);
    let iss = reader.optional_text("iss")?;
    reader.optional("aud", |value| value.text().map(drop).or_else(|| value.texts().map(drop)))?;
    let times = Times::read(&reader)?;
    let claims = LegacyClaims {
        sub: reader.optional_text("sub")?,
        email: reader.optional_text("email")?,
        tid: reader.optional_text("tid")?,
        iat: times.issued_at,
        exp: times.expires_at,
    };
    if claims.sub.is_none() && claims.email.is_none() {
        return Err(VerifyError::MissingClaim("sub"));
    }
    // What says that it is something else is that.
    if reader.optional_text("token_use")?.is_some_and(|token_use| token_use != "id") {
        return Err(VerifyError::WrongClass);
    }
    if iss.is_some_and(|iss| !policy.issuers.contains(&iss)) {
        return Err(VerifyError::Issuer);
    }
    times.check(policy.skew_seconds, now_seconds)?;
    Ok(claims)
}

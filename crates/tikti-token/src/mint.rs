//! How is a token made?
//!
//! Whatever is minted here, verification takes once its time has come: claims that it would refuse
//! are refused before they are signed. The class follows from the type of the claims.
//!
//! Spec: Tokens and keys, table of claims. RFC 7515 section 5.1.

use serde::Serialize;

use crate::{
    claims::{AccessClaims, IdClaims, MAX_NUMBER, WorkerClaims, is_scope},
    class::{AccessTokenType, Class},
    error::SignError,
    hmac::HmacKeys,
    rsa::SigningKey,
};

/// Room for the payload of a usual token, so that writing it allocates once.
const PAYLOAD_BYTES: usize = 1024;

/// Makes an idToken with the first of `keys`.
///
/// # Errors
/// [`SignError::Claim`] for a number of 2^63 or more, [`SignError::TooLarge`].
pub fn mint_id(keys: &HmacKeys, claims: &IdClaims) -> Result<String, SignError> {
    check_id(claims)?;
    let key = keys.signing_key();
    key.header.seal(&encode(claims, Class::Id), |input| Ok(key.sign_raw(input)))
}

/// Makes an idToken that whoever has the published keys can verify.
///
/// # Errors
/// Those of [`mint_id`], and [`SignError::Signing`].
pub fn mint_id_rs256(key: &SigningKey, claims: &IdClaims) -> Result<String, SignError> {
    check_id(claims)?;
    // RFC 9068 section 2.1: `at+jwt` is what an access token says of itself.
    let header = key.header(AccessTokenType::Jwt);
    header.seal(&encode(claims, Class::Id), |input| key.sign_raw(input))
}

fn check_id(claims: &IdClaims) -> Result<(), SignError> {
    check_numbers(&[
        ("auth_time", Some(claims.auth_time)),
        ("ver", Some(claims.ver)),
        ("mver", claims.mver),
        ("iat", Some(claims.iat)),
        ("exp", Some(claims.exp)),
    ])
}

/// Makes an access token.
///
/// # Errors
/// [`SignError::Claim`] for a `scope` outside RFC 6749 section 3.3, an empty `sub` or `tid`, or a
/// number of 2^63 or more, [`SignError::TooLarge`], [`SignError::Signing`].
pub fn mint_access(
    key: &SigningKey,
    typ: AccessTokenType,
    claims: &AccessClaims,
) -> Result<String, SignError> {
    check_access(claims)?;
    let payload = encode(claims, Class::Access);
    key.header(typ).seal(&payload, |input| key.sign_raw(input))
}

/// Makes a worker token.
///
/// # Errors
/// Those of [`mint_access`], and [`SignError::Claim`] for no event types.
pub fn mint_worker(
    key: &SigningKey,
    typ: AccessTokenType,
    claims: &WorkerClaims,
) -> Result<String, SignError> {
    check_access(&claims.access)?;
    if claims.event_types.is_empty() {
        return Err(SignError::Claim("eventTypes"));
    }
    let payload = encode(claims, Class::Worker);
    key.header(typ).seal(&payload, |input| key.sign_raw(input))
}

fn check_access(claims: &AccessClaims) -> Result<(), SignError> {
    if !is_scope(&claims.scope) {
        return Err(SignError::Claim("scope"));
    }
    if claims.sub.is_empty() {
        return Err(SignError::Claim("sub"));
    }
    if claims.tid.is_empty() {
        return Err(SignError::Claim("tid"));
    }
    check_numbers(&[
        ("ver", claims.ver),
        ("mver", claims.mver),
        ("wver", claims.wver),
        ("iat", Some(claims.iat)),
        ("exp", Some(claims.exp)),
    ])
}

fn check_numbers(numbers: &[(&'static str, Option<u64>)]) -> Result<(), SignError> {
    match numbers.iter().find(|(_, number)| number.is_some_and(|number| number > MAX_NUMBER)) {
        Some((name, _)) => Err(SignError::Claim(name)),
        None => Ok(()),
    }
}

fn encode<C: Serialize>(claims: &C, class: Class) -> Vec<u8> {
    #[derive(Serialize)]
    struct Payload<'a, C> {
        #[serde(flatten)]
        claims: &'a C,
        token_use: &'static str,
    }
    let mut payload = Vec::with_capacity(PAYLOAD_BYTES);
    #[expect(
        clippy::expect_used,
        reason = "strings, numbers and named members have a JSON form, and a Vec takes every byte"
    )]
    serde_json::to_writer(&mut payload, &Payload { claims, token_use: class.token_use() })
        .expect("claims are written to memory");
    payload
}

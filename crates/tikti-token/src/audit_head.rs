//! Where did a chain of audit events end, by whose word?
//!
//! A signed head is a JWS of its own kind: its `typ` is required, and no class of token has it, so that
//! neither is ever taken for the other. It has no expiry: it is a statement about the past. A checkpoint
//! is a head that says, too, that the events up to it were removed.
//!
//! Spec: Authorization, "Audit". RFC 8725 section 3.11; attack row A6.

use serde::Serialize;

use crate::{
    claims::MAX_NUMBER,
    error::{Part, SignError, VerifyError},
    jws::{Algorithm, Compact, EncodedHeader, parse_object},
    keyset::KeySet,
    reader::Reader,
    rsa::SigningKey,
    verify::{Verified, check_header_of},
};

/// The `typ` of a signed head.
pub const AUDIT_HEAD_TYPE: &str = "tikti-audit-head+jwt";

/// What a signed head says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditHeadClaims {
    /// Issuer.
    pub iss: String,
    /// When it was signed.
    pub iat: u64,
    /// Tenant id, or `-` for the deployment's own chain.
    pub chain: String,
    /// The number of the last event.
    pub seq: u64,
    /// When that was added: RFC 3339, UTC, with milliseconds.
    #[serde(rename = "chainedAt")]
    pub chained_at: String,
    /// Its hash, in hexadecimal.
    pub hash: String,
    /// How many events were removed because of their age: all up to this one. Absent in a head that is no
    /// checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<u64>,
}

/// Signs a head.
///
/// # Errors
/// [`SignError::Claim`] for a number of 2^63 or more, [`SignError::TooLarge`], [`SignError::Signing`].
pub fn mint_audit_head(key: &SigningKey, claims: &AuditHeadClaims) -> Result<String, SignError> {
    for (name, number) in
        [("iat", claims.iat), ("seq", claims.seq), ("pruned", claims.pruned.unwrap_or(0))]
    {
        if number > MAX_NUMBER {
            return Err(SignError::Claim(name));
        }
    }
    let header = EncodedHeader::new(Algorithm::Rs256, AUDIT_HEAD_TYPE, key.kid())
        .map_err(|_| SignError::Claim("kid"))?;
    let payload = serde_json::to_vec(claims).map_err(|_| SignError::Claim("chain"))?;
    header.seal(&payload, |input| key.sign_raw(input))
}

/// Verifies a signed head. Whose keys are trusted is the caller's choice, and with it the issuer.
///
/// # Errors
/// The first step that fails, in the order of [`VerifyError`].
pub fn verify_audit_head(
    head: &str,
    keys: &KeySet,
) -> Result<Verified<AuditHeadClaims>, VerifyError> {
    let parts = Compact::split(head)?;
    let payload = parse_object(&parts.payload, Part::Payload)?;
    let is_head = |typ: Option<&str>| typ == Some(AUDIT_HEAD_TYPE);
    let kid = check_header_of(&parts, Algorithm::Rs256, is_head)?;
    let key = keys.get(&kid).ok_or(VerifyError::UnknownKey)?;
    key.verify_raw(parts.signing_input, &parts.signature)?;
    let reader = Reader::new(&payload);
    Ok(Verified::new(AuditHeadClaims {
        iss: reader.text("iss")?.into_owned(),
        iat: reader.number("iat")?,
        chain: reader.text("chain")?.into_owned(),
        seq: reader.number("seq")?,
        chained_at: reader.text("chainedAt")?.into_owned(),
        hash: reader.text("hash")?.into_owned(),
        pruned: reader.optional_number("pruned")?,
    }))
}

//! What does a token say, believed or not?
//!
//! For showing a token to a person (`tikti token inspect`), never for deciding anything: there is
//! no way from an [`UnverifiedToken`] to a [`Verified`](crate::Verified) one.
//!
//! Spec: Command line, `token inspect`.

use serde_json::{Map, Value};

use crate::{
    error::{Part, VerifyError},
    jws::{Compact, parse_object},
};

/// The contents of a token that nobody vouches for: anyone can write these.
#[derive(Clone, Debug, PartialEq)]
pub struct UnverifiedToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl UnverifiedToken {
    /// Returns the header as the token has it.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// Returns the claims as the token has them.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Takes a token apart without checking who made it.
///
/// # Errors
/// Those of the steps `size` and `parse`.
pub fn peek(token: &str) -> Result<UnverifiedToken, VerifyError> {
    let parts = Compact::split(token)?;
    Ok(UnverifiedToken {
        header: read(&parts.decode_header()?, Part::Header)?,
        claims: read(&parts.payload, Part::Payload)?,
    })
}

/// What the strict reading refuses has no single meaning to show, so it comes first.
fn read(bytes: &[u8], part: Part) -> Result<Map<String, Value>, VerifyError> {
    parse_object(bytes, part)?;
    serde_json::from_slice(bytes).map_err(|_| VerifyError::NotJson(part))
}

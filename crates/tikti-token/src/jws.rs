//! What is a compact JWS, as bytes?
//!
//! Takes a token apart into exactly the bytes that were signed and the three decoded parts, and
//! puts one together. Decoding is injective: one sequence of bytes has one spelling, so a token
//! cannot be respelled to slip past a list of denied ones.
//!
//! Spec: Tokens and keys, "Verification". RFC 7515 sections 3.1, 4 and 7.1, RFC 4648 section 3.5.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::{
    error::{KeyError, Part, SignError, VerifyError},
    json::Object,
};

/// Longest token that is looked at or made, in bytes of its compact form.
pub const MAX_TOKEN_BYTES: usize = 8192;

const MAX_KEY_ID_BYTES: usize = 128;

/// What a signature of a 2048-bit key takes in base64url: room to reserve, not a limit.
const SIGNATURE_CHARS: usize = 342;

/// A token taken apart, nothing of it checked.
pub(crate) struct Compact<'t> {
    pub(crate) signing_input: &'t [u8],
    /// In base64url.
    pub(crate) header: &'t str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    pub(crate) fn split(token: &'t str) -> Result<Self, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::TooLarge);
        }
        let (signing_input, signature) =
            token.rsplit_once('.').ok_or(VerifyError::NotThreeParts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(VerifyError::NotThreeParts)?;
        if payload.contains('.') {
            return Err(VerifyError::NotThreeParts);
        }
        Ok(Self {
            header,
            payload: decode(payload, Part::Payload)?,
            signature: decode(signature, Part::Signature)?,
            signing_input: signing_input.as_bytes(),
        })
    }

    pub(crate) fn decode_header(&self) -> Result<Vec<u8>, VerifyError> {
        decode(self.header, Part::Header)
    }
}

pub(crate) fn parse_object(bytes: &[u8], part: Part) -> Result<Object<'_>, VerifyError> {
    Object::parse(bytes).map_err(|_| VerifyError::NotJson(part))
}

/// Refuses padding, white space, the other alphabet and trailing bits that are not zero.
fn decode(part: &str, name: Part) -> Result<Vec<u8>, VerifyError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| VerifyError::NotBase64Url(name))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
}

impl Algorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
        }
    }
}

/// A header ready to be signed: its base64url form, made once a key.
#[derive(Clone)]
pub(crate) struct EncodedHeader(String);

impl EncodedHeader {
    pub(crate) fn new(algorithm: Algorithm, typ: &str, kid: &str) -> Result<Self, KeyError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'static str,
            typ: &'a str,
            kid: &'a str,
        }
        check_key_id(kid)?;
        #[expect(clippy::expect_used, reason = "three strings have a JSON form")]
        let header = serde_json::to_vec(&Header { alg: algorithm.name(), typ, kid })
            .expect("a header is written to memory");
        Ok(Self(BASE64URL_NOPAD.encode(&header)))
    }

    /// Tells whether `header`, in base64url, is this one.
    pub(crate) fn is(&self, header: &str) -> bool {
        self.0 == header
    }

    /// Puts a token together; `sign` gets the bytes before the second dot.
    pub(crate) fn seal<S: AsRef<[u8]>>(
        &self,
        payload: &[u8],
        sign: impl FnOnce(&[u8]) -> Result<S, SignError>,
    ) -> Result<String, SignError> {
        let payload_chars = BASE64URL_NOPAD.encode_len(payload.len());
        let length = self.0.len() + payload_chars + SIGNATURE_CHARS + 2;
        let mut token = String::with_capacity(length);
        token.push_str(&self.0);
        token.push('.');
        BASE64URL_NOPAD.encode_append(payload, &mut token);
        let signature = sign(token.as_bytes())?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut token);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(SignError::TooLarge);
        }
        Ok(token)
    }
}

/// A key id stands in headers, JWKS, logs and command lines: nothing in it may need escaping there.
pub(crate) fn check_key_id(kid: &str) -> Result<(), KeyError> {
    let length_fits = (1..=MAX_KEY_ID_BYTES).contains(&kid.len());
    if length_fits && kid.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(KeyError::KeyId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(token: &str) -> Option<VerifyError> {
        Compact::split(token).err()
    }

    #[test]
    fn splits_into_exactly_three_parts() {
        let parts = Compact::split("e30.e30.AQ").unwrap();
        assert_eq!(parts.signing_input, b"e30.e30");
        assert_eq!(parts.signature, [1]);
        for token in ["", "e30", "e30.e30", "e30.e30.AQ.", ".e30.e30.AQ", "e30.e30.AQ.AQ.AQ"] {
            assert_eq!(refusal(token), Some(VerifyError::NotThreeParts), "{token}");
        }
    }

    #[test]
    fn refuses_other_spellings_of_the_same_bytes() {
        for signature in ["AR", "AQ==", "A Q", "AQ\n", "+_", "A"] {
            assert_eq!(
                refusal(&format!("e30.e30.{signature}")),
                Some(VerifyError::NotBase64Url(Part::Signature)),
                "{signature:?}"
            );
        }
    }

    #[test]
    fn looks_at_8_kib_and_no_more() {
        let token = |len: usize| format!("e30.e30.{}", "A".repeat(len - 8));
        assert_eq!(refusal(&token(MAX_TOKEN_BYTES)), None);
        assert_eq!(refusal(&token(MAX_TOKEN_BYTES + 4)), Some(VerifyError::TooLarge));
    }

    #[test]
    fn key_ids_are_short_and_visible() {
        for kid in ["", "a b", "a\n", "é", &"k".repeat(129)] {
            assert_eq!(check_key_id(kid), Err(KeyError::KeyId), "{kid:?}");
        }
        assert_eq!(check_key_id("tikti-2026-01"), Ok(()));
    }
}

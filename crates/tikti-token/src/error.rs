//! What can go wrong with a token, with making one, and with a key?
//!
//! No message repeats what the token said: a token is a credential until it expires, and its claims
//! hold an email. Claim and header names in messages are ours, from the list in the specification.

use std::fmt;

/// Names one of the three parts of a compact token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before the first dot.
    Header,
    /// Between the dots.
    Payload,
    /// After the second dot.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// Says why a token is refused. Variants stand in the order in which the steps run.
///
/// Spec: Tokens and keys, "Verification".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token is longer than 8 KiB")]
    TooLarge,
    /// Not exactly two dots.
    #[error("the token does not have three parts")]
    NotThreeParts,
    /// Padding, a foreign character, or bits after the last byte that are not zero.
    #[error("the {0} is not canonical base64url without padding")]
    NotBase64Url(Part),
    /// Invalid UTF-8 or JSON, not an object, nested too deep, or a member appears twice.
    #[error("the {0} is not a JSON object without repeated members")]
    NotJson(Part),
    /// Any header member but `alg`, `typ` and `kid`; `crit`, `jwk`, `jku`, `x5u`, `x5c` among them.
    #[error("the header has a member that is not alg, typ or kid")]
    HeaderMember,
    /// `typ` is there, but is not one that the class has.
    #[error("the header's typ is not one of this token class")]
    HeaderType,
    /// `alg` is absent or is not the one of the class.
    #[error("the header's alg is not the one of this token class")]
    Algorithm,
    /// `kid` is absent, empty or not a string.
    #[error("the header has no kid")]
    MissingKeyId,
    /// No key has this `kid`.
    #[error("the kid names no known key")]
    UnknownKey,
    /// The key named by `kid` did not make this signature.
    #[error("the signature is not valid")]
    Signature,
    /// A claim that every token of this class has is absent.
    #[error("the claim {0} is missing")]
    MissingClaim(&'static str),
    /// A claim is null, of the wrong type, out of range, or breaks its grammar.
    #[error("the claim {0} has a value of the wrong kind")]
    WrongClaim(&'static str),
    /// `token_use` names another class, or a claim is there that only another class has.
    #[error("the token is of another class")]
    WrongClass,
    /// `iss` is not exactly the expected one.
    #[error("the token is from another issuer")]
    Issuer,
    /// None of the expected audiences is in `aud`.
    #[error("the token is for another audience")]
    Audience,
    /// `iat` lies further in the future than the skew allows.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// `nbf`, which Tikti never writes, lies further in the future than the skew allows.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `exp` lies further in the past than the skew allows.
    #[error("the token has expired")]
    Expired,
    /// A required scope is not in `scope`.
    #[error("the token lacks a required scope")]
    MissingScope,
}

impl VerifyError {
    /// Returns the stable name of the step that refused, one of `size`, `parse`, `header`,
    /// `algorithm`, `key`, `signature`, `claims`, `class`, `issuer`, `audience`, `issued_at`,
    /// `expiry`, `scope`.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::TooLarge => "size",
            Self::NotThreeParts | Self::NotBase64Url(_) | Self::NotJson(_) => "parse",
            Self::HeaderMember | Self::HeaderType => "header",
            Self::Algorithm => "algorithm",
            Self::MissingKeyId | Self::UnknownKey => "key",
            Self::Signature => "signature",
            Self::MissingClaim(_) | Self::WrongClaim(_) => "claims",
            Self::WrongClass => "class",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::IssuedInFuture | Self::NotYetValid => "issued_at",
            Self::Expired => "expiry",
            Self::MissingScope => "scope",
        }
    }
}

/// Says why a token was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A claim holds a value with which verification would refuse the token.
    #[error("the claim {0} cannot be written to a token")]
    Claim(&'static str),
    /// The token would be longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token would be longer than 8 KiB")]
    TooLarge,
    /// The cryptographic library did not sign.
    #[error("signing with the private key")]
    Signing,
}

/// Says why a key, or a set of keys, is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key id is 1 to 128 visible ASCII characters.
    #[error("a key id is 1 to 128 visible ASCII characters")]
    KeyId,
    /// Two keys of one set share a key id, so a `kid` would not name one of them.
    #[error("two keys have the same key id")]
    DuplicateKeyId,
    /// A set of secrets without a first one cannot sign.
    #[error("there is no key")]
    Empty,
    /// A published RSA modulus under 2048 bits, or an HMAC secret under 32 bytes.
    #[error("the key is too short: 2048 bits for RSA, 32 bytes for HS256")]
    TooShort,
    /// Not an RSA key for RS256 signatures, or its encoding or numbers are not those of one.
    #[error("the key is not a well-formed RSA signature key of at least 2048 bits")]
    Malformed,
    /// The cryptographic library did not make a key.
    #[error("generating an RSA key")]
    Generation,
}

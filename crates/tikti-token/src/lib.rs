//! JOSE for Tikti: minting the three classes of token, and the one algorithm that verifies them.
//!
//! Nothing here does I/O, reads a clock or knows a tenant: keys, policy and time are parameters, so
//! the server, the offline `token verify` and a resource server run the same lines. Only the
//! algorithms HS256 and RS256 exist for them, each bound to its own type of key; which one a token must have
//! follows from the class that the caller names and from the key, never from the token alone.
//!
//! | question | module |
//! |---|---|
//! | what is a well-formed compact JWS? | `jws`, over the strict JSON of `json` |
//! | which keys are there, and what do they publish? | `rsa`, `hmac`, `jwk`, `keyset` |
//! | which claims has a class, and what tells it from the others? | `claims`, `class`, over `reader` |
//! | how is a token made? | `mint` |
//! | may this token be believed? | `verify` |
//! | may an idToken of an older Tikti be believed? | `legacy` |
//! | what does this token say, believed or not? | `peek` |
//! | which public keys of somebody outside are taken? | `assertion_key` |
//! | which private key of elsewhere may sign here? | `import` |
//! | may what he signs about himself be believed? | `assertion` |
//! | where did an audit log end, by whose word? | `audit_head` |
//!
//! Spec: Tokens and keys. RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT), RFC 8725 (JWT best
//! current practices), RFC 9068 (`at+jwt`).

#![forbid(unsafe_code)]

mod assertion;
mod assertion_key;
mod audit_head;
mod claims;
mod class;
mod error;
mod hmac;
mod import;
mod json;
mod jwk;
mod jws;
mod keyset;
mod legacy;
mod mint;
mod peek;
mod reader;
mod rsa;
mod verify;

pub use assertion::{
    AssertionClaims, AssertionError, AssertionPolicy, claimed_subject, verify_assertion,
};
pub use assertion_key::{AssertionKey, AssertionKeyError};
pub use audit_head::{AUDIT_HEAD_TYPE, AuditHeadClaims, mint_audit_head, verify_audit_head};
pub use claims::{AccessClaims, Actor, Firebase, FirebaseIdentities, IdClaims, WorkerClaims};
pub use class::AccessTokenType;
pub use error::{KeyError, Part, SignError, VerifyError};
pub use hmac::{HmacKey, HmacKeys, MIN_HMAC_SECRET_BYTES};
pub use import::{ImportKeyError, MAX_KEY_FILE_BYTES, import_rsa_pem};
pub use jwk::{Jwk, Jwks};
pub use jws::MAX_TOKEN_BYTES;
pub use keyset::KeySet;
pub use legacy::{LegacyClaims, LegacyPolicy, verify_legacy};
pub use mint::{mint_access, mint_id, mint_id_rs256, mint_worker};
pub use peek::{UnverifiedToken, peek};
pub use rsa::{PublicKey, RsaSize, SigningKey, generate_rsa};
pub use verify::{
    Audience, DEFAULT_SKEW_SECONDS, IdKeys, Policy, Verified, verify_access, verify_id,
    verify_worker,
};

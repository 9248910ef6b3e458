//! What stock OAuth and OpenID Connect libraries look for: discovery and public keys.

pub(crate) mod discovery;
pub(crate) mod jwks;

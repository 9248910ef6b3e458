//! What stock OAuth and OpenID Connect libraries look for: discovery, public keys and the token endpoint.

pub(crate) mod discovery;
pub(crate) mod jwks;
pub(crate) mod token;

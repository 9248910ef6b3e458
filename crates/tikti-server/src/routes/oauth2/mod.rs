//! What stock OAuth and OpenID Connect libraries look for: discovery, public keys, the token endpoint,
//! introspection and revocation.

pub(crate) mod discovery;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod revoke;
pub(crate) mod token;

use tikti_domain::error::Code;

use crate::extract::OAuthAsker;

/// Whoever shows nothing is refused before his form is looked at.
fn require_credentials(asker: &OAuthAsker) -> Result<(), Code> {
    let shows_something = asker.client.is_some() || asker.caller.api_key.is_some();
    if shows_something { Ok(()) } else { Err(Code::InvalidApiKey) }
}

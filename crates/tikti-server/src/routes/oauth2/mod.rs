//! What stock OAuth and OpenID Connect libraries look for: discovery, public keys, the token endpoint,
//! introspection and revocation.

pub(crate) mod discovery;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod revoke;
pub(crate) mod token;

use tikti_domain::Caller;
use tikti_domain::client_auth::ClientAuth;
use tikti_domain::error::Code;
use tikti_domain::secret::SecretString;

use crate::error::ApiError;
use crate::extract::OAuthAsker;

/// Who asks about the token that stands in the form, by a client's credentials where there are any, and the
/// token. Whoever shows nothing is refused before it is looked at.
fn about_token(asker: OAuthAsker) -> Result<(Caller, Option<ClientAuth>, SecretString), ApiError> {
    let OAuthAsker { caller, client, form } = asker;
    if client.is_none() && caller.api_key.is_none() {
        return Err(Code::InvalidApiKey.into());
    }
    let token = form.require("token")?.to_owned().into();
    Ok((caller, client, token))
}

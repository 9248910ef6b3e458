//! Shows what a token says, if it is good now; else which step says no.
//!
//! The steps are those of every verification, for the audience that is named. The last one, `revocation`,
//! is what the store says, and `standing` decides it.
//!
//! Spec: HTTP API, Identity, `validate`; Tokens and keys, "Verification".

use secrecy::SecretString;
use serde_json::{Map, Value};
use tikti_token::Audience;

use super::gate::{self, Access};
use crate::any_token::{self, AnyToken};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::reads::Reads;
use crate::standing::Standing;

/// Asks whether a token is good.
#[derive(Debug)]
pub struct Validate {
    /// The token, of whichever class.
    pub token: SecretString,
    /// Whom it has to be for.
    pub audience: String,
}

/// Shows the claims of a token that is good now.
///
/// # Errors
/// Those of the gate of administrators; `INVALID_ID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, each with the
/// step that failed; the store's.
pub async fn validate(
    domain: &Domain,
    caller: &Caller,
    ask: &Validate,
) -> Result<Map<String, Value>, Error> {
    let now = domain.clock.now();
    gate::require_admin(domain, caller, Access::Read, now).await?;
    let audience = [ask.audience.as_str()];
    let verified = AnyToken::verify(domain, &ask.token, Audience::OneOf(&audience), now);
    let verified = verified.map_err(any_token::refused)?;
    let is_good = match Standing::of(&verified, &domain.settings.default_audience) {
        None => false,
        Some(standing) => {
            let reads = Reads::load(&domain.store, standing.keys(), now).await?;
            standing.is_good(&reads, domain.not_before)?
        }
    };
    if is_good {
        Ok(verified.claims()?)
    } else {
        Err(Refusal::of(Code::TokenRevoked).detail("step", "revocation").into())
    }
}

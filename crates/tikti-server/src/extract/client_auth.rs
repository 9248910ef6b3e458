//! Who asks at an OAuth endpoint? A client by one of its methods, an API key, or nobody; and what is asked.
//!
//! | shown | read as |
//! |---|---|
//! | `X-API-Key`, `?key=` | an API key |
//! | Basic, id without a dot | the API key `tk_<id>_<secret>` |
//! | Basic, id `deployment-key` | the API key that the secret is: the deployment's own may have no id |
//! | Basic, id with a dot | `client_secret_basic` of `<tenant id>.<worker id or client id>` |
//! | `client_id`, `client_secret` | `client_secret_post`: a client's, whatever its id |
//! | `client_assertion`, `client_assertion_type` | `private_key_jwt` |
//!
//! Invariant: whoever shows two different things is refused, so that no part of the service can look at one
//! and act on the other. Nothing here is verified; a refusal names what is wrong and repeats none of it. A
//! `client_id` alone shows nothing: it is a name. Basic that cannot be read is a failed authentication, as wrong
//! credentials are (RFC 6749 section 5.2), and not a malformed request.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 6749 section 2.3; RFC 7521
//! section 4.2. Why: docs/decisions/0037.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use data_encoding::BASE64;
use tikti_domain::client_auth::ClientAuth;
use tikti_domain::error::{Code, Refusal};
use tikti_domain::secret::{ExposeSecret, SecretString};
use tikti_domain::{Caller, Door};

use super::asker::Asker;
use super::oauth_form::{self, OAuthForm};
use crate::error::ApiError;
use crate::state::Shared;

/// The only kind of assertion that is taken (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// In Basic, the id beside a secret that is a whole API key. No record of a key can have it.
const WHOLE_KEY: &str = "deployment-key";

/// The caller of an OAuth endpoint and its form. Whether what is shown is enough, the endpoint knows.
pub(crate) struct OAuthAsker {
    /// Who asks, with the API key wherever it was shown; without a bearer token.
    pub(crate) caller: Caller,
    /// What a client showed, if one did; then there is no API key.
    pub(crate) client: Option<ClientAuth>,
    /// What is asked.
    pub(crate) form: OAuthForm,
}

impl FromRequest<Shared> for OAuthAsker {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Asker(mut caller) = Asker::from_request_parts(&mut parts, state).await?;
        let basic = basic(&parts)?;
        let form = OAuthForm::read(&parts, body).await?;
        let Shown { api_key, client } = shown(basic, &form, caller.api_key.take())?;
        let caller = Caller { api_key, bearer: None, door: Door::OAuth, ..caller };
        Ok(Self { caller, client, form })
    }
}

/// What stands in `Authorization: Basic`, decoded.
struct Basic {
    id: String,
    secret: SecretString,
}

/// What the caller shows: one of them, or neither.
struct Shown {
    api_key: Option<SecretString>,
    client: Option<ClientAuth>,
}

/// Reads the Basic credentials; a header of another scheme counts as absent, as everywhere.
///
/// # Errors
/// `INVALID_CLIENT_CREDENTIALS` for Basic without an id and a secret in it: the caller tried to say who he is.
fn basic(parts: &Parts) -> Result<Option<Basic>, Refusal> {
    // That it is given once was seen when the bearer token was looked for.
    let Some(value) = parts.headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.as_bytes().trim_ascii();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, credentials) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    let malformed = || {
        let reason = "is not Basic with an id and a secret";
        Refusal::new(Code::InvalidClientCredentials, format!("Authorization: {reason}"))
            .detail("Authorization", reason)
    };
    parse_basic(credentials.trim_ascii()).ok_or_else(malformed).map(Some)
}

fn parse_basic(credentials: &[u8]) -> Option<Basic> {
    let text = String::from_utf8(BASE64.decode(credentials).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let (id, secret) = (oauth_form::decode(id)?, oauth_form::decode(secret)?);
    (!id.is_empty()).then(|| Basic { id, secret: secret.into() })
}

fn shown(
    basic: Option<Basic>,
    form: &OAuthForm,
    api_key: Option<SecretString>,
) -> Result<Shown, Refusal> {
    let twice = |member: &str| Refusal::invalid(member, "the request authenticates in two ways");
    let posted = posted(form)?;
    if let (Some(basic), Some(named)) = (&basic, form.get("client_id"))
        && basic.id != named
    {
        let reason = "the form and the header Authorization name different clients";
        return Err(Refusal::invalid("client_id", reason));
    }
    let in_basic = match basic {
        None => None,
        Some(_) if posted.is_some() => return Err(twice("Authorization")),
        Some(Basic { id, secret }) if id.contains('.') => {
            Some(Ok(ClientAuth::Secret { client_id: id, secret }))
        }
        Some(Basic { id, secret }) if id == WHOLE_KEY => Some(Err(secret)),
        Some(Basic { id, secret }) => {
            Some(Err(SecretString::from(format!("tk_{id}_{}", secret.expose_secret()))))
        }
    };
    match (in_basic, posted, api_key) {
        (Some(Err(basic)), _, Some(other)) if basic.expose_secret() != other.expose_secret() => {
            Err(Refusal::invalid("key", "the request names different API keys"))
        }
        (Some(Err(key)), ..) => Ok(Shown { api_key: Some(key), client: None }),
        (Some(Ok(_)), _, Some(_)) | (_, Some(_), Some(_)) => Err(twice("key")),
        (Some(Ok(client)), ..) | (None, Some(client), None) => {
            Ok(Shown { api_key: None, client: Some(client) })
        }
        (None, None, api_key) => Ok(Shown { api_key, client: None }),
    }
}

/// What a client shows in the form.
fn posted(form: &OAuthForm) -> Result<Option<ClientAuth>, Refusal> {
    let client_id = form.get("client_id").map(str::to_owned);
    match (
        form.get("client_secret"),
        form.get("client_assertion"),
        form.get("client_assertion_type"),
    ) {
        (None, None, None) => Ok(None),
        (Some(_), None, None) if client_id.is_none() => {
            Err(Refusal::invalid("client_id", "is missing beside client_secret"))
        }
        (Some(secret), None, None) => Ok(Some(ClientAuth::Secret {
            client_id: client_id.unwrap_or_default(),
            secret: secret.to_owned().into(),
        })),
        (None, Some(assertion), Some(JWT_BEARER)) => {
            Ok(Some(ClientAuth::Assertion { client_id, assertion: assertion.to_owned().into() }))
        }
        (None, Some(_), Some(_)) => {
            Err(Refusal::invalid("client_assertion_type", format!("must be {JWT_BEARER}")))
        }
        (None, Some(_), None) => Err(Refusal::invalid("client_assertion_type", "is missing")),
        (None, None, Some(_)) => Err(Refusal::invalid("client_assertion", "is missing")),
        (Some(_), ..) => {
            Err(Refusal::invalid("client_secret", "the request authenticates in two ways"))
        }
    }
}

#[cfg(test)]
mod tests;

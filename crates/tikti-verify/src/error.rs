//! What can go wrong, and what is answered then?
//!
//! [`Refusal`] is the closed list of noes to a request, each with its status and its challenge;
//! [`RefreshError`] says why keys could not be fetched, for logs and `status()`. No message repeats
//! anything that a token or a request said.
//!
//! Spec: Tokens and keys, "Verification". RFC 6750 section 3.

use tikti_token::{KeyError, VerifyError};

/// Says why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no `Authorization` header, or one of another scheme.
    #[error("a bearer token is required")]
    NoToken,
    /// `Authorization` is there more than once, or holds no token.
    #[error("exactly one Authorization header with one bearer token is expected")]
    MalformedRequest,
    /// The token is not to be believed, or is meant for somebody else.
    #[error("{0}")]
    Token(VerifyError),
    /// The token is for another tenant than the one that this server serves.
    #[error("the token is for another tenant")]
    ForeignTenant,
    /// The token is good here, but not for the tenant that the request names.
    #[error("the token is not for the tenant of this request")]
    OtherTenant,
    /// The token is good here, but lacks a scope.
    #[error("the token lacks a required scope")]
    MissingScope,
    /// Whether the token is good cannot be told: the issuer's keys could not be fetched.
    #[error("tokens cannot be verified at the moment")]
    KeysUnavailable,
}

impl Refusal {
    /// Returns the HTTP status to answer with: 400, 401, 403 or 503.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedRequest => 400,
            Self::NoToken | Self::Token(_) | Self::ForeignTenant => 401,
            Self::OtherTenant | Self::MissingScope => 403,
            Self::KeysUnavailable => 503,
        }
    }

    /// Returns the error code: those of RFC 6750 section 3.1, and two for what it leaves open.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoToken => "missing_token",
            Self::MalformedRequest => "invalid_request",
            Self::Token(_) | Self::ForeignTenant => "invalid_token",
            Self::OtherTenant | Self::MissingScope => "insufficient_scope",
            Self::KeysUnavailable => "temporarily_unavailable",
        }
    }

    /// Returns the value of `WWW-Authenticate`; `None` where there is nothing to authenticate
    /// better.
    ///
    /// Of `realm` and `scopes` only what a quoted string may hold is written.
    #[must_use]
    pub fn challenge(self, realm: &str, scopes: &[String]) -> Option<String> {
        let realm = quotable(realm);
        let mut challenge = format!("Bearer realm=\"{realm}\"");
        match self {
            Self::KeysUnavailable => return None,
            // RFC 6750 section 3.1: no error code for who did not try to authenticate.
            Self::NoToken => {}
            Self::MalformedRequest
            | Self::Token(_)
            | Self::ForeignTenant
            | Self::OtherTenant
            | Self::MissingScope => {
                let code = self.code();
                challenge.push_str(&format!(", error=\"{code}\", error_description=\"{self}\""));
            }
        }
        if self == Self::MissingScope && !scopes.is_empty() {
            let scopes = quotable(&scopes.join(" "));
            challenge.push_str(&format!(", scope=\"{scopes}\""));
        }
        Some(challenge)
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        if error == VerifyError::MissingScope { Self::MissingScope } else { Self::Token(error) }
    }
}

/// RFC 6750 section 3: printable ASCII without quote and backslash.
fn quotable(text: &str) -> String {
    let is_plain =
        |character: &char| matches!(character, ' '..='~') && !"\"\\".contains(*character);
    text.chars().filter(is_plain).collect()
}

/// Says why the issuer's keys were not fetched. What was held before stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// No connection, or one that broke.
    #[error("the issuer cannot be reached")]
    Unreachable,
    /// The documents took longer than the time limit.
    #[error("the issuer did not answer in time")]
    TimedOut,
    /// A status other than 200, or 304 where it was not asked for.
    #[error("the issuer answered {0}")]
    Status(u16),
    /// A redirect, which is never followed.
    #[error("the issuer sent elsewhere, which is not followed")]
    Redirect,
    /// More than 64 KiB.
    #[error("the issuer's document is larger than 64 KiB")]
    TooLarge,
    /// The discovery document is not JSON with one `issuer` and one `jwks_uri`.
    #[error("the discovery document is malformed")]
    Discovery,
    /// `issuer` of the discovery document is not the configured one.
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
    /// `jwks_uri` is no URL at the issuer's own origin.
    #[error("the discovery document's jwks_uri is not at the issuer's origin")]
    ForeignKeys,
    /// The keys are not JSON of a key set, or a private key is among them.
    #[error("the key set is malformed")]
    KeySet,
    /// The set has no RS256 key.
    #[error("the key set has no key for RS256")]
    NoKeys,
    /// One of the keys is not to be used.
    #[error("the key set holds an unusable key: {0}")]
    Key(KeyError),
    /// The task that fetched ended before it was done, as with its runtime.
    #[error("the fetch was ended")]
    Aborted,
}

/// Says why a verifier is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Not an absolute HTTP URL without user, query and fragment.
    #[error("{0} must be an http or https URL without user, query and fragment")]
    Url(&'static str),
    /// Plain HTTP to another machine: whoever is between chooses the keys.
    #[error("{0} must use https; http is for loopback, or where `allow_http` says so")]
    NotHttps(&'static str),
    /// Without an audience a token for any other server would be taken.
    #[error("at least one audience is required, and none may be empty")]
    Audience,
    /// An empty tenant matches nothing.
    #[error("the required tenant is empty")]
    Tenant,
    /// Not one scope of RFC 6749 section 3.3.
    #[error("a required scope is not one scope-token")]
    Scope,
    /// The shortest cache time is above the longest.
    #[error("the shortest cache time is longer than the longest")]
    CacheTimes,
    /// Too short, which would ask the issuer without a pause or give up at once; or too long to count
    /// with.
    #[error("{0} must be from {1} to 366 days")]
    Time(&'static str, &'static str),
    /// The HTTP client has no TLS to use, for example.
    #[error("the HTTP client cannot be prepared")]
    HttpClient,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_have_the_form_of_rfc_6750() {
        let scopes = ["jobs:read".to_owned(), "jobs:write".to_owned()];
        let of = |refusal: Refusal| refusal.challenge("jobs", &scopes);
        assert_eq!(of(Refusal::NoToken).unwrap(), r#"Bearer realm="jobs""#);
        assert_eq!(
            of(Refusal::Token(VerifyError::Expired)).unwrap(),
            r#"Bearer realm="jobs", error="invalid_token", error_description="the token has expired""#
        );
        assert_eq!(
            of(Refusal::MissingScope).unwrap(),
            "Bearer realm=\"jobs\", error=\"insufficient_scope\", \
             error_description=\"the token lacks a required scope\", scope=\"jobs:read jobs:write\""
        );
        assert_eq!(of(Refusal::KeysUnavailable), None);
    }

    #[test]
    fn a_realm_cannot_leave_its_quotes() {
        let challenge = Refusal::NoToken.challenge("a\", error=\"x\\\r\n\u{e9}", &[]);
        assert_eq!(challenge.unwrap(), r#"Bearer realm="a, error=x""#);
    }

    #[test]
    fn every_description_may_stand_in_quotes() {
        for refusal in [Refusal::MalformedRequest, Refusal::OtherTenant, Refusal::ForeignTenant] {
            assert_eq!(quotable(&refusal.to_string()), refusal.to_string());
        }
    }
}

//! How a client of the OAuth endpoints says who it is: nothing of it believed yet.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 6749 section 2.3, RFC 7523.

use secrecy::{ExposeSecret, SecretString};

/// What a client shows, by the method that it chose.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// An id and a secret: `client_secret_basic` or `client_secret_post`.
    Secret {
        /// `<tenant id>.<worker id or client id>`.
        client_id: String,
        /// The secret.
        secret: SecretString,
    },
    /// A signed assertion: `private_key_jwt`.
    Assertion {
        /// The `client_id` beside it, where there is one: it must name the same.
        client_id: Option<String>,
        /// The assertion, a JWT.
        assertion: SecretString,
    },
}

impl ClientAuth {
    /// Whom it names, by its own word: empty where it names nobody.
    #[must_use]
    pub fn claimed_id(&self) -> String {
        match self {
            Self::Secret { client_id, .. } | Self::Assertion { client_id: Some(client_id), .. } => {
                client_id.clone()
            }
            Self::Assertion { client_id: None, assertion } => {
                tikti_token::claimed_subject(assertion.expose_secret()).unwrap_or_default()
            }
        }
    }

    /// The method, for the log.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Secret { .. } => "secret",
            Self::Assertion { .. } => "assertion",
        }
    }
}

//! How a client of the OAuth endpoints says who it is: nothing of it believed yet.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 6749 section 2.3, RFC 7523.

use secrecy::SecretString;

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

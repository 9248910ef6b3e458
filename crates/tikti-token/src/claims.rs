//! Which claims has each class of token?
//!
//! Field order is the order on the wire: first what every verifier needs. What a class never has is
//! not a field of its struct, so it cannot be written: no `nbf` anywhere, no `role` and no `email`
//! in what a resource server sees (a platform administrator's token would otherwise open every
//! resource server's admin routes). `token_use` is no field either: minting writes it, verifying
//! checks it.
//!
//! Spec: Tokens and keys, table of claims. RFC 7519 section 4.1, RFC 8693 sections 4.1 to 4.3,
//! RFC 9068 section 2.2. All times are seconds since the epoch.

use serde::Serialize;

/// Who a user is: the claims of an idToken, for Tikti's own endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdClaims {
    /// Issuer.
    pub iss: String,
    /// Client id given at sign-in, or the default audience.
    pub aud: String,
    /// Issued at.
    pub iat: u64,
    /// Expires at.
    pub exp: u64,
    /// User id.
    pub sub: String,
    /// Tenant context; absent where the user has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// Absent where the user has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Global role of the user record at sign-in.
    pub role: String,
    /// When the user last proved who they are.
    pub auth_time: u64,
    /// How they proved it (RFC 8176).
    pub amr: Vec<String>,
    /// Session id.
    pub sid: String,
    /// Token version of the user.
    pub ver: u64,
    /// Version of the membership in `tid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mver: Option<u64>,
    /// Id of this token.
    pub jti: String,
    /// Same as `sub`, for Firebase clients; means nothing to Tikti.
    pub user_id: String,
    /// For Firebase clients; means nothing to Tikti.
    pub email_verified: bool,
    /// For Firebase clients; means nothing to Tikti.
    pub firebase: Firebase,
}

/// What Firebase client libraries read from an idToken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Firebase {
    /// `password`, for example.
    pub sign_in_provider: String,
    /// Addresses by provider.
    pub identities: FirebaseIdentities,
    /// Tenant context, as in `tid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// The identities of a user in the shape of Firebase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FirebaseIdentities {
    /// Email addresses; written where there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<String>,
}

/// What the bearer may do at one resource server: the claims of an access token, RS256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessClaims {
    /// Issuer.
    pub iss: String,
    /// Client id of the resource server.
    pub aud: String,
    /// Issued at.
    pub iat: u64,
    /// Expires at.
    pub exp: u64,
    /// User id or worker id.
    pub sub: String,
    /// Tenant.
    pub tid: String,
    /// One or more scopes, one space between two (RFC 6749 section 3.3).
    pub scope: String,
    /// Session id, where minted from a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Token version of the user, where minted from a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ver: Option<u64>,
    /// Version of the user's membership, where minted from a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mver: Option<u64>,
    /// Version of the worker, where the subject is a registered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wver: Option<u64>,
    /// Client id (RFC 8693 section 4.3).
    pub client_id: String,
    /// The user who asked, where the subject is someone else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Id of this token.
    pub jti: String,
}

/// Who asked for a token that speaks of someone else (RFC 8693 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// User id.
    pub sub: String,
}

/// An access token for a worker: what it may do, and for which events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerClaims {
    /// Everything that an access token has.
    #[serde(flatten)]
    pub access: AccessClaims,
    /// Event types that the worker may claim; one or more.
    #[serde(rename = "eventTypes")]
    pub event_types: Vec<String>,
}

/// Largest number in a claim: what a signed 64-bit reader elsewhere still reads as the same.
pub(crate) const MAX_NUMBER: u64 = i64::MAX as u64;

/// Tells whether `text` is `scope-token *( SP scope-token )` of RFC 6749 section 3.3.
pub(crate) fn is_scope(text: &str) -> bool {
    let is_scope_character = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    text.split(' ').all(|scope| !scope.is_empty() && scope.bytes().all(is_scope_character))
}

#[cfg(test)]
mod tests {
    use super::is_scope;

    #[test]
    fn scope_has_the_grammar_of_rfc_6749() {
        for text in ["a", "codeq:claim codeq:result", "!#[]~", "a a"] {
            assert!(is_scope(text), "{text:?}");
        }
        for text in ["", " ", " a", "a ", "a  b", "a\tb", "a\nb", "\"a\"", "a\\b", "ä", "a\u{7f}"]
        {
            assert!(!is_scope(text), "{text:?}");
        }
    }
}

//! How an operation can fail: refused (an expected no), or broken (store, internal).
//!
//! [`Code`] is the closed list of refusals that a caller can see. Adding one here makes the
//! compiler ask for its HTTP status and its OAuth error in the server; `docs/errors.md` is
//! generated from it.
//!
//! Spec: HTTP API, "Codes".

use std::borrow::Cow;
use std::collections::BTreeMap;

use tikti_store::StoreError;

/// Declares [`Code`] once: variant, wire name, what it means, what to do about it.
macro_rules! codes {
    ($($variant:ident $wire:literal $meaning:literal $advice:literal;)+) => {
        /// Why a request was refused: a closed list, stable on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the specification.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The name on the wire, such as `TENANT_NOT_FOUND`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $wire,)+ }
            }

            /// What the code means, one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)+ }
            }

            /// What the person who meets it can do.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Code::$variant => $advice,)+ }
            }
        }
    };
}

codes! {
    InvalidArgument "INVALID_ARGUMENT" "A member of the request is missing, of the wrong type or outside its bounds." "Correct the member that `details` names.";
    InvalidEmail "INVALID_EMAIL" "The e-mail address is not one that can receive mail." "Check the address for a missing part or a stray character.";
    WeakPassword "WEAK_PASSWORD" "The password is shorter than 8 bytes or too easy to guess." "Choose a longer password.";
    PasswordTooLong "PASSWORD_TOO_LONG" "The password is longer than 72 bytes; it is refused, never cut." "Choose a password of at most 72 bytes.";
    InvalidTtl "INVALID_TTL" "The lifetime asked for is outside 900 to 3600 seconds or above the client's own bound." "Ask for a lifetime within the bounds, or leave it out.";
    EventTypesRequired "EVENT_TYPES_REQUIRED" "The audience needs event types and none follow from the client or the worker." "Name the event types that the token is for.";
    TenantRequired "TENANT_REQUIRED" "No tenant was named and none follows from the token." "Name the tenant.";
    TenantConflict "TENANT_CONFLICT" "Two tenants were named that differ, or the session is bound to another tenant." "Name one tenant, or sign in again for the other one.";
    UnknownAudience "UNKNOWN_AUDIENCE" "The audience is no registered client of this tenant." "Check the audience, or register the client.";
    InvalidLoginCredentials "INVALID_LOGIN_CREDENTIALS" "E-mail address and password do not belong together." "Check both, or reset the password.";
    InvalidOobCode "INVALID_OOB_CODE" "The code is unknown, expired, used, or meant for something else." "Ask for a new code.";
    CredentialTooOld "CREDENTIAL_TOO_OLD" "The sign-in is too long ago for this change." "Sign in again and repeat the call.";
    InvalidApiKey "INVALID_API_KEY" "The API key is missing, unknown or disabled." "Send a valid key as `X-API-Key` or `?key=`.";
    InvalidClientCredentials "INVALID_CLIENT_CREDENTIALS" "The client's credentials are not valid." "Check client id and secret.";
    Unauthenticated "UNAUTHENTICATED" "No bearer token, or one that is not accepted here." "Sign in and send the token as `Authorization: Bearer`.";
    UnsupportedGrantType "UNSUPPORTED_GRANT_TYPE" "The grant type is not one of those served." "Use a grant type that the discovery document lists.";
    InvalidIdToken "INVALID_ID_TOKEN" "The idToken is not a valid one of this deployment." "Sign in again.";
    TokenExpired "TOKEN_EXPIRED" "The token has expired." "Refresh it or sign in again.";
    TokenRevoked "TOKEN_REVOKED" "The token was revoked before it expired." "Sign in again.";
    InvalidRefreshToken "INVALID_REFRESH_TOKEN" "The refresh token is unknown, used, expired or revoked." "Sign in again.";
    ApiKeyForbidden "API_KEY_FORBIDDEN" "The API key may not be used for this call." "Use a key with the scope that the call needs.";
    GrantNotAllowed "GRANT_NOT_ALLOWED" "The client does not allow this grant for this sign-in." "Allow the grant for the client, or sign in the way the audience needs.";
    WorkerDisabled "WORKER_DISABLED" "The worker is disabled." "Enable the worker or use another.";
    UserDisabled "USER_DISABLED" "The user is not active." "Ask an administrator to activate the user.";
    MembershipRequired "MEMBERSHIP_REQUIRED" "The user holds no active membership in this tenant." "Ask an administrator of the tenant to add the user.";
    TenantDisabled "TENANT_DISABLED" "The tenant is not active." "Ask the operator to activate the tenant.";
    EventTypeNotPermitted "EVENT_TYPE_NOT_PERMITTED" "An event type is outside what the client or the worker allows." "Ask only for event types that both allow.";
    SubjectNotPermitted "SUBJECT_NOT_PERMITTED" "The token may not be made for this subject." "Leave the subject out, or register the worker and the right to act for it.";
    ClientDisabled "CLIENT_DISABLED" "The client is disabled." "Enable the client or use another audience.";
    ScopeNotPermitted "SCOPE_NOT_PERMITTED" "A scope is outside what the roles and the client allow." "Ask for fewer scopes, or for a role that holds them.";
    AdminRequired "ADMIN_REQUIRED" "The call needs a platform administrator." "Use an administrator's sign-in.";
    PermissionDenied "PERMISSION_DENIED" "A management scope is missing." "Ask an administrator of the tenant for the scope that `details` names.";
    EscalationDenied "ESCALATION_DENIED" "Nobody grants what they do not hold." "Let somebody who holds it grant it.";
    TenantNotFound "TENANT_NOT_FOUND" "There is no such tenant, or the caller does not belong to it." "Check the id or slug.";
    UserNotFound "USER_NOT_FOUND" "There is no such user." "Check the id or address.";
    RoleNotFound "ROLE_NOT_FOUND" "There is no such role in this tenant." "Check the name.";
    ClientNotFound "CLIENT_NOT_FOUND" "There is no such client in this tenant." "Check the client id.";
    WorkerNotFound "WORKER_NOT_FOUND" "There is no such worker in this tenant." "Check the worker id.";
    ApiKeyNotFound "API_KEY_NOT_FOUND" "There is no such API key." "Check the key's id.";
    SessionNotFound "SESSION_NOT_FOUND" "There is no such session." "Check the session id.";
    KeyNotFound "KEY_NOT_FOUND" "There is no such signing key." "Check the key id.";
    NotFound "NOT_FOUND" "There is nothing at this path." "Check the path against the API document.";
    MethodNotAllowed "METHOD_NOT_ALLOWED" "The path does not take this method." "Use a method that `Allow` names.";
    EmailExists "EMAIL_EXISTS" "The e-mail address belongs to a user already." "Use another address, or sign in.";
    TenantExists "TENANT_EXISTS" "The tenant id or slug is taken." "Choose another.";
    MemberExists "MEMBER_EXISTS" "The user is a member already." "Change the member's roles instead.";
    RoleExists "ROLE_EXISTS" "A role of this name exists." "Choose another name, or change that role.";
    ClientExists "CLIENT_EXISTS" "A client of this id exists, or the id is reserved." "Choose another id.";
    WorkerExists "WORKER_EXISTS" "A worker of this id exists." "Choose another id.";
    LastAdmin "LAST_ADMIN" "The last administrator cannot be removed, demoted, suspended or deleted." "Appoint another administrator first.";
    LimitExceeded "LIMIT_EXCEEDED" "A limit on the number of such things is reached." "Remove one that is no longer needed.";
    Conflict "CONFLICT" "Something changed at the same moment." "Read again and repeat the call.";
    PreconditionFailed "PRECONDITION_FAILED" "The record is not the one that `If-Match` names." "Read again and repeat the call.";
    BodyTooLarge "BODY_TOO_LARGE" "The request body is larger than 64 KiB." "Send less at once.";
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" "The body is not of a type that the call takes." "Send `Content-Type: application/json`.";
    RateLimited "RATE_LIMITED" "Too many requests of this kind." "Wait as long as `Retry-After` says.";
    Internal "INTERNAL" "Something broke inside the server." "Report the request id to the operator.";
    Overloaded "OVERLOADED" "The server has more to do than it can take." "Repeat the call after `Retry-After`.";
    StoreUnavailable "STORE_UNAVAILABLE" "The server cannot reach its store." "Repeat the call in a moment.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An expected no: a code, a sentence for the person, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The machine-readable reason.
    pub code: Code,
    /// The sentence for the person who asked. Holds no secret and no stored data of others.
    pub message: Cow<'static, str>,
    /// Member names and what is wrong with each.
    pub details: BTreeMap<String, String>,
    /// Seconds after which a repeat makes sense, where that is known.
    pub retry_after_seconds: Option<u64>,
}

impl Refusal {
    /// Makes a refusal with the sentence of its code.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self::new(code, code.meaning())
    }

    /// Makes a refusal with a sentence of its own.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: BTreeMap::new(), retry_after_seconds: None }
    }

    /// Makes the refusal of one member of a request: `INVALID_ARGUMENT` that names it.
    #[must_use]
    pub fn invalid(member: &str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::new(Code::InvalidArgument, format!("{member}: {reason}")).detail(member, reason)
    }

    /// The same refusal of another member: for a request that calls by another name what a grammar names.
    #[must_use]
    pub fn about(self, member: &str) -> Self {
        let reason = self.details.into_values().next();
        Self::invalid(member, reason.unwrap_or_else(|| self.message.into_owned()))
    }

    /// The same refusal, for a request that calls the member `from` by the name `to`.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Some(reason) = self.details.remove(from) {
            self.details.insert(to.to_owned(), reason);
        }
        self
    }

    /// Adds what is wrong with one member.
    #[must_use]
    pub fn detail(mut self, member: &str, reason: impl Into<String>) -> Self {
        self.details.insert(member.to_owned(), reason.into());
        self
    }

    /// Adds the time after which a repeat makes sense, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

/// Something broke that no request should be able to break.
///
/// The text is for the log, never for the caller, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum InternalError {
    /// A stored record cannot be read.
    #[error("the record {key} cannot be read: {reason}")]
    Record {
        /// The record's key, printable.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A decision asked for a record that was not read.
    #[error("the record {0} was needed but not read")]
    NotRead(String),
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Sign(#[from] tikti_token::SignError),
    /// A stored signing key cannot be opened or used.
    #[error("the signing key {kid} cannot be used: {reason}")]
    SigningKey {
        /// The key's id.
        kid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A cryptographic primitive failed.
    #[error("{0} failed inside the cryptographic library")]
    Crypto(&'static str),
    /// The operating system gave no thread.
    #[error("the {pool} pool could not be started")]
    Thread {
        /// The pool.
        pool: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A worker thread is gone.
    #[error("the {0} pool has stopped")]
    PoolStopped(&'static str),
}

/// How an operation fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An expected no, for the caller to see.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Box<Refusal>),
    /// The store did not do what was asked.
    #[error("the store answered with an error")]
    Store(#[from] StoreError),
    /// Something broke.
    #[error("an internal error")]
    Internal(#[from] InternalError),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Refusal::of(code).into()
    }
}

impl Error {
    /// The code that the caller sees for this failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Store(StoreError::Conflict { .. }) => Code::Conflict,
            Self::Store(StoreError::Unavailable { .. }) => Code::StoreUnavailable,
            Self::Store(
                StoreError::Corrupt { .. }
                | StoreError::TooLarge { .. }
                | StoreError::Misuse { .. },
            )
            | Self::Internal(_) => Code::Internal,
        }
    }
}

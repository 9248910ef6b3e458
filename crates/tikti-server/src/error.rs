//! What does the caller see when an operation says no? The only place that turns a [`Code`] into a
//! status, a JSON body and an OAuth error.
//!
//! A refusal travels through the middleware as a response extension and gets its body last, in
//! `write_body`, because only there the request id is known whatever went wrong before. Nothing
//! of what broke inside reaches a body: a failure shows the sentence of its code and no more.
//!
//! Spec: HTTP API, "Errors" and "Codes".

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tikti_domain::error::{Code, Error, Refusal};

use crate::api::{ErrorReply, OAuthErrorReply};

/// A refusal or a failure on its way to the caller.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    refusal: Box<Refusal>,
    /// What broke, for the log only.
    cause: Option<Arc<Error>>,
}

impl ApiError {
    /// The code that the caller sees.
    pub(crate) fn code(&self) -> Code {
        self.refusal.code
    }

    /// The sentence that the caller sees.
    pub(crate) fn message(&self) -> &str {
        &self.refusal.message
    }

    /// When a repeat makes sense. Whoever is turned away for lack of room or of a store is always
    /// told a time, or clients would come back at once.
    fn retry_after_seconds(&self) -> Option<u64> {
        let is_passing =
            matches!(self.code(), Code::RateLimited | Code::Overloaded | Code::StoreUnavailable);
        self.refusal.retry_after_seconds.or(is_passing.then_some(1))
    }

    /// The scheme by which a caller could show more (RFC 9110, section 15.5.2: every 401 names one).
    /// There is no registered one for API keys, and what people and their tokens show is a bearer
    /// token (RFC 6750, section 3).
    fn challenge(&self) -> &'static str {
        if self.code() == Code::InvalidApiKey {
            "ApiKey"
        } else if self.code() == Code::InvalidClientCredentials {
            "Basic"
        } else {
            "Bearer"
        }
    }

    /// Describes what broke, with the errors below it; absent for a refusal.
    pub(crate) fn cause(&self) -> Option<String> {
        let error: &dyn std::error::Error = self.cause.as_deref()?;
        let mut text = error.to_string();
        let mut below = error.source();
        while let Some(source) = below {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {source}");
            below = source.source();
        }
        Some(text)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal: Box::new(refusal), cause: None }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Refusal::of(code).into()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self { refusal, cause: None },
            broken @ (Error::Store(_) | Error::Internal(_)) => Self {
                refusal: Box::new(Refusal::of(broken.code())),
                cause: Some(Arc::new(broken)),
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = status(self.code()).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status(self.code()) == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge()));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks a response whose body is written already.
#[derive(Clone, Copy)]
struct HasBody;

/// A refusal whose body is a page for people instead of JSON; with its own status and headers.
pub(crate) fn as_page(error: ApiError, page: impl IntoResponse) -> Response {
    let mut response = error.into_response();
    let (parts, body) = page.into_response().into_parts();
    response.headers_mut().extend(parts.headers);
    response.extensions_mut().insert(HasBody);
    *response.body_mut() = body;
    response
}

/// Whether an OAuth endpoint is at `path`, or would be.
pub(crate) fn is_oauth_path(path: &str) -> bool {
    path.starts_with("/oauth2/")
}

/// Marks a refusal whose body has the shape of RFC 6749 section 5.2.
#[derive(Clone, Copy)]
struct OAuthShape;

/// Gives an answer what is particular to OAuth endpoints: nobody keeps it, and a refusal has a status
/// that stock clients know, 400 but for `invalid_client`, 429 and what the server could not do. Only where no
/// endpoint was reached it keeps its own: no such path, no such method.
pub(crate) fn at_oauth_endpoint(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    let Some(code) = response.extensions().get::<ApiError>().map(ApiError::code) else {
        return response;
    };
    let status = oauth_status(code);
    *response.status_mut() = status;
    response.headers_mut().remove(header::WWW_AUTHENTICATE);
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, OAUTH_CHALLENGE);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from(1));
    }
    response.extensions_mut().insert(OAuthShape);
    response
}

/// By what a client can show who it is (RFC 6749, section 5.2).
const OAUTH_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"tikti\"");

/// The status of `code` at an OAuth endpoint.
fn oauth_status(code: Code) -> StatusCode {
    match at_oauth(code) {
        AtOAuth::Http => status(code),
        AtOAuth::Error(error) | AtOAuth::Like(error) => match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "slow_down" => StatusCode::TOO_MANY_REQUESTS,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        },
    }
}

/// A sentence in the characters that `error_description` may have (RFC 6749, section 5.2).
fn described(sentence: &str) -> String {
    let fitting = sentence.chars().map(|char| match char {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => char,
        _ => '?',
    });
    fitting.collect()
}

/// Gives a refused response its body; leaves every other response as it is. `request_id` is empty
/// where the request has none.
pub(crate) fn write_body(mut response: Response, request_id: &str) -> Response {
    if response.extensions().get::<HasBody>().is_some() {
        return response;
    }
    let Some(error) = response.extensions().get::<ApiError>() else {
        return response;
    };
    let code = error.code();
    let written = if response.extensions().get::<OAuthShape>().is_some() {
        Json(OAuthErrorReply {
            error: at_oauth(code).name().to_owned(),
            error_description: described(error.message()),
            code: code.as_str().to_owned(),
            details: error.refusal.details.clone(),
            request_id: request_id.to_owned(),
        })
        .into_response()
    } else {
        Json(ErrorReply {
            error: error.refusal.message.clone().into_owned(),
            code: code.as_str().to_owned(),
            details: error.refusal.details.clone(),
            request_id: request_id.to_owned(),
        })
        .into_response()
    };
    let (parts, body) = written.into_parts();
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = body;
    response
}

/// Answers for a handler that panicked: `INTERNAL`, and nothing of what the panic said.
pub(crate) fn panicked(_payload: Box<dyn std::any::Any + Send>) -> Response<Body> {
    ApiError::from(Code::Internal).into_response()
}

/// The HTTP status of `code`.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument
        | Code::InvalidEmail
        | Code::WeakPassword
        | Code::PasswordTooLong
        | Code::InvalidTtl
        | Code::EventTypesRequired
        | Code::TenantRequired
        | Code::TenantConflict
        | Code::UnknownAudience
        | Code::UnsupportedGrantType => StatusCode::BAD_REQUEST,
        Code::InvalidLoginCredentials
        | Code::InvalidOobCode
        | Code::CredentialTooOld
        | Code::InvalidApiKey
        | Code::InvalidClientCredentials
        | Code::Unauthenticated
        | Code::InvalidIdToken
        | Code::TokenExpired
        | Code::TokenRevoked
        | Code::InvalidRefreshToken => StatusCode::UNAUTHORIZED,
        Code::ApiKeyForbidden
        | Code::GrantNotAllowed
        | Code::WorkerDisabled
        | Code::UserDisabled
        | Code::MembershipRequired
        | Code::TenantDisabled
        | Code::EventTypeNotPermitted
        | Code::SubjectNotPermitted
        | Code::ClientDisabled
        | Code::ScopeNotPermitted
        | Code::AdminRequired
        | Code::PermissionDenied
        | Code::EscalationDenied => StatusCode::FORBIDDEN,
        Code::TenantNotFound
        | Code::UserNotFound
        | Code::RoleNotFound
        | Code::ClientNotFound
        | Code::WorkerNotFound
        | Code::ApiKeyNotFound
        | Code::SessionNotFound
        | Code::KeyNotFound
        | Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::EmailExists
        | Code::TenantExists
        | Code::MemberExists
        | Code::RoleExists
        | Code::ClientExists
        | Code::WorkerExists
        | Code::LastAdmin
        | Code::LimitExceeded
        | Code::Conflict => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Overloaded | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What an OAuth endpoint makes of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtOAuth {
    /// The error (RFC 6749 section 5.2, RFC 8707 section 2) that the specification has for it.
    Error(&'static str),
    /// The specification has none, as hardly any such endpoint answers it: then the error that has a stock
    /// client do the right thing.
    Like(&'static str),
    /// No endpoint was reached: HTTP answers.
    Http,
}

impl AtOAuth {
    /// The error on the wire.
    fn name(self) -> &'static str {
        match self {
            Self::Error(name) | Self::Like(name) => name,
            Self::Http => "invalid_request",
        }
    }
}

fn at_oauth(code: Code) -> AtOAuth {
    AtOAuth::Error(match code {
        Code::InvalidArgument
        | Code::InvalidEmail
        | Code::WeakPassword
        | Code::PasswordTooLong
        | Code::InvalidTtl
        | Code::EventTypesRequired
        | Code::TenantRequired
        | Code::TenantConflict
        | Code::InvalidIdToken
        | Code::TokenExpired
        | Code::TokenRevoked
        | Code::MembershipRequired
        | Code::TenantDisabled
        | Code::EventTypeNotPermitted
        | Code::SubjectNotPermitted
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType => "invalid_request",
        Code::UnknownAudience | Code::ClientDisabled => "invalid_target",
        Code::InvalidApiKey | Code::InvalidClientCredentials => "invalid_client",
        Code::UnsupportedGrantType => "unsupported_grant_type",
        Code::InvalidRefreshToken => "invalid_grant",
        Code::ApiKeyForbidden | Code::GrantNotAllowed | Code::WorkerDisabled => {
            "unauthorized_client"
        }
        Code::UserDisabled => "access_denied",
        Code::ScopeNotPermitted => "invalid_scope",
        Code::RateLimited => "slow_down",
        Code::Internal => "server_error",
        Code::Overloaded | Code::StoreUnavailable => "temporarily_unavailable",
        Code::NotFound | Code::MethodNotAllowed => return AtOAuth::Http,
        // Somebody else was first: the same request may be a success at once.
        Code::Conflict => return AtOAuth::Like("temporarily_unavailable"),
        Code::AdminRequired | Code::PermissionDenied | Code::EscalationDenied => {
            return AtOAuth::Like("access_denied");
        }
        Code::InvalidLoginCredentials
        | Code::InvalidOobCode
        | Code::CredentialTooOld
        | Code::Unauthenticated
        | Code::TenantNotFound
        | Code::UserNotFound
        | Code::RoleNotFound
        | Code::ClientNotFound
        | Code::WorkerNotFound
        | Code::ApiKeyNotFound
        | Code::SessionNotFound
        | Code::KeyNotFound
        | Code::EmailExists
        | Code::TenantExists
        | Code::MemberExists
        | Code::RoleExists
        | Code::ClientExists
        | Code::WorkerExists
        | Code::LastAdmin
        | Code::LimitExceeded
        | Code::PreconditionFailed => return AtOAuth::Like("invalid_request"),
    })
}

/// The OAuth error that the specification has for `code`.
pub(crate) fn oauth_error(code: Code) -> Option<&'static str> {
    match at_oauth(code) {
        AtOAuth::Error(error) => Some(error),
        AtOAuth::Like(_) | AtOAuth::Http => None,
    }
}

/// Everything a person needs to know about one code: a row of the error reference.
#[derive(Clone, Copy, Debug)]
pub struct CodeReference {
    /// The code on the wire.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The error at an OAuth endpoint, where one answers with this code.
    pub oauth_error: Option<&'static str>,
    /// What happened.
    pub meaning: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// Lists every code, in the order of the specification.
pub fn reference() -> impl Iterator<Item = CodeReference> {
    Code::ALL.iter().map(|&code| CodeReference {
        code: code.as_str(),
        status: status(code).as_u16(),
        oauth_error: oauth_error(code),
        meaning: code.meaning(),
        advice: code.advice(),
    })
}

#[cfg(test)]
mod tests;

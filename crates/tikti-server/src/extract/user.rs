//! Which user does the request name, in its path or in the query?
//!
//! Spec: HTTP API, "Identity" (`/v1/users`).

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use tikti_domain::email::Email;
use tikti_domain::error::Code;
use tikti_domain::id::UserId;

use super::query;
use crate::error::ApiError;
use crate::state::Shared;

/// The `{id}` of a path. What is no id names no user.
pub(crate) struct PathUser(pub(crate) UserId);

impl FromRequestParts<Shared> for PathUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let found: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        let id = found.ok().and_then(|Path(text)| UserId::parse(&text).ok());
        Ok(Self(id.ok_or(Code::UserNotFound)?))
    }
}

/// The address that `email` of the query asks for.
pub(crate) struct EmailFilter(pub(crate) Option<Email>);

impl FromRequestParts<Shared> for EmailFilter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let email = query::member(parts, "email")?;
        Ok(Self(email.as_deref().map(Email::parse).transpose()?))
    }
}

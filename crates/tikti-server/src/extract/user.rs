//! Which user does the query name?
//!
//! Spec: HTTP API, "Identity" (`/v1/users`).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tikti_domain::email::Email;

use super::query;
use crate::error::ApiError;
use crate::state::Shared;

/// The address that `email` of the query asks for.
pub(crate) struct EmailFilter(pub(crate) Option<Email>);

impl FromRequestParts<Shared> for EmailFilter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let email = query::member(parts, "email")?;
        Ok(Self(email.as_deref().map(Email::parse).transpose()?))
    }
}

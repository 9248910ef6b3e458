//! Which state of a thing does the request expect to find?
//!
//! Spec: RFC 9110, section 13.1.1.

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use tikti_domain::error::Refusal;
use tikti_domain::etag::Precondition;

use crate::error::ApiError;
use crate::state::Shared;

/// What `If-Match` says.
pub(crate) struct IfMatch(pub(crate) Precondition);

impl FromRequestParts<Shared> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let mut tags = Vec::new();
        for value in parts.headers.get_all(IF_MATCH) {
            let text = value.to_str().map_err(|_| Refusal::invalid("If-Match", "is no text"))?;
            // Tags of ours hold no comma.
            tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
        }
        Ok(Self(match tags.as_slice() {
            [] => Precondition::None,
            [any] if any == "*" => Precondition::Any,
            _ => Precondition::OneOf(tags),
        }))
    }
}

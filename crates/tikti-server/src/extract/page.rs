//! Which page of a list is asked for?
//!
//! Spec: HTTP API, "Lists".

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tikti_domain::error::Refusal;
use tikti_domain::page::PageRequest;

use super::query;
use crate::error::ApiError;
use crate::state::Shared;

/// `pageSize` and `pageToken` of the query.
pub(crate) struct Paging(pub(crate) PageRequest);

impl FromRequestParts<Shared> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let size = match query::member(parts, "pageSize")? {
            None => None,
            Some(text) => Some(number(&text)?),
        };
        Ok(Self(PageRequest::new(size, query::member(parts, "pageToken")?)?))
    }
}

fn number(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::invalid("pageSize", "must be a number"))
}

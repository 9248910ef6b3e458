//! Which events of the audit are asked for, and in which form?
//!
//! Spec: HTTP API, "Tenant administration", audit, "Lists".

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use tikti_domain::audit::{Action, AuditQuery};
use tikti_domain::clock::{Timestamp, parse_rfc3339};
use tikti_domain::error::Refusal;

use super::page::Paging;
use super::query;
use crate::error::ApiError;
use crate::state::Shared;

/// JSON with a line feed behind each value (<https://jsonlines.org>).
pub(crate) const LINES: &str = "application/jsonl";

/// `from`, `to`, `action`, `actor` and the page of the query.
pub(crate) struct Events(pub(crate) AuditQuery);

impl FromRequestParts<Shared> for Events {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Paging(page) = Paging::from_request_parts(parts, state).await?;
        let action = query::member(parts, "action")?;
        Ok(Self(AuditQuery {
            from: time(parts, "from")?,
            to: time(parts, "to")?,
            action: action.as_deref().map(Action::parse).transpose()?,
            actor: query::member(parts, "actor")?,
            page,
        }))
    }
}

fn time(parts: &Parts, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = query::member(parts, name)? else { return Ok(None) };
    // A plus that is not encoded arrives as a space, and stands in no other place of a time.
    let time = parse_rfc3339(&text.replace(' ', "+"));
    let refuse = || Refusal::invalid(name, "must be RFC 3339, as 2026-01-31T12:00:00Z");
    time.map(Some).ok_or_else(refuse)
}

/// Whether the client takes one event a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsLines(pub(crate) bool);

impl FromRequestParts<Shared> for AsLines {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Infallible> {
        let accepted = parts.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = accepted.flat_map(|text| text.split(','));
        let essence = |range: &str| range.split(';').next().unwrap_or_default().trim().to_owned();
        Ok(Self(ranges.any(|range| essence(range).eq_ignore_ascii_case(LINES))))
    }
}

//! Does the client take a list as it was before lists had pages?
//!
//! Spec: Real clients, "Older Tikti clients and data".

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::Value;
use tikti_domain::error::{Code, Refusal};

use crate::error::ApiError;
use crate::reply::Reply;
use crate::state::Shared;

/// What an older client asks for: the bare array.
const BARE: &str = "application/vnd.tikti.v0+json";

/// How a list is to be answered.
pub(crate) struct Listed {
    is_bare: bool,
}

impl FromRequestParts<Shared> for Listed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let accepted = parts.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = accepted.flat_map(|text| text.split(','));
        let essence = |range: &str| range.split(';').next().unwrap_or_default().trim().to_owned();
        Ok(Self { is_bare: ranges.any(|range| essence(range).eq_ignore_ascii_case(BARE)) })
    }
}

impl Listed {
    /// The page, or what it lists alone.
    pub(crate) fn reply<P: Serialize, T: Serialize>(
        &self,
        page: P,
        items: impl Fn(&P) -> &Vec<T>,
    ) -> Result<Reply<Value>, ApiError> {
        let value = if self.is_bare {
            serde_json::to_value(items(&page))
        } else {
            serde_json::to_value(&page)
        };
        let value = value.map_err(|_| Refusal::of(Code::Internal))?;
        Ok(Reply::new(value))
    }
}

//! The one shape of every refusal and every failure, and its shape at OAuth endpoints.
//!
//! `error` is always a string: clients of the earliest Tikti read only that.
//!
//! Spec: HTTP API, "Errors".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReply {
    /// Sentence for people; may change between versions.
    #[schema(example = "the audience is not a client of this tenant")]
    pub error: String,
    /// One of the documented codes: what programs compare.
    #[schema(example = "UNKNOWN_AUDIENCE")]
    pub code: String,
    /// Member of the request to reason; empty where no member is to blame.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
    /// Same as the header `X-Request-Id`; finds the request in the log.
    #[serde(default)]
    pub request_id: String,
}

/// Why an OAuth endpoint did not do what was asked (RFC 6749, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthErrorReply {
    /// The error, as OAuth names it.
    #[schema(example = "invalid_target")]
    pub error: String,
    /// Sentence for people; may change between versions.
    #[schema(example = "the audience is not a client of this tenant")]
    pub error_description: String,
    /// One of the documented codes, which say more than `error`.
    #[schema(example = "UNKNOWN_AUDIENCE")]
    pub code: String,
    /// Member of the request to reason; left out where no member is to blame.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// Same as the header `X-Request-Id`; finds the request in the log.
    #[serde(default, rename = "requestId")]
    pub request_id: String,
}

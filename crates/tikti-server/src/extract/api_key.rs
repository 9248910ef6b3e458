//! Which API key comes with the request: `X-API-Key`, or `?key=` of old clients?
//!
//! Two keys that differ are refused, so that no part of the service can look at one and act on the
//! other.
//!
//! Spec: HTTP API, "API key"; real clients, codeQ row 3.

use axum::http::request::Parts;
use tikti_domain::error::Refusal;
use tikti_domain::secret::{ExposeSecret, SecretString};

use super::query;

const HEADER: &str = "x-api-key";

/// Reads the API key; an empty one counts as absent.
pub(super) fn api_key(parts: &Parts) -> Result<Option<SecretString>, Refusal> {
    let in_query = query::member(parts, "key")?.map(SecretString::from);
    let in_header = from_header(parts)?;
    match (in_header, in_query) {
        (Some(header), Some(query)) if header.expose_secret() != query.expose_secret() => {
            Err(Refusal::invalid("key", "the header and the query name different API keys"))
        }
        (header, query) => Ok(header.or(query)),
    }
}

fn from_header(parts: &Parts) -> Result<Option<SecretString>, Refusal> {
    let mut values = parts.headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::invalid("X-API-Key", "is given twice"));
    }
    // A key is ASCII. Whatever else stands here is passed on to be refused as an unknown key.
    let key = String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok((!key.is_empty()).then(|| SecretString::from(key)))
}

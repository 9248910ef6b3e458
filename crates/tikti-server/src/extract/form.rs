//! What is asked, from a form or from JSON? For the calls that OAuth has shaped.
//!
//! A form becomes the object of its members, so that both are read by the same type and refused alike.
//!
//! Spec: HTTP API, Identity, `/v1/token`; RFC 6749, appendix B.

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tikti_domain::error::Refusal;

use super::json;
use super::json_error;
use crate::error::ApiError;
use crate::state::Shared;

/// A body of either kind, read into the wire type `T`.
pub(crate) struct FormOrJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for FormOrJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let value = parts.headers.get(CONTENT_TYPE);
        let is_form = value.is_some_and(|value| {
            json::essence(value).eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if !is_form {
            let advice = "must be application/json or application/x-www-form-urlencoded";
            json::check_media_type(&parts.headers, advice)?;
        }
        let bytes = json::read_in_time(&parts, body).await?;
        Ok(Self(if is_form { parse(&bytes)? } else { json::parse(&bytes)? }))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        let value = Value::String(value.into_owned());
        if members.insert(name.clone().into_owned(), value).is_some() {
            return Err(Refusal::invalid("body", "holds a member twice"));
        }
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| json_error::explain(".", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TokenRequest;

    #[test]
    fn a_form_is_read_as_the_object_of_its_members() {
        let read: TokenRequest =
            parse(b"grant_type=refresh_token&refresh_token=rt_a%2Bb+c&other=1").unwrap();
        assert_eq!((read.refresh_token.as_str(), read.tenant_id), ("rt_a+b c", None));
        for bad in ["", "grant_type=a", "grant_type=a&refresh_token=b&grant_type=c"] {
            assert!(parse::<TokenRequest>(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

//! May this request come again, and by what name?
//!
//! Spec: HTTP API, "Tenant administration" (`Idempotency-Key`). Why: docs/decisions/0033.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tikti_domain::error::Refusal;
use tikti_domain::idempotency::Repeatable;

use super::json;
use crate::error::ApiError;
use crate::state::Shared;

const HEADER: &str = "idempotency-key";

/// A JSON body, read into the wire type `T`, of a request that may carry an `Idempotency-Key`.
pub(crate) struct RepeatableBody<T> {
    /// By what name it may come again; for `Caller::repeatable`.
    pub(crate) repeatable: Option<Repeatable>,
    /// What is asked for.
    pub(crate) request: T,
}

impl<T: DeserializeOwned> FromRequest<Shared> for RepeatableBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, ApiError> {
        Ok(read(request, json::parse).await?)
    }
}

/// As [`RepeatableBody`], where the body may be left out.
pub(crate) struct RepeatableOrNothing<T>(pub(crate) RepeatableBody<T>);

impl<T: DeserializeOwned + Default> FromRequest<Shared> for RepeatableOrNothing<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, ApiError> {
        Ok(Self(read(request, or_nothing).await?))
    }
}

fn or_nothing<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.is_empty() { Ok(T::default()) } else { json::parse(bytes) }
}

async fn read<T>(
    request: Request,
    parse: impl Fn(&[u8]) -> Result<T, Refusal>,
) -> Result<RepeatableBody<T>, Refusal> {
    let (parts, body) = request.into_parts();
    let name = name(&parts.headers)?;
    json::check_media_type(&parts.headers, "must be application/json")?;
    let bytes = json::read_in_time(&parts, body).await?;
    let request = parse(&bytes)?;
    let line = (parts.method.as_str(), parts.uri.path());
    let named = |name| Repeatable::new(name, line, &document(&bytes)?);
    Ok(RepeatableBody { repeatable: name.map(named).transpose()?, request })
}

/// The body as it was meant; a body that may be left out is none then.
fn document(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.is_empty() { Ok(Value::Null) } else { json::parse(bytes) }
}

/// The value of the header. Whatever is no text is no name either: the grammar refuses it.
fn name(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(HEADER).iter();
    let first = values.next().map(|value| value.to_str().unwrap_or_default());
    if values.next().is_some() {
        return Err(Refusal::invalid("Idempotency-Key", "is given twice"));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tikti_domain::error::Code;

    use super::*;
    use crate::api::{AddWorkerSecretRequest, CreateRoleRequest};

    const BODY: &str = r#"{"name":"CLERK","permissions":[]}"#;

    async fn reads(names: &[&[u8]], body: &'static str) -> Result<bool, Refusal> {
        let mut request = Request::post("/v1/tenants/acme/roles");
        for name in names {
            request = request.header(HEADER, *name);
        }
        let read =
            read(request.body(Body::from(body)).unwrap(), json::parse::<CreateRoleRequest>).await?;
        assert_eq!(read.request.name, "CLERK");
        Ok(read.repeatable.is_some())
    }

    #[tokio::test]
    async fn a_request_has_the_name_that_its_header_says_or_none() {
        assert_eq!(reads(&[], BODY).await, Ok(false));
        assert_eq!(reads(&[b"n1"], BODY).await, Ok(true));
    }

    #[tokio::test]
    async fn refuses_a_name_that_is_none_and_two_names() {
        for names in [&[&b""[..]][..], &[b"a b"], &[b"\xff"], &[b"n1", b"n1"]] {
            let refused = reads(names, BODY).await.unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument);
            assert!(refused.details.contains_key("Idempotency-Key"), "{refused}");
        }
    }

    #[tokio::test]
    async fn refuses_what_any_body_is_refused_for() {
        for body in ["", "[]", "{", r#"{"name":7,"permissions":[]}"#] {
            let refused = reads(&[b"n1"], body).await.unwrap_err();
            assert!(!refused.details.contains_key("Idempotency-Key"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_body_may_be_left_out_where_the_route_says_so() {
        let request = Request::post("/v1/tenants/acme/workers/w/secrets").header(HEADER, "n1");
        let request = request.body(Body::empty()).unwrap();
        let read = read(request, or_nothing::<AddWorkerSecretRequest>).await.unwrap();
        assert!(read.request.expires_at.is_none() && read.repeatable.is_some());
    }
}

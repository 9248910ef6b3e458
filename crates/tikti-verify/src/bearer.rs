//! Which requests get through to the service behind? Those with one good bearer token.
//!
//! A layer for any server over [`http::Request`]. Whatever reaches the inner service carries a
//! [`Caller`] in its extensions; whatever does not is answered here, and the inner service never
//! hears of it. Only the `Authorization` header is read: a token in a URL ends up in logs (RFC 6750
//! section 2.3).
//!
//! Spec: Tokens and keys, "Verification". RFC 6750 sections 2.1 and 3.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

use crate::answer::answer;
use crate::caller::Caller;
use crate::error::Refusal;
use crate::verifier::Verifier;

/// Which classes of token a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Access,
    Worker,
    Either,
}

/// Finds the tenant that a request names.
type TenantOf = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;

/// Lets requests with a good bearer token through, with a [`Caller`] in their extensions.
///
/// Put what must answer without a token, such as CORS preflights and health checks, outside of it.
#[derive(Clone)]
#[must_use]
pub struct BearerLayer {
    verifier: Verifier,
    takes: Takes,
    tenant_of: Option<TenantOf>,
}

impl BearerLayer {
    /// Takes access tokens.
    pub fn access(verifier: &Verifier) -> Self {
        Self::new(verifier, Takes::Access)
    }

    /// Takes worker tokens.
    pub fn worker(verifier: &Verifier) -> Self {
        Self::new(verifier, Takes::Worker)
    }

    /// Takes tokens of both classes; [`Caller::claims`] tells which.
    pub fn either(verifier: &Verifier) -> Self {
        Self::new(verifier, Takes::Either)
    }

    fn new(verifier: &Verifier, takes: Takes) -> Self {
        Self { verifier: verifier.clone(), takes, tenant_of: None }
    }

    /// Refuses tokens of another tenant than the one that `tenant_of` finds in the request, as in a
    /// segment of its path. Where it finds none the request is refused.
    pub fn tenant_of<F>(mut self, tenant_of: F) -> Self
    where
        F: Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    {
        self.tenant_of = Some(Arc::new(tenant_of));
        self
    }

    async fn judge(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = bearer_token(headers)?;
        match self.takes {
            Takes::Access => self.verifier.verify_access(token).await.map(Caller::from),
            Takes::Worker => self.verifier.verify_worker(token).await.map(Caller::from),
            Takes::Either => self.verifier.verify_either(token).await,
        }
    }

    /// Puts the caller into `parts`.
    async fn admit(&self, parts: &mut Parts) -> Result<(), Refusal> {
        let caller = self.judge(&parts.headers).await?;
        if let Some(tenant_of) = &self.tenant_of
            && tenant_of(parts).is_none_or(|tenant| tenant != caller.tenant())
        {
            return Err(Refusal::OtherTenant);
        }
        // In place of one that may be there: a caller comes from a token that was verified here.
        parts.extensions.insert(caller);
        Ok(())
    }
}

impl fmt::Debug for BearerLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BearerLayer")
            .field("verifier", &self.verifier)
            .field("takes", &self.takes)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Bearer<S> {
        Bearer { inner, layer: self.clone() }
    }
}

/// The service that [`BearerLayer`] makes.
#[derive(Clone, Debug)]
pub struct Bearer<S> {
    inner: S,
    layer: BearerLayer,
}

impl<S, B, R> Service<Request<B>> for Bearer<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that said it is ready, not its clone.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.admit(&mut parts).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(refusal) => {
                    let verifier = &layer.verifier;
                    Ok(answer(refusal, verifier.realm(), verifier.required_scopes()))
                }
            }
        })
    }
}

/// Reads `Authorization: Bearer`.
///
/// Two such headers may be read by two programs as two callers, so they are none.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next().ok_or(Refusal::NoToken)?;
    if values.next().is_some() {
        return Err(Refusal::MalformedRequest);
    }
    let value = value.to_str().map_err(|_| Refusal::MalformedRequest)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::NoToken);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() { Err(Refusal::MalformedRequest) } else { Ok(token) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn one_header_with_one_token_is_read() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "Bearer a.b.c "] {
            assert_eq!(read(&[value.as_bytes()]), Ok("a.b.c".to_owned()), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_token_or_malformed() {
        for value in ["", " ", "Basic dXNlcjpwdw==", "a.b.c", "Bearera.b.c", "DPoP a.b.c"] {
            assert_eq!(read(&[value.as_bytes()]), Err(Refusal::NoToken), "{value}");
        }
        for value in [&b"Bearer"[..], b"Bearer ", b"Bearer \xff"] {
            assert_eq!(read(&[value]), Err(Refusal::MalformedRequest), "{value:?}");
        }
        assert_eq!(read(&[]), Err(Refusal::NoToken));
        for other in [&b"Bearer a.b.c"[..], b"Bearer x.y.z", b"Basic eA==", b""] {
            assert_eq!(read(&[b"Bearer a.b.c", other]), Err(Refusal::MalformedRequest));
            assert_eq!(read(&[other, b"Bearer a.b.c"]), Err(Refusal::MalformedRequest));
        }
    }
}

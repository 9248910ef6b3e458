//! Which scopes does this route need?
//!
//! A layer inside of [`BearerLayer`](crate::BearerLayer), one a route or a group of routes. Without
//! a caller in front of it nothing passes.
//!
//! Spec: Tokens and keys, scope is a set. RFC 6750 section 3.1.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service};

use crate::answer::answer;
use crate::builder::is_scope_token;
use crate::caller::Caller;
use crate::error::{BuildError, Refusal};

/// Lets requests through whose caller has all of these scopes.
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireScopes(Arc<[String]>);

impl RequireScopes {
    /// Requires each of `scopes`.
    ///
    /// # Errors
    /// [`BuildError::Scope`] for what no token can hold, and for no scope at all.
    pub fn all<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, BuildError> {
        let scopes: Arc<[String]> = scopes.into_iter().map(str::to_owned).collect();
        if scopes.is_empty() || !scopes.iter().all(|scope| is_scope_token(scope)) {
            return Err(BuildError::Scope);
        }
        Ok(Self(scopes))
    }

    fn judge(&self, caller: Option<&Caller>) -> Result<(), Refusal> {
        let caller = caller.ok_or(Refusal::NoToken)?;
        let has_all = self.0.iter().all(|scope| caller.has_scope(scope));
        if has_all { Ok(()) } else { Err(Refusal::MissingScope) }
    }
}

impl<S> Layer<S> for RequireScopes {
    type Service = Scoped<S>;

    fn layer(&self, inner: S) -> Scoped<S> {
        Scoped { inner, scopes: self.clone() }
    }
}

/// The service that [`RequireScopes`] makes.
#[derive(Clone, Debug)]
pub struct Scoped<S> {
    inner: S,
    scopes: RequireScopes,
}

impl<S, B, R> Service<Request<B>> for Scoped<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let caller = request.extensions().get::<Caller>();
        match self.scopes.judge(caller) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(refusal) => {
                let realm = caller.map_or("api", |caller| caller.access().aud.as_str());
                let (realm, scopes) = (realm.to_owned(), Arc::clone(&self.scopes.0));
                Box::pin(async move { Ok(answer(refusal, &realm, &scopes)) })
            }
        }
    }
}

//! What is answered before the router? The published keys, which every resource server of a deployment asks for.
//!
//! They are in memory, and what lies around a route costs more than they do. So a `GET` of them goes past it, by the
//! functions that the layers are made of: nobody can tell it from an answer of the route, which tests compare.
//! Everything else of the path, and an id that cannot be made, is the router's.
//!
//! Spec: Performance, "JWKS". Why: docs/decisions/0049.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, Request};
use axum::response::Response;
use tikti_domain::JwksDocument;

use crate::extract::request_id::HEADER;
use crate::middleware::access_log::Line;
use crate::middleware::{request_id, security_headers};
use crate::routes::oauth2::jwks;
use crate::state::AppState;

/// The paths of the route, as the table has them.
pub(crate) const PATHS: [&str; 2] = ["/.well-known/jwks.json", "/v1/.well-known/jwks.json"];

/// The last answer, for as long as it is the same.
#[derive(Default)]
pub(crate) struct Published(RwLock<Option<Arc<Ready>>>);

/// An answer that lacks nothing but the id of its request.
struct Ready {
    /// What it was made of: the keys, and for how long they may be held.
    document: Arc<JwksDocument>,
    held_for: Duration,
    headers: HeaderMap,
    body: Bytes,
}

/// Answers a request for the published keys; `None` for every other.
pub(crate) fn answer<B>(state: &AppState, request: &Request<B>) -> Option<Response> {
    let path = request.uri().path();
    let route = PATHS.into_iter().find(|route| *route == path)?;
    if request.method() != Method::GET {
        return None;
    }
    let began = Instant::now();
    let id = state.request_ids.of(request.headers()).ok()?;
    let Ready { document, headers, body, .. } = &*state.published.ready(state);
    let whole = (headers.clone(), body.clone());
    let mut response = jwks::unless_known(whole, &document.etag, request.headers());
    request_id::show(response.headers_mut(), &id);
    Line { id: Some(&id), method: &Method::GET, route, began }.write(&response);
    Some(response)
}

impl Published {
    /// The answer of this moment.
    fn ready(&self, state: &AppState) -> Arc<Ready> {
        // In this order, as at the route.
        let held_for = Duration::from_secs(state.domain.keys_may_be_held().as_secs());
        let document = state.domain.jwks();
        let is_same = |ready: &Arc<Ready>| {
            ready.held_for == held_for && Arc::ptr_eq(&ready.document, &document)
        };
        let last = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(is_same).unwrap_or_else(|| {
            let ready = Arc::new(Ready::of(document, held_for, state.is_https));
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ready));
            ready
        })
    }
}

impl Ready {
    fn of(document: Arc<JwksDocument>, held_for: Duration, is_https: bool) -> Self {
        let mut headers = jwks::head(held_for, &document);
        security_headers::add(&mut headers, is_https);
        // The place of the id, which each request has of its own.
        headers.insert(HEADER, HeaderValue::from_static(""));
        let body = Bytes::from(document.body.clone());
        Self { document, held_for, headers, body }
    }
}

#[cfg(test)]
mod tests;

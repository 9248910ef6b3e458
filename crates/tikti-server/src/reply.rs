//! What does a handler answer when all went well? A JSON body, and for the log whom it was about.
//!
//! Spec: Operations, "Seeing what happens".

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tikti_domain::etag::ETag;
use tikti_domain::id::{TenantId, UserId};

/// A successful answer: always 200, also for creations, because old clients test for it.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    body: T,
    about: About,
    etag: Option<ETag>,
}

/// Whom a request was about, as far as its answer tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// Tenant that the request acted in.
    pub(crate) tenant: Option<TenantId>,
    /// User who asked.
    pub(crate) user: Option<UserId>,
}

impl<T> Reply<T> {
    /// Answers with `body`.
    pub(crate) fn new(body: T) -> Self {
        Self { body, about: About::default(), etag: None }
    }

    /// Notes for the log which tenant the request acted in.
    pub(crate) fn in_tenant(mut self, tenant: Option<TenantId>) -> Self {
        self.about.tenant = tenant;
        self
    }

    /// Says by which tag `If-Match` may name what was answered.
    pub(crate) fn tagged(mut self, etag: &ETag) -> Self {
        self.etag = Some(etag.clone());
        self
    }

    /// Notes for the log which user asked.
    pub(crate) fn by_user(mut self, user: UserId) -> Self {
        self.about.user = Some(user);
        self
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        response.extensions_mut().insert(self.about);
        let etag = self.etag.and_then(|etag| HeaderValue::from_str(&etag.quoted()).ok());
        if let Some(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

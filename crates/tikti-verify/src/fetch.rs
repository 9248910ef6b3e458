//! How is the issuer asked? The only HTTP client of this crate.
//!
//! A document is bounded in size, no redirect is followed and no proxy used; the time limit is
//! around all that one refresh does. Nothing is sent but a user agent and an entity tag.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, AGE, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::document::lifetime;
use crate::error::{BuildError, RefreshError};

/// Larger than any set of keys that a deployment has, and small enough for anything to hold.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// What came back.
pub(crate) enum Reply {
    /// What the entity tag names is still so.
    NotModified {
        lifetime: Duration,
    },
    Document {
        body: Vec<u8>,
        etag: Option<HeaderValue>,
        lifetime: Duration,
    },
}

/// Makes a client for documents at `url`.
pub(crate) fn client(url: &Url, connect_timeout: Duration) -> Result<Client, BuildError> {
    #[expect(clippy::disallowed_methods, reason = "the crate's one client, with its time-outs")]
    let mut builder = Client::builder();
    if url.scheme() == "https" {
        builder = builder.https_only(true);
    } else {
        // Plain HTTP needs no root certificates, and must work on a machine that has none.
        builder = builder.tls_certs_only([]);
    }
    builder
        .connect_timeout(connect_timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("tikti-verify/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| BuildError::HttpClient)
}

/// Fetches the document at `url`; `known` is the entity tag of the one that is held.
pub(crate) async fn get(
    client: &Client,
    url: Url,
    known: Option<HeaderValue>,
) -> Result<Reply, RefreshError> {
    let mut request = client.get(url).header(ACCEPT, "application/json");
    let is_conditional = known.is_some();
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, known);
    }
    let response = request.send().await.map_err(|error| broken(&error))?;
    let headers = response.headers();
    let lifetime = lifetime(texts(headers, &CACHE_CONTROL), texts(headers, &AGE).next());
    match response.status() {
        StatusCode::OK => {
            let etag = headers.get(ETAG).cloned();
            let body = bounded_body(response).await?;
            Ok(Reply::Document { body, etag, lifetime })
        }
        StatusCode::NOT_MODIFIED if is_conditional => Ok(Reply::NotModified { lifetime }),
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            Err(RefreshError::Redirect)
        }
        status => Err(RefreshError::Status(status.as_u16())),
    }
}

fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

async fn bounded_body(mut response: Response) -> Result<Vec<u8>, RefreshError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
            return Err(RefreshError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn broken(error: &reqwest::Error) -> RefreshError {
    if error.is_timeout() { RefreshError::TimedOut } else { RefreshError::Unreachable }
}

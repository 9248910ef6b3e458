//! How is a server asked? The only HTTP client of this program.
//!
//! Every call has a time limit, no redirect is followed (it would carry a credential elsewhere), a
//! reply is bounded in size, and every refusal becomes a [`Failure`] with the server's code.
//!
//! Spec: HTTP API, "Errors", "API key" and "Tenant administration" (`Idempotency-Key`).

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::DATE;
use reqwest::{RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_server::api::{ErrorReply, OAuthErrorReply};
use url::{Url, form_urlencoded};

use crate::base_url::BaseUrl;
use crate::clock;
use crate::exit::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the 10 s that a sign-in may wait for its turn at the server.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// A page of 200 tenants has about 50 KiB.
const MAX_REPLY_BYTES: usize = 4 * 1024 * 1024;

/// What an OAuth endpoint takes.
const FORM: &str = "application/x-www-form-urlencoded";

/// Names a request, so that it may come again.
const NAME_HEADER: &str = "Idempotency-Key";

/// What a call shows of who asks.
#[derive(Clone, Copy)]
pub(crate) enum Credential<'a> {
    Nothing,
    /// `X-API-Key`, and nothing where there is no key: then the server says that it wants one.
    ApiKey(Option<&'a SecretString>),
    /// `Authorization: Bearer`
    Bearer(&'a SecretString),
    /// Both headers, for the calls that want a key of the deployment and an administrator.
    ApiKeyAndBearer(Option<&'a SecretString>, &'a SecretString),
}

/// Why there is no reply to read.
enum Unheard {
    Silence(reqwest::Error),
    TooLarge,
}

pub(crate) struct HttpClient {
    client: reqwest::Client,
    host: BaseUrl,
    /// The time in the last reply that told one; 0 before that.
    server_time: AtomicU64,
}

impl HttpClient {
    pub(crate) fn new(host: BaseUrl) -> Result<Self, Failure> {
        let client = bare_client(host.is_https()).map_err(|cause| {
            let cause = root_cause(&cause);
            Failure::refused(format!("preparing to ask {host}: {cause}"))
        })?;
        Ok(Self { client, host, server_time: AtomicU64::new(0) })
    }

    /// The time of the server when it last answered, in seconds since 1970; none where it tells none.
    pub(crate) fn server_time(&self) -> Option<u64> {
        Some(self.server_time.load(Ordering::Relaxed)).filter(|time| *time > 0)
    }

    /// The address of a call of this server.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        self.host.join(segments)
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
    ) -> Result<T, Failure> {
        self.send(self.client.get(url), credential).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.send(self.client.post(url).json(body), credential).await
    }

    /// Asks an OAuth endpoint, which takes forms.
    pub(crate) async fn post_form<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
        members: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
        let request = self.client.post(url).header("Content-Type", FORM).body(form);
        self.send(request, credential).await
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.send(self.client.patch(url).json(body), credential).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.send(self.client.put(url).json(body), credential).await
    }

    /// As [`Self::put`], for what is there already: `If-Match: *`.
    pub(crate) async fn replace<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.send(self.client.put(url).header("If-Match", "*").json(body), credential).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
    ) -> Result<T, Failure> {
        self.send(self.client.delete(url), credential).await
    }

    /// As [`Self::post`], for what the server must not do twice: the request has a `name`, and where the
    /// reply is lost it is sent once more.
    pub(crate) async fn post_named<T: DeserializeOwned>(
        &self,
        url: Url,
        credential: Credential<'_>,
        (name, body): (&str, &(impl Serialize + Sync)),
    ) -> Result<T, Failure> {
        let post = || self.client.post(url.clone()).header(NAME_HEADER, name).json(body);
        let first = self.exchange(post(), credential).await;
        if !is_lost(&first) {
            return self.read(first);
        }
        let second = self.exchange(post(), credential).await;
        // Whatever became of this one, the first may have arrived.
        self.read(second).map_err(|failure| Failure { is_unsent: false, ..failure })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        credential: Credential<'_>,
    ) -> Result<T, Failure> {
        let heard = self.exchange(request, credential).await;
        self.read(heard)
    }

    /// Sends it and hears the whole reply: its status and its body.
    async fn exchange(
        &self,
        request: RequestBuilder,
        credential: Credential<'_>,
    ) -> Result<(u16, Vec<u8>), Unheard> {
        let request = with_credential(request, credential);
        let response = request.send().await.map_err(Unheard::Silence)?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        if let Some(time) = date.and_then(clock::seconds_of_header) {
            self.server_time.store(time, Ordering::Relaxed);
        }
        Ok((response.status().as_u16(), bounded_body(response).await?))
    }

    fn read<T: DeserializeOwned>(
        &self,
        heard: Result<(u16, Vec<u8>), Unheard>,
    ) -> Result<T, Failure> {
        let (status, body) = heard.map_err(|unheard| match unheard {
            Unheard::Silence(cause) => self.unreachable(&cause),
            Unheard::TooLarge => {
                Failure::refused(format!("the reply of {} is too large", self.host))
            }
        })?;
        if !(200..300).contains(&status) {
            return Err(self.refusal(status, &body));
        }
        serde_json::from_slice(&body)
            .map_err(|_| Failure::refused(format!("the reply of {} is not Tikti's", self.host)))
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        match error_reply(body) {
            Ok(reply) => Failure::from_reply(status, reply),
            Err(_) => Failure::refused(format!(
                "{} answered HTTP {status}, and not as Tikti does",
                self.host
            ))
            .next("check the address of the server"),
        }
    }

    fn unreachable(&self, cause: &reqwest::Error) -> Failure {
        let host = &self.host;
        if cause.is_timeout() {
            return Failure::refused(format!("{host} did not answer in time"));
        }
        let failure = Failure::refused(format!("cannot reach {host}: {}", root_cause(cause)))
            .next("check the address and that the server runs; `tikti dev` starts one here");
        Failure { is_unsent: cause.is_connect() || cause.is_builder(), ..failure }
    }
}

/// A client with the limits of this program, for whoever wants a status and not an answer of Tikti's.
pub(crate) fn bare_client(is_https: bool) -> Result<reqwest::Client, reqwest::Error> {
    #[expect(clippy::disallowed_methods, reason = "the one client, with its time-outs")]
    let mut builder = reqwest::Client::builder();
    if !is_https {
        // Plain HTTP needs no root certificates, and must work on a machine that has none.
        builder = builder.tls_certs_only([]);
    }
    builder
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("tikti/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Reads a refusal in either of its forms; that of OAuth says in another member what it is about.
fn error_reply(body: &[u8]) -> Result<ErrorReply, serde_json::Error> {
    if let Ok(reply) = serde_json::from_slice::<OAuthErrorReply>(body) {
        let OAuthErrorReply { error_description: error, code, details, request_id, .. } = reply;
        return Ok(ErrorReply { error, code, details, request_id });
    }
    serde_json::from_slice(body)
}

async fn bounded_body(mut response: Response) -> Result<Vec<u8>, Unheard> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unheard::Silence)? {
        if body.len() + chunk.len() > MAX_REPLY_BYTES {
            return Err(Unheard::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether the server may have done what was asked, and its word of it did not arrive: the connection broke
/// or nothing came in time, or a gateway says so.
fn is_lost(heard: &Result<(u16, Vec<u8>), Unheard>) -> bool {
    match heard {
        Ok((status, _)) => matches!(status, 502 | 504),
        Err(Unheard::Silence(cause)) => !cause.is_connect() && !cause.is_builder(),
        Err(Unheard::TooLarge) => false,
    }
}

fn with_credential(request: RequestBuilder, credential: Credential<'_>) -> RequestBuilder {
    match credential {
        Credential::Nothing | Credential::ApiKey(None) => request,
        Credential::ApiKey(Some(key)) => request.header("X-API-Key", key.expose_secret()),
        Credential::Bearer(token) => request.bearer_auth(token.expose_secret()),
        Credential::ApiKeyAndBearer(key, token) => with_credential(
            with_credential(request, Credential::ApiKey(key)),
            Credential::Bearer(token),
        ),
    }
}

/// The innermost cause: the outer ones only repeat the address.
pub(crate) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

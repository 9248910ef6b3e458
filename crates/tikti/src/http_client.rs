//! How is a server asked? The only HTTP client of this program.
//!
//! Every call has a time limit, no redirect is followed (it would carry a credential elsewhere), a
//! reply is bounded in size, and every refusal becomes a [`Failure`] with the server's code.
//!
//! Spec: HTTP API, "Errors" and "API key".

use std::error::Error;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_server::api::ErrorReply;
use url::Url;

use crate::base_url::BaseUrl;
use crate::exit::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the 10 s that a sign-in may wait for its turn at the server.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// A page of 200 tenants has about 50 KiB.
const MAX_REPLY_BYTES: usize = 4 * 1024 * 1024;

/// What a call shows of who asks.
#[derive(Clone, Copy)]
pub(crate) enum Credential<'a> {
    Nothing,
    /// `X-API-Key`, and nothing where there is no key: then the server says that it wants one.
    ApiKey(Option<&'a SecretString>),
    /// `Authorization: Bearer`
    Bearer(&'a SecretString),
}

pub(crate) struct HttpClient {
    client: reqwest::Client,
    host: BaseUrl,
}

impl HttpClient {
    pub(crate) fn new(host: BaseUrl) -> Result<Self, Failure> {
        let client = bare_client(host.is_https()).map_err(|cause| {
            let cause = root_cause(&cause);
            Failure::refused(format!("preparing to ask {host}: {cause}"))
        })?;
        Ok(Self { client, host })
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

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        credential: Credential<'_>,
    ) -> Result<T, Failure> {
        let response = with_credential(request, credential)
            .send()
            .await
            .map_err(|cause| self.unreachable(&cause))?;
        let status = response.status().as_u16();
        let body = self.bounded_body(response).await?;
        if !(200..300).contains(&status) {
            return Err(self.refusal(status, &body));
        }
        serde_json::from_slice(&body)
            .map_err(|_| Failure::refused(format!("the reply of {} is not Tikti's", self.host)))
    }

    async fn bounded_body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|cause| self.unreachable(&cause))? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(Failure::refused(format!("the reply of {} is too large", self.host)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        match serde_json::from_slice::<ErrorReply>(body) {
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
        Failure::refused(format!("cannot reach {host}: {}", root_cause(cause)))
            .next("check the address and that the server runs; `tikti dev` starts one here")
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

fn with_credential(request: RequestBuilder, credential: Credential<'_>) -> RequestBuilder {
    match credential {
        Credential::Nothing | Credential::ApiKey(None) => request,
        Credential::ApiKey(Some(key)) => request.header("X-API-Key", key.expose_secret()),
        Credential::Bearer(token) => request.bearer_auth(token.expose_secret()),
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

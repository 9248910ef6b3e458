//! How does a mail reach an operator's own program? As JSON, signed, over HTTPS.
//!
//! `Tikti-Signature: t=<unix seconds>,v1=<hex>` is HMAC-SHA256 under the shared secret over
//! `<unix seconds>.<body>`, so that the receiver knows who wrote it and refuses what is old. Invariant:
//! the body goes to the configured URL and nowhere else: no redirect is followed and no proxy used.
//!
//! Spec: Operations, "Configuration", group `mail`. Why: docs/decisions/0019.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde::Serialize;
use tikti_domain::clock::{Timestamp, rfc3339, seconds};
use tikti_domain::secret::{ExposeSecret, SecretString, hmac_sha256_hex};
use url::Url;

use super::message::{Message, Refused, root_cause};
use super::outbox::MailError;
use crate::config::WebhookConfig;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The header that proves who wrote a body.
const SIGNATURE: &str = "Tikti-Signature";

/// A receiver of mails.
pub(crate) struct Webhook {
    client: reqwest::Client,
    url: Url,
    secret: SecretString,
    from: Option<String>,
}

/// What the receiver gets; its members are promised in docs/mail.md.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    to: &'a str,
    language: &'a str,
    subject: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    link: &'a str,
    code: &'a str,
    expires_at: String,
}

impl Webhook {
    pub(crate) fn new(config: WebhookConfig, from: Option<String>) -> Result<Self, MailError> {
        #[expect(clippy::disallowed_methods, reason = "the server's one client, with time-outs")]
        let mut builder = reqwest::Client::builder();
        if config.url.scheme() != "https" {
            // Plain HTTP needs no root certificates, and must work on a machine that has none.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("tikti/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| MailError {
                setting: "mail.webhook.url",
                reason: format!("nothing can be sent there: {}", root_cause(&error)),
            })?;
        Ok(Self { client, url: config.url, secret: config.secret, from })
    }

    pub(crate) async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Refused> {
        let body = self.body(message)?;
        let time = seconds(now).to_string();
        let parts = [time.as_bytes(), b".", body.as_slice()];
        let signature = format!("t={time},v1={}", hmac_sha256_hex(&self.secret, &parts));
        let request = self.client.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let sent = request.header(SIGNATURE, signature).body(body).send().await;
        match sent {
            Ok(response) => judge(response.status()),
            Err(error) => {
                let reason = root_cause(&error.without_url());
                Err(Refused::for_now(format!("the webhook cannot be reached: {reason}")))
            }
        }
    }

    fn body(&self, message: &Message) -> Result<Vec<u8>, Refused> {
        let body = Body {
            id: message.id.as_str(),
            kind: message.kind.as_str(),
            from: self.from.as_deref(),
            to: message.to.as_str(),
            language: message.language.tag(),
            subject: &message.subject,
            text: &message.text,
            html: message.html.as_deref(),
            link: message.link.expose_secret(),
            code: message.code.expose_secret(),
            expires_at: rfc3339(message.expires_at),
        };
        serde_json::to_vec(&body).map_err(|_| Refused::for_good("it cannot be written as JSON"))
    }
}

/// Taken is 2xx. What says that this very mail will never do is final; anything else is most likely
/// the matter of the receiver or its settings, and passes.
fn judge(status: StatusCode) -> Result<(), Refused> {
    let reason = || format!("the webhook answered {}", status.as_u16());
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(Refused::for_good(reason()))
        }
        _ => Err(Refused::for_now(reason())),
    }
}

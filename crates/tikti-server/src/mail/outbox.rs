//! Which way do this deployment's mails go? One transport, prepared once at the start.
//!
//! Spec: Operations, "Configuration", group `mail`.

use std::time::Duration;

use tikti_domain::clock::Timestamp;
use tikti_domain::mail::{DueMail, LEASE_MILLIS, Language};

use super::capture::Capture;
use super::message::{Message, Refused};
use super::smtp::Smtp;
use super::templates::Templates;
use super::webhook::Webhook;
use crate::config::{MAX_MAIL_TIMEOUT, MailConfig, MailTransport};

// Who has a mail must have finished with it before it is anybody's again.
const _: () = assert!(MAX_MAIL_TIMEOUT.as_millis() * 2 <= LEASE_MILLIS as u128);

/// Why mails cannot be sent this way at all. A line that an operator can act on.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct MailError {
    /// The setting's path in the configuration.
    pub(super) setting: &'static str,
    /// What is wrong with it, without a secret.
    pub(super) reason: String,
}

/// Everything that a mail goes through.
pub(crate) struct Outbox {
    templates: Templates,
    language: Language,
    timeout: Duration,
    transport: Transport,
}

enum Transport {
    Smtp(Smtp),
    Webhook(Webhook),
    Capture(Capture),
}

impl Outbox {
    /// Prepares what is configured; `None` where nothing is.
    pub(crate) fn open(config: MailConfig) -> Result<Option<Self>, MailError> {
        let MailConfig { transport, from, templates, language, timeout } = config;
        let transport = match transport {
            None => return Ok(None),
            Some(MailTransport::Smtp(smtp)) => Transport::Smtp(Smtp::new(&smtp, from.as_deref())?),
            Some(MailTransport::Webhook(webhook)) => {
                Transport::Webhook(Webhook::new(webhook, from)?)
            }
            Some(MailTransport::Capture(capture)) => Transport::Capture(capture),
        };
        Ok(Some(Self { templates, language, timeout, transport }))
    }

    /// What the log calls the transport.
    pub(crate) fn name(&self) -> &'static str {
        match self.transport {
            Transport::Smtp(_) => "smtp",
            Transport::Webhook(_) => "webhook",
            Transport::Capture(_) => "capture",
        }
    }

    /// Hands a mail over. Once this ends well, whoever took it has it. Takes no longer than the
    /// configured time, whatever the other side does.
    pub(crate) async fn send(&self, mail: &DueMail, now: Timestamp) -> Result<(), Refused> {
        let message = Message::write(mail, &self.templates, self.language, now);
        let handed_over = async {
            match &self.transport {
                Transport::Smtp(smtp) => smtp.send(&message, now).await,
                Transport::Webhook(webhook) => webhook.send(&message, now).await,
                Transport::Capture(capture) => {
                    capture.take(message, now);
                    Ok(())
                }
            }
        };
        match tokio::time::timeout(self.timeout, handed_over).await {
            Ok(sent) => sent,
            Err(_) => Err(Refused::for_now("no answer in time")),
        }
    }
}

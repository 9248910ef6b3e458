//! How does a deployment send mails? The group `mail`.
//!
//! Invariant: an address, a link and a code go over the network encrypted, or not at all; only what
//! runs on this machine is spoken to in plain text. Passwords and secrets are shown nowhere.
//!
//! Spec: Operations, "Configuration"; HTTP API, "OOB codes" (`actionUrl`, `allowedOrigins`).

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use tikti_domain::mail::Language;
use tikti_domain::secret::{ExposeSecret, MIN_SECRET_BYTES, SecretString};
use tikti_domain::settings::Settings;
use url::{Host, Url};

use super::check;
use super::section::Section;
use crate::mail::{Capture, Templates};

/// The longest that handing a mail over may take.
pub(crate) const MAX_MAIL_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// Over which transport; without one nothing is sent.
    pub transport: Option<MailTransport>,
    /// Whom they are from, such as `Example <no-reply@example.org>`; indispensable for SMTP.
    pub from: Option<String>,
    /// What they say.
    pub templates: Templates,
    /// The language where a request asks for none.
    pub language: Language,
    /// How long handing one over may take.
    pub timeout: Duration,
}

/// Over which transport mails are sent.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// To a mail server.
    Smtp(SmtpConfig),
    /// To a program of the operator's.
    Webhook(WebhookConfig),
    /// Nowhere: they are kept in memory.
    Capture(Capture),
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// User and password, where it asks for them.
    pub credentials: Option<(String, SecretString)>,
    /// Authorities to trust instead of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// How long each of its addresses is tried.
    pub connect_timeout: Duration,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// From the first byte on (RFC 8314).
    Tls,
    /// After STARTTLS, without which nothing is sent (RFC 3207).
    StartTls,
    /// Not at all: for a server on this machine.
    None,
}

/// A program that takes mails. Its `Debug` shows the host alone: the path or the query may be a secret.
#[derive(Clone)]
pub struct WebhookConfig {
    /// Where it listens.
    pub url: Url,
    /// What signs the requests.
    pub secret: SecretString,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WebhookConfig({})", self.url.host_str().unwrap_or("-"))
    }
}

impl MailConfig {
    /// Keeps every mail in memory, in the shipped words.
    ///
    /// # Errors
    /// None in practice, as [`Templates::shipped`].
    pub fn captured(capture: Capture) -> Result<Self, Vec<String>> {
        Ok(Self {
            transport: Some(MailTransport::Capture(capture)),
            from: None,
            templates: Templates::shipped()?,
            language: Language::English,
            timeout: DEFAULT_TIMEOUT,
        })
    }

    /// The directory whose mails are shown at `/dev/mailbox`: there is one where they are captured, and where a
    /// directory keeps them.
    pub(crate) fn mailbox(&self) -> Option<&Path> {
        match &self.transport {
            Some(MailTransport::Capture(capture)) => capture.directory(),
            Some(MailTransport::Smtp(_) | MailTransport::Webhook(_)) | None => None,
        }
    }
}

/// Reads the group `mail`. What links are made of goes into the settings.
pub(super) fn mail(mut mail: Section<'_>, settings: Option<&mut Settings>) -> Option<MailConfig> {
    let (has_smtp, has_webhook) = (mail.has("smtp"), mail.has("webhook"));
    if has_smtp && has_webhook {
        mail.refuse("webhook", "contradicts mail.smtp: give one of them");
    }
    if has_smtp && !mail.has("from") {
        mail.refuse("from", "is missing: mail.smtp needs an address that mails come from");
    }
    let from = mail.parsed("from", from);
    let smtp = mail.section("smtp");
    let smtp = if has_smtp { self::smtp(smtp) } else { None };
    let webhook = mail.section("webhook");
    let webhook = if has_webhook { self::webhook(webhook) } else { None };
    let templates = templates(&mut mail);
    let languages = Language::ALL.map(|language| (language.tag(), language));
    let language = mail.choice("language", &languages).unwrap_or(Language::English);
    let timeout = timeout(&mut mail);
    let action_url = mail.parsed("actionUrl", |text| action_url(text).map(|()| text.to_owned()));
    let origins = mail.texts("allowedOrigins", |text| origin(text).map(|()| text.to_owned()));
    mail.finish();
    if let Some(settings) = settings {
        settings.mail_action_url = action_url;
        settings.allowed_origins = origins.unwrap_or_default();
    }
    let transport = smtp.map(MailTransport::Smtp).or(webhook.map(MailTransport::Webhook));
    Some(MailConfig { transport, from, templates: templates?, language, timeout })
}

/// Checks whom mails are from, and keeps it as it is written.
fn from(text: &str) -> Result<String, &'static str> {
    // What stands behind an address would be cut off in silence by its reader.
    let is_one = match text.split_once('<') {
        Some((_, address)) => address.ends_with('>'),
        None => !text.contains(char::is_whitespace),
    };
    if is_one && !text.contains(char::is_control) && text.parse::<Mailbox>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("must be an address, such as Example <no-reply@example.org>")
    }
}

fn smtp(mut smtp: Section<'_>) -> Option<SmtpConfig> {
    if !smtp.has("host") {
        smtp.refuse("host", "is missing: the name of the mail server");
    }
    let host = smtp.parsed("host", host);
    let levels =
        [("tls", Security::Tls), ("starttls", Security::StartTls), ("none", Security::None)];
    let security = smtp.choice("security", &levels).unwrap_or(Security::StartTls);
    let port = smtp.number("port", 1, u16::MAX.into());
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(match security {
        Security::Tls => 465,
        Security::StartTls => 587,
        Security::None => 25,
    });
    if let Some(host) = &host
        && security == Security::None
        && !is_loopback_name(host)
    {
        smtp.refuse("security", "none is for a mail server on this machine only");
    }
    let credentials = credentials(&mut smtp);
    let ca_file = smtp.text("caFile").map(PathBuf::from);
    if ca_file.is_some() && security == Security::None {
        smtp.refuse("caFile", "contradicts security none: nothing is encrypted");
    }
    smtp.finish();
    let connect_timeout = DEFAULT_TIMEOUT / 3;
    Some(SmtpConfig { host: host?, port, security, credentials, ca_file, connect_timeout })
}

/// Checks where a mail server is: a name, or an address without brackets.
fn host(text: &str) -> Result<String, &'static str> {
    let is_address = text.parse::<IpAddr>().is_ok();
    if is_address || (!text.starts_with('[') && Host::parse(text).is_ok()) {
        Ok(text.to_owned())
    } else {
        Err("must be the name or the address of a mail server, without a port")
    }
}

fn credentials(smtp: &mut Section<'_>) -> Option<(String, SecretString)> {
    let user = smtp.text("user");
    let password = smtp.secret("password");
    if password.is_some() && smtp.has("passwordFile") {
        smtp.refuse("passwordFile", "contradicts password: give one of them");
    }
    let from_file = smtp.parsed("passwordFile", secret_in);
    let password = password.or(from_file);
    if user.is_some() != password.is_some() {
        smtp.refuse("user", "and password (or passwordFile) belong together");
    }
    user.zip(password)
}

/// Reads a secret from a file. An editor's line end is no part of it.
fn secret_in(path: &str) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| format!("the file that it names cannot be read: {cause}"))?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

fn webhook(mut webhook: Section<'_>) -> Option<WebhookConfig> {
    for (key, what) in [("url", "where mails are sent to"), ("secret", "what signs requests")] {
        if !webhook.has(key) {
            webhook.refuse(key, format_args!("is missing: {what}"));
        }
    }
    let url = webhook.parsed("url", encrypted_url);
    let secret = webhook.secret("secret");
    if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < MIN_SECRET_BYTES) {
        webhook.refuse("secret", "must be at least 32 bytes");
    }
    webhook.finish();
    Some(WebhookConfig { url: url?, secret: secret? })
}

fn templates(mail: &mut Section<'_>) -> Option<Templates> {
    let templates = match mail.text("templates") {
        None => Templates::shipped(),
        Some(directory) => Templates::load(Path::new(&directory)),
    };
    match templates {
        Ok(templates) => Some(templates),
        Err(problems) => {
            for problem in problems {
                mail.refuse("templates", problem);
            }
            None
        }
    }
}

fn timeout(mail: &mut Section<'_>) -> Duration {
    let timeout = mail.duration("timeout").unwrap_or(DEFAULT_TIMEOUT);
    if timeout.is_zero() || timeout > MAX_MAIL_TIMEOUT {
        mail.refuse("timeout", "must be 1 to 60 seconds");
    }
    timeout
}

/// Checks the page that mailed links open. A code is put behind it as its query.
fn action_url(text: &str) -> Result<(), &'static str> {
    encrypted_url(text)?;
    if text.contains(['?', '#']) { Err("must have neither query nor fragment") } else { Ok(()) }
}

/// Checks an origin: it is compared byte by byte with what a browser calls it.
fn origin(text: &str) -> Result<(), String> {
    let url = encrypted_url(text)?;
    let normal = url.origin().ascii_serialization();
    if normal == text { Ok(()) } else { Err(format!("must be written as {normal}")) }
}

/// Reads a URL that what is said to cannot be overheard.
fn encrypted_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL, such as https://app.example.org")?;
    match url.scheme() {
        "https" => {}
        "http" if check::is_loopback(&url) => {}
        _ => return Err("must begin with https:// (http:// is for loopback only)"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    Ok(url)
}

/// Whether a host is this machine, whatever its network is.
fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

//! How does a mail reach a mail server? By SMTP, encrypted, one connection a mail.
//!
//! Invariant: with `tls` and `starttls` nothing is said before the server has shown a certificate for
//! its name; a server that does not offer STARTTLS gets no mail. What a server says is not logged: it
//! quotes addresses.
//!
//! Spec: Operations, "Configuration", group `mail`. RFC 5321; RFC 3207; RFC 8314; RFC 4954.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tikti_domain::clock::Timestamp;
use tikti_domain::secret::ExposeSecret;

use super::message::{Message, Refused, root_cause};
use super::outbox::MailError;
use crate::config::{Security, SmtpConfig};

/// Answers about who we are, not about the mail (RFC 4954, section 6): an operator can put them right
/// while the mail waits.
const ABOUT_AUTHENTICATION: [u16; 4] = [530, 534, 535, 538];

/// A mail server.
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Prepares the way to a mail server; asks it nothing yet.
    pub(crate) fn new(config: &SmtpConfig, from: Option<&str>) -> Result<Self, MailError> {
        let from = from.and_then(|from| from.parse::<Mailbox>().ok());
        let from = from.ok_or_else(|| MailError {
            setting: "mail.from",
            reason: "is no address that mails can come from".to_owned(),
        })?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&*config.host)
            .port(config.port)
            .tls(tls(config)?)
            .timeout(Some(config.connect_timeout))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if let Some((user, password)) = &config.credentials {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), from })
    }

    pub(crate) async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Refused> {
        let mail = self.write(message, now)?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) => Err(judge(&error)),
        }
    }

    fn write(&self, message: &Message, now: Timestamp) -> Result<lettre::Message, Refused> {
        // Whatever our own grammar of addresses lets through: this one lets no second recipient and no
        // second header through.
        let to: Result<Address, _> = message.to.as_str().parse();
        let to = to.map_err(|_| Refused::for_good("no mail server knows such an address"))?;
        let domain = self.from.email.domain();
        let builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&message.subject)
            .date(UNIX_EPOCH + Duration::from_millis(now.as_millis()))
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            // RFC 3834: nobody's out-of-office reply is wanted.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let text = SinglePart::plain(message.text.clone());
        let written = match &message.html {
            None => builder.singlepart(text),
            Some(html) => {
                let html = SinglePart::html(html.clone());
                builder.multipart(MultiPart::alternative().singlepart(text).singlepart(html))
            }
        };
        written.map_err(|_| Refused::for_good("it cannot be written as a mail"))
    }
}

fn tls(config: &SmtpConfig) -> Result<Tls, MailError> {
    if config.security == Security::None {
        return Ok(Tls::None);
    }
    let refuse = |setting, reason| MailError { setting, reason };
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.ca_file {
        let shown = file.display();
        let unusable = |reason: String| refuse("mail.smtp.caFile", format!("{shown}: {reason}"));
        let pem = std::fs::read(file).map_err(|cause| unusable(cause.to_string()))?;
        let no_certificate = || unusable("holds no certificate as PEM".to_owned());
        // The reader of PEM passes over whatever is none.
        let begins = b"-----BEGIN CERTIFICATE-----";
        if !pem.windows(begins.len()).any(|window| window == begins) {
            return Err(no_certificate());
        }
        let authority = Certificate::from_pem(&pem).map_err(|_| no_certificate())?;
        parameters =
            parameters.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    let parameters = parameters.build().map_err(|error| {
        refuse("mail.smtp.security", format!("TLS is not possible: {}", root_cause(&error)))
    })?;
    Ok(match config.security {
        Security::Tls => Tls::Wrapper(parameters),
        Security::StartTls | Security::None => Tls::Required(parameters),
    })
}

/// Whether an answer says that the recipient will never get it: RFC 3463 numbers what is wrong, and of
/// what is wrong with us (the sender, what may be relayed, a policy) nothing is the mail's fault. Without
/// such a number nobody knows.
fn is_about_recipient(error: &lettre::transport::smtp::Error) -> bool {
    const RECIPIENT: [&str; 8] =
        ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.0", "5.2.1", "5.2.2"];
    let answer = error.to_string();
    answer.split([' ', ':', '-']).any(|word| RECIPIENT.contains(&word))
}

/// Final is what a server answers with 5xx about the recipient; everything else may pass.
fn judge(error: &lettre::transport::smtp::Error) -> Refused {
    if let Some(code) = error.status() {
        let code = u16::from(code);
        let reason = format!("the mail server answered {code}");
        return if ABOUT_AUTHENTICATION.contains(&code) {
            Refused::for_now(format!("{reason}: user or password are not right for it"))
        } else if error.is_permanent() && is_about_recipient(error) {
            Refused::for_good(reason)
        } else {
            Refused::for_now(reason)
        };
    }
    Refused::for_now(if error.is_timeout() {
        "the mail server does not answer".to_owned()
    } else if error.is_response() {
        "the mail server does not speak SMTP".to_owned()
    } else {
        // Of our own side: the network, TLS, or what the server does not offer.
        format!("the mail server cannot be used: {}", root_cause(error))
    })
}

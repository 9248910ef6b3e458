//! What is handed to a transport: one mail, written out.
//!
//! Has no `Debug`: it is an address and a secret.

use tikti_domain::clock::Timestamp;
use tikti_domain::email::Email;
use tikti_domain::id::MailId;
use tikti_domain::mail::{DueMail, Language, MailKind, Undelivered};
use tikti_domain::secret::{ExposeSecret, SecretString};

use super::templates::{Templates, Values};

/// A mail, ready to go.
pub(crate) struct Message {
    /// The same for every copy.
    pub(crate) id: MailId,
    pub(crate) kind: MailKind,
    pub(crate) to: Email,
    pub(crate) language: Language,
    /// One line without control characters.
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) link: SecretString,
    pub(crate) code: SecretString,
    pub(crate) expires_at: Timestamp,
}

impl Message {
    /// Writes a mail out, in its language or else in `language`. The time that is left is counted from
    /// `now`, since the mail may have waited.
    pub(crate) fn write(
        mail: &DueMail,
        templates: &Templates,
        language: Language,
        now: Timestamp,
    ) -> Self {
        let language = mail.language.unwrap_or(language);
        let millis_left = mail.expires_at.as_millis().saturating_sub(now.as_millis());
        let minutes = (millis_left / 60_000).max(1).to_string();
        let values = Values {
            link: mail.link.expose_secret(),
            code: mail.code.expose_secret(),
            email: mail.to.as_str(),
            expires_minutes: &minutes,
        };
        let written = templates.write((mail.kind, language), &values);
        Self {
            subject: written.subject,
            text: written.text,
            html: written.html,
            id: mail.id.clone(),
            kind: mail.kind,
            to: mail.to.clone(),
            language,
            link: mail.link.clone(),
            code: mail.code.clone(),
            expires_at: mail.expires_at,
        }
    }
}

/// Why a mail was not taken. The reason is for the log: it holds no address, no code, and nothing that
/// a mail server said, since that quotes addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) how: Undelivered,
    pub(crate) reason: String,
}

impl Refused {
    /// It may go through another time.
    pub(crate) fn for_now(reason: impl Into<String>) -> Self {
        Self { how: Undelivered::Temporary, reason: reason.into() }
    }

    /// It never will.
    pub(crate) fn for_good(reason: impl Into<String>) -> Self {
        Self { how: Undelivered::Permanent, reason: reason.into() }
    }
}

/// The innermost cause: the outer ones only repeat what was being done.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

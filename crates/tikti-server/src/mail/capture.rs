//! Where do the mails of `tikti dev` go? Nowhere: they are kept in memory and, for programs, in a directory, and
//! whoever started it is told of each.
//!
//! Invariant: at most the last hundred are kept, and nothing of them is logged. What the listener gets
//! holds a link that signs somebody in; it is for the terminal of `dev` and for nothing else.
//!
//! Spec: Command line, `tikti dev`, "mail captured and shown in the terminal instead of sent".

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tikti_domain::clock::Timestamp;
use tikti_domain::mail::{Language, MailKind};
use tikti_domain::secret::{ExposeSecret, SecretString};

use super::mailbox;
use super::message::Message;

/// How many mails are kept.
const KEPT: usize = 100;

/// Hears of each mail, as one line for a person.
type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// Takes mails instead of sending them. A clone is another handle of the same.
#[derive(Clone, Default)]
pub struct Capture {
    mails: Arc<Mutex<VecDeque<CapturedMail>>>,
    listener: Option<Listener>,
    directory: Option<PathBuf>,
}

/// A mail that was kept. Has no `Debug`: it holds a code.
#[derive(Clone)]
pub struct CapturedMail {
    /// What it is about.
    pub kind: MailKind,
    /// To whom it would have gone.
    pub to: String,
    /// The language that it is written in.
    pub language: Language,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same for mail programs that show HTML, where the template has it.
    pub html: Option<String>,
    /// The page that redeems the code, the code in it.
    pub link: SecretString,
    /// The code.
    pub code: SecretString,
}

impl Capture {
    /// Tells `listener` of each mail, with its link, from now on.
    #[must_use]
    pub fn shown_to(self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Arc::new(listener)), ..self }
    }

    /// Keeps each mail in this directory as well, as a file of JSON. A server that captures its mails so shows them
    /// at `/dev/mailbox`.
    #[must_use]
    pub fn kept_in(self, directory: PathBuf) -> Self {
        Self { directory: Some(directory), ..self }
    }

    /// The directory in which mails are kept, where there is one.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The mails that were kept, the oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<CapturedMail> {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().cloned().collect()
    }

    pub(super) fn take(&self, message: Message, now: Timestamp) {
        if let Some(directory) = &self.directory
            && let Err(cause) = mailbox::put(directory, &message, (now, KEPT))
        {
            tracing::warn!(%cause, "a mail is not in its directory");
        }
        let line = format!(
            "mail to {}: {}: {}",
            message.to.as_str(),
            message.subject,
            message.link.expose_secret()
        );
        {
            let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
            if mails.len() >= KEPT {
                mails.pop_front();
            }
            mails.push_back(CapturedMail {
                kind: message.kind,
                to: message.to.into(),
                language: message.language,
                subject: message.subject,
                text: message.text,
                html: message.html,
                link: message.link,
                code: message.code,
            });
        }
        if let Some(listener) = &self.listener {
            listener(&line);
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Capture")
    }
}

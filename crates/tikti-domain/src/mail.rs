//! What becomes of a mail that has to go out? It waits in the store, sealed, until some replica has
//! handed it to a mail server.
//!
//! An operation that has made a code calls [`enqueue`]; its caller is answered then, whether or not a
//! mail server can be reached. A task of every server asks [`next_due`] for a mail, delivers it, and
//! says [`delivered`] or [`failed`]. Invariants: who reads the store reads neither an address nor a
//! code; of many replicas one has a mail at a time; and nothing outlives the code, since the record
//! expires with it.
//!
//! A mail goes out at least once, unless it is refused for good or its code ends first. A replica that
//! dies after the mail server took the mail and before it was erased has it delivered a second time,
//! once its lease is over; each such death adds one copy. All copies have the same id.
//!
//! Spec: Domain, rule 6; HTTP API, "OOB codes". Why: docs/decisions/0019.

mod lease;
mod record;
mod rewrap;
#[cfg(test)]
mod tests;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::audit::{self, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::Error;
use crate::id::MailId;
use crate::keyspace;
use crate::record::Record;
use crate::secret::NamedSecret;
use crate::tenancy::administer::Done;

pub use lease::{
    DueMail, LEASE_MILLIS, MailCursor, NextMail, Outcome, Undelivered, delivered, failed, next_due,
};
pub(crate) use record::QueuedMail;
pub(crate) use rewrap::rewrap;

/// What a mail is about; its template follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MailKind {
    /// Somebody asked to set a new password.
    PasswordReset,
    /// Somebody asked to sign in by mail.
    #[serde(rename = "EMAIL_SIGNIN")]
    EmailSignIn,
    /// Is this address the user's?
    VerifyEmail,
    /// Is this new address the user's? Then it takes the old one's place.
    VerifyAndChangeEmail,
    /// To the old address: it was replaced, and this takes it back.
    RecoverEmail,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::PasswordReset,
        Self::EmailSignIn,
        Self::VerifyEmail,
        Self::VerifyAndChangeEmail,
        Self::RecoverEmail,
    ];

    /// The `requestType` of the code that the mail carries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "PASSWORD_RESET",
            Self::EmailSignIn => "EMAIL_SIGNIN",
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::VerifyAndChangeEmail => "VERIFY_AND_CHANGE_EMAIL",
            Self::RecoverEmail => "RECOVER_EMAIL",
        }
    }
}

/// The languages that mails are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Portuguese.
    #[serde(rename = "pt")]
    Portuguese,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    /// The tag (RFC 5646).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt",
        }
    }
}

/// A mail to be sent. Has no `Debug`: it is nothing but secrets.
pub struct NewMail {
    /// What it is about.
    pub kind: MailKind,
    /// To whom it goes: the stored address, never one that a request brought.
    pub to: Email,
    /// The page that redeems the code, the code in it.
    pub link: SecretString,
    /// The code.
    pub code: SecretString,
    /// When the code ends; the mail is not sent any more from then on.
    pub expires_at: Timestamp,
    /// In which language; the deployment's where it is absent.
    pub language: Option<Language>,
}

/// What the queue keeps in memory.
#[derive(Debug)]
pub(crate) struct MailQueue {
    master_keys: Vec<NamedSecret>,
    /// Wakes this replica's own task, so that a mail does not wait for its next round.
    queued: Notify,
}

impl MailQueue {
    pub(crate) fn new(master_keys: Vec<NamedSecret>) -> Self {
        Self { master_keys, queued: Notify::new() }
    }
}

/// Puts a mail into the queue. Durable on return; one whose code has ended is dropped.
///
/// Costs one write, whatever becomes of the mail, and does not look at what it says: the answer and its
/// time tell a stranger nothing.
///
/// # Errors
/// The store's; `INTERNAL` where nothing can be sealed.
pub async fn enqueue(domain: &Domain, mail: &NewMail, now: Timestamp) -> Result<(), Error> {
    if mail.expires_at <= now {
        return Ok(());
    }
    let id = MailId::generate(now, &domain.random)?;
    let record =
        QueuedMail::seal(&id, mail, (&domain.mail_queue.master_keys, &domain.random), now)?;
    record.put(&domain.store, &keyspace::mail(&id), now).await?;
    domain.mail_queue.queued.notify_one();
    Ok(())
}

/// Puts a mail into the queue, as [`enqueue`] does, with the event that the deployment's audit has of it.
///
/// # Errors
/// As [`enqueue`].
pub(crate) async fn enqueue_noted(
    domain: &Domain,
    mail: &NewMail,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Error> {
    let id = MailId::generate(now, &domain.random)?;
    let sealing = (&domain.mail_queue.master_keys[..], &domain.random);
    let record = QueuedMail::seal(&id, mail, sealing, now)?;
    let (key, bytes) = (keyspace::mail(&id), record.encode()?);
    let queued = (&Chain::Deployment, draft);
    let queued = audit::change(domain, (NotePlace::Mail(id), &[]), queued, now, |txn| {
        Ok(Done::Changed(txn.put(&key, record.entry(&bytes))?))
    });
    queued.await?;
    domain.mail_queue.queued.notify_one();
    Ok(())
}

/// Waits until [`enqueue`] was called on this domain since the last wait ended. What other replicas
/// put into the queue wakes nobody here.
pub async fn queued(domain: &Domain) {
    domain.mail_queue.queued.notified().await;
}

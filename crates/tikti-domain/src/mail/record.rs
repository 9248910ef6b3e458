//! How is a waiting mail stored? When it is to be tried next in the open, what it says sealed.
//!
//! Invariant: the seal is bound to the mail's id, so that its content cannot be put under another; and
//! every write of a record gives it the expiry of its code.
//!
//! Spec: Domain, rule 6 ("a code waiting in the mail queue: encrypted, like signing keys").

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Expected, Key, Store, Stored};
use zeroize::Zeroizing;

use super::{Language, MailKind, NewMail};
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::{Error, InternalError};
use crate::id::MailId;
use crate::random::Random;
use crate::record::Record;
use crate::secret::{NamedSecret, Resealed, Sealed, open, reseal, seal};

/// A mail that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueuedMail {
    /// Since when.
    pub(super) queued_at: Timestamp,
    /// When its code ends.
    pub(super) expires_at: Timestamp,
    /// A [`Content`].
    pub(super) content: Sealed,
    /// How often its delivery was begun.
    #[serde(default)]
    pub(super) attempts: u32,
    /// When it may be tried next. While somebody delivers it, the end of his lease.
    pub(super) next_at: Timestamp,
}

impl Record for QueuedMail {}

/// What a mail says, as it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    kind: MailKind,
    to: Email,
    // Owned where a character of it is escaped.
    #[serde(borrow)]
    link: Cow<'a, str>,
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(default)]
    language: Option<Language>,
}

impl QueuedMail {
    /// Seals a mail, due at once.
    pub(super) fn seal(
        id: &MailId,
        mail: &NewMail,
        (master_keys, random): (&[NamedSecret], &Random),
        now: Timestamp,
    ) -> Result<Self, InternalError> {
        let content = Content {
            kind: mail.kind,
            to: mail.to.clone(),
            link: mail.link.expose_secret().into(),
            code: mail.code.expose_secret().into(),
            language: mail.language,
        };
        let plain = serde_json::to_vec(&content).map(Zeroizing::new);
        let plain = plain.map_err(|_| InternalError::Crypto("sealing"))?;
        Ok(Self {
            queued_at: now,
            expires_at: mail.expires_at,
            content: seal(master_keys, &sealing_context(id), &plain, random)?,
            attempts: 0,
            next_at: now,
        })
    }

    /// Opens what it says; `None` where no master key here opens it.
    pub(super) fn open(&self, id: &MailId, master_keys: &[NamedSecret]) -> Option<NewMail> {
        let plain = open(master_keys, &sealing_context(id), &self.content)?;
        let content: Content<'_> = serde_json::from_slice(&plain).ok()?;
        Some(NewMail {
            kind: content.kind,
            to: content.to,
            link: SecretString::from(content.link.as_ref()),
            code: SecretString::from(content.code.as_ref()),
            expires_at: self.expires_at,
            language: content.language,
        })
    }

    /// The same mail, sealed under the first master key.
    pub(super) fn reseal(
        &self,
        id: &MailId,
        (master_keys, random): (&[NamedSecret], &Random),
    ) -> Result<Resealed<Self>, InternalError> {
        let anew = reseal(master_keys, &sealing_context(id), &self.content, random)?;
        Ok(anew.map(|content| Self { content, ..self.clone() }))
    }

    /// Writes it where nothing was.
    pub(super) async fn put(&self, store: &Store, key: &Key, now: Timestamp) -> Result<(), Error> {
        Ok(store.put(key, self.entry(&self.encode()?), now).await?)
    }

    /// Its bytes, for as long as its code is good.
    pub(super) fn entry<'a>(&self, bytes: &'a [u8]) -> Entry<'a> {
        Entry::new(bytes).expires_at(self.expires_at)
    }

    /// Writes it in the place of `read`, if that is still there.
    pub(super) async fn replace(
        &self,
        store: &Store,
        (key, read): (&Key, &Stored),
        now: Timestamp,
    ) -> Result<(), Error> {
        let bytes = self.encode()?;
        let entry = Entry::new(&bytes).expires_at(self.expires_at);
        Ok(store.put_if(key, Expected::Equals(read), entry, now).await?)
    }
}

fn sealing_context(id: &MailId) -> String {
    format!("tikti mail {id}")
}

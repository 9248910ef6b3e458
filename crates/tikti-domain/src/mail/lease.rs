//! Who delivers a mail, and when is it tried again?
//!
//! Whoever takes a mail moves its `nextAt` behind the time that a delivery may take, in one conditional
//! write: that is the lease, and of many replicas one gets it. When its holder dies, the mail is simply
//! due again. Invariant: the decision when to try again is a function of the attempts, the time and a
//! draw.
//!
//! Spec: HTTP API, "OOB codes"; Storage, "use the cheapest primitive". Why: docs/decisions/0019.

use std::fmt;

use secrecy::SecretString;
use tikti_store::{Key, StoreError, Stored};

use super::record::QueuedMail;
use super::{Language, MailKind};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::MailId;
use crate::record::Record;
use crate::{keyspace, listing};

/// How long a mail belongs to whoever took it, in milliseconds. Its delivery must end before: the
/// server's limit is half of it.
pub const LEASE_MILLIS: u64 = 120_000;

/// The longest pause before the second try, in milliseconds. Each further one is twice as long.
const FIRST_PAUSE_MILLIS: u64 = 10_000;
/// The longest pause of all, in milliseconds.
const LONGEST_PAUSE_MILLIS: u64 = 15 * 60_000;
/// Mails looked at in one call.
const PAGE: usize = 16;

/// Where the next call goes on. Belongs to one caller; losing it loses nothing.
#[derive(Clone, Debug, Default)]
pub struct MailCursor {
    /// The list, below [`keyspace::MAIL_SHARDS`].
    shard: u8,
    /// The last mail of it that was looked at.
    after: Option<Vec<u8>>,
}

/// What one call found.
#[derive(Debug)]
pub enum NextMail {
    /// A mail, for the caller to deliver before its lease ends.
    Due(Box<DueMail>),
    /// Nothing here; there is more to look at.
    More,
    /// The end of all lists was reached; the next call begins anew.
    End,
}

/// A mail that the caller is to deliver. Its `Debug` shows what may be logged.
pub struct DueMail {
    /// The id: the same for all copies of one mail.
    pub id: MailId,
    /// What it is about.
    pub kind: MailKind,
    /// To whom it goes.
    pub to: Email,
    /// The page that redeems the code, the code in it.
    pub link: SecretString,
    /// The code.
    pub code: SecretString,
    /// When the code ends.
    pub expires_at: Timestamp,
    /// In which language; the deployment's where it is absent.
    pub language: Option<Language>,
    /// How often its delivery was begun, this time included.
    pub attempts: u32,
    leased_until: Timestamp,
}

impl fmt::Debug for DueMail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, attempts, .. } = self;
        write!(formatter, "DueMail({id}, {}, attempt {attempts})", kind.as_str())
    }
}

/// How a delivery failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It may go through another time.
    Temporary,
    /// This mail will never be taken.
    Permanent,
}

/// What becomes of a mail whose delivery failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is tried again, not before then.
    Later(Timestamp),
    /// It is erased, undelivered.
    GivenUp,
}

/// Looks for a mail that is due, and takes it.
///
/// One call looks at up to sixteen mails of one of sixteen lists; call it until [`NextMail::End`], and
/// again when something was queued or some seconds have passed. A round costs in proportion to the
/// mails that wait. What cannot be read is passed over, logged at debug level, and expires; what was
/// queued before the deployment was restored is erased, as its code is dead.
///
/// # Errors
/// The store's; the cursor stands where it stood, or behind a mail that is looked at in the next round.
pub async fn next_due(
    domain: &Domain,
    cursor: &mut MailCursor,
    now: Timestamp,
) -> Result<NextMail, Error> {
    let list = keyspace::of_mails(cursor.shard);
    let after = cursor.after.as_deref();
    let page = listing::page(&domain.store, (&list, keyspace::MAIL), PAGE, after, now).await?;
    for (id, stored) in page.entries {
        cursor.after = Some(id.clone());
        if let Some(mail) = take(domain, &id, stored, now).await? {
            return Ok(NextMail::Due(Box::new(mail)));
        }
    }
    if page.next.is_some() {
        cursor.after = page.next;
        return Ok(NextMail::More);
    }
    *cursor = MailCursor { shard: cursor.shard + 1, after: None };
    if cursor.shard < keyspace::MAIL_SHARDS {
        return Ok(NextMail::More);
    }
    *cursor = MailCursor::default();
    Ok(NextMail::End)
}

/// Takes one mail, if it is due and nobody else was quicker.
async fn take(
    domain: &Domain,
    id: &[u8],
    stored: Result<Stored, StoreError>,
    now: Timestamp,
) -> Result<Option<DueMail>, Error> {
    let unreadable = |error: &Error| {
        let mail = id.escape_ascii().to_string();
        tracing::debug!(mail.id = mail, code = error.code().as_str(), "a mail cannot be read");
        None
    };
    let (id, stored, record) = match read(id, stored) {
        Ok(read) => read,
        Err(error) => return Ok(unreadable(&error)),
    };
    if now < record.next_at {
        return Ok(None);
    }
    let key = keyspace::mail(&id);
    if domain.not_before.is_some_and(|restored| record.queued_at < restored) {
        domain.store.delete(&key).await?;
        return Ok(None);
    }
    let Some(content) = record.open(&id, &domain.mail_queue.master_keys) else {
        return Ok(unreadable(&Code::Internal.into()));
    };
    let leased_until = now.plus_millis(LEASE_MILLIS);
    let attempts = record.attempts.saturating_add(1);
    let leased = QueuedMail { attempts, next_at: leased_until, ..record };
    match leased.replace(&domain.store, (&key, &stored), now).await {
        Ok(()) => {}
        Err(Error::Store(StoreError::Conflict { .. })) => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(Some(DueMail {
        id,
        kind: content.kind,
        to: content.to,
        link: content.link,
        code: content.code,
        expires_at: content.expires_at,
        language: content.language,
        attempts,
        leased_until,
    }))
}

/// What a record says, if it is whole.
fn read(
    id: &[u8],
    stored: Result<Stored, StoreError>,
) -> Result<(MailId, Stored, QueuedMail), Error> {
    let id = MailId::parse(&String::from_utf8_lossy(id))?;
    let stored = stored?;
    let record = QueuedMail::decode(&keyspace::mail(&id), &stored)?;
    Ok((id, stored, record))
}

/// Erases a mail that was delivered.
///
/// # Errors
/// The store's; then it goes out again when its lease is over.
pub async fn delivered(domain: &Domain, mail: &DueMail) -> Result<(), Error> {
    Ok(domain.store.delete(&keyspace::mail(&mail.id)).await?)
}

/// Says that a delivery failed: tries it again later, or gives it up. Given up is what is refused for
/// good, and what would be due only when its code has ended. Changes nothing where the mail belongs to
/// somebody else by now.
///
/// # Errors
/// The store's; then it is tried again when its lease is over.
pub async fn failed(
    domain: &Domain,
    mail: &DueMail,
    how: Undelivered,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let key = keyspace::mail(&mail.id);
    let Some(stored) = domain.store.get(&key, now).await? else {
        return Ok(Outcome::GivenUp);
    };
    let record = QueuedMail::decode(&key, &stored)?;
    if (record.attempts, record.next_at) != (mail.attempts, mail.leased_until) {
        return Ok(Outcome::Later(record.next_at));
    }
    let next_at = now.plus_millis(pause_millis(mail.attempts, domain.random.bytes()?));
    if how == Undelivered::Permanent || next_at >= record.expires_at {
        return erase(domain, (&key, &stored), record.next_at, now).await;
    }
    let later = QueuedMail { next_at, ..record };
    match later.replace(&domain.store, (&key, &stored), now).await {
        // Its lease ended at this very moment, and another has it.
        Ok(()) | Err(Error::Store(StoreError::Conflict { .. })) => Ok(Outcome::Later(next_at)),
        Err(error) => Err(error),
    }
}

/// Erases a mail that is given up, if it is still as it was read.
async fn erase(
    domain: &Domain,
    (key, seen): (&Key, &Stored),
    leased_until: Timestamp,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let reads = [key.clone()];
    domain
        .store
        .transact(key.partition(), &reads, now, |txn| {
            match txn.get(key)? {
                Some(stored) if stored == seen => {}
                // Its lease ended at this very moment, and another has it.
                Some(_) => return Ok(Outcome::Later(leased_until)),
                None => return Ok(Outcome::GivenUp),
            }
            txn.delete(key)?;
            Ok::<_, Error>(Outcome::GivenUp)
        })
        .await
}

/// How long to wait after so many attempts: between half and all of a pause that doubles each time.
/// The draw keeps mails apart that a mail server refused together.
pub(super) fn pause_millis(attempts: u32, draw: [u8; 2]) -> u64 {
    let doublings = attempts.saturating_sub(1).min(16);
    let longest = (FIRST_PAUSE_MILLIS << doublings).min(LONGEST_PAUSE_MILLIS);
    let half = longest / 2;
    half + half * u64::from(u16::from_be_bytes(draw)) / u64::from(u16::MAX)
}

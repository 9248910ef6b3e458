//! How are waiting mails sealed anew, when a master key goes out of use?
//!
//! Invariant: a mail is replaced as it was read or not at all, so that one that is being delivered meanwhile is
//! neither lost nor sent twice for it.
//!
//! Spec: CLI, `keys rewrap`. Why: docs/decisions/0035.

use tikti_store::{Key, Store, StoreError, Stored};

use super::record::QueuedMail;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::MailId;
use crate::keys::Rewrapped;
use crate::keyspace;
use crate::listing;
use crate::random::Random;
use crate::record::Record;
use crate::secret::{NamedSecret, Resealed};

/// Mails read at once.
const PAGE: usize = 100;
/// Tries for one mail against whoever delivers it.
const MOST_TRIES: usize = 8;

/// Seals all mails anew under the first master key.
pub(crate) async fn rewrap(
    store: &Store,
    sealing: (&[NamedSecret], &Random),
    now: Timestamp,
) -> Result<Rewrapped, Error> {
    let mut done = Rewrapped::default();
    for shard in 0..keyspace::MAIL_SHARDS {
        let list = keyspace::of_mails(shard);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let place = (&list, keyspace::MAIL);
            let page = listing::page(store, place, PAGE, after.as_deref(), now).await?;
            for (id, stored) in page.entries {
                let key = Key::new(&list, keyspace::MAIL, &id);
                match stored {
                    Ok(stored) => done.add(rewrap_one(store, (key, stored), sealing, now).await?),
                    Err(_) => done.lost += 1,
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(done)
}

async fn rewrap_one(
    store: &Store,
    (key, mut stored): (Key, Stored),
    sealing: (&[NamedSecret], &Random),
    now: Timestamp,
) -> Result<Rewrapped, Error> {
    let (already, lost) = (
        Rewrapped { already: 1, ..Rewrapped::default() },
        Rewrapped { lost: 1, ..Rewrapped::default() },
    );
    for _ in 0..MOST_TRIES {
        let id = std::str::from_utf8(key.id()).ok().and_then(|id| MailId::parse(id).ok());
        let (Some(id), Ok(mail)) = (id, QueuedMail::decode(&key, &stored)) else { return Ok(lost) };
        let anew = match mail.reseal(&id, sealing)? {
            Resealed::Already => return Ok(already),
            Resealed::Anew(anew) => anew,
            Resealed::Shut => return Ok(lost),
        };
        match anew.replace(store, (&key, &stored), now).await {
            Ok(()) => return Ok(Rewrapped { rewrapped: 1, ..Rewrapped::default() }),
            Err(Error::Store(StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
        match store.get(&key, now).await? {
            Some(again) => stored = again,
            // It was delivered.
            None => return Ok(Rewrapped::default()),
        }
    }
    Err(StoreError::Conflict { key }.into())
}

//! How is it shown that no event was changed, dropped or reordered?
//!
//! Each link holds the hash of the one before; the head holds the number of links and the hash of the
//! last. Invariant: links are numbered from 1 without a gap, and what is hashed is the text of the event
//! as it was first written, never one that was made again.
//!
//! Spec: Authorization, "Audit".

use serde::{Deserialize, Serialize};
use tikti_store::Entry;

use super::Chain;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::OperationId;
use crate::keyspace;
use crate::record::Record;
use crate::secret::sha256_hex;

/// What the first link holds in place of the hash of one before.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One event of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was added; never before the one that precedes it.
    pub chained_at: Timestamp,
    /// The hash of the link before, in hexadecimal.
    pub prev_hash: String,
    /// The hash of this one: see [`hash`].
    pub hash: String,
    /// The event as JSON text.
    pub event: String,
}

impl Record for Link {}

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The number of links.
    pub seq: u64,
    /// When the last one was added.
    pub chained_at: Timestamp,
    /// Its hash.
    pub hash: String,
}

impl Record for Head {}

/// How long it is known that a note is in its chain, in milliseconds: whoever has read the note before it
/// went may be slow, and would add it again. As long as a fence stands.
const MARKED_MILLIS: u64 = 24 * 3_600_000;

/// That an operation's note is in the chain; for longer than anybody may still hold the note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chained {}

impl Record for Chained {}

/// The hash of a link: SHA-256 over number, time in milliseconds, the hash before and the event's text,
/// each but the last followed by a line feed, which stands in none of them.
#[must_use]
pub fn hash(seq: u64, chained_at: Timestamp, prev_hash: &str, event: &str) -> String {
    let millis = chained_at.as_millis();
    sha256_hex(format!("{seq}\n{millis}\n{prev_hash}\n{event}").as_bytes())
}

/// Adds an event to a chain, once.
pub(super) async fn append(
    domain: &Domain,
    chain: &Chain,
    (operation, event): (&OperationId, String),
    now: Timestamp,
) -> Result<(), Error> {
    let partition = keyspace::of_chain(chain);
    let (head_key, mark) = (keyspace::head(chain), keyspace::chained(chain, operation));
    let reads = [head_key.clone(), mark.clone()];
    domain
        .store
        .transact(&partition, &reads, now, |txn| {
            if txn.get(&mark)?.is_some() {
                return Ok(());
            }
            let head = Head::decode_optional(&head_key, txn.get(&head_key)?)?;
            let (seq, prev_hash, last) = match head {
                Some(head) => (head.seq.saturating_add(1), head.hash, head.chained_at),
                None => (1, NO_HASH.to_owned(), now),
            };
            let chained_at = now.max(last);
            let hash = hash(seq, chained_at, &prev_hash, &event);
            let head = Head { seq, chained_at, hash: hash.clone() };
            let link = Link { seq, chained_at, prev_hash, hash, event: event.clone() };
            txn.put(&keyspace::link(chain, seq), Entry::new(&link.encode()?))?;
            txn.put(&head_key, Entry::new(&head.encode()?))?;
            // Others read it by their own clock, which may be far ahead of this one.
            let until = now.max(operation.made_at()).plus_millis(MARKED_MILLIS);
            let chained = Chained {}.encode()?;
            txn.put(&mark, Entry::new(&chained).expires_at(until))?;
            Ok::<_, Error>(())
        })
        .await
}

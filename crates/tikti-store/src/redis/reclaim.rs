//! What stays behind when a server has reclaimed an expired record? Its entry in the index.
//!
//! A step looks at a part of one index: `SCAN` finds the indexes, and the entries whose record is gone
//! are removed by a script that looks again. Invariant: an entry whose record is there stays. What
//! one call hands to the next is only a hint where to go on; a wrong one makes it begin anew or leave
//! something for the next round.
//!
//! Spec: Storage, "a server's own TTL only reclaims space".

use bytes::Bytes;

use super::engine::Redis;
use super::keys::{self, Name};
use super::replies;
use super::servers::Failure;
use super::walk::first_cursor;
use crate::error::StoreError;
use crate::key::Key;
use crate::maintenance::Reclaimed;

const DOING: &str = "removing entries of reclaimed records";

/// How many names a server gives at once, and how many entries are looked at before others get on.
const NAMES: usize = 500;
const CHUNK: usize = 256;

/// Where to go on: the master by its number, the cursor that gives its next names, and of the indexes
/// among those names, which come in order, the one under way and the last entry that was looked at.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    master: usize,
    cursor: Vec<u8>,
    /// An index and the id in it; see [`Key`].
    behind: Option<Key>,
}

impl Position {
    fn first_of(master: usize) -> Self {
        Self { master, cursor: first_cursor(), behind: None }
    }

    /// `<master> <cursor> <key>`. The key may hold every byte.
    fn to_token(&self) -> Bytes {
        let key = self.behind.as_ref().map_or(&b""[..], Key::as_bytes);
        [self.master.to_string().as_bytes(), b" ", &self.cursor, b" ", key].concat().into()
    }

    fn from_token(token: &[u8]) -> Option<Self> {
        let mut parts = token.splitn(3, |byte| *byte == b' ');
        let master = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let (cursor, key) = (parts.next()?.to_vec(), parts.next()?);
        Some(Self { master, cursor, behind: Key::parse(key) })
    }
}

impl Redis {
    pub(crate) async fn reclaim(
        &self,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Reclaimed, StoreError> {
        let position = after.and_then(Position::from_token);
        let mut position = position.unwrap_or_else(|| Position::first_of(0));
        let mut reclaimed = Reclaimed { examined: 0, reclaimed: 0, next: None };
        let masters = self.servers().masters().await?;
        let Some(master) = masters.get(position.master) else {
            return Ok(reclaimed);
        };
        let found = self.names(master, &position.cursor, NAMES).await?;
        let mut indexes: Vec<_> = found.names.iter().filter_map(|name| index_key(name)).collect();
        indexes.sort();
        indexes.dedup();
        for index in indexes {
            let behind = position.behind.take();
            let mut last = match behind {
                // Those before it were looked at by earlier calls.
                Some(behind) if is_before(&index, &behind) => {
                    position.behind = Some(behind);
                    continue;
                }
                Some(behind) if of_index(&behind) == of_index(&index) => behind,
                _ => index,
            };
            loop {
                let count = limit.max(1).saturating_sub(reclaimed.examined).min(CHUNK);
                if count == 0 {
                    position.behind = Some(last);
                    reclaimed.next = Some(position.to_token());
                    return Ok(reclaimed);
                }
                let ids = self.ids_behind(&last, count).await?;
                let keys: Vec<_> = ids.iter().filter_map(|id| sibling(&last, id)).collect();
                reclaimed.examined += ids.len();
                reclaimed.reclaimed += self.forget_gone(&keys).await?;
                match keys.into_iter().next_back() {
                    Some(key) if ids.len() == count => last = key,
                    _ => break,
                }
            }
        }
        let next = match found.cursor {
            Some(cursor) => Some(Position { cursor, behind: None, ..position }),
            None => {
                Some(position.master + 1).filter(|n| *n < masters.len()).map(Position::first_of)
            }
        };
        reclaimed.next = next.map(|position| position.to_token());
        Ok(reclaimed)
    }

    /// Removes the entries of those `keys`, all of one index, whose records are gone; says how many.
    async fn forget_gone(&self, keys: &[Key]) -> Result<usize, StoreError> {
        let exists = keys.iter().map(|key| {
            let mut command = redis::cmd("EXISTS");
            command.arg(keys::record(key));
            (keys::slot(key.partition()), command)
        });
        let replies = self.servers().read(exists.collect()).await?;
        let mut gone = Vec::new();
        for (key, reply) in keys.iter().zip(replies) {
            if replies::integer(DOING, &replies::value(DOING, reply)?)? == 0 {
                gone.push(key);
            }
        }
        let Some(first) = gone.first() else {
            return Ok(0);
        };
        let slot = keys::slot(first.partition());
        let ran = self.scripts().forget.run(self.servers(), slot, |call| {
            call.arg(1 + gone.len()).arg(keys::index(first));
            gone.iter().for_each(|key| {
                call.arg(keys::record(key));
            });
        });
        let reply = ran.await.map_err(|failure| match failure {
            Failure::NotExecuted(error) | Failure::Lost(error) => error,
        })?;
        let removed = replies::integer(DOING, &replies::value(DOING, reply)?)?;
        Ok(usize::try_from(removed).unwrap_or(0))
    }
}

fn index_key(name: &[u8]) -> Option<Key> {
    match Name::parse(name) {
        Name::Index(key) => Some(key),
        Name::Record(_) | Name::Internal | Name::Foreign => None,
    }
}

fn of_index(key: &Key) -> (&str, &str) {
    (key.partition().as_str(), key.kind())
}

/// Whether an index comes before the one of `behind`, in the order of [`Key`].
fn is_before(index: &Key, behind: &Key) -> bool {
    index < behind && of_index(index) != of_index(behind)
}

/// The record with this id beside `key`.
fn sibling(key: &Key, id: &[u8]) -> Option<Key> {
    let prefix = key.as_bytes().len() - key.id().len();
    Key::parse(&[key.as_bytes().get(..prefix)?, id].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Kind, Partition};

    fn key(kind: Kind, id: &[u8]) -> Key {
        Key::new(&Partition::new("u", "a b"), kind, id)
    }

    #[test]
    fn reads_back_every_position() {
        const USER: Kind = Kind::new("user");
        for behind in [None, Some(key(USER, b"")), Some(key(USER, b" \0/\xff "))] {
            let position = Position { master: 12, cursor: b"345".to_vec(), behind };
            assert_eq!(Position::from_token(&position.to_token()), Some(position));
        }
        for token in [&b""[..], b"1", b"x 0 ", b"1 0", b"-1 0 "] {
            assert_eq!(Position::from_token(token), None, "{}", token.escape_ascii());
        }
    }

    #[test]
    fn goes_on_in_the_index_that_is_under_way() {
        let [a, b, c] = ["a", "b", "c"].map(Kind::new);
        let behind = key(b, b"id");
        assert!(is_before(&key(a, b""), &behind));
        assert!(!is_before(&key(b, b""), &behind));
        assert!(!is_before(&key(c, b""), &behind));
        assert_eq!(sibling(&behind, b"/\xff"), Some(key(b, b"/\xff")));
    }
}

//! How is everything walked that is stored on all servers?
//!
//! By `SCAN` of one master after the other. A cursor is not a snapshot: it can give a name again,
//! and a KVRocks that has forgotten a cursor begins anew. Invariant: each record is given once at
//! most, because its key is remembered; the walk is over when every master has given its last cursor.
//!
//! Spec: Storage, "Engine B".

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use redis::Value;

use super::engine::Redis;
use super::keys::Name;
use super::replies;
use super::servers::Master;
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::maintenance::WalkPage;
use crate::timestamp::Timestamp;

const DOING: &str = "walking over all records";

/// How many names a server gives at once, and how many records are read at once.
const NAMES: usize = 500;
const CHUNK: usize = 64;

/// A walk over everything that the servers hold.
pub(crate) struct Walk {
    engine: Redis,
    now: Timestamp,
    masters: VecDeque<Master>,
    cursor: Vec<u8>,
    /// Found and not read yet.
    pending: Vec<Key>,
    seen: HashSet<u128>,
}

/// A part of the names of one server.
pub(super) struct Names {
    pub(super) names: Vec<Vec<u8>>,
    /// `None` at the end.
    pub(super) cursor: Option<Vec<u8>>,
}

impl Redis {
    pub(crate) async fn walk(&self, now: Timestamp) -> Result<Walk, StoreError> {
        Ok(Walk {
            engine: self.clone(),
            now,
            masters: self.servers().masters().await?.into(),
            cursor: first_cursor(),
            pending: Vec::new(),
            seen: HashSet::new(),
        })
    }

    /// The next names of one server behind a cursor that it gave.
    pub(super) async fn names(
        &self,
        master: &Master,
        cursor: &[u8],
        count: usize,
    ) -> Result<Names, StoreError> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(count);
        let replies = self.servers().ask(master, vec![scan]).await?;
        let parts = replies::array(DOING, replies::only(DOING, replies)?)?;
        let Ok([cursor, names]) = <[Value; 2]>::try_from(parts) else {
            return Err(replies::unknown_shape(DOING));
        };
        let cursor = replies::string(DOING, cursor)?;
        let cursor = cursor.ok_or_else(|| replies::unknown_shape(DOING))?;
        let cursor = Some(cursor).filter(|cursor| *cursor != first_cursor());
        Ok(Names { names: replies::strings(DOING, names)?, cursor })
    }
}

impl Walk {
    pub(crate) async fn next(&mut self) -> Result<Option<WalkPage>, StoreError> {
        let mut page = WalkPage::default();
        if self.pending.is_empty() && !self.find(&mut page).await? {
            return Ok(None);
        }
        let rest = self.pending.len().saturating_sub(CHUNK);
        let chunk = self.pending.split_off(rest);
        let found = self.engine.read_raw(&chunk).await?;
        for (key, raw) in chunk.into_iter().zip(found) {
            let Some(raw) = raw else {
                continue;
            };
            match Stored::open(&key, &raw) {
                Ok(opened) if !opened.is_live(self.now) => {}
                opened => page.records.push((key, opened.map(|opened| opened.to_stored()))),
            }
        }
        Ok(Some(page))
    }

    /// Finds more names; false where there are no more servers.
    async fn find(&mut self, page: &mut WalkPage) -> Result<bool, StoreError> {
        let Some(master) = self.masters.front() else {
            return Ok(false);
        };
        let found = self.engine.names(master, &self.cursor, NAMES).await?;
        for name in found.names {
            if !self.seen.insert(fingerprint(&name)) {
                continue;
            }
            match Name::parse(&name) {
                Name::Record(key) => self.pending.push(key),
                Name::Index(_) | Name::Internal => {}
                Name::Foreign => page.foreign.push(Bytes::from(name)),
            }
        }
        self.cursor = match found.cursor {
            Some(cursor) => cursor,
            None => {
                self.masters.pop_front();
                first_cursor()
            }
        };
        Ok(true)
    }
}

pub(super) fn first_cursor() -> Vec<u8> {
    b"0".to_vec()
}

/// Two hashes of 64 bits: two of a thousand million names are taken for one with a probability
/// of 10^-21.
fn fingerprint(name: &[u8]) -> u128 {
    let [high, low] = [0, 1].map(|salt| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(name);
        u128::from(hasher.finish())
    });
    high << 64 | low
}

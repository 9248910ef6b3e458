//! How is everything walked that is stored on all servers?
//!
//! By `SCAN` of one master after the other. A cursor is not a snapshot: it can give a name again,
//! and it belongs to one run of one server. After a restart a Redis orders its names differently and a
//! KVRocks has forgotten its cursors, so that names would be passed over: then that server is begun
//! anew. What moves from one server to another is looked for by `tour`. Invariant: each record is
//! given once at most, because its key is remembered, and one that stays is given; a call that fails
//! has forgotten nothing and may be repeated.
//!
//! Spec: Storage, "Engine B".

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use redis::Value;

use super::chunk::Chunk;
use super::engine::Redis;
use super::keys::Name;
use super::replies;
use super::servers::{Master, Reply};
use super::topology::text;
use super::tour::{MAX_STARTS, Run, Tour, Words, own_words};
use super::trouble::Trouble;
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::Key;
use crate::maintenance::WalkPage;
use crate::timestamp::Timestamp;

const DOING: &str = "walking over all records";

/// How many names a server gives at once.
const NAMES: usize = 500;

/// A walk over everything that the servers hold.
pub(crate) struct Walk {
    engine: Redis,
    now: Timestamp,
    tour: Tour,
    /// Those of this round that are still to be walked; the first is under way.
    masters: VecDeque<Master>,
    progress: Progress,
    /// Found and not read yet.
    pending: Vec<Key>,
    chunk: Chunk,
    seen: HashSet<u128>,
}

/// How far the walk over one master has come.
struct Progress {
    cursor: Vec<u8>,
    /// The run that gave the cursor.
    run: Option<Run>,
    starts: u32,
}

/// A part of the names of one server.
pub(super) struct Names {
    pub(super) names: Vec<Vec<u8>>,
    /// `None` at the end.
    pub(super) cursor: Option<Vec<u8>>,
    /// Who gave them.
    run: Run,
}

impl Redis {
    pub(crate) async fn walk(&self, now: Timestamp) -> Result<Walk, StoreError> {
        let mut walk = Walk {
            engine: self.clone(),
            now,
            tour: Tour::default(),
            masters: VecDeque::new(),
            progress: Progress::new(),
            pending: Vec::new(),
            chunk: Chunk::careful(),
            seen: HashSet::new(),
        };
        walk.begin_round().await?;
        Ok(walk)
    }

    /// The next names of one server behind a cursor that it gave, and which run of it this was: one
    /// connection does not outlive a run.
    pub(super) async fn names(
        &self,
        master: &Master,
        cursor: &[u8],
        count: usize,
    ) -> Result<Names, StoreError> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(count);
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let replies = self.servers().ask(master, vec![scan, info]).await?;
        let Ok([scanned, info]) = <[Reply; 2]>::try_from(replies) else {
            return Err(replies::unknown_shape(DOING));
        };
        let parts = replies::array(DOING, replies::value(DOING, scanned)?)?;
        let Ok([cursor, names]) = <[Value; 2]>::try_from(parts) else {
            return Err(replies::unknown_shape(DOING));
        };
        let cursor = replies::string(DOING, cursor)?;
        let cursor = cursor.ok_or_else(|| replies::unknown_shape(DOING))?;
        let cursor = Some(cursor).filter(|cursor| *cursor != first_cursor());
        let info = text(&replies::value(DOING, info)?);
        let run = Run::read(&info.ok_or_else(|| replies::unknown_shape(DOING))?);
        Ok(Names { names: replies::strings(DOING, names)?, cursor, run })
    }

    /// What the masters say now. One that does not answer may be about to be replaced.
    async fn words(&self) -> Result<Words, StoreError> {
        let mut masters = self.servers().masters_now().await?;
        for _ in 0..MAX_STARTS {
            match self.words_of(&masters).await {
                Ok(words) => return Ok(words),
                Err(error) => {
                    let before =
                        std::mem::replace(&mut masters, self.servers().masters_now().await?);
                    if masters == before {
                        return Err(error);
                    }
                }
            }
        }
        Err(Trouble::Restless.while_doing(DOING))
    }

    async fn words_of(&self, masters: &[Master]) -> Result<Words, StoreError> {
        let mut words = Words::new();
        for master in masters {
            let mut own = String::new();
            if self.servers().features().is_cluster {
                let mut nodes = redis::cmd("CLUSTER");
                nodes.arg("NODES");
                let replies = self.servers().ask(master, vec![nodes]).await?;
                let nodes = text(&replies::only(DOING, replies)?);
                own = own_words(&nodes.ok_or_else(|| replies::unknown_shape(DOING))?);
            }
            words.insert(master.clone(), own);
        }
        Ok(words)
    }
}

impl Walk {
    pub(crate) async fn next(&mut self) -> Result<Option<WalkPage>, StoreError> {
        if !self.pending.is_empty() {
            return self.read().await.map(Some);
        }
        if self.masters.is_empty() {
            self.begin_round().await?;
        }
        match self.masters.front().cloned() {
            Some(master) => self.find(&master).await.map(Some),
            None => Ok(None),
        }
    }

    /// Finds out who has to be walked, and nobody at the end.
    async fn begin_round(&mut self) -> Result<(), StoreError> {
        let words = self.engine.words().await?;
        let due = self.tour.next_round(&words);
        self.masters = due.ok_or_else(|| Trouble::Restless.while_doing(DOING))?.into();
        Ok(())
    }

    /// Reads what was found; what is pending is pending until it has been read.
    async fn read(&mut self) -> Result<WalkPage, StoreError> {
        let rest = self.pending.len().saturating_sub(self.chunk.size());
        let chunk = self.pending.get(rest..).unwrap_or_default();
        let found = self.engine.read_raw(chunk).await?;
        self.chunk.learn(&found);
        let mut page = WalkPage::default();
        for (key, raw) in self.pending.drain(rest..).zip(found) {
            let Some(raw) = raw else {
                continue;
            };
            match Stored::open(&key, &raw) {
                Ok(opened) if !opened.is_live(self.now) => {}
                opened => page.records.push((key, opened.map(|opened| opened.to_stored()))),
            }
        }
        Ok(page)
    }

    /// Finds more names of one master.
    async fn find(&mut self, master: &Master) -> Result<WalkPage, StoreError> {
        let found = match self.engine.names(master, &self.progress.cursor, NAMES).await {
            Ok(found) => found,
            Err(error) => return self.leave(master, error).await,
        };
        if !self.progress.is_of(&found.run) {
            return self.progress.begin_anew(master).map(|()| WalkPage::default());
        }
        let mut page = WalkPage::default();
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
        match found.cursor {
            Some(cursor) => {
                self.progress.cursor = cursor;
                self.progress.run = Some(found.run);
            }
            None => self.go_to_next(),
        }
        Ok(page)
    }

    fn go_to_next(&mut self) {
        self.masters.pop_front();
        self.progress = Progress::new();
    }

    /// A master that does not answer is passed over if it is none any more: whoever took its place is
    /// walked in the next round.
    async fn leave(&mut self, master: &Master, error: StoreError) -> Result<WalkPage, StoreError> {
        if self.engine.servers().masters_now().await?.contains(master) {
            return Err(error);
        }
        self.tour.skip(master);
        self.go_to_next();
        Ok(WalkPage::default())
    }
}

impl Progress {
    fn new() -> Self {
        Self { cursor: first_cursor(), run: None, starts: 1 }
    }

    /// Whether the cursor means something to this run.
    fn is_of(&self, run: &Run) -> bool {
        self.run.as_ref().is_none_or(|earlier| run.continues(earlier))
    }

    fn begin_anew(&mut self, master: &Master) -> Result<(), StoreError> {
        let starts = self.starts + 1;
        if starts > MAX_STARTS {
            let server = master.0.clone();
            return Err(Trouble::Restarted { server }.while_doing(DOING));
        }
        *self = Self { starts, ..Self::new() };
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::url::Address;

    #[test]
    fn a_server_that_restarts_again_and_again_ends_the_walk() {
        let master = Master(Address { host: "a".to_owned(), port: 1 });
        let run = |id: u32| Run::read(&format!("run_id:{id}\r\n"));
        let mut progress = Progress::new();
        for id in 1..MAX_STARTS {
            assert!(progress.is_of(&run(id)));
            progress.run = Some(run(id));
            progress.cursor = b"17".to_vec();
            assert!(progress.is_of(&run(id)) && !progress.is_of(&run(id + 1)));
            progress.begin_anew(&master).unwrap();
            assert_eq!(progress.cursor, first_cursor());
        }
        let StoreError::Unavailable { source, .. } = progress.begin_anew(&master).unwrap_err()
        else {
            panic!("it is unavailable");
        };
        assert_eq!(source.to_string(), "a:1 was restarted too often to be walked over");
    }
}

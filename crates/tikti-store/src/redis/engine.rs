//! How does the contract run on servers of the Redis protocol?
//!
//! Invariant: everything that a server has given has passed its checksum before it leaves this
//! engine, and is judged expired by the caller's clock. Records of one partition that are asked for
//! together come from one command, so from one moment.
//!
//! Spec: Storage, "Engine B".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::Cmd;

use super::chunk::Chunk;
use super::scripts::Scripts;
use super::servers::{Failure, Request, Servers};
use super::{commands, keys, replies};
use crate::batch::{Batch, Change, Expectation};
use crate::envelope::Stored;
use crate::error::{OpenError, StoreError};
use crate::key::Key;
use crate::store::{Access, OpenOptions, Statistics};
use crate::timestamp::Timestamp;
use crate::window::{Window, WindowCount};

const READING: &str = "reading";
const TAKING: &str = "taking a record";
const COUNTING: &str = "counting";

/// For how many windows a counter is kept: its own and the next, in which it is still asked for, and
/// one more because clocks differ.
const COUNTER_WINDOWS: u64 = 3;

/// A handle of the Redis engine. The last one dropped closes the connections.
#[derive(Clone)]
pub(crate) struct Redis(Arc<Open>);

struct Open {
    servers: Servers,
    scripts: Scripts,
    /// How many replicas a write has to reach before it is answered.
    wait_replicas: u32,
    writes: AtomicU64,
    /// Of listings.
    chunk: Chunk,
}

impl Redis {
    pub(crate) async fn connect(
        url: &str,
        options: &OpenOptions,
        access: Access,
    ) -> Result<Self, OpenError> {
        Ok(Self(Arc::new(Open {
            servers: Servers::connect(url, options, access).await?,
            scripts: Scripts::new(),
            wait_replicas: options.redis.wait_replicas,
            writes: AtomicU64::new(0),
            chunk: Chunk::most(),
        })))
    }

    /// Each write is a commit of its own: what a server puts together, it does not say.
    pub(crate) fn statistics(&self) -> Statistics {
        let writes = self.0.writes.load(Ordering::Relaxed);
        Statistics { writes, commits: writes }
    }

    pub(crate) async fn get(
        &self,
        key: &Key,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let raw = self.read_one(key).await?;
        open_live(key, raw.as_deref(), now)
    }

    pub(crate) async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Stored>>, StoreError> {
        let found = self.read_raw(keys).await?;
        keys.iter().zip(found).map(|(key, raw)| open_live(key, raw.as_deref(), now)).collect()
    }

    pub(crate) async fn take(
        &self,
        key: &Key,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        if key.is_listed() {
            self.take_listed(key, now).await
        } else {
            self.take_alone(key, now).await
        }
    }

    /// Each turn of the loop that is not the last means that someone else's write came between the
    /// read and the delete: some writer always gets on.
    async fn take_listed(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        loop {
            let Some(found) = self.get(key, now).await? else {
                return Ok(None);
            };
            let expected = Some(found.clone());
            let expectation = Expectation { key: key.clone(), expected };
            let change = Change::Delete { key: key.clone() };
            match self.commit(&Batch::conditional(expectation, change, now)).await {
                Ok(()) => return Ok(Some(found)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sent once: after a lost reply the record may have been given to us, to another, or to a copy of
    /// the request that is still on its way.
    async fn take_alone(&self, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        let request = Request { commands: vec![commands::get_and_delete(key)], is_write: true };
        let answered = self.servers().write(keys::slot(key.partition()), &request).await;
        let replies = answered.map_err(|failure| match failure {
            Failure::NotExecuted(error) | Failure::Lost(error) => error,
        })?;
        let raw = replies::string(TAKING, replies::only(TAKING, replies)?)?;
        self.count_write();
        open_live(key, raw.as_deref(), now)
    }

    /// Counters are not resent and wait for no replica: they may forget, and must not run ahead.
    pub(crate) async fn count_in_window(
        &self,
        window: &Window<'_>,
    ) -> Result<WindowCount, StoreError> {
        let current = keys::counter(window, window.number);
        let kept = window.length_millis.saturating_mul(COUNTER_WINDOWS);
        let mut begin = redis::cmd("SET");
        begin.arg(&current).arg(0).arg("PX").arg(kept.min(commands::MAX_TTL_MILLIS)).arg("NX");
        let mut increment = redis::cmd("INCR");
        increment.arg(&current);
        let mut commands = vec![begin, increment];
        if let Some(before) = window.number.checked_sub(1) {
            let mut get = redis::cmd("GET");
            get.arg(keys::counter(window, before));
            commands.push(get);
        }
        let slot = keys::slot(window.key.partition());
        let answered = self.servers().write(slot, &Request { commands, is_write: false }).await;
        let replies = answered.map_err(|failure| match failure {
            Failure::NotExecuted(error) | Failure::Lost(error) => error,
        })?;
        let mut values = Vec::with_capacity(replies.len());
        for reply in replies {
            values.push(replies::value(COUNTING, reply)?);
        }
        let mut values = values.into_iter().skip(1);
        let current = values.next().ok_or_else(|| replies::unknown_shape(COUNTING))?;
        let current = replies::integer(COUNTING, &current)?;
        let previous = match values.next() {
            Some(previous) => replies::string(COUNTING, previous)?,
            None => None,
        };
        let previous = previous.as_deref().map_or(Some(0), parse_count);
        Ok(WindowCount {
            current: u64::try_from(current).unwrap_or(0),
            previous: previous.ok_or_else(|| replies::unknown_shape(COUNTING))?,
            elapsed_millis: window.elapsed_millis,
        })
    }

    pub(super) async fn read_one(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let asked = vec![(keys::slot(key.partition()), commands::get(key))];
        let replies = self.servers().read(asked).await?;
        replies::string(READING, replies::only(READING, replies)?)
    }

    /// Whole envelopes, expired or not, in the order asked. One command for each partition; where
    /// there is one server, one for all.
    pub(super) async fn read_raw(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let is_cluster = self.servers().features().is_cluster;
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, key) in keys.iter().enumerate() {
            groups.entry(is_cluster.then(|| key.partition())).or_default().push(place);
        }
        let mut asked = Vec::with_capacity(groups.len());
        for places in groups.values() {
            let of_group = || places.iter().filter_map(|place| keys.get(*place));
            let mut command = Cmd::new();
            command.arg("MGET");
            of_group().for_each(|key| {
                command.arg(keys::record(key));
            });
            let first = of_group().next().ok_or_else(|| replies::unknown_shape(READING))?;
            asked.push((keys::slot(first.partition()), command));
        }
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut replies = self.servers().read(asked).await?.into_iter();
        let mut found = vec![None; keys.len()];
        for places in groups.into_values() {
            let reply = replies.next().ok_or_else(|| replies::unknown_shape(READING))?;
            let values = replies::array(READING, replies::value(READING, reply)?)?;
            if values.len() != places.len() {
                return Err(replies::unknown_shape(READING));
            }
            for (place, value) in places.into_iter().zip(values) {
                if let Some(found) = found.get_mut(place) {
                    *found = replies::string(READING, value)?;
                }
            }
        }
        Ok(found)
    }

    pub(super) fn servers(&self) -> &Servers {
        &self.0.servers
    }

    pub(super) fn scripts(&self) -> &Scripts {
        &self.0.scripts
    }

    pub(super) fn chunk(&self) -> &Chunk {
        &self.0.chunk
    }

    pub(super) fn waits_for_replicas(&self) -> bool {
        self.0.wait_replicas > 0
    }

    pub(super) fn count_write(&self) {
        self.0.writes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Checks what a server holds under `key`; nothing where it is expired.
pub(super) fn open_live(
    key: &Key,
    raw: Option<&[u8]>,
    now: Timestamp,
) -> Result<Option<Stored>, StoreError> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    let opened = Stored::open(key, raw)?;
    Ok(opened.is_live(now).then(|| opened.to_stored()))
}

fn parse_count(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

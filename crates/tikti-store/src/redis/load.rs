//! How is an empty store filled fast?
//!
//! One request for each partition, several at once. Invariant: the records of a partition and their
//! entries in the indexes come together, by `MULTI` and `EXEC`. Nothing is compared and nobody else
//! writes, so a request whose reply was lost is sent again.
//!
//! Spec: Storage; Operations, "Backup".

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use redis::{Cmd, Value};

use super::commit::MAX_SENDS;
use super::engine::Redis;
use super::servers::{Failure, Request};
use super::{commands, keys, replies};
use crate::envelope::Stored;
use crate::error::StoreError;
use crate::key::{Key, Partition};
use crate::timestamp::Timestamp;

const DOING: &str = "loading records";

type Records<'a> = Vec<&'a (Key, Stored)>;

/// The partitions that are still to be loaded.
type Queue<'a> = Mutex<VecDeque<(&'a Partition, Records<'a>)>>;

impl Redis {
    pub(crate) async fn load(
        &self,
        records: &[(Key, Stored)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut partitions: BTreeMap<_, Records<'_>> = BTreeMap::new();
        for record in records {
            partitions.entry(record.0.partition()).or_default().push(record);
        }
        let queue = Mutex::new(partitions.into_iter().collect());
        // As many as a server has write connections: each waits for the disk by itself.
        let lane = || Box::pin(self.load_from(&queue, now));
        tokio::try_join!(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane())?;
        Ok(())
    }

    async fn load_from(&self, queue: &Queue<'_>, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((partition, records)) = next else {
                return Ok(());
            };
            self.load_partition(partition, &records, now).await?;
        }
    }

    async fn load_partition(
        &self,
        partition: &Partition,
        records: &Records<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let request = Request { commands: load_commands(records, now), is_write: true };
        let mut sends = 1;
        let replies = loop {
            match self.servers().write(keys::slot(partition), &request).await {
                Ok(replies) => break replies,
                Err(Failure::Lost(_)) if sends < MAX_SENDS => sends += 1,
                Err(Failure::Lost(error) | Failure::NotExecuted(error)) => return Err(error),
            }
        };
        for reply in replies {
            if let Value::Array(inner) = replies::value(DOING, reply)? {
                inner
                    .into_iter()
                    .try_for_each(|inner| replies::value(DOING, Ok(inner)).map(drop))?;
            }
        }
        self.count_write();
        Ok(())
    }
}

/// A record alone is one command.
fn load_commands(records: &Records<'_>, now: Timestamp) -> Vec<Cmd> {
    let mut indexes: BTreeMap<_, Vec<&[u8]>> = BTreeMap::new();
    for (key, _) in records.iter().filter(|(key, _)| key.is_listed()) {
        indexes.entry(keys::index(key)).or_default().push(key.id());
    }
    let mut commands = Vec::with_capacity(indexes.len() + records.len() + 2);
    for (index, ids) in indexes {
        let mut add = redis::cmd("ZADD");
        add.arg(index);
        ids.iter().for_each(|id| {
            add.arg(0).arg(*id);
        });
        commands.push(add);
    }
    commands.extend(records.iter().map(|(key, record)| commands::set(key, record, now)));
    if commands.len() > 1 {
        commands.insert(0, redis::cmd("MULTI"));
        commands.push(redis::cmd("EXEC"));
    }
    commands
}

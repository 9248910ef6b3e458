//! How are the servers, in figures?
//!
//! Invariant: a figure that a server does not give is absent and never guessed; sums are over all
//! masters and absent where one of them does not say.
//!
//! Spec: Storage; Operations, "store status".

use super::engine::Redis;
use super::info::{Info, Product};
use super::replies;
use crate::error::StoreError;
use crate::maintenance::Status;

const DOING: &str = "reading the figures of the servers";

/// What one master says, in bytes and keys.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    size_bytes: Option<u64>,
    used_bytes: Option<u64>,
    limit_bytes: Option<u64>,
    entries: Option<u64>,
}

impl Figures {
    /// A KVRocks lives on the disk; the others live in memory, where the limit is `maxmemory`. What it
    /// says of its keys is what its last `DBSIZE SCAN` has counted, and 0 before the first.
    fn of(info: &Info, entries: i64) -> Self {
        let number = |name| info.field(name)?.parse().ok();
        let is_kvrocks = matches!(info.product(), Product::KvRocks(_));
        let limit = if is_kvrocks { "max_db_size" } else { "maxmemory" };
        let size = if is_kvrocks { "used_db_size" } else { "used_memory_rss" };
        Self {
            size_bytes: number(size),
            used_bytes: if is_kvrocks { None } else { number("used_memory") },
            limit_bytes: number(limit).filter(|limit| *limit > 0),
            entries: if is_kvrocks { None } else { u64::try_from(entries).ok() },
        }
    }
}

impl Redis {
    pub(crate) async fn status(&self) -> Result<Status, StoreError> {
        let mut figures = Vec::new();
        for master in self.servers().masters().await? {
            let commands = vec![redis::cmd("INFO"), redis::cmd("DBSIZE")];
            let mut replies = self.servers().ask(&master, commands).await?.into_iter();
            let (Some(info), Some(entries)) = (replies.next(), replies.next()) else {
                return Err(replies::unknown_shape(DOING));
            };
            let info = replies::string(DOING, replies::value(DOING, info)?)?.unwrap_or_default();
            let entries = replies::integer(DOING, &replies::value(DOING, entries)?)?;
            figures.push(Figures::of(&Info::read(&String::from_utf8_lossy(&info)), entries));
        }
        let sum = |of: fn(&Figures) -> Option<u64>| figures.iter().map(of).sum();
        let features = self.servers().features();
        let engine = if features.is_cluster {
            format!("{}, a cluster of {} masters", features.product, figures.len())
        } else {
            features.product.to_string()
        };
        Ok(Status {
            engine,
            size_bytes: sum(|figures| figures.size_bytes),
            used_bytes: sum(|figures| figures.used_bytes),
            free_bytes: None,
            limit_bytes: sum(|figures| figures.limit_bytes),
            entries: sum(|figures| figures.entries),
            readers: None,
            remarks: features.remarks.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_figures_of_both_kinds_of_server() {
        let redis = "# Memory\r\nused_memory:1000\r\nused_memory_rss:3000\r\nmaxmemory:0\r\n";
        let expected = Figures {
            size_bytes: Some(3000),
            used_bytes: Some(1000),
            limit_bytes: None,
            entries: Some(7),
        };
        assert_eq!(Figures::of(&Info::read(redis), 7), expected);
        let kvrocks = "kvrocks_version:2.10.1\r\nused_memory_rss:9\r\nused_db_size:500\r\n\
                       max_db_size:800\r\n";
        let expected = Figures {
            size_bytes: Some(500),
            used_bytes: None,
            limit_bytes: Some(800),
            entries: None,
        };
        for counted_last in [0, 7] {
            assert_eq!(Figures::of(&Info::read(kvrocks), counted_last), expected);
        }
    }

    #[test]
    fn what_a_server_does_not_say_is_absent() {
        let expected =
            Figures { size_bytes: None, used_bytes: None, limit_bytes: None, entries: None };
        let info = Info::read("used_memory:x\r\nmaxmemory_policy:1\r\n");
        assert_eq!(Figures::of(&info, -1), expected);
    }
}

//! How are the servers, in figures?
//!
//! Invariant: a figure that a server does not give is absent and never guessed; sums are over all
//! masters and absent where one of them does not say.
//!
//! Spec: Storage; Operations, "store status".

use super::engine::Redis;
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
    /// A KVRocks lives on the disk; the others live in memory, where the limit is `maxmemory`.
    fn of(info: &str, entries: i64) -> Self {
        let on_disk = number(info, "used_db_size");
        let limit = if on_disk.is_some() { "max_db_size" } else { "maxmemory" };
        Self {
            size_bytes: on_disk.or_else(|| number(info, "used_memory_rss")),
            used_bytes: if on_disk.is_some() { None } else { number(info, "used_memory") },
            limit_bytes: number(info, limit).filter(|limit| *limit > 0),
            entries: u64::try_from(entries).ok(),
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
            figures.push(Figures::of(&String::from_utf8_lossy(&info), entries));
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

/// The number in a line `<name>:<number>` of `INFO`.
fn number(info: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok();
    info.lines().find_map(value)
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
        assert_eq!(Figures::of(redis, 7), expected);
        let kvrocks = "used_memory_rss:9\r\nused_db_size:500\r\nmax_db_size:800\r\n";
        let expected = Figures {
            size_bytes: Some(500),
            used_bytes: None,
            limit_bytes: Some(800),
            entries: Some(7),
        };
        assert_eq!(Figures::of(kvrocks, 7), expected);
    }

    #[test]
    fn what_a_server_does_not_say_is_absent() {
        let expected =
            Figures { size_bytes: None, used_bytes: None, limit_bytes: None, entries: None };
        assert_eq!(Figures::of("used_memory:x\r\nmaxmemory_policy:1\r\n", -1), expected);
    }
}

//! How is a kind listed in the order of its ids?
//!
//! By the index: a range of it in the order of bytes, and then the records themselves, a chunk at a
//! time. Invariant: an id whose record is gone or expired is passed over, and nothing is remembered
//! on the server between two pages.
//!
//! Spec: Storage, "listings use an ordered index per partition".

use bytes::Bytes;

use super::engine::{Redis, open_live};
use super::{keys, replies};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{Page, Scan};

const DOING: &str = "listing";

/// How many ids one page may pass over before it is handed out short, and how much it may read.
const MAX_SKIPPED: usize = 1024;
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

impl Redis {
    pub(crate) async fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError> {
        let Scan { partition, kind, limit, now, .. } = *scan;
        let mut last = Key::new(partition, kind, scan.after.unwrap_or_default());
        let mut entries = Vec::new();
        let (mut skipped, mut bytes_read) = (0, 0);
        loop {
            let room = limit.saturating_sub(entries.len()).min(self.chunk().size());
            // One more, to know whether anything follows.
            let ids = self.ids_behind(&last, room + 1).await?;
            let is_end = ids.len() <= room;
            let chunk: Vec<_> =
                ids.iter().take(room).map(|id| Key::new(partition, kind, id)).collect();
            let found = self.read_raw(&chunk).await?;
            self.chunk().learn(&found);
            for (key, raw) in chunk.into_iter().zip(found) {
                bytes_read += raw.as_ref().map_or(0, Vec::len);
                match open_live(&key, raw.as_deref(), now)? {
                    Some(record) => entries.push((Bytes::copy_from_slice(key.id()), record)),
                    None => skipped += 1,
                }
                last = key;
            }
            if is_end {
                return Ok(Page { entries, next: None });
            }
            if entries.len() == limit || skipped >= MAX_SKIPPED || bytes_read >= PAGE_MAX_BYTES {
                let next = Some(Bytes::copy_from_slice(last.id()));
                return Ok(Page { entries, next });
            }
        }
    }

    /// Up to `count` ids of the kind of `key` that come behind its id, whether or not there is still
    /// a record.
    pub(super) async fn ids_behind(
        &self,
        key: &Key,
        count: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut range = redis::cmd("ZRANGEBYLEX");
        range.arg(keys::index(key));
        if key.id().is_empty() {
            range.arg("-");
        } else {
            range.arg([b"(", key.id()].concat());
        }
        range.arg("+").arg("LIMIT").arg(0).arg(count);
        let replies = self.servers().read(vec![(keys::slot(key.partition()), range)]).await?;
        replies::strings(DOING, replies::only(DOING, replies)?)
    }
}

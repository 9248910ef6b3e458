//! What does the store hold, byte for byte?

use std::collections::BTreeMap;

use tikti_domain::Store;
use tikti_domain::clock::Timestamp;

/// What every server writes by itself, whatever is asked of it: signed heads of the audit, and when API keys
/// were used.
fn is_of_background(key: &[u8]) -> bool {
    let parts: Vec<_> = key.split(|byte| *byte == b'/').collect();
    matches!(parts[..], [_, b"signed" | b"used", ..])
}

/// A mail that waits to go out.
fn is_mail(key: &[u8]) -> bool {
    let parts: Vec<_> = key.split(|byte| *byte == b'/').collect();
    matches!(parts[..], [queue, b"mail", ..] if queue.starts_with(b"m:"))
}

/// Every record with its expiry and its write id, expired ones too.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<Vec<u8>, Vec<u8>>);

impl Contents {
    pub(super) async fn of(store: &Store) -> Self {
        let mut records = BTreeMap::new();
        let mut walk = store.walk(Timestamp::from_millis(0)).await.unwrap();
        while let Some(page) = walk.next().await.unwrap() {
            assert!(page.foreign.is_empty());
            for (key, record) in
                page.records.into_iter().filter(|(key, _)| !is_of_background(key.as_bytes()))
            {
                records.insert(key.as_bytes().to_vec(), record.unwrap().as_bytes().to_vec());
            }
        }
        assert!(!records.is_empty(), "nothing was read: that proves nothing");
        Self(records)
    }

    /// The keys whose records are other ones in what is there `later`; but for mails that have gone out by
    /// then, as they do by themselves.
    pub(super) fn differences(&self, later: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(later.0.keys());
        let has_gone = |key: &[u8]| is_mail(key) && !later.0.contains_key(key);
        let mut keys: Vec<_> = keys
            .filter(|key| self.0.get(*key) != later.0.get(*key) && !has_gone(key.as_slice()))
            .collect();
        keys.sort();
        keys.dedup();
        keys.into_iter().map(|key| key.escape_ascii().to_string()).collect()
    }
}

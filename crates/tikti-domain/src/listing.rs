//! What stands in a list of records, also where one of them is damaged?
//!
//! Invariant: a damaged record is one of the page and hides no other. For background work, which must
//! get past it; a caller who asked for the list is told of the damage by [`Store::scan`].
//!
//! Spec: Storage, "damage is named".

use tikti_store::{Kind, Partition, Store, StoreError, Stored};

use crate::clock::Timestamp;

/// Some records of one list, in the order of their ids.
pub(crate) struct ListPage {
    /// The id of each and its record, or what is wrong with it.
    pub(crate) entries: Vec<(Vec<u8>, Result<Stored, StoreError>)>,
    /// Where to go on, if there are more.
    pub(crate) next: Option<Vec<u8>>,
}

/// Reads up to `limit` records of one kind in one partition.
///
/// # Errors
/// The store's, but for `Corrupt`.
pub(crate) async fn page(
    store: &Store,
    (list, kind): (&Partition, Kind),
    limit: usize,
    after: Option<&[u8]>,
    now: Timestamp,
) -> Result<ListPage, StoreError> {
    let (mut entries, mut next) = (Vec::new(), after.map(Vec::from));
    let mut size = limit;
    loop {
        match store.scan(list, kind, next.as_deref(), size, now).await {
            Ok(page) => {
                let read = page.entries.into_iter();
                entries.extend(read.map(|(id, stored)| (id.to_vec(), Ok(stored))));
                next = page.next.map(|last| last.to_vec());
            }
            // One by one, up to the damaged one and behind it.
            Err(StoreError::Corrupt { .. }) if size > 1 => {
                size = 1;
                continue;
            }
            Err(StoreError::Corrupt { key, what }) => {
                next = Some(key.id().to_vec());
                entries.push((key.id().to_vec(), Err(StoreError::Corrupt { key, what })));
            }
            Err(error) => return Err(error),
        }
        if size == limit || entries.len() >= limit || next.is_none() {
            return Ok(ListPage { entries, next });
        }
    }
}

//! How is everything of one kind taken out of a partition?
//!
//! A page at a time. Invariant: whoever calls this has made sure that nothing is added any more, so
//! that one pass finds all, and a second pass after a crash the rest.
//!
//! Spec: Domain, rule 4.

use tikti_store::{Key, Kind, Page, Partition, Stored};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;

/// Records of one page.
pub(crate) const PAGE: usize = 200;

/// Reads one page of a list.
pub(crate) async fn page(
    domain: &Domain,
    (partition, kind): (&Partition, Kind),
    after: Option<&[u8]>,
    now: Timestamp,
) -> Result<Page, Error> {
    Ok(domain.store.scan(partition, kind, after, PAGE, now).await?)
}

/// Removes the records of one page, together.
pub(crate) async fn remove(
    domain: &Domain,
    (partition, kind): (&Partition, Kind),
    page: &Page,
    now: Timestamp,
) -> Result<(), Error> {
    if page.entries.is_empty() {
        return Ok(());
    }
    domain
        .store
        .transact(partition, &[], now, |txn| {
            for (id, _) in &page.entries {
                txn.delete(&Key::new(partition, kind, id))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Removes every record of one kind.
pub(crate) async fn all(
    domain: &Domain,
    list: (&Partition, Kind),
    now: Timestamp,
) -> Result<(), Error> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let found = page(domain, list, after.as_deref(), now).await?;
        remove(domain, list, &found, now).await?;
        after = found.next.map(Into::into);
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Removes the records of one kind that `is_meant` picks, each unless it changed since it was picked.
pub(crate) async fn those(
    domain: &Domain,
    list: (&Partition, Kind),
    is_meant: impl Fn(&[u8], &Stored) -> bool,
    now: Timestamp,
) -> Result<(), Error> {
    let (partition, kind) = list;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let found = page(domain, list, after.as_deref(), now).await?;
        let meant = found.entries.iter().filter(|(id, stored)| is_meant(id, stored));
        let meant: Vec<_> =
            meant.map(|(id, stored)| (Key::new(partition, kind, id), stored)).collect();
        let reads: Vec<_> = meant.iter().map(|(key, _)| key.clone()).collect();
        if !reads.is_empty() {
            let removed: Result<(), Error> = domain
                .store
                .transact(partition, &reads, now, |txn| {
                    for (key, seen) in &meant {
                        if txn.get(key)? == Some(*seen) {
                            txn.delete(key)?;
                        }
                    }
                    Ok(())
                })
                .await;
            removed?;
        }
        after = found.next.map(Into::into);
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The ids of one page; one that does not parse names nothing and is passed over.
pub(crate) fn ids<T, E>(
    page: &Page,
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Iterator<Item = T> {
    page.entries.iter().filter_map(move |(id, _)| parse(std::str::from_utf8(id).ok()?).ok())
}

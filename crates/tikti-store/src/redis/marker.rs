//! Are these servers' data ours, in a format that we read?
//!
//! Invariant: nothing is ever written to a database that holds keys and not our marker.
//!
//! Spec: Storage; the embedded engine does the same with its directory.

use redis::{Value, cmd};

use super::servers::{Failure, Request, Servers, Slot};
use super::topology::text;
use super::url::Layout;
use crate::error::{OpenError, StoreError};
use crate::store::Access;

/// The partition that holds what belongs to the deployment as a whole.
const PARTITION: &str = "g";
/// No kind has a `#`, so this is no record.
const KEY: &str = "{g}/#format";
const PREFIX: &str = "tikti store format ";
const FORMAT: u32 = 1;

/// Checks the marker, and sets it where there is nothing at all, unless nothing may be written.
pub(super) async fn check(
    servers: &Servers,
    layout: &Layout,
    access: Access,
) -> Result<(), OpenError> {
    let unsuitable = |reason: String| OpenError::Unsuitable { server: layout.to_string(), reason };
    let failed = |error: StoreError| unsuitable(explain(&error));
    let mut found = read(servers).await.map_err(failed)?;
    if found.is_none() {
        // Another instance may set it and write its first record between the two looks.
        let is_empty = is_empty(servers).await.map_err(failed)?;
        found = read(servers).await.map_err(failed)?;
        if found.is_none() {
            if !is_empty {
                return Err(unsuitable(OTHER_PROGRAM.to_owned()));
            }
            if access == Access::Read {
                return Err(unsuitable(NO_STORE.to_owned()));
            }
            set(servers).await.map_err(failed)?;
            found = read(servers).await.map_err(failed)?;
        }
    }
    judge(found.as_deref().unwrap_or_default()).map_err(unsuitable)
}

const NO_STORE: &str = "it holds no store: check the URL";
const OTHER_PROGRAM: &str = "it holds the data of another program: use an empty one";

fn judge(marker: &str) -> Result<(), String> {
    let found = marker.strip_prefix(PREFIX).ok_or(OTHER_PROGRAM)?;
    if found == FORMAT.to_string() {
        return Ok(());
    }
    let found = found.escape_default();
    Err(format!(
        "its data has format {found} and this version reads format {FORMAT}: use the version that \
         wrote it"
    ))
}

async fn read(servers: &Servers) -> Result<Option<String>, StoreError> {
    let mut get = cmd("GET");
    get.arg(KEY);
    let replies = servers.read(vec![(Slot::of(PARTITION.as_bytes()), get)]).await?;
    Ok(match replies.first() {
        Some(Ok(Value::Nil)) | None => None,
        // What is there and no text is somebody else's.
        Some(Ok(value)) => Some(text(value).unwrap_or_default()),
        Some(Err(_)) => Some(String::new()),
    })
}

async fn is_empty(servers: &Servers) -> Result<bool, StoreError> {
    for master in servers.masters().await? {
        let replies = servers.ask(&master, vec![cmd("RANDOMKEY")]).await?;
        match replies.first() {
            Some(Ok(Value::Nil)) => {}
            // KVRocks says it with a text of no bytes.
            Some(Ok(Value::BulkString(key))) if key.is_empty() => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

async fn set(servers: &Servers) -> Result<(), StoreError> {
    let mut set = cmd("SET");
    set.arg(KEY).arg(format!("{PREFIX}{FORMAT}")).arg("NX");
    let request = Request { commands: vec![set], is_write: true };
    match servers.write(Slot::of(PARTITION.as_bytes()), &request).await {
        Ok(_) => Ok(()),
        Err(Failure::NotExecuted(error) | Failure::Lost(error)) => Err(error),
    }
}

fn explain(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_marker_and_no_other() {
        assert_eq!(judge("tikti store format 1"), Ok(()));
        assert!(judge("tikti store format 2").unwrap_err().contains("format 2"));
        assert!(judge("").unwrap_err().contains("another program"));
        assert!(judge("something").unwrap_err().contains("another program"));
    }
}

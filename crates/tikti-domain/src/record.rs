//! How a record is stored: one schema byte, then JSON.
//!
//! Records only grow: a new field has a default, and the bytes in `tests/domain/golden/` prove that
//! old ones still load. A schema byte above the one known here means that a newer binary wrote the
//! record: it is refused on reading, so that an older binary never writes over what it does not
//! understand.
//!
//! Spec: Storage, "Records are compact". Why JSON: docs/decisions/0003.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tikti_store::{Key, Stored};

use crate::clock::Timestamp;
use crate::error::InternalError;

/// A type that is stored under one key.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The newest schema that this binary reads and the one that it writes.
    const SCHEMA: u8 = 1;

    /// The bytes to store.
    fn encode(&self) -> Result<Vec<u8>, InternalError> {
        let mut bytes = Vec::with_capacity(256);
        bytes.push(Self::SCHEMA);
        serde_json::to_writer(&mut bytes, self).map_err(|error| InternalError::Record {
            key: std::any::type_name::<Self>().to_owned(),
            reason: error.to_string(),
        })?;
        Ok(bytes)
    }

    /// Reads the bytes of the record at `key`.
    fn decode(key: &Key, stored: &Stored) -> Result<Self, InternalError> {
        let broken = |reason: String| InternalError::Record {
            key: String::from_utf8_lossy(key.as_bytes()).into_owned(),
            reason,
        };
        match stored.value().split_first() {
            Some((schema, json)) if (1..=Self::SCHEMA).contains(schema) => {
                serde_json::from_slice(json).map_err(|error| broken(error.to_string()))
            }
            Some((schema, _)) => Err(broken(format!(
                "schema {schema} is newer than {}: upgrade this binary first",
                Self::SCHEMA
            ))),
            None => Err(broken("it is empty".to_owned())),
        }
    }

    /// Reads a record that may be absent.
    fn decode_optional(key: &Key, stored: Option<&Stored>) -> Result<Option<Self>, InternalError> {
        stored.map(|stored| Self::decode(key, stored)).transpose()
    }
}

/// A record whose identity is never used again: it lives, or a tombstone stands in its place for
/// ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Lasting<T> {
    /// The thing itself.
    Live(T),
    /// What is left of it.
    Tombstone(Tombstone),
}

impl<T> Lasting<T> {
    /// The thing, where it lives.
    pub(crate) fn live(self) -> Option<T> {
        match self {
            Self::Live(thing) => Some(thing),
            Self::Tombstone(_) => None,
        }
    }
}

/// Why an identity is not to be used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tombstone {
    /// Since when.
    pub(crate) since: Timestamp,
    /// What happened to it.
    pub(crate) cause: Cause,
}

/// What happened to the thing that stood here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// It lived and was deleted.
    Deleted,
    /// Its creator died before it came to life; the claims that pointed here are free.
    Abandoned,
}

#[cfg(test)]
#[path = "record/golden.rs"]
mod golden;

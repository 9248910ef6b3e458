//! Until when is somebody kept out after too many failures?
//!
//! Counters are forgotten and say nothing of how often somebody was kept out before; this record says
//! both. It is written when a limit is passed and not while one is kept, and it expires by itself.
//!
//! Spec: Operations, "Rate limits" (backing off exponentially).

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::record::Record;

/// Somebody is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    /// The first moment at which he is not.
    pub(crate) until: Timestamp,
    /// How many blocks in a row it makes, where they get longer; else 0.
    #[serde(default)]
    pub(crate) strikes: u32,
}

impl Record for Block {}

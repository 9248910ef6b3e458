//! Signing keys: RSA pairs that all replicas share through the store.
//!
//! All keys are one record, so that making one is a single conditional write: of many replicas that
//! start at once on an empty store, one makes the first key and all use it. The private part is
//! sealed under the master key and bound to its `kid`. What a key may do is computed from its times
//! and `now`, never stored (`life`).
//!
//! | question | file |
//! |---|---|
//! | what may a key do at a moment? | `life` |
//! | how is a key made? | `make` |
//! | which keys does a start find, and make? | `start` |
//! | which keys does this replica have in memory? | `ring` |
//! | what do administrators and the background do to keys? | `operations`, `upkeep` |
//! | how does a key of elsewhere get in? | `import` |
//! | how is a master key replaced? | `rewrap` |
//!
//! Spec: Tokens and keys, "Signing keys: a pure function of time".

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tikti_token::Jwk;

use crate::clock::Timestamp;
use crate::error::InternalError;
use crate::record::Record;
use crate::secret::{Sealed, sha256_hex};

mod import;
mod life;
mod make;
mod operations;
mod rewrap;
mod ring;
mod start;
mod upkeep;

pub use import::{Offline, OfflineError, import};
pub use life::{KeyState, KeyTimes};
#[cfg(any(test, feature = "testing"))]
pub(crate) use make::first_key;
pub use operations::{ListedKey, Rotate, Rotated, list, rotate};
pub use rewrap::{Rewrapped, rewrap};
pub(crate) use ring::KeyRing;
pub use ring::refresh;
pub use upkeep::{destroy_removed, rotate_if_due};

use life::Lives;

/// One key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKeyRecord {
    pub(crate) kid: String,
    pub(crate) created_at: Timestamp,
    /// From when on it signs.
    pub(crate) activates_at: Timestamp,
    /// Since when it is revoked.
    #[serde(default)]
    pub(crate) revoked_at: Option<Timestamp>,
    /// Whether it was made elsewhere.
    #[serde(default)]
    pub(crate) imported: bool,
    /// The public part; kept for good, since heads of the audit have no expiry.
    pub(crate) public: Jwk,
    /// The private part (PKCS#8), sealed; absent once it was destroyed.
    #[serde(default)]
    pub(crate) private: Option<Sealed>,
}

/// All keys, in the order in which they were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningKeys {
    pub(crate) keys: Vec<SigningKeyRecord>,
    /// The `notBefore` of the restore whose keys were revoked last.
    #[serde(default)]
    pub(crate) not_before: Option<Timestamp>,
}

impl Record for SigningKeys {}

impl SigningKeys {
    /// The lives of the keys; each is named by its place in [`SigningKeys::keys`].
    fn lives(&self, times: KeyTimes) -> Lives {
        Lives::of(self.keys.iter().map(life::Dates::from), times)
    }

    fn find(&self, kid: &str) -> Option<(usize, &SigningKeyRecord)> {
        self.keys.iter().enumerate().find(|(_, key)| key.kid == kid)
    }
}

/// The published keys as they are served: from memory, with a strong entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksDocument {
    /// The JSON text (RFC 7517, section 5).
    pub body: String,
    /// The entity tag, quoted.
    pub etag: String,
}

impl JwksDocument {
    /// Of these keys, each as the JSON text of its JWK.
    fn of<'a>(keys: impl Iterator<Item = &'a str>) -> Arc<Self> {
        let body = format!("{{\"keys\":[{}]}}", keys.collect::<Vec<_>>().join(","));
        let etag = format!("\"{}\"", sha256_hex(body.as_bytes()));
        Arc::new(Self { body, etag })
    }
}

fn unusable(kid: &str, reason: impl Into<String>) -> InternalError {
    InternalError::SigningKey { kid: kid.to_owned(), reason: reason.into() }
}

fn sealing_context(kid: &str) -> String {
    format!("tikti signing key {kid}")
}

#[cfg(test)]
mod tests;

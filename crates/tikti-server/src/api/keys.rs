//! Signing keys on the wire: their states and times, and never anything of a private part.
//!
//! Spec: HTTP API, row "keys"; Tokens and keys, "Signing keys".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for the next signing key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateKeyRequest {
    /// Whether existing keys are revoked, with every token that they signed, and the new one signs at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<bool>,
    /// In an emergency, the only key that is revoked; all of them where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "tikti-2026-01-7f3k")]
    pub kid: Option<String>,
}

/// The key that signs next, or at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedKeyReply {
    /// Its id, the `kid` in the header of its tokens.
    #[schema(example = "tikti-2026-01-7f3k")]
    pub kid: String,
    /// `published`: verifiers learn of it and it signs later; `active`: it signs.
    #[schema(example = "published")]
    pub state: String,
    /// From when on it signs: RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub activates_at: String,
}

/// All signing keys that ever were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyListReply {
    /// Newest first.
    pub keys: Vec<KeyReply>,
}

/// A signing key: what it may do now and from when on. Times are RFC 3339, UTC, with milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyReply {
    /// Its id, the `kid` in the header of its tokens.
    #[schema(example = "tikti-2026-01-7f3k")]
    pub kid: String,
    /// `published` (verifiers learn of it), `active` (it signs), `retiring` (its tokens are good until they
    /// end), `removed` (no token of it is alive) or `revoked` (with its tokens).
    #[schema(example = "active")]
    pub state: String,
    /// When it was made or imported.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// From when on it signs.
    #[schema(format = DateTime)]
    pub activates_at: String,
    /// When its state changes next, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub changes_at: Option<String>,
    /// Its state from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "retiring")]
    pub becomes: Option<String>,
    /// When it was revoked; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
    /// Until when somebody may take a token of it, if nothing more is done to it: of one that signs, if it
    /// ended now. Absent for one that has signed nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub tokens_alive_until: Option<String>,
    /// Whether nothing needs it any more.
    pub safe_to_retire: bool,
    /// Whether it was made elsewhere.
    pub imported: bool,
    /// Size of its modulus.
    #[schema(example = 2048)]
    pub bits: usize,
}

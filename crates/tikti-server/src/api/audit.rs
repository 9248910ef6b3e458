//! The audit on the wire.
//!
//! The event is written as it was stored, byte by byte: its hash is over these bytes.
//!
//! Spec: HTTP API, "Tenant administration", audit; Authorization, "Audit".

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// One event in its chain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLinkReply {
    /// Its number, from 1, without a gap.
    pub seq: u64,
    /// When it was added: RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub chained_at: String,
    /// The hash of the event before, in hexadecimal; zeros for the first one.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub prev_hash: String,
    /// SHA-256, in hexadecimal, over number, time in milliseconds since 1970, the hash before, and the
    /// event's text as it stands here, with a line feed between each and the next.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub hash: String,
    /// What happened: `id time action target tenantId actor outcome requestId crossTenant details`.
    #[schema(value_type = Object)]
    pub event: Box<RawValue>,
}

/// One page of events.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditListReply {
    /// At most `pageSize` of them, in the order of their numbers.
    pub events: Vec<AuditLinkReply>,
    /// The newest signed head of the chain, a compact JWS; absent while none was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The newest checkpoint of the chain, as `checkpoint` of its head; absent while no event was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// `pageToken` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// Where a chain ended, by the deployment's word.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditHeadReply {
    /// The number of the last event then.
    pub seq: u64,
    /// When it was signed: RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub signed_at: String,
    /// A compact JWS, RS256, `typ` `tikti-audit-head+jwt`, over `iss iat chain seq chainedAt hash`.
    pub head: String,
    /// Behind which event the chain begins; absent while none was removed because of its age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<AuditCheckpointReply>,
}

/// Up to where a chain was pruned, by the deployment's word.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCheckpointReply {
    /// The number of the last event that was removed, and of all that were.
    pub seq: u64,
    /// When it was signed: RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub signed_at: String,
    /// A compact JWS like that of a head, with the claim `pruned`: how many events are gone.
    pub checkpoint: String,
}

//! A tenant: the authorization boundary.
//!
//! An id is never used again: a deleted tenant leaves a tombstone. Id and slug share one namespace
//! and are claimed in partition `s:`, so that a tenant reference is never ambiguous.
//!
//! Spec: Domain, "Tenant".

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Refusal;
use crate::id::{OperationId, Slug, TenantId, TenantRef};
use crate::record::{Lasting, Record};

/// Whether a tenant is served: only while `ACTIVE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TenantStatus {
    /// Served.
    Active,
    /// Suspended by a platform administrator.
    Suspended,
    /// Being deleted: access is cut, the sweep is under way.
    Deleting,
}

impl TenantStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deleting => "DELETING",
        }
    }

    /// Parses a status that may be asked for: a deletion is asked for otherwise.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `status`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let found =
            [Self::Active, Self::Suspended].into_iter().find(|known| known.as_str() == text);
        found.ok_or_else(|| Refusal::invalid("status", "must be ACTIVE or SUSPENDED"))
    }
}

/// The tenant's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The id, the `tid` claim.
    pub id: TenantId,
    /// The name in commands and links; fixed.
    pub slug: Slug,
    /// A name for people.
    pub name: String,
    /// Whether the tenant is served.
    pub status: TenantStatus,
    /// Whether strangers may join by themselves.
    #[serde(default)]
    pub self_sign_up: bool,
    /// When the tenant was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// Whether `name` is this tenant's id or slug.
    #[must_use]
    pub fn bears(&self, name: &TenantRef) -> bool {
        [self.id.as_str(), self.slug.as_str()].contains(&name.as_str())
    }

    /// Whether the tenant is served.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == TenantStatus::Active
    }
}

impl Record for Lasting<Tenant> {}

/// Which tenant owns a name (an id or a slug).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NameClaim {
    pub(crate) tenant_id: TenantId,
    /// The operation that made the claim.
    #[serde(default)]
    pub(crate) token: OperationId,
}

impl Record for NameClaim {}

/// An entry of a list: the key says what is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListEntry {
    /// The operation that made the entry.
    #[serde(default)]
    pub(crate) token: OperationId,
}

impl Record for ListEntry {}

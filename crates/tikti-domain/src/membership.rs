//! A membership: binds a user to a tenant with a set of roles; the only source of truth for what a
//! user may do there.
//!
//! A membership stands on the entry of the user's list that carries the same token; the entry is
//! written before it and removed after it, so that what lists a user's memberships misses none.
//!
//! Removing a membership is the strongest revocation of it: a `Departure` stays behind for as long as a
//! session of before may live, and whoever is added again goes on from it. Invariant: a session that was
//! once cut off in a tenant, or that its user had when he was removed, is of no use there for ever.
//!
//! Spec: Domain, "Membership"; Tokens and keys, "Revocation".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{OperationId, RoleName, TenantId, UserId};
use crate::record::Record;
use crate::settings::Settings;

/// Most roles of one membership.
pub const MAX_ROLES: usize = 32;

/// The membership's record, in the tenant's partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The user.
    pub user_id: UserId,
    /// The roles; one that no longer exists expands to nothing.
    pub roles: BTreeSet<RoleName>,
    /// The membership version: idTokens of this tenant with another one are stale.
    pub mver: u64,
    /// When the user was added.
    pub created_at: Timestamp,
    /// When the membership was last revoked: sessions begun at or before it cannot be exchanged
    /// here.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// The entry that it stands on: the operation that made that entry.
    #[serde(default)]
    pub(crate) token: OperationId,
}

impl Membership {
    /// A new membership, whose first version is its creation time in milliseconds.
    pub(crate) fn new(
        tenant_id: TenantId,
        user_id: UserId,
        roles: BTreeSet<RoleName>,
        now: Timestamp,
    ) -> Self {
        Self {
            tenant_id,
            user_id,
            roles,
            mver: now.as_millis(),
            created_at: now,
            revoked_at: None,
            token: OperationId::default(),
        }
    }

    /// The membership after a revocation at `now`: of two the later one counts, whichever is made last.
    #[must_use]
    pub(crate) fn revoked(self, now: Timestamp) -> Self {
        Self {
            mver: self.mver.saturating_add(1).max(now.as_millis()),
            revoked_at: self.revoked_at.max(Some(now)),
            ..self
        }
    }

    /// The new membership of somebody who has been a member before.
    #[must_use]
    pub(crate) fn after(self, departure: &Departure) -> Self {
        Self {
            mver: self.mver.max(departure.mver.saturating_add(1)),
            revoked_at: self.revoked_at.max(Some(departure.left_at)),
            ..self
        }
    }

    /// Whether a session begun at `began` is from before the last revocation.
    #[must_use]
    pub fn cuts_off(&self, began: Timestamp) -> bool {
        self.revoked_at.is_some_and(|revoked| began <= revoked)
    }
}

impl Record for Membership {}

/// What is kept of a membership that was removed, until no session of before is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Departure {
    /// The version that it had: the next membership has a higher one.
    pub(crate) mver: u64,
    /// When it ended: sessions begun at or before that cannot be exchanged in the tenant.
    pub(crate) left_at: Timestamp,
}

impl Record for Departure {}

impl Departure {
    /// What is kept of `membership`, which is removed at `now`.
    pub(crate) fn of(membership: &Membership, now: Timestamp) -> Self {
        let left_at = membership.revoked_at.unwrap_or(now).max(now);
        Self { mver: membership.mver, left_at }
    }

    /// When no session of before is left.
    pub(crate) fn forgotten_at(&self, settings: &Settings) -> Timestamp {
        let longest = u64::try_from(settings.session_max.as_millis()).unwrap_or(u64::MAX);
        self.left_at.plus_millis(longest)
    }
}

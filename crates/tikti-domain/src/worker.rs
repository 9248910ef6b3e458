//! A worker: a non-human principal of one tenant.
//!
//! A deleted worker leaves a tombstone, so that no token is made for its name by policy `any`.
//!
//! Spec: Domain, "Worker"; Authorization, "Token exchange", step 10.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ClientId, EventType, RoleName, WorkerId};
use crate::record::{Lasting, Record};
use crate::scope::ScopeSet;

/// Whether a worker may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerStatus {
    /// May act.
    Active,
    /// Refused everywhere.
    Disabled,
}

/// The worker's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// The id, the `sub` of its tokens.
    pub id: WorkerId,
    /// The audiences that its tokens may have.
    pub clients: BTreeSet<ClientId>,
    /// The most that its tokens may hold.
    pub scopes: ScopeSet,
    /// The event types that its tokens may hold.
    pub event_types: BTreeSet<EventType>,
    /// Roles whose holders may have tokens made for it.
    #[serde(default)]
    pub mintable_by: BTreeSet<RoleName>,
    /// Whether it may act.
    pub status: WorkerStatus,
    /// The worker version: tokens with another one are revoked.
    pub wver: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Record for Lasting<Worker> {}

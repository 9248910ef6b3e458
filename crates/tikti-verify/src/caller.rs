//! Who sent this request? What a handler reads.
//!
//! A [`Caller`] is made from verified claims only, so a handler that has one needs no check but its
//! own rules.

use std::sync::Arc;

use tikti_token::{AccessClaims, Verified, WorkerClaims};

/// The claims of either class that a resource server takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claims {
    /// Of an access token.
    Access(AccessClaims),
    /// Of a worker token.
    Worker(WorkerClaims),
}

/// Who a verified token speaks of, and what it allows. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(Arc<Claims>);

impl Caller {
    /// Returns all claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.0
    }

    /// Returns the claims that both classes have.
    #[must_use]
    pub fn access(&self) -> &AccessClaims {
        match &*self.0 {
            Claims::Access(access) => access,
            Claims::Worker(worker) => &worker.access,
        }
    }

    /// Returns the id of the user or worker.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.access().sub
    }

    /// Returns the tenant whose data this request may touch, and no other's.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.access().tid
    }

    /// Tells whether `scope` is held, by exact text.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.access().scope.split(' ').any(|held| held == scope)
    }

    /// Returns the event types of a worker; none for an access token.
    #[must_use]
    pub fn event_types(&self) -> &[String] {
        match &*self.0 {
            Claims::Access(_) => &[],
            Claims::Worker(worker) => &worker.event_types,
        }
    }

    /// Tells whether a worker may take events of this type: it is named, or `*` is.
    #[must_use]
    pub fn takes_events_of(&self, event_type: &str) -> bool {
        self.event_types().iter().any(|held| held == event_type || held == "*")
    }
}

impl From<Verified<AccessClaims>> for Caller {
    fn from(verified: Verified<AccessClaims>) -> Self {
        Self(Arc::new(Claims::Access(verified.into_claims())))
    }
}

impl From<Verified<WorkerClaims>> for Caller {
    fn from(verified: Verified<WorkerClaims>) -> Self {
        Self(Arc::new(Claims::Worker(verified.into_claims())))
    }
}

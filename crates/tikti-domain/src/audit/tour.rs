//! Which chains are next in a background tour of all?
//!
//! A tour begins with the deployment's own chain, goes through the tenants a page at a time, and rests
//! before it begins anew. Losing one loses nothing.
//!
//! Spec: Storage, "a sweeper that any replica runs".

use tikti_store::Partition;

use super::Chain;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::TenantId;
use crate::keyspace;
use crate::listing;

/// Tenants whose chains are looked at in one call.
const PAGE: usize = 100;

/// How far a tour is.
#[derive(Clone, Debug, Default)]
pub(super) struct Tour {
    /// The tenant that was looked at last.
    after: Option<Vec<u8>>,
    rests_until: Option<Timestamp>,
}

/// The chains of one call.
pub(super) struct Leg {
    pub(super) chains: Vec<Chain>,
    /// Where to go on, if this tour is not over.
    next: Option<Vec<u8>>,
}

impl Leg {
    pub(super) const fn is_last(&self) -> bool {
        self.next.is_none()
    }
}

impl Tour {
    /// The next chains; `None` while the tour rests.
    pub(super) async fn next(&self, domain: &Domain, now: Timestamp) -> Result<Option<Leg>, Error> {
        if self.rests_until.is_some_and(|until| now < until) {
            return Ok(None);
        }
        let after = self.after.as_deref();
        let list = (&Partition::global(), keyspace::TENANT);
        let page = listing::page(&domain.store, list, PAGE, after, now).await?;
        let own = after.is_none().then_some(Chain::Deployment);
        let ids = page.entries.iter().map(|(id, _)| String::from_utf8_lossy(id));
        let tenants = ids.filter_map(|id| TenantId::parse(&id).ok()).map(Chain::Tenant);
        let chains = own.into_iter().chain(tenants).collect();
        Ok(Some(Leg { chains, next: page.next }))
    }

    /// Goes on behind `leg`; after the last one not before `rests_until`.
    pub(super) fn pass(&mut self, leg: Leg, rests_until: Timestamp) {
        self.rests_until = leg.is_last().then_some(rests_until);
        self.after = leg.next;
    }
}

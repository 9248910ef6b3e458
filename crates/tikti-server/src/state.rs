//! What does every handler share? The domain, the pages made at start, and whether we are stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tikti_domain::Domain;
use tikti_domain::random::Random;

use crate::extract::client_ip::ClientIp;
use crate::extract::request_id::RequestIds;
use crate::published::Published;
use crate::tasks::Carried;

/// The state behind every handler, cloned by reference.
pub(crate) type Shared = Arc<AppState>;

/// Everything that handlers and middleware need.
pub(crate) struct AppState {
    /// The rules, with store, clock, random and pools.
    pub(crate) domain: Domain,
    /// Makes request ids.
    pub(crate) request_ids: RequestIds,
    /// Finds from where a request comes.
    pub(crate) client_ip: ClientIp,
    /// Documents made once at start.
    pub(crate) pages: Pages,
    /// The answer that needs no router.
    pub(crate) published: Published,
    /// Requests that change something: they run to their end.
    pub(crate) carried: Carried,
    /// Whether the issuer is https, so that browsers may be told to stay with it.
    pub(crate) is_https: bool,
    /// Set once, when the server was asked to stop.
    stopping: AtomicBool,
}

/// Documents that never change while the process lives.
pub(crate) struct Pages {
    /// `/openapi.json`
    pub(crate) openapi: Bytes,
    /// `/docs`
    pub(crate) docs: Bytes,
    /// The discovery documents.
    pub(crate) discovery: Bytes,
}

impl AppState {
    /// Assembles the state of a server that is ready.
    pub(crate) fn new(domain: Domain, random: Random, client_ip: ClientIp, pages: Pages) -> Self {
        let is_https = domain.settings().issuer.starts_with("https://");
        let (carried, stopping) = (Carried::new(), AtomicBool::new(false));
        let request_ids = RequestIds::new(random);
        let published = Published::default();
        Self { domain, request_ids, client_ip, pages, published, carried, is_https, stopping }
    }

    /// The state of a server over these rules, without pages.
    #[cfg(test)]
    pub(crate) fn over(domain: Domain) -> Shared {
        let pages = Pages { openapi: Bytes::new(), docs: Bytes::new(), discovery: Bytes::new() };
        Arc::new(Self::new(domain, Random::seeded(2), ClientIp::default(), pages))
    }

    /// Whether the server was asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Makes `/readyz` answer 503 from now on, so that no new work is sent here.
    pub(crate) fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

//! From which address does the request come?
//!
//! The peer's, unless the peer is a trusted proxy: then whom it names, and if that is one as well, whom
//! that one names, and so on. Each proxy writes whom it saw behind what it was sent, so hops are read
//! from the right, and what stands left of the first untrusted one is what a client likes to claim.
//! Invariant: no header of an untrusted peer is believed, and what cannot be read is not skipped: it
//! ends the search, since whatever is left of it may be made up.
//!
//! `X-Forwarded-For` and `Forwarded` (RFC 7239) are both understood. A proxy that writes one of them
//! passes the other one on as the client sent it; where both are there and disagree, neither is
//! believed.
//!
//! Spec: Operations, "Rate limits".

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::header::FORWARDED;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::forwarded;
use crate::config::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection, put into each request by the connection that read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Finds the caller's address.
#[derive(Debug, Default)]
pub(crate) struct ClientIp {
    proxies: TrustedProxies,
    /// Whether it was said already that a header was not believed.
    has_warned: AtomicBool,
}

impl ClientIp {
    pub(crate) fn new(proxies: TrustedProxies) -> Self {
        Self { proxies, has_warned: AtomicBool::new(false) }
    }

    /// The caller's address; an IPv4 address that arrived as an IPv6 one is given as IPv4.
    pub(super) fn of(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
        let headers = &parts.headers;
        if !headers.contains_key(FORWARDED) && !headers.contains_key(X_FORWARDED_FOR) {
            return Some(peer);
        }
        if !self.proxies.trust(peer) {
            self.warn();
            return Some(peer);
        }
        Some(self.behind(peer, headers))
    }

    /// The address behind a proxy.
    fn behind(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let by_list = lines(headers, &X_FORWARDED_FOR).map(|text| forwarded::list(&text));
        let by_rfc = lines(headers, &FORWARDED).map(|text| forwarded::rfc_7239(&text));
        let said = [by_list, by_rfc].map(|hops| hops.map(|hops| self.client(proxy, &hops)));
        match said {
            [Some(one), Some(other)] if one != other => proxy,
            [Some(said), _] | [None, Some(said)] => said,
            [None, None] => proxy,
        }
    }

    /// The right-most hop that is no trusted proxy; where all are, the left-most one.
    fn client(&self, proxy: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut nearest = proxy;
        for hop in hops.iter().rev() {
            let Some(hop) = hop else { break };
            nearest = hop.to_canonical();
            if !self.proxies.trust(nearest) {
                break;
            }
        }
        nearest
    }

    /// Says once that somebody forwards for others and is not trusted: behind a proxy that nobody named,
    /// all callers share the limits of one.
    fn warn(&self) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a request says for whom it was forwarded, and comes from no trusted proxy: it counts \
                 for its peer; if that is a proxy of yours, name it in trustedProxies"
            );
        }
    }
}

/// All lines of a header as one list; absent where there is none. Bytes that are no text read as
/// something that is no address.
fn lines(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

#[cfg(test)]
mod tests;
